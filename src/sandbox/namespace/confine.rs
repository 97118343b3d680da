//! Leaving the host's namespaces, and giving up what could lead back.

use std::io;
use std::os::fd::OwnedFd;

use landlock::{CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, Scope};

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Gid, Pid, Resource, Rlimit, Signal, Uid, WaitOptions, setrlimit, waitpid};
use rustix::thread::{CapabilitySet, UnshareFlags};

use super::plan::Network;
use super::syscalls::Pretends;
use crate::guest::powers::keep_only;
use crate::{files, process};

/// Root becomes nobody first: the kernel does not hold root to its limit of processes, and what
/// is not root cannot undo anything if it gets out.
pub fn stop_being_root() -> io::Result<()> {
    if !rustix::process::getuid().is_root() {
        return Ok(());
    }
    rustix::thread::set_thread_groups(&[])?;
    rustix::thread::set_thread_gid(Gid::from_raw(NOBODY))?;
    rustix::thread::set_thread_uid(Uid::from_raw(NOBODY))?;
    // A process that changed its user may not write its own maps until it says so.
    Ok(rustix::process::set_dumpable_behavior(
        rustix::process::DumpableBehavior::Dumpable,
    )?)
}

/// The user and group `nobody` on every Linux: the kernel's `overflowuid`.
pub const NOBODY: u32 = 65534;

/// Goes into new namespaces of these kinds; of a process namespace, only our children do.
pub fn leave(namespaces: UnshareFlags) -> io::Result<()> {
    #[expect(
        unsafe_code,
        reason = "the call is unsafe for its FILES flag only, which is not set; we have one thread"
    )]
    // SAFETY: without `UnshareFlags::FILES` no descriptor table is unshared.
    let left = unsafe { rustix::thread::unshare_unsafe(namespaces) };
    Ok(left?)
}

/// The namespaces beside that of users that a sandbox has of its own. What is started for it from
/// outside must be in none of processes, which therefore comes last ([`go_inside`]).
pub fn kinds(network: &Network) -> UnshareFlags {
    let flags = UnshareFlags::NEWNS | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    match network {
        Network::None => flags | UnshareFlags::NEWNET,
        Network::Shared(_) | Network::Through(..) => flags,
    }
}

/// What the first process of the commands' namespace says once it is ready.
const READY: u8 = b'.';

/// Goes on as two processes: `None` in the child.
///
/// To start our program anew instead takes milliseconds, and memory of its own for what the linker
/// writes into it; of three processes a sandbox, that was most of both.
pub fn fork() -> io::Result<Option<Pid>> {
    #[expect(
        unsafe_code,
        reason = "the child of a process with several threads must not allocate; we have one"
    )]
    // SAFETY: nothing in the hidden commands of a sandbox starts a thread before.
    let pid = unsafe { libc::fork() };
    match pid {
        0 => Ok(None),
        pid if pid > 0 => Ok(Pid::from_raw(pid)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes the process namespace that commands have to themselves, and its first process; gives its
/// number here. What commands may do to one another (`prlimit`, signals, their files in `/proc`) they
/// cannot do to the guest, which they cannot name: the kernel compares users there, and ours is theirs.
///
/// A process's children are in the new namespace, it itself stays (unshare(2)).
pub fn start_init(pids: u32) -> io::Result<u32> {
    use std::io::Write as _;
    leave(UnshareFlags::NEWPID)?;
    let (said, says) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let Some(init) = fork()? else {
        drop(said);
        let failed = be_init(pids, says).unwrap_or_else(|error| error);
        // What goes wrong here is told by the end of what it says, and by this.
        let _ = writeln!(io::stderr(), "the first process of the commands: {failed}");
        std::process::exit(1);
    };
    drop(says);
    let mut word = [0];
    if rustix::io::read(&said, &mut word[..])? != 1 || word != [READY] {
        return Err(io::Error::other("its first process did not start"));
    }
    Ok(init.as_raw_nonzero().get().cast_unsigned())
}

/// The other half of `start_init`: process 1 of the commands' namespace, which shows them their own
/// process table and takes in orphans, for as long as the guest lives.
///
/// The kernel itself collects children whose parent ignores their end (wait(2)). So this process
/// never runs again: commands can limit its time, as they can one another's, and it needs none.
fn be_init(pids: u32, says: OwnedFd) -> io::Result<io::Error> {
    // The channel is the guest's alone: ours would keep it open.
    let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    // Nor may it stay where the table of all processes is.
    std::env::set_current_dir("/")?;
    super::root::show_processes()?;
    let confinement = Confinement {
        pids,
        keeps: CapabilitySet::empty(),
        segments: Segments::Unlimited,
        pretends: Pretends::Nothing,
    };
    confinement.apply()?;
    let hidden = rustix::process::DumpableBehavior::NotDumpable;
    rustix::process::set_dumpable_behavior(hidden)?;
    #[expect(unsafe_code, reason = "a signal's disposition is the whole process's")]
    // SAFETY: to ignore a signal runs no code of ours; this process has one thread.
    let before = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    if before == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    rustix::io::write(&says, &[READY])?;
    drop(says);
    rustix::stdio::dup2_stderr(&null)?;
    loop {
        // Nothing is waited for, and a signal is no reason to stop.
        let _ = rustix::event::poll(&mut [], None);
    }
}

/// Goes to the process table that we are in and stays there: it is about to be covered.
pub fn stay_in_process_table() -> io::Result<()> {
    std::env::set_current_dir("/proc")?;
    process::look_for_processes_in(".".into());
    Ok(())
}

/// Goes on as process 1 of a new process namespace (`None`), and outside of it as the one that waits
/// for its end, with its exit code.
pub fn go_inside() -> io::Result<Option<u8>> {
    leave(UnshareFlags::NEWPID)?;
    let Some(child) = fork()? else {
        return Ok(None);
    };
    // The pipes are the child's alone: ours would keep its channel open.
    let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    let status = loop {
        match waitpid(Some(child), WaitOptions::empty()) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(Some((_, status))) => break status,
            Ok(None) => return Err(io::Error::other("its first process has no end")),
            Err(error) => return Err(error.into()),
        }
    };
    let code = status.exit_status();
    let code = code.or(status.terminating_signal().map(|signal| 128 + signal));
    Ok(Some(
        code.and_then(|code| u8::try_from(code).ok()).unwrap_or(255),
    ))
}

/// Lets no namespace be made inside of this one: in a user namespace of its own, a command would have
/// every capability again. Where the kernel does not let us set it, the refused calls stand alone.
pub fn forbid_namespaces() {
    let dir = process::about("sys", "user");
    for kind in ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"] {
        let _ = files::write_in_place(&dir.join(format!("max_{kind}_namespaces")), b"0");
    }
}

/// What a command may do as root over an image's files, which are all its own: read and change those
/// whose modes forbid it, and give them modes and labels. Nothing of it reaches beyond the namespaces.
pub const OVER_FILES: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::NET_BIND_SERVICE);

/// What it may do beside that where there are other users: become one of them, and end what is theirs.
pub const OVER_USERS: CapabilitySet = CapabilitySet::SETUID
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::KILL);

/// What a process and all its children are confined to.
#[derive(Clone, Copy, Debug)]
pub struct Confinement {
    /// How many processes there may be.
    pub pids: u32,
    /// The capabilities that stay. The guest keeps to itself that it may look at its commands'
    /// memory, whatever they forbid: it counts what they hold.
    pub keeps: CapabilitySet,
    /// Whether System V's segments are limited otherwise.
    pub segments: Segments,
    /// Which calls do nothing, and say that they did.
    pub pretends: Pretends,
}

impl Confinement {
    /// Gives up everything else, for good and for all children, and limits what they may use.
    pub fn apply(self) -> io::Result<()> {
        // Ends with the process that started us, even when that is killed.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        limit(Resource::Nproc, self.pids.into())?;
        // A command that crashes leaves no image of its memory in the workspace.
        limit(Resource::Core, 0)?;
        // Who started us may have more than others, and hide what it makes; its commands don't.
        rustix::process::umask(Mode::WGRP | Mode::WOTH);
        if rustix::process::getpriority_process(None)? < 0 {
            rustix::process::setpriority_process(None, 0)?;
        }
        rustix::thread::set_no_new_privs(true)?;
        // Without the bounding set, a program that root starts has no capabilities either.
        for capability in CapabilitySet::all().difference(self.keeps).iter() {
            match rustix::thread::remove_capability_from_bounding_set(capability) {
                // The kernel may be older than the list.
                Ok(()) | Err(rustix::io::Errno::INVAL) => {}
                Err(error) => return Err(error.into()),
            }
        }
        keep_only(self.keeps)?;
        super::syscalls::refuse(self.segments == Segments::Unlimited, self.pretends)
    }
}

/// Whether System V's shared memory, semaphores and message queues, which outlive processes and stand
/// in nobody's memory, are limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segments {
    /// By the limits of their own namespace.
    Limited,
    /// By nothing: none may be made.
    Unlimited,
}

/// Limits segments and queues together to an eighth of the memory, and a small sum (`proc(5)`,
/// `/proc/sys/kernel`). Kernels before 5.19 let only the host's root set this.
pub fn limit_segments(memory: u64, page: usize) -> Segments {
    let share = memory / 8;
    let page = u64::try_from(page.max(1)).unwrap_or(4096);
    let limits = [
        ("shmmax", share.to_string()),
        ("shmall", (share / page).to_string()),
        ("msgmni", "64".to_owned()),
        ("msgmnb", "16384".to_owned()),
        // Semaphores a set, in all, operations a call, sets: 32,000 take about 2 MB.
        ("sem", "250 32000 32 128".to_owned()),
    ];
    let write = |(name, value): (&str, String)| {
        let path = process::about("sys/kernel", name);
        files::write_in_place(&path, value.as_bytes()).is_ok()
    };
    if limits.into_iter().all(write) {
        Segments::Limited
    } else {
        Segments::Unlimited
    }
}

pub fn limit(resource: Resource, value: u64) -> io::Result<()> {
    let (current, maximum) = (Some(value), Some(value));
    Ok(setrlimit(resource, Rlimit { current, maximum })?)
}

/// Lets nothing in here reach an abstract socket of the host's (a desktop's, a daemon's), which
/// stands in the network namespace and in no directory. Only a shared network has any, and kernels
/// before 6.12 cannot tell them apart: there they stay in reach, as `docs/security.md` says.
pub fn forbid_abstract_sockets() -> io::Result<()> {
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .scope(Scope::AbstractUnixSocket)
        .and_then(Ruleset::create)
        .map_err(io::Error::other)?;
    rules.restrict_self().map_err(io::Error::other)?;
    Ok(())
}

/// Whether this kernel can keep abstract sockets of the host's out of reach.
#[must_use]
pub fn keeps_abstract_sockets() -> bool {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .scope(Scope::AbstractUnixSocket)
        .and_then(Ruleset::create)
        .is_ok()
}
