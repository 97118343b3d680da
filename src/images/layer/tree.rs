//! A directory that a layer's entries are made in.
//!
//! Nobody else changes it meanwhile, and nothing outside of it is reached: the directory of a name is
//! resolved by the kernel with this one as the root, as a container's process would find it, and the
//! last part is never followed.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT,
    XattrFlags, chmodat, chownat, fchmod, fchown, fsetxattr, ftruncate, linkat, mkdirat, mkfifoat,
    openat, openat2, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use super::LeftOut;
use super::names::split;
use super::snag::{Snag, shown};
use crate::images::removal::remove_at;

/// Who owns what is unpacked; `None` who unpacks it.
pub type OwnedBy = Option<(Uid, Gid)>;

/// What an entry is given besides its content.
#[derive(Clone, Debug)]
pub struct TarGiven {
    pub mode: u32,
    pub mtime: (i64, u32),
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A directory being filled.
pub struct LayerTree {
    root: OwnedFd,
    owner: OwnedBy,
    /// The bits of a mode that a new file gets at once, whatever hides others (umask, ACL).
    granted: u32,
    /// Directories get their mode and time at the end: until then, things are made in them. With each,
    /// whether a link is on the way to it.
    dirs: BTreeMap<Vec<u8>, (TarGiven, bool)>,
    /// The directory of the last entry.
    last: Option<(Vec<u8>, Rc<OwnedFd>)>,
    has_attributes: bool,
    pub left_out: LeftOut,
}

/// No link is followed on the way.
const NO_LINKS: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_SYMLINKS);

/// What is kept of a mode: the rest an ordinary user cannot have, or a sandbox may not.
const PERMISSIONS: u32 = 0o777;
const STICKY: u32 = 0o1000;
const SET_IDS: u32 = 0o6000;

impl LayerTree {
    /// One in an empty directory.
    pub fn in_dir(root: OwnedFd, owner: OwnedBy) -> Result<Self, Snag> {
        let granted = granted(&root).map_err(Snag::of("make a file in", b"."))?;
        Ok(Self {
            root,
            owner,
            granted,
            dirs: BTreeMap::new(),
            last: None,
            has_attributes: true,
            left_out: LeftOut::default(),
        })
    }

    /// The directory that a path is in, and its last part.
    fn place<'a>(&mut self, path: &'a [u8]) -> Result<(Rc<OwnedFd>, &'a [u8]), Snag> {
        let (dir, last) = split(path);
        if let Some((known, open)) = &self.last
            && known == dir
        {
            return Ok((Rc::clone(open), last));
        }
        let open = match self.open(dir) {
            Err(Errno::NOENT) => self.make_dirs(dir, path)?,
            opened => opened.map_err(|error| no_dir(error, path, dir))?,
        };
        let open = Rc::new(open);
        self.last = Some((dir.to_vec(), Rc::clone(&open)));
        Ok((open, last))
    }

    fn open(&self, dir: &[u8]) -> Result<OwnedFd, Errno> {
        self.open_by(dir, ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)
    }

    fn open_by(&self, dir: &[u8], resolve: ResolveFlags) -> Result<OwnedFd, Errno> {
        let dir = if dir.is_empty() { b"." } else { dir };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat2(&self.root, dir, flags, Mode::empty(), resolve)
    }

    fn is_behind_link(&self, dir: &[u8]) -> bool {
        matches!(self.open_by(dir, NO_LINKS), Err(Errno::LOOP))
    }

    /// Makes the directories that the layer itself does not name.
    fn make_dirs(&mut self, path: &[u8], entry: &[u8]) -> Result<OwnedFd, Snag> {
        let ends = path.iter().enumerate().filter(|it| *it.1 == b'/');
        let ends: Vec<usize> = ends.map(|it| it.0).chain([path.len()]).collect();
        for end in ends {
            let dir = &path[..end];
            match self.open(dir) {
                Ok(_) => {}
                Err(Errno::NOENT) => {
                    let (parent, last) = split(dir);
                    let parent = self
                        .open(parent)
                        .map_err(|error| no_dir(error, entry, parent))?;
                    mkdirat(&parent, last, Mode::RWXU)
                        .map_err(|error| no_dir(error, entry, dir))?;
                    let given = TarGiven {
                        mode: 0o755,
                        mtime: (0, 0),
                        attributes: Vec::new(),
                    };
                    self.dirs
                        .insert(dir.to_vec(), (given, self.is_behind_link(dir)));
                }
                Err(error) => return Err(no_dir(error, entry, dir)),
            }
        }
        self.open(path).map_err(|error| no_dir(error, entry, path))
    }

    /// Removes what is in the place of an entry.
    fn clear(&mut self, dir: &OwnedFd, last: &[u8], path: &[u8]) -> Result<(), Snag> {
        // Open directories may be in it.
        self.last = None;
        remove_at(dir.as_fd(), last).map_err(Snag::of("replace", path))
    }

    /// Makes something, once more when something else is in its place.
    fn make<T>(
        &mut self,
        path: &[u8],
        doing: &'static str,
        call: impl Fn(BorrowedFd<'_>, &[u8]) -> Result<T, Errno>,
    ) -> Result<(T, Rc<OwnedFd>), Snag> {
        if path.is_empty() {
            return Err(Snag::content("its root is no directory"));
        }
        let (dir, last) = self.place(path)?;
        let made = match call(dir.as_fd(), last) {
            Err(Errno::EXIST) => {
                self.clear(&dir, last, path)?;
                call(dir.as_fd(), last)
            }
            made => made,
        };
        Ok((made.map_err(Snag::of(doing, path))?, dir))
    }

    /// The mode of an entry as it is given; counts what is not.
    fn mode(&mut self, mode: u32, kept: u32) -> u32 {
        self.left_out.set_ids += u64::from(mode & SET_IDS != 0);
        mode & kept
    }

    /// What a file or a pipe has of a mode in the end, and a directory.
    pub const fn kept(mode: u32, is_dir: bool) -> u32 {
        mode & if is_dir {
            PERMISSIONS | STICKY
        } else {
            PERMISSIONS
        }
    }

    pub fn file(&mut self, path: &[u8], given: &TarGiven) -> Result<Writing, Snag> {
        let mode = self.mode(given.mode, PERMISSIONS);
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // Attributes are set by who may write.
        let first = if given.attributes.is_empty() {
            mode
        } else {
            0o600
        };
        let (file, _) = self.make(path, "make", |dir, name| {
            openat(dir, name, flags, Mode::from_raw_mode(first))
        })?;
        Ok(Writing {
            file,
            needs_mode: (first != mode || mode & !self.granted != 0).then_some(mode),
            owner: self.owner,
        })
    }

    /// The end of a file: what else it is given.
    pub fn finish(&mut self, path: &[u8], writing: &Writing, given: &TarGiven) -> Result<(), Snag> {
        let set = |error: Errno| Snag::of("finish", path)(error);
        self.set_attributes(writing.file.as_fd(), &given.attributes)
            .map_err(set)?;
        if let Some((user, group)) = writing.owner {
            fchown(&writing.file, Some(user), Some(group)).map_err(set)?;
        }
        if let Some(mode) = writing.needs_mode {
            fchmod(&writing.file, Mode::from_raw_mode(mode)).map_err(set)?;
        }
        rustix::fs::futimens(&writing.file, &times(given.mtime)).map_err(set)
    }

    pub fn directory(&mut self, path: &[u8], given: TarGiven) -> Result<(), Snag> {
        let mode = self.mode(given.mode, PERMISSIONS | STICKY);
        if !path.is_empty() {
            let (dir, last) = self.place(path)?;
            match mkdirat(&*dir, last, Mode::RWXU) {
                Err(Errno::EXIST) if is_dir(&dir, last) => {}
                Err(Errno::EXIST) => {
                    self.clear(&dir, last, path)?;
                    mkdirat(&*dir, last, Mode::RWXU).map_err(Snag::of("make", path))?;
                }
                done => done.map_err(Snag::of("make", path))?,
            }
        }
        let is_behind_link = self.is_behind_link(path);
        let given = TarGiven { mode, ..given };
        self.dirs.insert(path.to_vec(), (given, is_behind_link));
        Ok(())
    }

    pub fn symlink(&mut self, path: &[u8], target: &[u8], given: &TarGiven) -> Result<(), Snag> {
        if target.is_empty() || target.contains(&0) {
            let name = shown(path);
            return Err(Snag::content(format!("its link {name} leads to no name")));
        }
        let (_, last) = split(path);
        let ((), dir) = self.make(path, "make the link", |dir, name| {
            symlinkat(target, dir, name)
        })?;
        self.left_out.attributes += given.attributes.len() as u64;
        self.own(&dir, last, given)
            .map_err(Snag::of("finish", path))
    }

    pub fn fifo(&mut self, path: &[u8], given: &TarGiven) -> Result<(), Snag> {
        let mode = Mode::from_raw_mode(self.mode(given.mode, PERMISSIONS));
        let (_, last) = split(path);
        let ((), dir) = self.make(path, "make the pipe", |dir, name| mkfifoat(dir, name, mode))?;
        self.left_out.attributes += given.attributes.len() as u64;
        let own =
            chmodat(&*dir, last, mode, AtFlags::empty()).and_then(|()| self.own(&dir, last, given));
        own.map_err(Snag::of("finish", path))
    }

    fn own(&self, dir: &OwnedFd, last: &[u8], given: &TarGiven) -> Result<(), Errno> {
        if let Some((user, group)) = self.owner {
            chownat(
                dir,
                last,
                Some(user),
                Some(group),
                AtFlags::SYMLINK_NOFOLLOW,
            )?;
        }
        utimensat(dir, last, &times(given.mtime), AtFlags::SYMLINK_NOFOLLOW)
    }

    /// A second name for a file of this layer.
    pub fn hard_link(&mut self, path: &[u8], to: &[u8]) -> Result<(), Snag> {
        let wrong = |why: &str| {
            let (path, to) = (shown(path), shown(to));
            Snag::content(format!("its entry {path} is a second name of {to}, {why}"))
        };
        if path.is_empty() || to.is_empty() {
            return Err(wrong("which is no file"));
        }
        let (to_dir, to_last) = split(to);
        let to_dir = self
            .open(to_dir)
            .map_err(|_| wrong("which the layer does not have"))?;
        let (dir, last) = self.place(path)?;
        let stat = |dir: &OwnedFd, last: &[u8]| statat(dir, last, AtFlags::SYMLINK_NOFOLLOW);
        let target = stat(&to_dir, to_last).map_err(|_| wrong("which the layer does not have"))?;
        if FileType::from_raw_mode(target.st_mode) == FileType::Directory {
            return Err(wrong("which is a directory"));
        }
        let link = || linkat(&to_dir, to_last, &*dir, last, AtFlags::empty());
        match link() {
            Err(Errno::EXIST) => {
                let there = stat(&dir, last).map_err(Snag::of("replace", path))?;
                if (there.st_dev, there.st_ino) == (target.st_dev, target.st_ino) {
                    return Ok(());
                }
                self.clear(&dir, last, path)?;
                match link() {
                    Err(Errno::NOENT) => Err(wrong("which was in the directory that it replaces")),
                    linked => linked.map_err(Snag::of("make the link", path)),
                }
            }
            linked => linked.map_err(Snag::of("make the link", path)),
        }
    }

    fn set_attributes(
        &mut self,
        file: BorrowedFd<'_>,
        attributes: &[(Vec<u8>, Vec<u8>)],
    ) -> Result<(), Errno> {
        for (name, value) in attributes {
            // What the overlay keeps for itself would hide or redirect files.
            let is_ours = name.starts_with(b"user.") && !name.starts_with(b"user.overlay.");
            if !is_ours || !self.has_attributes || name.contains(&0) {
                self.left_out.attributes += 1;
                continue;
            }
            match fsetxattr(file, name.as_slice(), value, XattrFlags::empty()) {
                // Each file system has its own limits.
                Err(Errno::NOTSUP | Errno::PERM) => {
                    self.has_attributes = false;
                    self.left_out.attributes += 1;
                }
                Err(Errno::RANGE | Errno::TOOBIG | Errno::INVAL | Errno::NOSPC) => {
                    self.left_out.attributes += 1;
                }
                set => set?,
            }
        }
        Ok(())
    }

    /// Gives every directory what it is given, those inside of others first.
    pub fn end(mut self) -> Result<LeftOut, Snag> {
        let unnamed = TarGiven {
            mode: 0o755,
            mtime: (0, 0),
            attributes: Vec::new(),
        };
        self.dirs.entry(Vec::new()).or_insert((unnamed, false));
        while let Some((path, (given, is_behind_link))) = self.dirs.pop_last() {
            let opened = if is_behind_link {
                self.open(&path)
            } else {
                self.open_by(&path, NO_LINKS)
            };
            let dir = match opened {
                // Something else took its place later: a link there leads to another directory.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
                opened => opened.map_err(Snag::of("finish", &path))?,
            };
            let set = |error: Errno| Snag::of("finish", &path)(error);
            self.set_attributes(dir.as_fd(), &given.attributes)
                .map_err(set)?;
            if let Some((user, group)) = self.owner {
                fchown(&dir, Some(user), Some(group)).map_err(set)?;
            }
            fchmod(&dir, Mode::from_raw_mode(given.mode)).map_err(set)?;
            rustix::fs::futimens(&dir, &times(given.mtime)).map_err(set)?;
        }
        Ok(self.left_out)
    }
}

/// A file that is being written.
pub struct Writing {
    file: OwnedFd,
    needs_mode: Option<u32>,
    owner: OwnedBy,
}

impl Writing {
    /// Writes the next bytes; with a place, there.
    pub fn write(&self, mut bytes: &[u8], mut at: Option<u64>) -> Result<(), Errno> {
        while !bytes.is_empty() {
            let written = match at {
                Some(at) => rustix::io::pwrite(&self.file, bytes, at),
                None => rustix::io::write(&self.file, bytes),
            };
            let written = match written {
                Err(Errno::INTR) => continue,
                Ok(0) => return Err(Errno::NOSPC),
                written => written?,
            };
            bytes = &bytes[written..];
            at = at.map(|at| at + written as u64);
        }
        Ok(())
    }

    /// Makes it so long, with a hole at its end.
    pub fn set_length(&self, length: u64) -> Result<(), Errno> {
        ftruncate(&self.file, length)
    }
}

/// A time as `utimensat` takes it; that of the last reading stays.
const fn times((seconds, nanos): (i64, u32)) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: seconds,
            tv_nsec: nanos as _,
        },
    }
}

fn is_dir(dir: &OwnedFd, name: &[u8]) -> bool {
    let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW);
    stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

/// The bits of its mode that a new file in a directory really has, by making one.
fn granted(dir: &OwnedFd) -> Result<u32, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = openat(dir, ".probe", flags, Mode::from_raw_mode(PERMISSIONS))?;
    let mode = rustix::fs::fstat(&file)?.st_mode;
    unlinkat(dir, ".probe", AtFlags::empty())?;
    Ok(mode & PERMISSIONS)
}

fn no_dir(error: Errno, path: &[u8], dir: &[u8]) -> Snag {
    let (path_shown, dir_shown) = (shown(path), shown(dir));
    match error {
        Errno::NOTDIR | Errno::EXIST | Errno::NOENT => Snag::content(format!(
            "its entry {path_shown} is in {dir_shown}, which is no directory"
        )),
        Errno::LOOP => Snag::content(format!(
            "its entry {path_shown} is in {dir_shown}, a link that leads to itself"
        )),
        error => Snag::of("open", dir)(error),
    }
}

/// Opens a directory of ours by its path.
pub fn open_dir(path: &std::path::Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, path, flags, Mode::empty())
}
