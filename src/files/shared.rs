//! Files that several machines share. A network file system keeps for a while what it knows of a
//! directory, and an answer of its server can get lost: the call is repeated, and fails although it
//! was done.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use rustix::io::Errno;

use super::failed;
use crate::error::Result;

/// Asks the server about a file or a directory, whatever is known of it here: names in a directory
/// that was refreshed are looked up anew. False where there is none.
pub fn refresh(path: &Path) -> Result<bool> {
    let flags = AtFlags::STATX_FORCE_SYNC | AtFlags::SYMLINK_NOFOLLOW;
    match statx(CWD, path, flags, StatxFlags::BASIC_STATS) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT | Errno::STALE | Errno::NOTDIR) => Ok(false),
        // Some kernels and sandboxes do not have the call.
        Err(Errno::NOSYS) => Ok(path.symlink_metadata().is_ok()),
        Err(error) => Err(failed("read", path, &error.into())),
    }
}

/// Whether a file is there, as its server says now.
pub fn is_there(path: &Path) -> Result<bool> {
    let dir = super::dir_of(path);
    Ok(refresh(dir)? && refresh(path)?)
}

/// Renames, and leaves the error as it is: callers tell kinds apart. A directory takes the place of
/// nothing or of an empty directory only, so that of several who move one there exactly one does.
#[expect(
    clippy::disallowed_methods,
    reason = "callers add the path once they know what the error means"
)]
pub fn move_if_free(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Writes a file that is not there yet, synced, where nobody else looks: it is seen half-written.
pub fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| failed("write", path, &error))
}

/// Whether a rename failed because something is where it leads to.
#[must_use]
pub fn is_taken(error: &io::Error) -> bool {
    // A server may call a directory that is not empty one that exists.
    matches!(
        error.kind(),
        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists
    )
}
