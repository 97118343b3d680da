//! A command that runs.

use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::time::Instant;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, WaitStatus, pidfd_open};

use super::frame::CommandEnd;
use super::kept::KeptOutput;
use super::order::GuestOrder;
use super::shell::Shell;
use crate::files;
use crate::process::{self, OWNER_VAR};

/// The kernel takes no argument longer than 128 KiB (`MAX_ARG_STRLEN`).
const MAX_ARGUMENT: usize = 120_000;

/// A command, its output so far, and when it must end.
pub struct RunningCommand {
    id: u64,
    /// Whether it is an agent's: the harness's own are not in a login shell.
    is_agents: bool,
    pub pid: Pid,
    /// When it started, in the kernel's ticks; its descendants started no earlier.
    pub started: u64,
    pub deadline: Instant,
    /// How it ended, once that is known.
    pub ended: Option<WaitStatus>,
    /// Readable when it has ended.
    pidfd: Option<OwnedFd>,
    /// `None` when nobody holds the other end any more.
    pipe: Option<OwnedFd>,
    output: KeptOutput,
    /// A script that is too long for an argument.
    _file: Option<tempfile::NamedTempFile>,
}

impl RunningCommand {
    /// Starts `bash -lc`, as upstream does: in a fresh login shell, without input, and with both
    /// outputs in one pipe so that they stay in order.
    pub fn start(id: u64, order: &GuestOrder<'_>, shell: &Shell) -> io::Result<Self> {
        let mut file = None;
        let mut argument = order.script.to_owned();
        if argument.len() > MAX_ARGUMENT {
            let mut long = files::temporary_file()?;
            long.write_all(order.script.as_bytes())?;
            argument = format!(". {}", long.path().display());
            file = Some(long);
        }
        let (pipe, output) = pipe_with(PipeFlags::CLOEXEC)?;
        fcntl_setfl(&pipe, fcntl_getfl(&pipe)? | OFlags::NONBLOCK)?;
        let mut command = shell.command();
        if order.login {
            command.arg("-lc");
        } else {
            command.args(["--noprofile", "--norc", "-c"]);
        }
        if std::process::id() == 1 {
            // Only where processes may outlive us does their mark matter.
            command.env_remove(OWNER_VAR);
        }
        let child = command
            .arg(argument)
            .current_dir(order.cwd)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()?;
        let pid = Pid::from_child(&child);
        // When memory runs out, the command goes before us.
        let _ = files::write_in_place(&process::about(child.id(), "oom_score_adj"), b"500");
        Ok(Self {
            id,
            is_agents: order.login,
            pid,
            started: process::stat(child.id()).map_or(0, |stat| stat.started),
            deadline: Instant::now() + order.deadline,
            ended: None,
            pidfd: pidfd_open(pid, PidfdFlags::empty()).ok(),
            pipe: Some(pipe),
            output: KeptOutput::new(order.limit),
            _file: file,
        })
    }

    /// The descriptors to wait on: more output, or the end of the shell.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.pipe.iter().chain(&self.pidfd).map(|fd| fd.as_fd())
    }

    /// Takes in what it printed.
    pub fn read(&mut self) -> io::Result<()> {
        let mut piece = [0; 1 << 13];
        // A command that prints faster than we read must not keep us from its deadline.
        for _ in 0..512 {
            let Some(pipe) = &self.pipe else { break };
            match rustix::io::read(pipe, &mut piece[..]) {
                Ok(0) => self.pipe = None,
                Ok(count) => self.output.push(&piece[..count]),
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Whether it may have ended so because there is no shell: it failed, or it did nothing that can
    /// be seen. Of the harness's own commands, others say what that means.
    pub fn looks_broken(&self, end: CommandEnd) -> bool {
        let did_nothing = end == CommandEnd::Exited(0) && self.output.is_empty();
        let failed = matches!(end, CommandEnd::Exited(code) if code != 0);
        self.is_agents && (failed || did_nothing)
    }

    /// The request's number, the output, and the pipe when background processes still hold it.
    pub fn into_parts(self) -> (u64, KeptOutput, Option<OwnedFd>) {
        (self.id, self.output, self.pipe)
    }
}
