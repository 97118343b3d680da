//! A program of this machine that works for a sandbox from outside, and ends with it.

use std::convert::Infallible;
use std::io::{self, Read as _, Seek as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, Mode, OFlags, memfd_create, open};
use rustix::process::{Pid, Signal, WaitOptions, waitpid};

use super::confine::fork;
use crate::process::OWNER_VAR;
use crate::text::one_line;

/// How long it may take until it does its work.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked at until then.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);
/// The most of its words that an error has.
const SHOWN: usize = 500;

/// A program that is started from where we are now, and waits until it is let go. The kernel ends it
/// with us, and our process group has it.
#[derive(Debug)]
pub struct Companion {
    name: String,
    child: Pid,
    go: OwnedFd,
    /// What it says on its standard error.
    words: OwnedFd,
    /// Its standard output.
    said: OwnedFd,
}

impl Companion {
    /// One that becomes this program. `stdin` is opened, in there, when it is let go: by then we may be
    /// somewhere else, and our number is all it has of us.
    pub fn waiting(
        mut command: Command,
        stdin: impl FnOnce(u32) -> io::Result<OwnedFd>,
    ) -> io::Result<Self> {
        let us = std::process::id();
        let program = Path::new(command.get_program()).file_name();
        let name = program.unwrap_or_default().to_string_lossy().into_owned();
        let words = memfd_create("words", MemfdFlags::CLOEXEC)?;
        let (told, go) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let flags = rustix::pipe::PipeFlags::CLOEXEC | rustix::pipe::PipeFlags::NONBLOCK;
        let (said, says) = rustix::pipe::pipe_with(flags)?;
        command.env_clear();
        command.envs(std::env::var_os(OWNER_VAR).map(|owner| (OWNER_VAR, owner)));
        let Some(child) = fork()? else {
            drop(go);
            let become_it = || -> io::Result<Infallible> {
                rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
                // The channel is the guest's alone.
                rustix::stdio::dup2_stdout(&says)?;
                rustix::stdio::dup2_stderr(&words)?;
                if rustix::io::read(&told, &mut [0][..]) != Ok(1) {
                    return Err(io::Error::other("it is not wanted any more"));
                }
                rustix::stdio::dup2_stdin(stdin(us)?)?;
                Err(command.exec())
            };
            let Err(error) = become_it();
            let _ = rustix::io::write(&words, error.to_string().as_bytes());
            std::process::exit(1);
        };
        let companion = Self {
            name,
            child,
            go,
            words,
            said,
        };
        Ok(companion)
    }

    /// Lets it go, and waits until it has done what it is for.
    pub fn work(self, is_done: impl Fn(&Self) -> bool) -> io::Result<()> {
        rustix::io::write(&self.go, b".")?;
        let begun = Instant::now();
        while !is_done(&self) {
            if waitpid(Some(self.child), WaitOptions::NOHANG)?.is_some() {
                return Err(self.failed("ended"));
            }
            if begun.elapsed() > PATIENCE {
                let _ = rustix::process::kill_process(self.child, Signal::KILL);
                let why = format!("did nothing for {} s", PATIENCE.as_secs());
                return Err(self.failed(&why));
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        Ok(())
    }

    /// Whether it wrote something to its standard output.
    pub fn has_spoken(&self) -> bool {
        rustix::io::read(&self.said, &mut [0][..]).is_ok_and(|count| count > 0)
    }

    fn failed(&self, how: &str) -> io::Error {
        let mut said = Vec::new();
        if let Ok(words) = self.words.as_fd().try_clone_to_owned() {
            let mut words = std::fs::File::from(words).take(1 << 16);
            let _ = words.get_mut().rewind();
            let _ = words.read_to_end(&mut said);
        }
        let said = String::from_utf8_lossy(&said);
        let mut lines = said.lines().filter(|line| !line.contains("syslog"));
        let last = lines.rfind(|line| !line.trim().is_empty());
        let last = last.map(|line| format!(": {}", one_line(line, SHOWN)));
        let name = &self.name;
        io::Error::other(format!("`{name}` {how}{}", last.unwrap_or_default()))
    }
}

/// Nothing, for a program that reads none.
pub fn nothing() -> io::Result<OwnedFd> {
    Ok(open(
        "/dev/null",
        OFlags::RDWR | OFlags::CLOEXEC,
        Mode::empty(),
    )?)
}
