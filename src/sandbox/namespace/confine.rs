//! Leaving the host's namespaces, and giving up what could lead back.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use landlock::{CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, Scope};

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Gid, Resource, Rlimit, Signal, Uid, setrlimit};
use rustix::thread::{CapabilitySet, UnshareFlags};

use super::plan::NamespacePlan;
use crate::guest::powers::keep_only;
use crate::{files, process};

/// The hidden command that becomes process 1 of the namespace.
pub const ENTER_COMMAND: &str = "__enter";

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
const NOBODY: u32 = 65534;

/// Goes into new namespaces of these kinds; of a process namespace, only our children do.
fn leave(namespaces: UnshareFlags) -> io::Result<()> {
    #[expect(
        unsafe_code,
        reason = "the call is unsafe for its FILES flag only, which is not set; we have one thread"
    )]
    // SAFETY: without `UnshareFlags::FILES` no descriptor table is unshared.
    let left = unsafe { rustix::thread::unshare_unsafe(namespaces) };
    Ok(left?)
}

/// Leaves the host's namespaces. The user becomes root of the new user namespace, which has no
/// power outside of it.
pub fn unshare(network: bool) -> io::Result<()> {
    let (uid, gid) = (rustix::process::getuid(), rustix::process::getgid());
    let mut flags = UnshareFlags::NEWUSER
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS;
    if !network {
        flags |= UnshareFlags::NEWNET;
    }
    leave(flags)?;
    let write = |file: &str, text: &str| {
        files::write_in_place(&Path::new("/proc/self").join(file), text.as_bytes())
            .map_err(io::Error::other)
    };
    // A group map may be written only after `setgroups` is given up (user_namespaces(7)).
    write("setgroups", "deny")?;
    write("uid_map", &format!("0 {} 1", uid.as_raw()))?;
    write("gid_map", &format!("0 {} 1", gid.as_raw()))
}

/// The hidden command that becomes the first process of the commands' own process namespace.
pub const INIT_COMMAND: &str = "__init";

/// What it says once it is ready.
const READY: u8 = b'.';

/// Makes the process namespace that commands have to themselves, and its first process; gives its
/// number here. What commands may do to one another (`prlimit`, signals, their files in `/proc`) they
/// cannot do to the guest, which they cannot name: the kernel compares users there, and ours is theirs.
///
/// A process's children are in the new namespace, it itself stays (unshare(2)).
pub fn start_init(words: &[String], pids: u32) -> io::Result<u32> {
    use std::io::Read as _;
    leave(UnshareFlags::NEWPID)?;
    let (program, args) = words
        .split_first()
        .ok_or_else(|| io::Error::other("nothing to start"))?;
    let mut child = Command::new(program)
        .args(args)
        .args(["--pids", &pids.to_string()])
        .env_clear()
        .current_dir("/")
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    let mut said = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut said)?;
    }
    if said != [READY] {
        return Err(io::Error::other("its first process did not start"));
    }
    Ok(child.id())
}

/// The other half of `start_init`: process 1 of the commands' namespace, which shows them their own
/// process table and takes in orphans, for as long as the guest lives.
///
/// The kernel itself collects children whose parent ignores their end (wait(2)). So this process
/// never runs again: commands can limit its time, as they can one another's, and it needs none.
pub fn be_init(pids: u32) -> io::Result<()> {
    use std::io::Write as _;
    super::root::show_processes()?;
    give_up_powers(pids, CapabilitySet::empty(), Segments::Unlimited)?;
    let hidden = rustix::process::DumpableBehavior::NotDumpable;
    rustix::process::set_dumpable_behavior(hidden)?;
    #[expect(unsafe_code, reason = "a signal's disposition is the whole process's")]
    // SAFETY: to ignore a signal runs no code of ours; this process has one thread.
    let before = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    if before == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    let mut stdout = io::stdout();
    stdout.write_all(&[READY])?;
    stdout.flush()?;
    // The end of what it says is what the guest waits for.
    let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdout(null)?;
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

/// Starts process 1 of the new process namespace and waits for its end; gives its exit code.
pub fn run_inside(plan: &NamespacePlan) -> io::Result<u8> {
    use std::os::unix::process::ExitStatusExt as _;
    let json = serde_json::to_string(plan)?;
    let mut child = Command::new("/proc/self/exe")
        .args([ENTER_COMMAND, &json])
        .spawn()?;
    // The pipes are the child's alone: ours would keep its channel open.
    let status = child.wait()?;
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(255))
}

/// Lets no namespace be made inside of this one: in a user namespace of its own, a command would have
/// every capability again. Where the kernel does not let us set it, the refused calls stand alone.
pub fn forbid_namespaces() {
    let dir = process::about("sys", "user");
    for kind in ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"] {
        let _ = files::write_in_place(&dir.join(format!("max_{kind}_namespaces")), b"0");
    }
}

/// Gives up every capability, for good and for all children, and limits what they may use.
///
/// The guest keeps to itself that it may look at its commands' memory, whatever they forbid
/// (`keeps`): it counts what they hold.
pub fn give_up_powers(pids: u32, keeps: CapabilitySet, segments: Segments) -> io::Result<()> {
    // Ends with the process that started us, even when that is killed.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    limit(Resource::Nproc, pids.into())?;
    // A command that crashes leaves no image of its memory in the workspace.
    limit(Resource::Core, 0)?;
    // Who started us may have more than others, and hide what it makes; its commands don't.
    rustix::process::umask(Mode::WGRP | Mode::WOTH);
    if rustix::process::getpriority_process(None)? < 0 {
        rustix::process::setpriority_process(None, 0)?;
    }
    rustix::thread::set_no_new_privs(true)?;
    // Without the bounding set, a program that root starts has no capabilities either.
    for capability in CapabilitySet::all().difference(keeps).iter() {
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            // The kernel may be older than the list.
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    keep_only(keeps)?;
    super::syscalls::refuse(segments == Segments::Unlimited)
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

fn limit(resource: Resource, value: u64) -> io::Result<()> {
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

/// Becomes another program; returns only an error.
pub fn exec(words: &[String]) -> io::Error {
    match words.split_first() {
        Some((program, args)) => Command::new(program).args(args).exec(),
        None => io::Error::other("nothing to start"),
    }
}
