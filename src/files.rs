//! File calls whose errors name the path.

mod here;
mod output;
mod read;
mod shared;
mod temporary;
mod tree;
mod write;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::{Error, Result};
pub use here::from_here;
pub use output::OutputFile;
pub use read::{
    MAX_INPUT, open, open_to_write, read, read_end, read_last, read_lines, read_start, read_text,
    read_up_to,
};
pub use shared::{is_taken, is_there, move_if_free, refresh, write_synced};
pub use temporary::{OF_A_TREE, left_behind, remove_all, unused_name_in};
pub use tree::{Taken, copy_tree, create_tree, remove_tree, size_of_tree, tree_digest};
pub use write::{
    Appender, append_line, append_line_unsynced, append_lines_unsynced, end_torn_line, is_private,
    sync, sync_dir, write_atomic, write_in_order, write_in_place, write_new, write_private,
};

fn failed(doing: &str, path: &Path, error: &io::Error) -> Error {
    // A temporary file's error names that file, which the reader knows nothing of.
    let text = error.to_string();
    let why = text.split(" at path ").next().unwrap_or_default();
    let report = Error::world(format!("cannot {doing} {}: {why}", path.display()));
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            report.hint("check who owns it: `ls -ld` shows owner and mode")
        }
        io::ErrorKind::StorageFull => {
            report.hint("free some space; nothing was half-written, the same command goes on")
        }
        io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory => {
            report.hint("name a file, or move it away; `ls -l` shows what it is")
        }
        _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            report.hint("move the link away; `ls -l` shows where it leads")
        }
        _ => report,
    }
}

/// Makes a directory and its parents.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the call that adds the path"
)]
pub fn create_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|error| failed("make the directory", path, &error))
}

/// The entries of a directory, sorted by name; none when it does not exist.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the call that adds the path"
)]
pub fn list(path: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("list", path, &error)),
    };
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()
        .map_err(|error| failed("list", path, &error))?;
    // All are in one directory; whole paths take several times as long to compare.
    paths.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    Ok(paths)
}

/// Moves a file or directory within one file system.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the call that adds the path"
)]
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|error| failed("move", from, &error))
}

/// Copies a file; `Ok(false)` when there is none.
pub fn copy(from: &Path, to: &Path) -> Result<bool> {
    let copied = open(from).and_then(|_| fs::copy(from, to));
    match copied {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("copy", from, &error)),
    }
}

/// Removes a file; one that is not there is removed.
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed("remove", path, &error))
        }
        _ => Ok(()),
    }
}

/// Removes a directory in which there is nothing; any other stays.
pub fn remove_empty_dir(dir: &Path) -> Result<()> {
    match fs::remove_dir(dir) {
        Err(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty
            ) =>
        {
            Err(failed("remove", dir, &error))
        }
        _ => Ok(()),
    }
}

/// Gives a file a second name in the place of what is there: times and bytes are the same. Where
/// the file system has no second names it is a copy.
pub fn second_name(from: &Path, to: &Path) -> Result<()> {
    remove(to)?;
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    let copy = || -> io::Result<()> {
        fs::copy(from, to)?;
        let times = fs::FileTimes::new().set_modified(fs::metadata(from)?.modified()?);
        let file = fs::OpenOptions::new().write(true).open(to)?;
        file.set_times(times)?;
        file.sync_all()
    };
    copy().map_err(|error| failed("copy", from, &error))
}

fn dir_of(path: &Path) -> &Path {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    dir.unwrap_or(Path::new("."))
}

/// Lets everybody read a file or a directory, and execute or enter it; only its owner may write.
pub fn open_to_all(path: &Path) -> Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .map_err(|error| failed("open to all", path, &error))
}

/// Makes a directory for a while, in the system's place for such, with this process's name on it.
pub fn temporary_dir() -> Result<tempfile::TempDir> {
    let parent = std::env::temp_dir();
    temporary::ours()
        .tempdir()
        .map_err(|error| failed("make a directory in", &parent, &error))
}

/// A directory of ours for a moment, in this one; it goes with its value, or with a later start.
pub fn temporary_dir_in(dir: &Path) -> io::Result<tempfile::TempDir> {
    temporary::ours().tempdir_in(dir)
}

/// Makes a file for a while, as [`temporary_dir`] does a directory.
pub fn temporary_file() -> io::Result<tempfile::NamedTempFile> {
    temporary::ours().tempfile()
}

/// Whether programs may be started in a directory: some machines keep them out of `/tmp`.
pub fn runs_programs(dir: &Path) -> Result<()> {
    let about = rustix::fs::statvfs(dir);
    let about = about.map_err(|error| failed("read", dir, &error.into()))?;
    if !about.f_flag.contains(rustix::fs::StatVfsMountFlags::NOEXEC) {
        return Ok(());
    }
    Err(Error::world(format!(
        "no program of a sandbox can start in {}: its file system is mounted with `noexec`",
        dir.display()
    ))
    .hint(
        "name another directory for temporary files in TMPDIR, with a path shorter than 24 bytes",
    ))
}

/// Makes a directory that is open to all, whatever the umask.
pub fn create_open_dir(path: &Path) -> Result<()> {
    create_dir(path)?;
    open_to_all(path)
}

/// Makes a file the same as another, and all may do with it what its owner may: a second name for
/// it, or a copy where that cannot be, or is not for all.
pub fn link_or_copy(from: &Path, to: &Path) -> Result<()> {
    let meta = fs::metadata(from).map_err(|error| failed("read", from, &error))?;
    let mode = meta.permissions().mode();
    let is_for_all = (mode >> 6) & !mode & 0o005 == 0;
    if is_for_all && fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    fs::copy(from, to).map_err(|error| failed("copy", from, &error))?;
    if is_for_all { Ok(()) } else { open_to_all(to) }
}

/// Whether a file can be made in this directory, by making one.
pub fn check_writable(dir: &Path) -> Result<()> {
    create_dir(dir)?;
    temporary::ours()
        .tempfile_in(dir)
        .map(drop)
        .map_err(|error| failed("write in", dir, &error))
}

/// What time it is by the clock that files in this directory get their times from: that of another
/// machine, on a disk that hosts share. Ours, where no file can be made.
#[must_use]
pub fn clock_of(dir: &Path) -> SystemTime {
    let file = create_dir(dir).and_then(|()| {
        let made = temporary::ours().tempfile_in(dir);
        made.map_err(|error| failed("write in", dir, &error))
    });
    let time = file.ok().and_then(|file| {
        let meta = file.as_file().metadata();
        meta.and_then(|meta| meta.modified()).ok()
    });
    time.unwrap_or_else(SystemTime::now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_path() {
        let error = read(Path::new("/nonexistent/x")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/x"), "{error}");
    }
}
