//! Copies within a store, where a second name does not do.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT, XattrFlags, chownat,
    fchmod, fchown, fgetxattr, flistxattr, fsetxattr, futimens, mkfifoat, openat, readlinkat,
    statat, symlinkat, utimensat,
};
use rustix::io::Errno;

use super::layer::OwnedBy;

/// The most that the kernel has of an attribute, or of a list of their names.
const MOST: usize = 64 << 10;

/// Copies what is no directory from one directory to another.
pub fn copy(from: &OwnedFd, to: &OwnedFd, name: &[u8], owner: OwnedBy) -> Result<(), Errno> {
    let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Symlink => symlinkat(readlinkat(from, name, Vec::new())?, to, name)?,
        FileType::Fifo => mkfifoat(to, name, mode)?,
        FileType::RegularFile => {
            let read = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let write = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let source = openat(from, name, read, Mode::empty())?;
            let copy = openat(to, name, write, Mode::RUSR | Mode::WUSR)?;
            copy_attributes(&source, &copy)?;
            let (mut source, mut copy) = (File::from(source), File::from(copy));
            io::copy(&mut source, &mut copy).map_err(|error| {
                let code = error.raw_os_error().unwrap_or(libc::EIO);
                Errno::from_raw_os_error(code)
            })?;
            if let Some((user, group)) = owner {
                fchown(&copy, Some(user), Some(group))?;
            }
            fchmod(&copy, mode)?;
            return futimens(&copy, &times_of(&stat));
        }
        _ => return Err(Errno::PERM),
    }
    if let Some((user, group)) = owner {
        chownat(to, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
    }
    utimensat(to, name, &times_of(&stat), AtFlags::SYMLINK_NOFOLLOW)
}

/// Copies the attributes of a file or a directory that users may set.
pub fn copy_attributes(from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
    let mut names = vec![0; MOST];
    let length = match flistxattr(from, &mut names[..]) {
        Err(Errno::NOTSUP) => return Ok(()),
        length => length?,
    };
    if length == 0 {
        return Ok(());
    }
    let names = names[..length].split(|byte| *byte == 0);
    for name in names.filter(|name| name.starts_with(b"user.")) {
        let mut value = vec![0; MOST];
        let length = fgetxattr(from, name, &mut value[..])?;
        fsetxattr(to, name, &value[..length], XattrFlags::empty())?;
    }
    Ok(())
}

/// The time of a file, as it is set; that of the last reading stays.
pub fn times_of(stat: &Stat) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: stat.st_mtime,
            tv_nsec: stat.st_mtime_nsec.try_into().unwrap_or_default(),
        },
    }
}
