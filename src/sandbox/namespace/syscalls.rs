//! The system calls that a sandbox's processes are refused, as container engines refuse them.
//!
//! What is denied is what Docker's default profile denies (its documentation, "Seccomp security
//! profiles for Docker", lists it with reasons), as far as an unprivileged process can get anywhere
//! with it: new namespaces, which give back every capability inside; keyrings, which are the
//! user's; large surfaces of the kernel that no test suite needs; and typing into a terminal.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// Answered with `EPERM`, whatever their arguments.
const FORBIDDEN: &[libc::c_long] = &[
    // Namespaces and mounts.
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    // The user's keyrings.
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // Files and descriptors by other names than paths.
    libc::SYS_open_by_handle_at,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_fanotify_init,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    // The kernel itself, its modules, its clock.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_memfd_secret,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_syslog,
    libc::SYS_acct,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_vhangup,
    // Pages of others, and where they lie.
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_mbind,
    libc::SYS_get_mempolicy,
    libc::SYS_set_mempolicy,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_kexec_file_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ustat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_sysfs,
];

/// System V's shared memory, semaphores and queues, where nothing limits them.
const SEGMENTS: [libc::c_long; 3] = [libc::SYS_shmget, libc::SYS_semget, libc::SYS_msgget];

/// Answered with `ENOSYS`, as a kernel without them would: libraries fall back to what they did
/// before. The flags of `clone3` lie in memory, where no filter can read them.
const ABSENT: &[libc::c_long] = &[
    libc::SYS_clone3,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

/// `CLONE_NEW*` of `clone(2)` and `unshare(2)`.
const NEW_NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];
/// The same for a time namespace: `unshare` has it only, since `clone` has a signal's number there.
const NEW_TIME: libc::c_int = 0x80;

/// What types into a terminal, and what the console's driver does in its place (`ioctl_tty(2)`).
const TYPING: [u64; 2] = [0x5412, 0x541c];

/// Families of sockets that reach beyond network namespaces, or into the kernel's cryptography.
const SOCKETS: [libc::c_int; 2] = [libc::AF_VSOCK, libc::AF_ALG];

/// Which calls do nothing, and say that they did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pretends {
    /// None.
    Nothing,
    /// Those that make devices.
    Devices,
    /// Those and what gives a file another owner, or a process.
    OwnersAndDevices,
}

/// Refuses them, for good and for all children; with `segments`, [`SEGMENTS`] too. The process must have given up new privileges.
///
/// A program of another architecture (32-bit ones among them) is ended at its first call.
pub fn refuse(segments: bool, pretends: Pretends) -> io::Result<()> {
    for program in filters(segments).map_err(io::Error::other)? {
        seccompiler::apply_filter(&program).map_err(io::Error::other)?;
    }
    if pretends != Pretends::Nothing {
        let program = without_effect(pretends).map_err(io::Error::other)?;
        seccompiler::apply_filter(&program).map_err(io::Error::other)?;
    }
    #[cfg(target_arch = "x86_64")]
    seccompiler::apply_filter(&without_x32()).map_err(io::Error::other)?;
    Ok(())
}

fn filters(segments: bool) -> Result<[BpfProgram; 2], seccompiler::BackendError> {
    let mut forbidden: Rules = FORBIDDEN.iter().map(|call| (*call, Vec::new())).collect();
    if segments {
        forbidden.extend(SEGMENTS.map(|call| (call, Vec::new())));
    }
    let mut forbid = |call, rules: Vec<Result<SeccompRule, _>>| {
        let rules: Result<Vec<_>, _> = rules.into_iter().collect();
        rules.map(|rules| forbidden.insert(call, rules))
    };
    let new = || NEW_NAMESPACES.iter().map(|flag| has_bit(0, *flag));
    forbid(libc::SYS_clone, new().collect())?;
    let new_time = has_bit(0, NEW_TIME);
    forbid(libc::SYS_unshare, new().chain([new_time]).collect())?;
    let typing = TYPING.map(|request| is(1, request));
    forbid(libc::SYS_ioctl, typing.into())?;
    let sockets = SOCKETS.map(|family| is(0, number(family)));
    forbid(libc::SYS_socket, sockets.into())?;
    let absent = ABSENT.iter().map(|call| (*call, Vec::new())).collect();
    Ok([
        program(forbidden, libc::EPERM)?,
        program(absent, libc::ENOSYS)?,
    ])
}

/// What gives a file another owner, or a process: with one user there is no other, and package managers
/// take a refusal for a failure. Charliecloud's filter does the same (its `seccomp.c`).
const OWNERS: &[libc::c_long] = &[
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
];

/// Answers such calls of those as are pretended, and those that make devices, with success, and does nothing.
fn without_effect(pretends: Pretends) -> Result<BpfProgram, seccompiler::BackendError> {
    let owners = match pretends {
        Pretends::OwnersAndDevices => OWNERS,
        Pretends::Nothing | Pretends::Devices => &[],
    };
    let mut calls: Rules = owners.iter().map(|call| (*call, Vec::new())).collect();
    let devices = |argument| {
        let kind = number(libc::S_IFMT.cast_signed());
        [libc::S_IFCHR, libc::S_IFBLK]
            .map(|device| {
                let is = SeccompCmpOp::MaskedEq(kind);
                rule(argument, is, number(device.cast_signed()))
            })
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
    };
    calls.insert(libc::SYS_mknodat, devices(2)?);
    #[cfg(target_arch = "x86_64")]
    calls.insert(libc::SYS_mknod, devices(1)?);
    program(calls, 0)
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn program(rules: Rules, answer: libc::c_int) -> Result<BpfProgram, seccompiler::BackendError> {
    let answer = SeccompAction::Errno(answer.cast_unsigned());
    let arch = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, answer, arch)?.try_into()
}

fn has_bit(argument: u8, bit: libc::c_int) -> Result<SeccompRule, seccompiler::BackendError> {
    let bit = number(bit);
    rule(argument, SeccompCmpOp::MaskedEq(bit), bit)
}

fn is(argument: u8, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    rule(argument, SeccompCmpOp::Eq, value)
}

fn rule(
    argument: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompRule, seccompiler::BackendError> {
    // The kernel looks at 32 bits of all of these; whatever stands above them changes nothing.
    let length = SeccompCmpArgLen::Dword;
    SeccompRule::new(vec![SeccompCondition::new(
        argument, length, operator, value,
    )?])
}

const fn number(value: libc::c_int) -> u64 {
    value.cast_unsigned() as u64
}

/// On `x86_64`, the same calls have second numbers (x32, bit 30 set) that the filters above do not
/// know: there are none of these (`ENOSYS`).
#[cfg(target_arch = "x86_64")]
fn without_x32() -> BpfProgram {
    use seccompiler::sock_filter;
    // Of linux/bpf_common.h and linux/seccomp.h.
    const LOAD: u16 = 0x20;
    const JUMP_IF_AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    const ERRNO: u32 = 0x0005_0000;
    const ALLOW: u32 = 0x7fff_0000;
    let step = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    vec![
        step(LOAD, 0, 0, 0),
        step(JUMP_IF_AT_LEAST, 0, 1, 0x4000_0000),
        step(RETURN, 0, 0, ERRNO | libc::ENOSYS.cast_unsigned()),
        step(RETURN, 0, 0, ALLOW),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_are_small_enough_for_the_kernel() {
        let filters = filters(true).unwrap().into_iter();
        for program in filters.chain([without_effect(Pretends::OwnersAndDevices).unwrap()]) {
            // BPF_MAXINSNS of the kernel.
            assert!((10..4096).contains(&program.len()), "{}", program.len());
        }
    }
}
