//! What a layer was when it was unpacked, to be compared later.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::Path;

use flate2::Crc;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat2, readlinkat, statat,
};
use rustix::io::Errno;

use super::names::split;
use super::snag::shown;
use super::tree::open_dir;
use crate::images::ImageError;

/// What is at one path of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileContent {
    /// The kind of file, a letter as `find` has it.
    kind: u8,
    mode: u32,
    size: u64,
    /// Of a file's bytes, or of what a link leads to: against damage, not against people. Files with
    /// holes have none: to sum up their zeros takes longer than to make them.
    sum: Option<u32>,
}

/// All that a layer has, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerContents(BTreeMap<Vec<u8>, FileContent>);

/// How many differences of a layer are told by name.
const NAMED: usize = 5;

impl LayerContents {
    /// Adds a file in the place of what is there.
    pub fn file(&mut self, path: &[u8], mode: u32, size: u64, sum: Option<u32>) {
        self.replace(path, b'f', mode, size, sum);
    }

    pub fn symlink(&mut self, path: &[u8], to: &[u8]) {
        let mut crc = Crc::new();
        crc.update(to);
        self.replace(path, b'l', 0, to.len() as u64, Some(crc.sum()));
    }

    pub fn fifo(&mut self, path: &[u8], mode: u32) {
        self.replace(path, b'p', mode, 0, None);
    }

    pub fn directory(&mut self, path: &[u8], mode: u32) {
        let content = FileContent {
            kind: b'd',
            mode,
            size: 0,
            sum: None,
        };
        if self.0.get(path).is_none_or(|it| it.kind != b'd') {
            self.clear(path);
        }
        self.0.insert(path.to_vec(), content);
    }

    /// Adds a second name for a file. One that was reached through a link is not known by that name.
    pub fn hard_link(&mut self, path: &[u8], to: &[u8]) {
        let there = self.0.get(to).cloned();
        self.clear(path);
        if let Some(content) = there {
            self.0.insert(path.to_vec(), content);
        }
    }

    fn replace(&mut self, path: &[u8], kind: u8, mode: u32, size: u64, sum: Option<u32>) {
        self.clear(path);
        let content = FileContent {
            kind,
            mode,
            size,
            sum,
        };
        self.0.insert(path.to_vec(), content);
    }

    /// Forgets a path and what is inside of it.
    fn clear(&mut self, path: &[u8]) {
        if self.0.remove(path).is_some_and(|it| it.kind != b'd') {
            return;
        }
        let inside = [path, b"/"].concat();
        let within = self.0.range(inside.clone()..);
        let within: Vec<Vec<u8>> = within
            .map(|it| it.0.clone())
            .take_while(|it| it.starts_with(&inside))
            .collect();
        for path in within {
            self.0.remove(&path);
        }
    }

    /// As a file has it: lines that end with a zero, as names are any bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let line = |(path, it): (&Vec<u8>, &FileContent)| {
            let sum = it
                .sum
                .map_or_else(|| "-".to_owned(), |sum| format!("{sum:08x}"));
            let kind = char::from(it.kind);
            let front = format!("{kind} {:o} {} {sum} ", it.mode, it.size);
            [front.as_bytes(), path, b"\0"].concat()
        };
        self.0.iter().flat_map(line).collect()
    }

    /// The other way round; `None` when it is no such file.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let mut contents = Self::default();
        for line in bytes.split_inclusive(|byte| *byte == 0) {
            let mut parts = line.strip_suffix(&[0])?.splitn(5, |byte| *byte == b' ');
            let mut text = || std::str::from_utf8(parts.next()?).ok();
            let content = FileContent {
                kind: *text()?.as_bytes().first()?,
                mode: u32::from_str_radix(text()?, 8).ok()?,
                size: text()?.parse().ok()?,
                sum: match text()? {
                    "-" => None,
                    sum => Some(u32::from_str_radix(sum, 16).ok()?),
                },
            };
            contents.0.insert(parts.next()?.to_vec(), content);
        }
        Some(contents)
    }

    /// What a directory has otherwise; nothing when all is as it was.
    pub fn differences(&self, tree: &Path) -> Result<Vec<String>, ImageError> {
        let root = open_dir(tree).map_err(|error| ImageError::system("open", tree, error))?;
        let wrong = self.0.iter().filter_map(|(path, content)| {
            let why = content.difference(&root, path)?;
            Some(format!("{} {why}", shown(path)))
        });
        let wrong: Vec<String> = wrong.collect();
        let more = wrong.len().saturating_sub(NAMED);
        let mut named: Vec<String> = wrong.into_iter().take(NAMED).collect();
        if more > 0 {
            named.push(format!("{more} more"));
        }
        Ok(named)
    }
}

impl FileContent {
    fn difference(&self, root: &OwnedFd, path: &[u8]) -> Option<&'static str> {
        let (dir, last) = split(path);
        let dir = if dir.is_empty() { b"." } else { dir };
        let open = |at: &OwnedFd, path: &[u8], flags: OFlags| {
            let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
            openat2(at, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
        };
        let dir = match open(root, dir, OFlags::PATH | OFlags::DIRECTORY) {
            // Nor can a sandbox look in there.
            Err(Errno::ACCESS) => return None,
            Err(_) => return Some("is missing"),
            Ok(dir) => dir,
        };
        let last = if last.is_empty() { b"." } else { last };
        let stat = match statat(&dir, last, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::ACCESS) => return None,
            Err(_) => return Some("is missing"),
            Ok(stat) => stat,
        };
        if letter(&stat) != self.kind {
            return Some("is of another kind");
        }
        if self.kind != b'l' && stat.st_mode & 0o7777 != self.mode {
            return Some("has another mode");
        }
        match self.kind {
            b'f' => self.file_difference(&dir, last),
            b'l' => {
                let to = readlinkat(&dir, last, Vec::new()).ok()?;
                let mut crc = Crc::new();
                crc.update(to.as_bytes());
                (Some(crc.sum()) != self.sum).then_some("leads elsewhere")
            }
            _ => None,
        }
    }

    fn file_difference(&self, dir: &OwnedFd, last: &[u8]) -> Option<&'static str> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(dir, last, flags, Mode::empty()) {
            // Its mode lets nobody read it.
            Err(Errno::ACCESS) => return None,
            Err(_) => return Some("cannot be read"),
            Ok(file) => file,
        };
        let size = fstat(&file)
            .ok()
            .and_then(|stat| u64::try_from(stat.st_size).ok());
        if size != Some(self.size) {
            return Some("has another size");
        }
        let sum = self.sum?;
        let mut file = File::from(file);
        let mut crc = Crc::new();
        let mut buffer = vec![0; 1 << 18];
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => crc.update(&buffer[..n]),
                Err(_) => return Some("cannot be read"),
            }
        }
        (crc.sum() != sum).then_some("has other bytes")
    }
}

fn letter(stat: &Stat) -> u8 {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => b'f',
        FileType::Directory => b'd',
        FileType::Symlink => b'l',
        FileType::Fifo => b'p',
        _ => b'?',
    }
}
