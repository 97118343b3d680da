//! The root file system of a namespace: the host's, read-only, with a private workspace and `/tmp`.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive,
    mount_change, mount_remount, unmount,
};
use rustix::process::{chdir, pivot_root};

use super::plan::{NamespacePlan, Network};
use crate::files;
use crate::sandbox::tools::INSIDE;

/// What is shown of the host: programs and their configuration. Not people's files, other programs'
/// data and sockets, or whatever else somebody keeps at the top, a dataset's hidden tests among it.
const SHOWN: [&str; 11] = [
    "bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "opt", "nix", "gnu",
];
/// What the namespace has of its own, and is not taken from a root file system of the user's.
const OWN: [&str; 7] = ["proc", "sys", "dev", "run", "tmp", "workspace", "home"];
/// The devices that programs expect.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// One file for so many bytes that may be written. An empty file costs the kernel about 1 KB that no
/// size of a file system counts (measured: 400,000 of them took 407 MB), so files take a quarter more at
/// most.
const BYTES_PER_FILE: u64 = 4096;
/// So many files there may always be.
const LEAST_FILES: u64 = 4096;

/// Where the new root is built: any directory will do, as nobody but this namespace sees it.
pub const ROOT: &str = "/tmp";

/// Another path of a directory, which stays for whoever we become and whatever is mounted over the
/// first. The descriptor is closed when another program is started.
pub fn held(dir: &Path) -> io::Result<(OwnedFd, PathBuf)> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = open(dir, flags, Mode::empty())
        .map_err(|error| io::Error::other(format!("{}: {error}", dir.display())))?;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd()).into();
    Ok((fd, path))
}

/// Keeps to ourselves what is mounted from now on, and mounts the file system in memory for all that
/// is written, of so many bytes.
pub fn mount_space(space: u64) -> io::Result<()> {
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )?;
    let data = CString::new(format!("mode=0755,{}", room(space)))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    Ok(mount("tmpfs", ROOT, "tmpfs", flags, Some(&*data))?)
}

fn room(space: u64) -> String {
    let inodes = (space / BYTES_PER_FILE).max(LEAST_FILES);
    format!("size={space},nr_inodes={inodes}")
}

/// Gives that file system another size.
pub fn resize_space(space: u64) -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    let data = CString::new(room(space))?;
    Ok(mount_remount(ROOT, flags, &*data)?)
}

/// Builds the root. What needs the new process namespace is left to [`enter`].
pub fn build(plan: &NamespacePlan, rootfs: &Path, workspace: Option<&Path>) -> io::Result<()> {
    let root = Path::new(ROOT);
    let is_host = rootfs == Path::new("/");
    // What is held of the place stays what it was before the new root is mounted on it.
    let ((_rootfs, rootfs), (_tools, tools)) = (held(rootfs)?, held(&plan.tools)?);
    mount_space(plan.space)?;
    if is_host {
        show(&rootfs, root, |name| SHOWN.contains(&name), bound)?;
    } else {
        // Where it is on this machine is not for commands to know.
        show(&rootfs, root, |name| !OWN.contains(&name), without_path)?;
    }
    own_places(root)?;
    if let Network::Shared(resolver) | Network::Through(_, resolver) = &plan.network {
        show_resolver(root, &resolver.text)?;
    }
    let inside = root.join(INSIDE.trim_start_matches('/'));
    make(&inside)?;
    show_tools(&tools, &inside)?;
    if let Some(source) = workspace {
        files::copy_tree(source, &root.join("workspace/repo")).map_err(io::Error::other)?;
    }
    Ok(())
}

fn bound(from: &Path, to: &Path) -> io::Result<()> {
    Ok(mount_bind_recursive(from, to)?)
}

/// Shows a directory. The table of mounts has the path of one that is bound; an overlay's, which takes
/// two of them, it names as we do. Where the kernel lays none over its file system, it is bound all the
/// same.
fn without_path(from: &Path, to: &Path) -> io::Result<()> {
    let empty = Path::new(ROOT).join(".nothing");
    make(&empty)?;
    let shown = held(&empty).and_then(|(_empty, nothing)| {
        let (_from, from) = held(from)?;
        let options = format!(
            "userxattr,lowerdir={}:{}",
            from.display(),
            nothing.display()
        );
        let options = CString::new(options)?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::RDONLY;
        Ok(mount("overlay", to, "overlay", flags, Some(&*options))?)
    });
    std::fs::remove_dir(&empty)?;
    shown.or_else(|_| bound(from, to))
}

/// Shows the guest's programs.
pub fn show_tools(tools: &Path, target: &Path) -> io::Result<()> {
    without_path(tools, target)
}

/// Shows what is asked for names: in a file of the namespace's own, where the host's file is a link
/// into its `/run`, and otherwise over that.
fn show_resolver(root: &Path, text: &str) -> io::Result<()> {
    let shown = root.join("etc/resolv.conf");
    let write = |path: &Path| files::write_atomic(path, text.as_bytes()).map_err(io::Error::other);
    let Ok(link) = shown.read_link() else {
        let own = root.join("run/resolv.conf");
        write(&own)?;
        // Where the host has none, there is no place for one.
        let _ = mount_bind(&own, &shown);
        return Ok(());
    };
    let link = link.to_string_lossy().into_owned();
    let place = link.trim_start_matches("..").trim_start_matches('/');
    if place.starts_with("run/") && !place.contains("..") {
        let own = root.join(place);
        make(own.parent().unwrap_or(root))?;
        write(&own)?;
    }
    Ok(())
}

/// Makes the root ours, as process 1.
pub fn enter() -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", Path::new(ROOT).join("proc"), "proc", flags, None)?;
    chdir(ROOT)?;
    // The old root comes over the new one, and goes (pivot_root(2)).
    pivot_root(".", ".")?;
    leave_old()?;
    make_read_only(|target| target == "/" || target == "/proc" || target.starts_with("/dev/"))?;
    Ok(rustix::system::sethostname(b"sandbox")?)
}

/// Takes the old root away, which covers the new one.
pub fn leave_old() -> io::Result<()> {
    unmount(".", UnmountFlags::DETACH)?;
    Ok(chdir("/")?)
}

/// Shows commands the processes of the namespace that we are process 1 of, and no others.
pub fn show_processes() -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None)?;
    hide_kernel()
}

fn make(dir: &Path) -> io::Result<()> {
    files::create_dir(dir).map_err(io::Error::other)
}

/// Mounts what is wanted of one directory into another; other links are made anew.
fn show(
    from: &Path,
    to: &Path,
    is_wanted: impl Fn(&str) -> bool,
    mount: impl Fn(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    for path in files::list(from).map_err(io::Error::other)? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if !is_wanted(name) {
            continue;
        }
        let target = to.join(name);
        let kind = path.symlink_metadata()?.file_type();
        let link = kind.is_symlink().then(|| path.read_link()).transpose()?;
        // A mount cannot be removed, and a link can: without `/lib64` no program starts any more.
        let is_mountable =
            kind.is_dir() || link.as_ref().is_some_and(|to| to.is_relative()) && path.is_dir();
        if let (Some(link), false) = (link, is_mountable) {
            symlink(link, &target)?;
        } else if is_mountable {
            make(&target)?;
            // A mount that we may not see through stays empty.
            let _ = mount(&path, &target);
        }
    }
    Ok(())
}

/// The places that are the namespace's own and writable.
fn own_places(root: &Path) -> io::Result<()> {
    for dir in [
        "workspace",
        "tmp",
        "var/tmp",
        "run",
        "root",
        "home",
        "dev/shm",
        "proc",
        "sys",
    ] {
        make(&root.join(dir))?;
    }
    devices(&root.join("dev"))
}

/// The devices that programs expect, in a directory.
pub fn devices(dev: &Path) -> io::Result<()> {
    for device in DEVICES {
        let target = dev.join(device);
        files::write_atomic(&target, b"").map_err(io::Error::other)?;
        mount_bind(Path::new("/dev").join(device), &target)?;
    }
    for (link, to) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "fd/0"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
    ] {
        symlink(to, dev.join(link))?;
    }
    // Terminals for programs that want one; not every kernel lets us.
    let data = c"newinstance,ptmxmode=0666,mode=0620";
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    make(&dev.join("pts"))?;
    if mount("devpts", dev.join("pts"), "devpts", flags, Some(data)).is_ok() {
        symlink("pts/ptmx", dev.join("ptmx"))?;
    }
    Ok(())
}

/// Makes everything read-only that came from the host, and not what is ours.
pub fn make_read_only(is_ours: impl Fn(&str) -> bool) -> io::Result<()> {
    let table = files::read_text(Path::new("/proc/self/mountinfo")).map_err(io::Error::other)?;
    for line in table.lines() {
        let mut fields = line.split_whitespace().skip(4);
        let (Some(target), Some(options)) = (fields.next(), fields.next()) else {
            continue;
        };
        if is_ours(target) {
            continue;
        }
        // Flags that the host set are locked in here: they have to be repeated (mount(2)).
        let mut flags = MountFlags::BIND | MountFlags::RDONLY;
        for option in options.split(',') {
            flags |= match option {
                "nosuid" => MountFlags::NOSUID,
                "nodev" => MountFlags::NODEV,
                "noexec" => MountFlags::NOEXEC,
                "noatime" => MountFlags::NOATIME,
                "nodiratime" => MountFlags::NODIRATIME,
                "relatime" => MountFlags::RELATIME,
                _ => MountFlags::empty(),
            };
        }
        let target = unescaped(target);
        if mount_remount(&*target, flags, "").is_err() {
            // A mount that this user may not touch (a container's, a FUSE one): it is covered.
            let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
            mount("tmpfs", &*target, "tmpfs", flags, None).map_err(|error| {
                io::Error::other(format!(
                    "{target} can be neither made read-only nor covered: {error}"
                ))
            })?;
        }
    }
    Ok(())
}

/// What `/proc` says of the whole machine and is no program's business: container engines cover the
/// same (`MaskedPaths` and `ReadonlyPaths` of the OCI runtime's defaults).
fn hide_kernel() -> io::Result<()> {
    const COVERED: [&str; 9] = [
        "acpi",
        "asound",
        "scsi",
        "kcore",
        "keys",
        "key-users",
        "latency_stats",
        "sched_debug",
        "timer_list",
    ];
    const READ_ONLY: [&str; 5] = ["bus", "fs", "irq", "sys", "sysrq-trigger"];
    let proc = Path::new("/proc");
    for path in COVERED.map(|name| proc.join(name)) {
        match path.symlink_metadata() {
            Ok(meta) if meta.is_dir() => {
                let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
                mount("tmpfs", &path, "tmpfs", flags, None)?;
            }
            Ok(_) => mount_bind("/dev/null", &path)?,
            Err(_) => {}
        }
    }
    let flags = MountFlags::BIND
        | MountFlags::RDONLY
        | MountFlags::NOSUID
        | MountFlags::NODEV
        | MountFlags::NOEXEC;
    for path in READ_ONLY.map(|name| proc.join(name)) {
        if path.exists() {
            mount_bind(&path, &path)?;
            mount_remount(&path, flags, "")?;
        }
    }
    Ok(())
}

/// A path of `mountinfo`, in which spaces and the like are octal.
fn unescaped(path: &str) -> String {
    let mut text = path.to_owned();
    for (escaped, plain) in [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ] {
        text = text.replace(escaped, plain);
    }
    text
}
