//! Several layers as one directory, by second names for their files.
//!
//! A whiteout of the overlay is a device node, which no user namespace lets be made, or an attribute,
//! which not every file system and kernel has. One directory needs none of them. Its files take no
//! space: they are those of the layers.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, chmodat, fchmod, fchown, fstat, futimens, linkat,
    mkdirat, openat, statat,
};
use rustix::io::Errno;

use super::ImageError;
use super::copying::{copy, copy_attributes, times_of};
use super::layer::{Hidden, OwnedBy, open_dir, split};

/// A layer of several, and what it hides of those below it.
#[derive(Debug)]
pub struct Stack {
    tree: PathBuf,
    /// The names that are gone, by their directories.
    gone: HashMap<Vec<u8>, Vec<Vec<u8>>>,
    opaque: HashSet<Vec<u8>>,
}

impl Stack {
    /// Of its directory.
    #[must_use]
    pub fn of(tree: PathBuf, hidden: Hidden) -> Self {
        let mut gone: HashMap<Vec<u8>, Vec<Vec<u8>>> = HashMap::new();
        for path in &hidden.gone {
            let (dir, name) = split(path);
            gone.entry(dir.to_vec()).or_default().push(name.to_vec());
        }
        Self {
            tree,
            gone,
            opaque: hidden.opaque.into_iter().collect(),
        }
    }
}

/// Merges layers, the topmost first, into an empty directory: as an overlay of them shows them.
pub fn merge(layers: &[Stack], into: &Path, owner: OwnedBy) -> Result<(), ImageError> {
    merged(layers, into, owner, false)
}

/// Copies an image's directories, the topmost first, into an empty one: as an overlay shows them. Files
/// of several names become one for each.
pub fn copy_trees(trees: &[PathBuf], into: &Path) -> Result<(), ImageError> {
    let layers = trees.iter().cloned();
    let layers: Vec<_> = layers.map(|it| Stack::of(it, Hidden::default())).collect();
    merged(&layers, into, None, true)
}

fn merged(layers: &[Stack], into: &Path, owner: OwnedBy, copies: bool) -> Result<(), ImageError> {
    let open =
        |path: &Path| open_dir(path).map_err(|error| ImageError::system("open", path, error));
    let trees = layers.iter().map(|layer| open(&layer.tree));
    let merge = Merge {
        layers,
        trees: trees.collect::<Result<_, _>>()?,
        into: open(into)?,
        owner,
        copies,
        opened: RefCell::default(),
    };
    merge.all().map_err(|(path, error)| {
        let path = into.join(OsStr::from_bytes(&path));
        ImageError::system("merge layers into", &path, error)
    })
}

/// A directory of the merged tree: the layers that say something of it, the topmost first, and
/// whether each has it.
struct Level {
    path: Vec<u8>,
    layers: Vec<(usize, bool)>,
}

/// What a name in a directory is in the end.
struct Found {
    kind: FileType,
    /// The places of the layers that have it, in those of the directory.
    having: Vec<usize>,
    /// The place of the layer below which nothing counts.
    closed: Option<usize>,
}

struct Merge<'a> {
    layers: &'a [Stack],
    trees: Vec<OwnedFd>,
    into: OwnedFd,
    owner: OwnedBy,
    /// Whether files become new ones.
    copies: bool,
    /// Directories of layers that their owner could not read, with their modes.
    opened: RefCell<Vec<(usize, Vec<u8>, u32)>>,
}

/// What the owner of a directory needs to look into it.
const READ_AND_ENTER: u32 = 0o500;

/// A path, and what the system said.
type At<T> = Result<T, (Vec<u8>, Errno)>;

impl Merge<'_> {
    fn all(&self) -> At<()> {
        let mut open = vec![Level {
            path: Vec::new(),
            layers: (0..self.layers.len()).map(|layer| (layer, true)).collect(),
        }];
        let mut made = Vec::new();
        while let Some(level) = open.pop() {
            let stat = self.level(&level, &mut open)?;
            made.push((level.path, stat));
        }
        // Those inside of others first: what is made in a directory changes its time, and needs its
        // mode.
        for (path, stat) in made.into_iter().rev() {
            self.finish(&path, &stat).map_err(|error| (path, error))?;
        }
        Ok(())
    }

    /// Makes what is in a directory, but for what is in those inside of it; gives what the topmost
    /// layer says of it.
    fn level(&self, level: &Level, open: &mut Vec<Level>) -> At<Stat> {
        let here = |error| (level.path.clone(), error);
        let to = open_at(&self.into, &level.path).map_err(here)?;
        let mut found: BTreeMap<Vec<u8>, Found> = BTreeMap::new();
        let mut dirs: HashMap<usize, OwnedFd> = HashMap::new();
        let (mut stat, mut is_opaque) = (None, false);
        for (place, (layer, has)) in level.layers.iter().enumerate() {
            if *has {
                let (dir, its_stat) = self.open(*layer, &level.path).map_err(here)?;
                if stat.is_none() {
                    copy_attributes(&dir, &to).map_err(here)?;
                    stat = Some(its_stat);
                }
                if !is_opaque {
                    add(&mut found, &dir, place).map_err(here)?;
                    dirs.insert(place, dir);
                }
            }
            let stack = &self.layers[*layer];
            for name in stack.gone.get(&level.path).into_iter().flatten() {
                let hidden = found.entry(name.clone()).or_insert_with(Found::nothing);
                hidden.closed.get_or_insert(place);
            }
            is_opaque |= stack.opaque.contains(&level.path);
            // Who hides what is in a directory may not have the directory itself.
            if is_opaque && stat.is_some() {
                break;
            }
        }
        for (name, it) in found {
            let path = join(&level.path, &name);
            let Some(topmost) = it.having.first() else {
                continue;
            };
            if it.kind == FileType::Directory {
                mkdirat(&to, name.as_slice(), Mode::RWXU).map_err(|error| (path.clone(), error))?;
                let end = it.closed.map_or(level.layers.len(), |place| place + 1);
                let layers = level.layers[..end].iter().enumerate();
                let layers = layers.map(|(place, (layer, _))| (*layer, it.having.contains(&place)));
                let layers = layers.collect();
                open.push(Level { path, layers });
            } else {
                let from = &dirs[topmost];
                let there = if self.copies {
                    copy(from, &to, &name, self.owner)
                } else {
                    link(from, &to, &name, self.owner)
                };
                there.map_err(|error| (path, error))?;
            }
        }
        stat.ok_or(Errno::NOENT).map_err(here)
    }

    /// Opens a directory of a layer. One that its owner may not read is opened to them until the end:
    /// who uses the layer meanwhile sees another mode.
    fn open(&self, layer: usize, path: &[u8]) -> Result<(OwnedFd, Stat), Errno> {
        let tree = &self.trees[layer];
        match open_at(tree, path) {
            Err(Errno::ACCESS) => {}
            opened => {
                let dir = opened?;
                let stat = fstat(&dir)?;
                let is_root = rustix::process::geteuid().is_root();
                if is_root || stat.st_mode & READ_AND_ENTER == READ_AND_ENTER {
                    return Ok((dir, stat));
                }
            }
        }
        let ends = path.iter().enumerate().filter(|it| *it.1 == b'/');
        for end in ends.map(|it| it.0).chain([path.len()]) {
            let dir = name(&path[..end]);
            let mode = statat(tree, dir, AtFlags::SYMLINK_NOFOLLOW)?.st_mode & 0o7777;
            if mode & READ_AND_ENTER != READ_AND_ENTER {
                self.opened.borrow_mut().push((layer, dir.to_vec(), mode));
                let wider = Mode::from_raw_mode(mode | READ_AND_ENTER);
                chmodat(tree, dir, wider, AtFlags::empty())?;
            }
        }
        let dir = open_at(tree, path)?;
        let mut stat = fstat(&dir)?;
        let opened = self.opened.borrow();
        if let Some((_, _, mode)) = opened.iter().find(|it| it.0 == layer && it.1 == name(path)) {
            stat.st_mode = *mode;
        }
        Ok((dir, stat))
    }

    fn finish(&self, path: &[u8], stat: &Stat) -> Result<(), Errno> {
        let dir = open_at(&self.into, path)?;
        if let Some((user, group)) = self.owner {
            fchown(&dir, Some(user), Some(group))?;
        }
        fchmod(&dir, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
        futimens(&dir, &times_of(stat))
    }
}

impl Drop for Merge<'_> {
    fn drop(&mut self) {
        for (layer, path, mode) in self.opened.borrow_mut().drain(..).rev() {
            // What cannot be closed again stays open to its owner alone.
            let mode = Mode::from_raw_mode(mode);
            let _ = chmodat(&self.trees[layer], path, mode, AtFlags::empty());
        }
    }
}

impl Found {
    /// What only a layer that hides it names.
    const fn nothing() -> Self {
        Self {
            kind: FileType::Unknown,
            having: Vec::new(),
            closed: None,
        }
    }
}

/// Adds what a layer has in a directory.
fn add(found: &mut BTreeMap<Vec<u8>, Found>, dir: &OwnedFd, place: usize) -> Result<(), Errno> {
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        let kind = match entry.file_type() {
            // Some file systems don't say it with the name.
            FileType::Unknown => {
                let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            kind => kind,
        };
        let is_dir = kind == FileType::Directory;
        match found.get_mut(name) {
            None => {
                let it = Found {
                    kind,
                    having: vec![place],
                    closed: (!is_dir).then_some(place),
                };
                found.insert(name.to_vec(), it);
            }
            Some(it) if it.closed.is_some() => {}
            Some(it) if is_dir => it.having.push(place),
            // A file hides the directories below it, and is itself hidden by that above it.
            Some(it) => it.closed = Some(place),
        }
    }
    Ok(())
}

/// Gives a file its name in the merged directory; where it can have no more names, a copy.
fn link(from: &OwnedFd, to: &OwnedFd, name: &[u8], owner: OwnedBy) -> Result<(), Errno> {
    match linkat(from, name, to, name, AtFlags::empty()) {
        Err(Errno::MLINK | Errno::PERM | Errno::NOTSUP | Errno::NOSYS) => {
            copy(from, to, name, owner)
        }
        linked => linked,
    }
}

/// A path for the kernel, which takes no empty one.
const fn name(path: &[u8]) -> &[u8] {
    if path.is_empty() { b"." } else { path }
}

fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    if dir.is_empty() {
        name.to_vec()
    } else {
        [dir, b"/", name].concat()
    }
}

fn open_at(tree: &OwnedFd, path: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(tree, name(path), flags, Mode::empty())
}
