//! Bash, which every command is given to, and whether it can still be run: an agent may have taken it
//! away, or what it needs.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::known::KnownShell;

/// How long bash may take to say a word; on a machine that is so busy, nothing is known.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a shell is tried that does not run.
const TRIES: usize = 3;

/// What it is to say, before it tells which files it is made of.
const WORD: &str = "up";

/// What is more than a shell says: its own files are some ten lines.
const MOST_SAID: u64 = 1 << 16;

/// The script by which a shell says its word, and then which files it maps.
fn script() -> String {
    format!(r#"echo {WORD}; mapfile -t maps < /proc/self/maps; printf '%s\n' "${{maps[@]}}""#)
}

/// What one look at the shell shows.
#[derive(Debug)]
pub enum Look {
    /// It starts and does what it is told; with its files, where it can tell them.
    Runs(Option<KnownShell>),
    /// The machine is so busy that nothing is known.
    Late,
    /// It does something else.
    Broken,
}

/// Bash, and the variables that it is started with.
#[derive(Clone, Debug, Default)]
pub struct Shell {
    /// All of them; without it those of our own environment.
    pub env: Option<Vec<(String, String)>>,
}

impl Shell {
    /// The `PATH` that programs are looked for by.
    pub fn path(&self) -> String {
        match &self.env {
            Some(env) => {
                let mut paths = env.iter().rev().filter(|(name, _)| name == "PATH");
                paths.next().map(|(_, path)| path.clone())
            }
            None => std::env::var("PATH").ok(),
        }
        .unwrap_or_default()
    }

    /// What starts bash with its variables.
    pub fn command(&self) -> Command {
        let Some(env) = &self.env else {
            return Command::new("bash");
        };
        // A program with a path is started without a copy of ourselves, whatever its `PATH` is.
        let mut command = Command::new(self.found().unwrap_or_else(|| "bash".into()));
        command.env_clear();
        command.envs(env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Where it is, as its `PATH` says now.
    fn found(&self) -> Option<PathBuf> {
        let path = self.path();
        let dirs = path.split(':').filter(|dir| dir.starts_with('/'));
        let mut programs = dirs.map(|dir| Path::new(dir).join("bash"));
        let may_run = |program: &PathBuf| {
            rustix::fs::access(program, rustix::fs::Access::EXEC_OK).is_ok() && program.is_file()
        };
        programs.find(may_run)
    }

    /// Whether libraries are looked for by other paths than the loader's own.
    fn is_led(&self) -> bool {
        match &self.env {
            Some(env) => env.iter().any(|(name, _)| name.starts_with("LD_")),
            None => {
                std::env::vars_os().any(|(name, _)| name.as_encoded_bytes().starts_with(b"LD_"))
            }
        }
    }

    /// Looks whether it starts and does what it is told.
    pub fn look(&self) -> io::Result<Look> {
        let mut child = self
            .command()
            .args(["--noprofile", "--norc", "-c", &script()])
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        if !has_ended(&mut child)? {
            return Ok(Look::Late);
        }
        let mut said = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(MOST_SAID).read_to_end(&mut said)?;
        }
        let said = String::from_utf8_lossy(&said);
        Ok(match said.split_once('\n') {
            Some((WORD, _)) if self.is_led() => Look::Runs(None),
            Some((WORD, maps)) => {
                let shell = self.found();
                Look::Runs(shell.and_then(|shell| KnownShell::of(&shell, maps)))
            }
            _ => Look::Broken,
        })
    }

    /// Whether one that was seen to run is still the one that runs.
    pub fn is_still(&self, known: &KnownShell) -> bool {
        self.found().is_some_and(|shell| known.is_as_it_was(&shell))
    }

    /// Whether it starts and does what it is told, as far as is known.
    pub fn runs(&self) -> io::Result<bool> {
        Ok(!matches!(self.look()?, Look::Broken))
    }

    /// Whether it may, and what is known of it then: a lack of processes or of memory passes.
    pub fn may_run(&self) -> (bool, Option<KnownShell>) {
        for _ in 0..TRIES {
            match self.look() {
                Ok(Look::Runs(known)) => return (true, known),
                Ok(Look::Late) => return (true, None),
                Ok(Look::Broken) => {}
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => return (true, None),
                    _ => {}
                },
            }
        }
        (false, None)
    }
}

/// Waits until it has ended; one that takes too long is ended.
fn has_ended(child: &mut Child) -> io::Result<bool> {
    // From Linux 5.3 on; before, it is looked after now and then.
    let pidfd = pidfd_open(Pid::from_child(child), PidfdFlags::empty());
    let begun = Instant::now();
    while child.try_wait()?.is_none() {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        if left.is_zero() {
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        let Ok(pidfd) = &pidfd else {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        };
        let left = Timespec::try_from(left).ok();
        match poll(&mut [PollFd::new(pidfd, PollFlags::IN)], left.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}
