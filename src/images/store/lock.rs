//! Locks of the store: one file each, which the kernel lets go of when its process ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::files;
use crate::images::ImageError;

/// A held lock.
#[derive(Debug)]
pub struct StoreLock {
    file: File,
}

impl StoreLock {
    /// Waits until nobody else has it.
    pub fn exclusive(path: &Path) -> Result<Self, ImageError> {
        Self::wait(path, File::lock)
    }

    /// Takes it alone, to make what is not there, or shared, once it is. Who made it keeps it shared
    /// until all of an image is there: two that waited to have it alone would wait for one another.
    pub fn to_make(path: &Path, is_there: impl Fn() -> bool) -> Result<Self, ImageError> {
        loop {
            if let Some(lock) = Self::try_exclusive(path)? {
                return Ok(lock);
            }
            let lock = Self::shared(path)?;
            if is_there() {
                return Ok(lock);
            }
        }
    }

    /// Waits until nobody has it alone.
    pub fn shared(path: &Path) -> Result<Self, ImageError> {
        Self::wait(path, File::lock_shared)
    }

    fn wait(path: &Path, lock: fn(&File) -> io::Result<()>) -> Result<Self, ImageError> {
        loop {
            let file = open(path)?;
            lock(&file).map_err(|error| failed(path, error))?;
            if stands(&file, path)? {
                return Ok(Self { file });
            }
        }
    }

    /// Takes it alone, when nobody else has it.
    pub fn try_exclusive(path: &Path) -> Result<Option<Self>, ImageError> {
        loop {
            let file = open(path)?;
            match file.try_lock() {
                Ok(()) if stands(&file, path)? => return Ok(Some(Self { file })),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(failed(path, error)),
            }
        }
    }

    /// From alone to shared. Another may have it for a moment in between.
    pub fn share(&self, path: &Path) -> Result<(), ImageError> {
        let shared = self.file.lock_shared();
        shared.map_err(|error| failed(path, error))
    }
}

fn open(path: &Path) -> Result<File, ImageError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).truncate(false);
    let opened = files::open_to_write(path, &mut options).or_else(|error| {
        // Where nothing can be written, what is there can be shared all the same: with who removes
        // images from another machine, to which the file system is not read-only.
        if error.kind() != io::ErrorKind::ReadOnlyFilesystem {
            return Err(error);
        }
        files::open(path).map_err(|_| error)
    });
    opened.map_err(|error| failed(path, error))
}

/// Whether a lock's file is still under its name. Who removes what is locked removes the file too;
/// then its lock holds nobody up.
fn stands(file: &File, path: &Path) -> Result<bool, ImageError> {
    let ours = file.metadata().map_err(|error| failed(path, error))?;
    let there = path.symlink_metadata();
    Ok(there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())))
}

fn failed(path: &Path, error: io::Error) -> ImageError {
    ImageError::system("lock", path, error)
}
