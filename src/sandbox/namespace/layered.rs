//! An image's directories as one: by the kernel, by `fuse-overlayfs`, or by a copy of them all.

use std::ffi::CString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{XattrFlags, statfs};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};
use rustix::thread::UnshareFlags;
use serde::{Deserialize, Serialize};

use super::companion::{Companion, nothing};
use super::confine::leave;
use super::plan::Overlay;
use super::root::{ROOT, resize_space};
use crate::config::OverlayBy;
use crate::{files, images};

/// What was taken in the end, and why not what is better.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlaid {
    /// Which it is.
    pub by: OverlayBy,
    /// What the better ones said, for people.
    pub why: Vec<String>,
}

/// The directories that take part, which may be named by descriptors.
pub struct Parts<'a> {
    /// Those of the image, the topmost first.
    pub trees: &'a [PathBuf],
    /// Where what is written is kept instead of in memory: an empty directory.
    pub scratch: Option<&'a Path>,
    /// How many bytes may be written in memory.
    pub space: u64,
    /// Where all of it is to be seen.
    pub root: &'a Path,
}

/// Where what an overlay of the kernel's writes stands in its `scratch`.
pub const UPPER: &str = "kernel/upper";

/// `f_type` of a file system of FUSE (statfs(2)).
const FUSE: u64 = 0x6573_5546;
/// What a mount takes of options, of which the kernel copies one page (mount(2)).
const MOST_OPTIONS: usize = 4095;

impl Overlay {
    /// Lays them over one another, by the first way that works of those that may be taken.
    pub fn lay(&self, parts: &Parts<'_>) -> io::Result<Overlaid> {
        type Way = fn(&Overlay, &Parts<'_>) -> io::Result<()>;
        let ways: [(OverlayBy, &str, Way); 3] = [
            (OverlayBy::Kernel, "the kernel", |_, parts| kernel(parts)),
            (OverlayBy::Fuse, "fuse-overlayfs", |overlay, parts| {
                overlay.fuse(parts)
            }),
            (OverlayBy::Copy, "a copy", |_, parts| copied(parts)),
        ];
        let mut laid = Overlaid::default();
        for (by, name, way) in ways {
            if self.by != OverlayBy::Auto && self.by != by {
                continue;
            }
            match way(self, parts) {
                Ok(()) => {
                    laid.by = by;
                    return Ok(laid);
                }
                Err(error) => laid.why.push(format!("{name}: {error}")),
            }
        }
        Err(io::Error::other(format!(
            "its layers as one overlay: {}",
            laid.why.join("; ")
        )))
    }

    fn fuse(&self, parts: &Parts<'_>) -> io::Result<()> {
        let program = self.fuse.as_ref().ok_or_else(|| {
            io::Error::other(
                "there is no `fuse-overlayfs`: on Debian, `apt-get install fuse-overlayfs`",
            )
        })?;
        let shown = parts.shown()?;
        let parts = &shown.parts();
        let (upper, work) = parts.made("fuse")?;
        let option = parts.options(&upper, &work);
        let mut command = Command::new(program);
        command.args(["-f", "-o"]);
        command.arg(format!("allow_other,nosuid,nodev,{option}"));
        command.arg(parts.root);
        // Mounts of its own, which stay when we leave the old root (pivot_root(2) moves every process
        // that has it, and one would look into itself); of them we see what it mounts here.
        mount_change(ROOT, MountPropagationFlags::SHARED)?;
        let own_mounts = |_| {
            leave(UnshareFlags::NEWNS)?;
            nothing()
        };
        let is_mounted = |_: &Companion| {
            let found = statfs(parts.root);
            found.is_ok_and(|it| u64::try_from(it.f_type).unwrap_or_default() & 0xffff_ffff == FUSE)
        };
        Companion::waiting(command, own_mounts)?.work(is_mounted)?;
        let ours = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        Ok(mount_change(ROOT, ours)?)
    }
}

impl Parts<'_> {
    /// Empty directories for what is written and for work on it.
    fn made(&self, name: &str) -> io::Result<(PathBuf, PathBuf)> {
        let base = self.above().join(name);
        let (upper, work) = (base.join("upper"), base.join("work"));
        for dir in [&base, &upper, &work] {
            files::create_dir(dir).map_err(io::Error::other)?;
        }
        Ok((upper, work))
    }

    /// The same by paths that are the same for another program, which follows links and has other
    /// descriptors.
    fn shown(&self) -> io::Result<Shown<'_>> {
        let base = Path::new(ROOT).join("shown");
        let show = |dir: &Path, name: String| -> io::Result<PathBuf> {
            let place = base.join(name);
            files::create_dir(&place).map_err(io::Error::other)?;
            mount_bind(dir, &place)?;
            Ok(place)
        };
        let trees = self.trees.iter().enumerate();
        let trees = trees.map(|(number, tree)| show(tree, number.to_string()));
        Ok(Shown {
            trees: trees.collect::<io::Result<_>>()?,
            scratch: self
                .scratch
                .map(|dir| show(dir, "scratch".to_owned()))
                .transpose()?,
            parts: self,
        })
    }

    fn above(&self) -> &Path {
        self.scratch.unwrap_or(Path::new(ROOT))
    }

    fn options(&self, upper: &Path, work: &Path) -> String {
        let trees = self.trees.iter().map(|tree| tree.display().to_string());
        let trees = trees.collect::<Vec<_>>().join(":");
        let (upper, work) = (upper.display(), work.display());
        format!("lowerdir={trees},upperdir={upper},workdir={work}")
    }
}

/// Directories that take part, mounted where any process of the namespace finds them.
struct Shown<'a> {
    trees: Vec<PathBuf>,
    scratch: Option<PathBuf>,
    parts: &'a Parts<'a>,
}

impl Shown<'_> {
    fn parts(&self) -> Parts<'_> {
        Parts {
            trees: &self.trees,
            scratch: self.scratch.as_deref(),
            ..*self.parts
        }
    }
}

fn kernel(parts: &Parts<'_>) -> io::Result<()> {
    let (upper, work) = parts.made("kernel")?;
    let mut options = format!("userxattr,{}", parts.options(&upper, &work));
    if parts.scratch.is_some() {
        // It ends with the sandbox: nothing of it has to be safe on the disk.
        options.push_str(",volatile");
    }
    if options.len() > MOST_OPTIONS {
        let count = parts.trees.len();
        return Err(io::Error::other(format!(
            "{count} layers are more than a mount takes"
        )));
    }
    // Without attributes an overlay is mounted all the same, and removes no directory of the image.
    let name = c"user.overlay.try";
    rustix::fs::setxattr(&upper, name, b"", XattrFlags::empty()).map_err(|error| {
        io::Error::other(format!(
            "what is written is kept where files have no attributes ({error}): in memory that takes Linux 6.6, on a disk 5.11 (`[native] scratch`)"
        ))
    })?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    let options = CString::new(options)?;
    Ok(mount(
        "overlay",
        parts.root,
        "overlay",
        flags,
        Some(&*options),
    )?)
}

fn copied(parts: &Parts<'_>) -> io::Result<()> {
    if parts.scratch.is_none() {
        let sizes = parts.trees.iter().map(|tree| files::size_of_tree(tree));
        let bytes: u64 = sizes.map(std::result::Result::unwrap_or_default).sum();
        // A file takes whole pages.
        resize_space(parts.space.saturating_add(bytes / 4 * 5))?;
    }
    let dir = parts.above().join("copy");
    files::create_dir(&dir).map_err(io::Error::other)?;
    images::copy_trees(parts.trees, &dir).map_err(|error| io::Error::other(error.to_string()))?;
    // What becomes the root must be a mount.
    Ok(mount_bind(&dir, parts.root)?)
}
