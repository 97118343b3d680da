//! Removing what an image unpacked, whatever modes it has.

use std::ffi::CString;
use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, chmodat, openat, unlinkat};
use rustix::io::Errno;

/// Removes a file, or a directory with everything in it; what is not there is removed. Links are not
/// followed. Directories that their owner may not change are opened first.
pub fn remove_at(dir: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    match unlinkat(dir, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(Errno::NOENT) => return Ok(()),
        removed => return removed,
    }
    empty(dir, name)?;
    unlinkat(dir, name, AtFlags::REMOVEDIR)
}

/// The same by its path.
pub fn remove_path(path: &Path) -> Result<(), Errno> {
    use std::os::unix::ffi::OsStrExt as _;
    remove_at(CWD, path.as_os_str().as_bytes())
}

fn empty(dir: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || openat(dir, name, flags, Mode::empty());
    let inner = match open() {
        Err(Errno::ACCESS) => {
            chmodat(dir, name, Mode::RWXU, AtFlags::empty())?;
            open()?
        }
        opened => opened?,
    };
    let mut is_open = false;
    let entries: Vec<(CString, FileType)> = Dir::read_from(&inner)?
        .map(|entry| entry.map(|entry| (entry.file_name().to_owned(), entry.file_type())))
        .collect::<Result<_, _>>()?;
    for (name, kind) in entries {
        if matches!(name.as_bytes(), b"." | b"..") {
            continue;
        }
        let remove = || {
            if kind == FileType::Directory {
                remove_at(std::os::fd::AsFd::as_fd(&inner), name.as_bytes())
            } else {
                unlinkat(&inner, name.as_c_str(), AtFlags::empty())
            }
        };
        match remove() {
            Err(Errno::ACCESS) if !is_open => {
                rustix::fs::fchmod(&inner, Mode::RWXU)?;
                is_open = true;
                remove()?;
            }
            removed => removed?,
        }
    }
    Ok(())
}
