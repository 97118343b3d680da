//! Where a sandbox keeps what it writes, on a disk.

use std::path::{Path, PathBuf};

use crate::files;
use crate::images::remove_path;
use crate::sandbox::SandboxError;
use crate::sandbox::namespace::UPPER;

/// A directory on a disk for what one sandbox writes; it goes with this value.
#[derive(Debug)]
pub struct Scratch {
    dir: PathBuf,
}

impl Scratch {
    /// Makes one in a directory, with a name that says whose it is.
    pub fn make(parent: &Path) -> Result<Self, SandboxError> {
        let failed = |error: std::io::Error| {
            SandboxError::start(format!(
                "no directory can be made in {} (`[native] scratch`): {error}",
                parent.display()
            ))
        };
        // Its name has this host's too: the disk may be another's as well.
        let dir = files::temporary_dir_in(parent).map_err(failed)?;
        // Who starts a sandbox as root is nobody in it.
        if rustix::process::getuid().is_root() {
            let nobody = Some(crate::sandbox::namespace::NOBODY);
            std::os::unix::fs::chown(dir.path(), nobody, nobody).map_err(failed)?;
        }
        Ok(Self { dir: dir.keep() })
    }

    /// What is written in it, as a layer.
    #[must_use]
    pub fn upper(&self) -> PathBuf {
        self.dir.join(UPPER)
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is a dead owner's later on. The kernel's own directories in there
        // may be opened by nobody until their modes are changed.
        if remove_path(&self.dir).is_err() {
            crate::sandbox::namespace::remove(&self.dir);
        }
    }
}
