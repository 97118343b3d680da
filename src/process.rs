//! Child processes: whose they are, how they end with us, and how to end them.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::error::{Error, Result};
use crate::files;

/// The environment variable that marks our children with their owner.
pub const OWNER_VAR: &str = "REGATTA_OWNER";

/// The hidden subcommand that execs a child which dies with us; see [`child`].
pub const EXEC_COMMAND: &str = "__exec";

/// A process, told apart from later ones of the same number, and from those of another boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pid: u32,
    /// Clock ticks after boot at which the process started (`/proc/<pid>/stat`, field 22).
    started: u64,
    boot_id: String,
    host: String,
}

impl Owner {
    /// The process that asks, on this host since its last boot.
    #[must_use]
    pub fn this() -> Self {
        let pid = std::process::id();
        Self {
            pid,
            started: stat(pid).map_or(0, |stat| stat.started),
            boot_id: boot_id(),
            host: host(),
        }
    }

    /// The owner as a label or variable: `<pid>:<start>:<boot id>:<host>`.
    #[must_use]
    pub fn label(&self) -> String {
        let Self {
            pid,
            started,
            boot_id,
            host,
        } = self;
        format!("{pid}:{started}:{boot_id}:{host}")
    }

    /// Reads what [`Self::label`] wrote; `None` for anything else. A label of older days has no
    /// host.
    #[must_use]
    pub fn parse(label: &str) -> Option<Self> {
        let mut parts = label.splitn(4, ':');
        Some(Self {
            pid: parts.next()?.parse().ok()?,
            started: parts.next()?.parse().ok()?,
            boot_id: parts.next()?.to_owned(),
            host: parts.next().map_or_else(host, str::to_owned),
        })
    }

    /// Whether that very process still runs, or may: one of another host (a daemon that several
    /// hosts share, a regatta in a container) is not ours to judge.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.host != host()
            || self.boot_id == boot_id()
                && stat(self.pid).is_some_and(|stat| stat.started == self.started)
    }

    /// The owner as a part of a directory's name on this host: `<pid>_<start>_<boot id>`.
    #[must_use]
    pub fn dir_label(&self) -> String {
        format!("{}_{}_{}", self.pid, self.started, self.boot_id)
    }

    /// How the names of its private directories begin: `regatta-<directory label>-`.
    #[must_use]
    pub fn dir_prefix(&self) -> String {
        format!("{DIR_PREFIX}{}-", self.dir_label())
    }

    /// The owner of a private directory, by its name.
    #[must_use]
    pub fn of_dir(dir: &Path) -> Option<Self> {
        let name = dir.file_name()?.to_str()?;
        let (label, _) = name.strip_prefix(DIR_PREFIX)?.rsplit_once('-')?;
        Self::parse(&label.replace('_', ":"))
    }

    /// For people: the process and its host.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("process {} on {}", self.pid, self.host)
    }
}

/// The beginning of the name of a private directory, before its owner's process number.
const DIR_PREFIX: &str = "regatta-";

pub(crate) fn host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

pub(crate) fn boot_id() -> String {
    files::read_text(Path::new("/proc/sys/kernel/random/boot_id"))
        .map_or_else(|_| "unknown".to_owned(), |id| id.trim().to_owned())
}

/// How many processors we may use; one where the kernel does not say.
#[must_use]
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What `each` makes of every item, in their order, by as many threads as there are processors, but
/// at most eight: to read thousands of small files is mostly system calls, and two threads halve the
/// wait.
///
/// # Panics
///
/// Where `each` does.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let chunk = items.len().div_ceil(processors().min(8)).max(1);
    let each = &each;
    std::thread::scope(|scope| {
        let parts: Vec<_> = items
            .chunks(chunk)
            .map(|part| scope.spawn(move || part.iter().map(each).collect::<Vec<_>>()))
            .collect();
        let joined = parts.into_iter().map(|part| match part.join() {
            Ok(made) => made,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        joined.flatten().collect()
    })
}

/// What the kernel says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The process number of its parent.
    pub parent: u32,
    /// The number of the process that leads its group; 0 for one outside of our process namespace.
    pub group: u32,
    /// The number of the process that leads its session.
    pub session: u32,
    /// The device of its session's terminal; 0 where there is none.
    pub terminal: i32,
    /// When it started, in clock ticks after boot.
    pub started: u64,
}

/// Where the kernel tells of processes; see [`look_for_processes_in`].
static TABLE: OnceLock<PathBuf> = OnceLock::new();

/// Says where the process table is mounted, for one that does not see itself in `/proc`. The first
/// word counts.
pub fn look_for_processes_in(table: PathBuf) {
    let _ = TABLE.set(table);
}

/// A file that the kernel has on a process, or on us (`self`).
#[must_use]
pub fn about(process: impl std::fmt::Display, file: &str) -> PathBuf {
    let table = TABLE.get().map_or(Path::new("/proc"), PathBuf::as_path);
    table.join(process.to_string()).join(file)
}

/// What `/proc/<pid>/stat` says (fields 4 to 7 and 22); `None` when there is no such process, or only
/// its corpse is left.
#[must_use]
pub fn stat(pid: u32) -> Option<Stat> {
    let stat = files::read(&about(pid, "stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The command's name may hold anything, even spaces and brackets: fields follow the last one.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    if fields.first() == Some(&"Z") {
        return None;
    }
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        terminal: fields.get(4)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

/// The numbers of all processes that we can see; none when they cannot be listed.
#[must_use]
pub fn pids() -> Vec<u32> {
    let table = TABLE.get().map_or(Path::new("/proc"), PathBuf::as_path);
    let entries = files::list(table).unwrap_or_default();
    entries
        .iter()
        .filter_map(|path| path.file_name()?.to_str()?.parse().ok())
        .collect()
}

/// The program that we start again as a child; see [`set_program`].
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Says where the `regatta` program is, for a process that is another one and uses the library.
/// The first word counts.
pub fn set_program(program: PathBuf) {
    let _ = PROGRAM.set(program);
}

/// The `regatta` program: this one, unless [`set_program`] said otherwise.
pub fn program() -> Result<PathBuf> {
    match PROGRAM.get() {
        Some(program) => Ok(program.clone()),
        None => std::env::current_exe()
            .map_err(|error| Error::world(format!("cannot find our own executable: {error}"))),
    }
}

/// A command for a child of ours: in a session of its own, out of the terminal's reach, marked with
/// its owner, and killed by the kernel when we die, even by `kill -9`.
///
/// The session and the kernel's parent-death signal have to be set between fork and exec. So that
/// no unsafe code is needed here, the child begins as `regatta __exec`, which sets them and execs
/// the program.
/// It must be spawned from a thread that lives as long as we do: the runtime's only one.
pub fn child(program: impl AsRef<OsStr>) -> Result<Command> {
    let mut command = Command::new(self::program()?);
    command
        .arg(EXEC_COMMAND)
        .arg(program)
        .env(OWNER_VAR, Owner::this().label())
        .kill_on_drop(true);
    keep_out_of_our_group(&mut command);
    Ok(command)
}

/// Hands a text to a program that has our terminal, and waits until its reader has seen enough.
pub fn hand_over(words: &[String], text: &str) -> io::Result<()> {
    let (program, args) = words.split_first().ok_or(io::ErrorKind::NotFound)?;
    let mut command = std::process::Command::new(program);
    if std::env::var_os("LESS").is_none() {
        // Colours, where a `PAGER` without flags is `less`.
        command.env("LESS", "-R");
    }
    let mut reader = command.args(args).stdin(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = reader.stdin.take() {
        // One who leaves before the end has seen enough.
        let _ = io::Write::write_all(&mut stdin, text.as_bytes());
    }
    reader.wait().map(drop)
}

/// The other half of [`child`]: never returns when the program could be started.
#[must_use]
pub fn exec_as_child(command: &[OsString]) -> Error {
    let Some((program, args)) = command.split_first() else {
        return Error::usage("nothing to execute");
    };
    if let Err(error) = become_child() {
        return error;
    }
    let error = std::process::Command::new(program).args(args).exec();
    Error::world(format!("cannot start {}: {error}", program.display()))
}

/// Makes us a child as [`child`] means it: we are killed when our owner, which started us, dies, and
/// have no terminal.
pub fn become_child() -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Error::world(format!("cannot set the parent-death signal: {error}")))?;
    // The parent may have died before the line above: then nobody would end us.
    let owner = std::env::var(OWNER_VAR)
        .ok()
        .and_then(|label| Owner::parse(&label));
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned());
    if owner.is_some_and(|owner| Some(owner.pid) != parent) {
        return Err(Error::world("the owner of this child is gone"));
    }
    leave_session()
        .map_err(|error| Error::world(format!("cannot leave the terminal's session: {error}")))
}

/// Begins a session of our own, which has no terminal: nothing in it can open `/dev/tty`, and so
/// nothing can type into the shell that Regatta was started from (`TIOCSTI`).
///
/// # Errors
/// Where we lead a session that has a terminal: it cannot be left.
pub fn leave_session() -> io::Result<()> {
    use rustix::process::{getppid, setpgid, setsid};
    if setsid().is_ok() {
        return Ok(());
    }
    // The leader of a process group must not (setsid(2)): it joins its parent's for that moment.
    let joined = getppid()
        .and_then(|parent| group_of(parent.as_raw_nonzero().get().cast_unsigned()))
        .is_some_and(|group| setpgid(None, Some(group)).is_ok());
    if joined {
        setsid()?;
        return Ok(());
    }
    // A container's first process leads its session, without a terminal.
    let us = std::process::id();
    match stat(us) {
        Some(stat) if stat.session == us && stat.terminal == 0 => Ok(()),
        _ => Err(io::Error::other("this process leads a session of its own")),
    }
}

/// The group of a process, where it can be seen from our process namespace.
fn group_of(process: u32) -> Option<Pid> {
    Pid::from_raw(stat(process)?.group.try_into().ok()?)
}

/// Keeps the terminal's signals from a child until it has left the session ([`leave_session`]): in a
/// group of its own. To leave that again it has to join ours, which we must be able to name.
pub fn keep_out_of_our_group(command: &mut Command) {
    if group_of(std::process::id()).is_some() {
        command.process_group(0);
    }
}

/// Sends a signal to a child's whole process group; a group that is gone is no error.
pub fn signal_group(leader: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process_group(pid, signal);
    }
}

/// Whether any process of a child's group is left.
#[must_use]
pub fn group_exists(leader: u32) -> bool {
    i32::try_from(leader)
        .ok()
        .and_then(Pid::from_raw)
        .is_some_and(|pid| rustix::process::test_kill_process_group(pid).is_ok())
}

/// Runs a short command that reads a text and answers, with a deadline. What it says is not shown by
/// the error: it may be a secret.
pub async fn answer(
    program: &Path,
    args: &[&str],
    asked: &[u8],
    deadline: Duration,
) -> io::Result<Output> {
    let run = async {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that answers without having read has done so all the same.
            let _ = stdin.write_all(asked).await;
        }
        child.wait_with_output().await
    };
    match tokio::time::timeout(deadline, run).await {
        Ok(ended) => ended,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Runs a short command to its end, with a deadline.
pub async fn capture(program: &Path, args: &[&str], deadline: Duration) -> Result<Output> {
    let mut command = Command::new(program);
    command.args(args).kill_on_drop(true);
    output_of(command, deadline).await
}

/// The output of a command that is to end within `deadline`.
pub async fn output_of(mut command: Command, deadline: Duration) -> Result<Output> {
    command.stdin(std::process::Stdio::null());
    let shown = {
        let command = command.as_std();
        let words = [command.get_program()]
            .into_iter()
            .chain(command.get_args());
        let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
        format!("`{}`", words.join(" "))
    };
    match tokio::time::timeout(deadline, command.output()).await {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(error)) => Err(Error::world(format!("cannot run {shown}: {error}"))),
        Err(_) => Err(Error::world(format!(
            "{shown} did not end within {} s",
            deadline.as_secs()
        ))),
    }
}

/// A program of this name in the directories of `PATH`.
#[must_use]
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| is_executable(file))
}

/// Whether a file can be executed, by its mode.
#[must_use]
pub fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// A process of ours whose owner is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// Its process number on this host.
    pub pid: u32,
    /// Its command line, for people.
    pub command: String,
}

/// The processes marked by an owner that is dead.
#[must_use]
pub fn orphans() -> Vec<Orphan> {
    pids().into_iter().filter_map(orphan).collect()
}

fn orphan(pid: u32) -> Option<Orphan> {
    // A process that is not ours to read, or already gone, is not ours to end.
    let environ = files::read(&PathBuf::from(format!("/proc/{pid}/environ"))).ok()?;
    let mark = format!("{OWNER_VAR}=");
    let owner = environ.split(|byte| *byte == 0).find_map(|entry| {
        std::str::from_utf8(entry)
            .ok()?
            .strip_prefix(&mark)
            .map(str::to_owned)
    })?;
    let owner = Owner::parse(&owner)?;
    if owner.is_alive() || owner.pid == pid {
        return None;
    }
    let command = files::read(&PathBuf::from(format!("/proc/{pid}/cmdline"))).ok()?;
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    Some(Orphan {
        pid,
        command: command.trim().to_owned(),
    })
}

/// Ends an orphan at once.
pub fn kill(orphan: &Orphan) -> Result<()> {
    let pid = i32::try_from(orphan.pid).ok().and_then(Pid::from_raw);
    match pid.map(|pid| rustix::process::kill_process(pid, Signal::KILL)) {
        Some(Err(error)) if error != rustix::io::Errno::SRCH => Err(Error::world(format!(
            "cannot end process {}: {error}",
            orphan.pid
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_are_alive_and_one_of_another_boot_is_not() {
        let us = Owner::this();
        assert!(us.is_alive());
        assert_eq!(Owner::parse(&us.label()), Some(us.clone()));
        let dir = PathBuf::from("/tmp").join(format!("{}12", us.dir_prefix()));
        assert_eq!(Owner::of_dir(&dir), Some(us.clone()));
        let other = Owner {
            boot_id: "another".to_owned(),
            ..us.clone()
        };
        assert!(!other.is_alive());
        let reused = Owner {
            started: us.started + 1,
            ..us.clone()
        };
        assert!(!reused.is_alive());
        let elsewhere = Owner {
            host: "elsewhere".to_owned(),
            ..other
        };
        assert!(elsewhere.is_alive(), "another host's is not ours to judge");
    }
}
