//! The root file system of an image: its layers below, a directory of the sandbox's own above.

use std::ffi::CString;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, mount, mount_bind, mount_bind_recursive};
use rustix::process::{chdir, pivot_root};
use rustix::thread::UnshareFlags;

use super::confine;
use super::inside::{Inside, path_of};
use super::plan::{ImageRoot, NamespacePlan, Root};
use super::root::{self, ROOT, devices};
use crate::files;
use crate::sandbox::tools::INSIDE;

/// Shows root's directories to nobody, whom root becomes: they may stand where nobody may look.
///
/// Descriptors would not do: an overlay takes what is mounted in its own namespace only. One that is
/// root and may mount nothing (in a container) goes on with the paths as they are.
pub fn expose(plan: &mut NamespacePlan) -> io::Result<()> {
    if !rustix::process::getuid().is_root() || confine::leave(UnshareFlags::NEWNS).is_err() {
        return Ok(());
    }
    let Root::Image(image) = &mut plan.root else {
        return Ok(());
    };
    let dirs = image.trees.iter_mut().chain(&mut image.scratch);
    let mut shown = Vec::new();
    for (number, dir) in dirs.chain([&mut plan.tools]).enumerate() {
        shown.push(root::held(dir)?);
        *dir = Path::new(ROOT).join(number.to_string());
    }
    root::mount_space(1 << 20)?;
    for (number, (_, path)) in shown.iter().enumerate() {
        let place = Path::new(ROOT).join(number.to_string());
        files::create_dir(&place).map_err(io::Error::other)?;
        mount_bind(path, &place)?;
    }
    Ok(())
}

/// The directory of what is written to a file system of our own.
pub const UPPER: &str = "upper";

/// The place of the new root in the file system that is mounted for all of it.
fn place() -> PathBuf {
    Path::new(ROOT).join("root")
}

/// What an image's own files need in a sandbox without a daemon.
const HOSTS: &str =
    "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tsandbox\n";
/// apt gives up root to fetch packages, and makes sure that it has: here there is nobody else to be.
const APT: &str = "APT::Sandbox::User \"root\";\n";

/// Builds the root. What needs the new process namespace is left to [`enter`].
///
/// No path of the host's stands in the table of mounts: directories are named by their descriptors,
/// which also keeps the options short, and takes paths with commas and colons.
pub fn build(plan: &NamespacePlan, image: &ImageRoot) -> io::Result<()> {
    let base = Path::new(ROOT);
    let tools = root::held(&plan.tools)?;
    let trees = image.trees.iter().map(|tree| root::held(tree));
    let trees: Vec<_> = trees.collect::<io::Result<_>>()?;
    let scratch = image.scratch.as_deref().map(root::held).transpose()?;
    root::mount_space(plan.space)?;
    let make = |path: PathBuf| files::create_dir(&path).map_err(io::Error::other);
    make(place())?;
    make(base.join("dev/shm"))?;
    let above = scratch.as_ref().map_or(base, |(_, path)| path);
    let (upper, work) = (above.join(UPPER), above.join("work"));
    make(upper.clone())?;
    make(work.clone())?;
    let mut options = "userxattr,lowerdir=".to_owned();
    for (number, (_, tree)) in trees.iter().enumerate() {
        let between = if number == 0 { "" } else { ":" };
        let _ = write!(options, "{between}{}", tree.display());
    }
    let _ = write!(
        options,
        ",upperdir={},workdir={}",
        upper.display(),
        work.display()
    );
    if scratch.is_some() {
        // It ends with the sandbox: nothing of it has to be safe on the disk.
        options.push_str(",volatile");
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    let options = CString::new(options)?;
    mount("overlay", place(), "overlay", flags, Some(&*options))
        .map_err(|error| io::Error::other(format!("its layers as an overlay: {error}")))?;
    devices(&base.join("dev"))?;
    let inside = Inside::at(&place())?;
    mount_bind_recursive(base.join("dev"), path_of(&inside.dir("dev")?))?;
    let shown = inside.dir(INSIDE.trim_start_matches('/'))?;
    show_tools(&tools.1, &base.join("nothing"), &path_of(&shown))?;
    for dir in ["tmp", "var/tmp"] {
        inside.open_dir(dir)?;
    }
    for dir in ["proc", "sys", "run", "root", "workspace/repo"] {
        inside.dir(dir)?;
    }
    inside.write("etc", "hosts", HOSTS)?;
    inside.write("etc", "hostname", "sandbox\n")?;
    inside.write("etc", "resolv.conf", &image.resolver)?;
    if inside.has_dir("etc/apt/apt.conf.d") {
        inside.write("etc/apt/apt.conf.d", "99sandbox", APT)?;
    }
    if let Some((path, bytes)) = &image.room {
        inside.keep_room(path, *bytes)?;
    }
    Ok(())
}

/// Shows the guest's programs. The table of mounts has the path of a directory that is bound; an
/// overlay's, which takes two of them, it names as we do. Where the kernel lays none over this file
/// system, the directory is bound all the same.
fn show_tools(tools: &Path, nothing: &Path, target: &Path) -> io::Result<()> {
    files::create_dir(nothing).map_err(io::Error::other)?;
    let (_nothing, nothing) = root::held(nothing)?;
    let options = format!(
        "userxattr,lowerdir={}:{}",
        tools.display(),
        nothing.display()
    );
    let options = CString::new(options)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::RDONLY;
    match mount("overlay", target, "overlay", flags, Some(&*options)) {
        Ok(()) => Ok(()),
        Err(_) => Ok(mount_bind_recursive(tools, target)?),
    }
}

/// Makes the root ours, as process 1.
pub fn enter() -> io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let inside = Inside::at(&place())?;
    mount("proc", path_of(&inside.dir("proc")?), "proc", flags, None)?;
    drop(inside);
    chdir(place())?;
    // The old root comes over the new one, and goes (pivot_root(2)).
    pivot_root(".", ".")?;
    root::leave_old()?;
    root::make_read_only(|target| !Path::new(target).starts_with(INSIDE))?;
    Ok(rustix::system::sethostname(b"sandbox")?)
}

/// A directory of the image that is made for `remake`.
pub const REMADE: &str = "remade";

/// Removes a directory of the image and makes one in its place. An overlay has to mark it as another
/// one then, which not every file system above it can keep.
pub fn remake() -> io::Result<()> {
    let path = Path::new("/").join(REMADE);
    std::fs::remove_dir(&path)?;
    Ok(rustix::fs::mkdir(&path, rustix::fs::Mode::RWXU)?)
}
