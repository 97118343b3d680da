//! What the guest does from its start to its end: it waits, and answers what the harness asks.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::WaitOptions;
use rustix::thread::CpuSet;

use super::call::Door;
use super::callers::{Callers, Complete};
use super::command::RunningCommand;
use super::frame::{self, CommandEnd, GuestReply, Request};
use super::known::KnownShell;
use super::memory::MemoryWatch;
use super::order::GuestOrder;
use super::shell::Shell;
use super::tree::ProcessTree;
use super::{powers, signals};
use crate::files;

/// Output pipes that background processes of earlier commands still hold are read and thrown
/// away; more than this many are closed.
const MAX_ABANDONED: usize = 64;

/// How the guest is started.
#[derive(Clone, Debug, Default)]
pub struct GuestOptions {
    /// Where programs reach the guest.
    pub socket: Option<Door>,
    /// How many processes there may be.
    pub pids: usize,
    /// How many bytes processes may hold together, where nothing else limits it.
    pub memory: Option<u64>,
    /// How many CPUs they may run on, where nothing else limits it.
    pub cpus: Option<usize>,
    /// The first process of the process namespace that commands have to themselves. They cannot
    /// name us then, and the process table that we are in is our working directory.
    pub init: Option<u32>,
    /// All variables that commands see; without it those of our own environment.
    pub env: Option<Vec<(String, String)>>,
}

struct Guest {
    tree: ProcessTree,
    pids: usize,
    running: Option<RunningCommand>,
    abandoned: Vec<OwnedFd>,
    callers: Option<Callers>,
    memory: Option<MemoryWatch>,
    /// The shell and its variables.
    shell: Shell,
    /// The shell that was last seen to run.
    known: Option<KnownShell>,
}

/// Serves until the harness goes away. Errors are those of its own channel.
pub fn serve(options: &GuestOptions) -> io::Result<()> {
    if options.init.is_some() {
        crate::process::look_for_processes_in(".".into());
        powers::keep_for_ourselves()?;
    }
    // No command may open the terminal of whoever started us.
    crate::process::leave_session()?;
    signals::restore()?;
    // What the harness had open is nothing for commands.
    powers::seal_descriptors()?;
    // Its memory and descriptors are nobody's business in there: even root needs CAP_SYS_PTRACE.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    if std::process::id() != 1 {
        // Orphans of commands become our children, where they can be found and ended.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    }
    if let Some(cpus) = options.cpus {
        keep_to(cpus)?;
    }
    let mut guest = Guest {
        tree: ProcessTree { init: options.init },
        pids: options.pids,
        running: None,
        abandoned: Vec::new(),
        callers: options.socket.as_ref().map(Callers::listen).transpose()?,
        memory: options.memory.map(MemoryWatch::new),
        shell: Shell {
            env: options.env.clone(),
        },
        known: None,
    };
    let path = guest.shell.path();
    say(&GuestReply::Ready { path }, &[])?;
    let mut input = io::stdin().lock();
    let mut buffer = Vec::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        let heard = guest.wait(io::stdin().as_fd())?;
        if heard {
            // Unbuffered enough: what the lock's buffer holds is taken out at once.
            let count = read_some(&mut input, &mut piece)?;
            if count == 0 {
                guest.end_everything();
                return Ok(());
            }
            buffer.extend(&piece[..count]);
            while let Some((request, payload)) = frame::take(&mut buffer)? {
                guest.handle(request, &payload)?;
            }
        }
        if let Some(memory) = &mut guest.memory {
            memory.look(guest.tree);
        }
        guest.reap();
        guest.look_at_command()?;
    }
}

/// Keeps us and our children to so many of the CPUs that we may run on. Which ones is left to
/// chance, so that sandboxes don't all take the first.
fn keep_to(cpus: usize) -> io::Result<()> {
    let allowed = rustix::thread::sched_getaffinity(None)?;
    let mut numbers: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|cpu| allowed.is_set(*cpu))
        .collect();
    fastrand::shuffle(&mut numbers);
    let mut chosen = CpuSet::new();
    for cpu in numbers.into_iter().take(cpus.max(1)) {
        chosen.set(cpu);
    }
    Ok(rustix::thread::sched_setaffinity(None, &chosen)?)
}

/// Reads what is there without leaving anything behind in the reader's buffer.
fn read_some(input: &mut io::StdinLock<'_>, piece: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

fn say(reply: &GuestReply, payload: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(&frame::encode(reply, payload))?;
    out.flush()
}

impl Guest {
    /// Waits until something happens; says whether the harness spoke.
    fn wait(&mut self, harness: BorrowedFd<'_>) -> io::Result<bool> {
        // Children are also reaped without a command, and a descriptor may be missing.
        let often = Duration::from_secs(1);
        let timeout = match (&self.running, &self.memory) {
            (Some(running), memory) => {
                let left = running.deadline.saturating_duration_since(Instant::now());
                Some(left.min(memory.as_ref().map_or(often, MemoryWatch::rest)))
            }
            (None, Some(_)) => Some(often),
            (None, None) => None,
        };
        let timeout = timeout.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(1),
            tv_nsec: i64::from(left.subsec_nanos()),
        });
        let mut fds = vec![PollFd::from_borrowed_fd(harness, PollFlags::IN)];
        if let Some(running) = &self.running {
            fds.extend(
                running
                    .fds()
                    .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
            );
        }
        let first_abandoned = fds.len();
        fds.extend(
            self.abandoned
                .iter()
                .map(|fd| PollFd::new(fd, PollFlags::IN)),
        );
        let end_abandoned = fds.len();
        if let Some(callers) = &self.callers {
            fds.extend(
                callers
                    .fds()
                    .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
            );
        }
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let heard = !fds[0].revents().is_empty();
        let ready: Vec<bool> = fds[first_abandoned..end_abandoned]
            .iter()
            .map(|fd| !fd.revents().is_empty())
            .collect();
        drop(fds);
        self.throw_away(&ready);
        if let Some(callers) = &mut self.callers {
            for Complete { call, words, body } in callers.take_calls() {
                say(&GuestReply::Call { call, words }, &body)?;
            }
        }
        Ok(heard)
    }

    /// Reads what background processes of earlier commands print, so that they don't block.
    fn throw_away(&mut self, ready: &[bool]) {
        let mut index = 0;
        self.abandoned.retain(|fd| {
            let is_ready = ready.get(index).copied().unwrap_or(false);
            index += 1;
            !is_ready || !matches!(rustix::io::read(fd, &mut [0_u8; 1 << 13][..]), Ok(0))
        });
    }

    fn handle(&mut self, request: Request, payload: &[u8]) -> io::Result<()> {
        match request {
            Request::Run {
                id,
                cwd,
                login,
                deadline_ms,
                limit,
            } => {
                let order = GuestOrder {
                    script: std::str::from_utf8(payload).map_err(io::Error::other)?,
                    cwd: &cwd,
                    login,
                    deadline: Duration::from_millis(deadline_ms),
                    limit,
                };
                match self.start(id, &order) {
                    Ok(running) => self.running = Some(running),
                    Err(error) if !matches!(self.shell.runs(), Ok(true)) => {
                        let why = format!("bash cannot be started: {error}");
                        return say(&GuestReply::Crippled { id, why }, &[]);
                    }
                    Err(error) => {
                        // What a shell that cannot be started means to whoever asked for it.
                        let end = CommandEnd::Exited(126);
                        let why = format!("cannot start bash in {cwd}: {error}\n");
                        let head = why.len();
                        let ended = GuestReply::Ended {
                            id,
                            end,
                            head,
                            elided: 0,
                        };
                        say(&ended, why.as_bytes())?;
                    }
                }
                Ok(())
            }
            // A pipe or a device by that name might never end.
            Request::Read { id, path, .. } if is_special(Path::new(&path)) => {
                failed(id, format!("{path} is no plain file"))
            }
            Request::Read { id, path, limit } => match files::read_up_to(Path::new(&path), limit) {
                Ok(Some(bytes)) => say(&GuestReply::File { id }, &bytes),
                Ok(None) => failed(id, format!("there is no {path}")),
                Err(error) => failed(id, error.to_string()),
            },
            Request::Write { id, path } => {
                let path = Path::new(&path);
                let dir = path.parent().unwrap_or(Path::new("/"));
                let written =
                    files::create_dir(dir).and_then(|()| files::write_atomic(path, payload));
                match written {
                    Ok(()) => say(&GuestReply::Done { id }, &[]),
                    Err(error) => failed(id, error.to_string()),
                }
            }
            Request::Purge { id } => {
                self.end_everything();
                self.abandoned.clear();
                say(&GuestReply::Done { id }, &[])
            }
            Request::Answer { call, code } => {
                if let Some(callers) = &mut self.callers {
                    callers.answer(call, code, payload);
                }
                Ok(())
            }
        }
    }

    /// Starts a command. What earlier commands left behind stays, unless there is so much of it
    /// that it looks like a fork bomb, whose numbers go up and down: then it goes first.
    fn start(&mut self, id: u64, order: &GuestOrder<'_>) -> io::Result<RunningCommand> {
        if self.tree.count() >= self.pids / 4 {
            self.tree.kill(None);
            self.reap();
        }
        match RunningCommand::start(id, order, &self.shell) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.tree.kill(None);
                self.reap();
                RunningCommand::start(id, order, &self.shell)
            }
            started => started,
        }
    }

    /// Collects children that ended; in a sandbox, orphans are ours.
    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if let Some(running) = self.running.as_mut().filter(|running| running.pid == pid) {
                running.ended = Some(status);
            }
        }
    }

    fn look_at_command(&mut self) -> io::Result<()> {
        let Some(running) = &mut self.running else {
            return Ok(());
        };
        running.read()?;
        let end = if let Some(status) = running.ended {
            running.read()?;
            let signal = status.terminating_signal().map(|signal| 128 + signal);
            CommandEnd::Exited(status.exit_status().or(signal).unwrap_or(255))
        } else if Instant::now() >= running.deadline {
            self.tree.kill(Some(running.started));
            running.read()?;
            CommandEnd::TimedOut
        } else {
            return Ok(());
        };
        if running.looks_broken(end) && !self.has_a_shell(end) {
            let id = self
                .running
                .take()
                .map_or(0, |running| running.into_parts().0);
            let why = "bash is there no more, or does not run".to_owned();
            return say(&GuestReply::Crippled { id, why }, &[]);
        }
        if let Some(running) = self.running.take() {
            let (id, output, pipe) = running.into_parts();
            let (payload, head, elided) = output.into_parts();
            say(
                &GuestReply::Ended {
                    id,
                    end,
                    head,
                    elided,
                },
                &payload,
            )?;
            self.abandoned.extend(pipe);
            if self.abandoned.len() > MAX_ABANDONED {
                self.abandoned.remove(0);
            }
        }
        Ok(())
    }

    /// Whether there is a shell for the next command, after one that ended so. What earlier ones left
    /// behind may keep it from starting: then it goes first.
    fn has_a_shell(&mut self, end: CommandEnd) -> bool {
        // One that lacks processes or memory fails. Where it only did nothing, it was another one, or
        // there was nothing to do.
        let known = self.known.take().filter(|known| self.shell.is_still(known));
        if end == CommandEnd::Exited(0) && known.is_some() {
            self.known = known;
            return true;
        }
        let (mut may_run, mut known) = self.shell.may_run();
        if !may_run {
            self.tree.kill(None);
            self.reap();
            (may_run, known) = self.shell.may_run();
        }
        self.known = known;
        may_run
    }

    /// In a namespace the kernel does this when process 1 ends; without one, it is ours to do.
    fn end_everything(&mut self) {
        self.running = None;
        self.tree.kill(None);
    }
}

fn is_special(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| !meta.is_file())
}

fn failed(id: u64, why: String) -> io::Result<()> {
    say(&GuestReply::Failed { id, why }, &[])
}
