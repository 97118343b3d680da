//! Paths of a root file system that is not ours yet, and that somebody else filled.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FallocateFlags, Mode, OFlags, ResolveFlags, fchmod, mkdirat, open, openat, openat2,
    unlinkat,
};
use rustix::io::Errno;

/// A root file system, in which links lead where they would lead from within: never out of it.
#[derive(Debug)]
pub struct Inside {
    root: OwnedFd,
}

/// A directory that is held open by nothing but its path.
const HELD: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Inside {
    /// That of a directory.
    pub fn at(root: &Path) -> io::Result<Self> {
        let root = open(root, HELD, Mode::empty())?;
        Ok(Self { root })
    }

    /// Holds a directory, which is made where there is none; what is no directory makes way for it.
    pub fn dir(&self, path: &str) -> io::Result<OwnedFd> {
        match self.find(path) {
            // A link in a circle leads nowhere either.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            found => return Ok(found?),
        }
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let above = self.dir(above)?;
        match mkdirat(&above, name, Mode::from_raw_mode(0o755)) {
            // A file, or a link to nowhere.
            Err(Errno::EXIST) => {
                unlinkat(&above, name, AtFlags::empty())?;
                mkdirat(&above, name, Mode::from_raw_mode(0o755))?;
            }
            made => made?,
        }
        Ok(openat(
            &above,
            name,
            HELD | OFlags::NOFOLLOW,
            Mode::empty(),
        )?)
    }

    /// A directory that everybody may write to, and nobody remove another's file from.
    pub fn open_dir(&self, path: &str) -> io::Result<()> {
        let dir = self.dir(path)?;
        let mode = Mode::from_raw_mode(0o1777);
        if Mode::from_raw_mode(rustix::fs::fstat(&dir)?.st_mode) != mode {
            let dir = openat(
                &dir,
                ".",
                OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            )?;
            fchmod(&dir, mode)?;
        }
        Ok(())
    }

    /// Whether there is a directory.
    pub fn has_dir(&self, path: &str) -> bool {
        self.find(path).is_ok()
    }

    /// Writes a file anew, in place of whatever has its name, a link among it.
    pub fn write(&self, dir: &str, name: &str, text: &str) -> io::Result<()> {
        match self.create(dir, name)? {
            Some(mut file) => io::Write::write_all(&mut file, text.as_bytes()),
            None => Ok(()),
        }
    }

    /// Makes a file anew that takes so many bytes, so that they are there when it goes.
    pub fn keep_room(&self, path: &str, bytes: u64) -> io::Result<()> {
        let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
        if let Some(file) = self.create(dir, name)? {
            rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes)?;
        }
        Ok(())
    }

    /// A file in place of whatever has its name, but for a directory.
    fn create(&self, dir: &str, name: &str) -> io::Result<Option<std::fs::File>> {
        let dir = self.dir(dir)?;
        match unlinkat(&dir, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            // A directory by that name is the image's affair.
            Err(Errno::ISDIR) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&dir, name, flags, Mode::from_raw_mode(0o644))?;
        Ok(Some(file.into()))
    }

    fn find(&self, path: &str) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { "." } else { path };
        openat2(
            &self.root,
            path,
            HELD,
            Mode::empty(),
            ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
        )
    }
}

/// A path that leads to a directory that is held, for calls that take only paths.
pub fn path_of(fd: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into()
}
