//! Whole directories: made, copied, measured, compared and removed.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::{create_dir, dir_of, failed, list, open, open_to_all, rename, temporary};
use crate::error::Result;
use crate::text::hex;

/// Makes a directory with what is in it, open to all: beside its place, then renamed, so that a
/// half-written one is never there. What is in its place by then stays.
pub fn create_tree(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let parent = path.parent().unwrap_or(path);
    create_dir(parent)?;
    let fresh = temporary::ours()
        .tempdir_in(parent)
        .map_err(|error| failed("write in", parent, &error))?;
    fill(fresh.path())?;
    open_to_all(fresh.path())?;
    match rename(fresh.path(), path) {
        Ok(()) => {
            let _ = fresh.keep();
            Ok(())
        }
        // Somebody else was faster.
        Err(_) if path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Copies a directory with everything in it: files with their modes, symbolic links as such.
/// Sockets and devices are passed over.
pub fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    create_dir(to)?;
    for path in list(from)? {
        let Some(name) = path.file_name() else {
            continue;
        };
        let target = to.join(name);
        let kind = path
            .symlink_metadata()
            .map_err(|error| failed("read", &path, &error))?
            .file_type();
        if kind.is_dir() {
            copy_tree(&path, &target)?;
        } else if kind.is_symlink() {
            fs::read_link(&path)
                .and_then(|link| std::os::unix::fs::symlink(link, &target))
                .map_err(|error| failed("copy", &path, &error))?;
        } else if kind.is_file() {
            fs::copy(&path, &target).map_err(|error| failed("copy", &path, &error))?;
        }
    }
    Ok(())
}

/// How many bytes the files of a directory have. What disappears meanwhile counts nothing.
pub fn size_of_tree(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for path in list(dir)? {
        let Ok(meta) = path.symlink_metadata() else {
            continue;
        };
        bytes += if meta.is_dir() {
            size_of_tree(&path)?
        } else {
            meta.len()
        };
    }
    Ok(bytes)
}

/// What of an entry is in the digest of its tree.
#[derive(Debug)]
pub enum Taken {
    /// Its path, mode and content, and what is below it.
    Whole,
    /// Only what is below it: a directory that is empty is not there.
    Inside,
    /// Its path and these bytes, whatever is below it.
    As(Vec<u8>),
    /// Nothing, nor what is below it.
    Nothing,
}

/// A digest of a directory's files: their paths below it, contents and links, and which of them can
/// be run, as `take` wants each entry by its path below the directory. Of what is no file, only the
/// path counts. Times and the other modes are those of the copying.
pub fn tree_digest(dir: &Path, take: impl Fn(&Path, &fs::Metadata) -> Taken) -> Result<String> {
    let mut digest = Sha256::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir_of_it) = open.pop() {
        for path in list(&dir_of_it)? {
            let inner = path.strip_prefix(dir).unwrap_or(&path);
            let meta = path
                .symlink_metadata()
                .map_err(|error| failed("read", &path, &error))?;
            let taken = take(inner, &meta);
            let content = if let Taken::As(bytes) = taken {
                bytes
            } else if matches!(taken, Taken::Nothing) {
                continue;
            } else if meta.is_dir() && matches!(taken, Taken::Inside) {
                open.push(path.clone());
                continue;
            } else if meta.is_dir() {
                open.push(path.clone());
                Vec::new()
            } else if meta.is_symlink() {
                let link = fs::read_link(&path).map_err(|error| failed("read", &path, &error))?;
                link.as_os_str().as_bytes().to_vec()
            } else if meta.is_file() {
                digest_of(&path)?.to_vec()
            } else {
                Vec::new()
            };
            for part in [inner.as_os_str().as_bytes(), &content] {
                digest.update((part.len() as u64).to_le_bytes());
                digest.update(part);
            }
            digest.update((meta.mode() & KIND_AND_RUN).to_le_bytes());
        }
    }
    Ok(hex(&digest.finalize()))
}

/// Of a mode: what kind of file it is, and whether its owner can run it.
const KIND_AND_RUN: u32 = 0o170_100;

fn digest_of(path: &Path) -> Result<[u8; 32]> {
    let read = || -> io::Result<[u8; 32]> {
        let mut file = open(path)?;
        let mut digest = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(digest.finalize().into()),
                n => digest.update(&buffer[..n]),
            }
        }
    };
    read().map_err(|error| failed("read", path, &error))
}

/// Removes a directory with everything in it: it is gone at once, under its name, and then in fact.
pub fn remove_tree(dir: &Path) -> Result<()> {
    let aside = temporary::ours()
        .tempdir_in(dir_of(dir))
        .map_err(|error| failed("write in", dir_of(dir), &error))?;
    rename(dir, &aside.path().join("removed"))?;
    aside.close().map_err(|error| failed("remove", dir, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::write_in_place;

    #[test]
    fn a_trees_digest_is_of_what_is_in_it() {
        let digest = |change: &dyn Fn(&Path)| {
            let dir = tempfile::tempdir().unwrap();
            let write = |path: &str, text: &str| {
                create_dir(dir_of(&dir.path().join(path))).unwrap();
                write_in_place(&dir.path().join(path), text.as_bytes()).unwrap();
            };
            write("a/b", "one");
            write("c", "two");
            write("skipped/d", "three");
            std::os::unix::fs::symlink("c", dir.path().join("link")).unwrap();
            change(dir.path());
            let take = |path: &Path, _: &fs::Metadata| match path.to_str() {
                Some("skipped") => Taken::Nothing,
                Some("d") => Taken::Inside,
                Some("told") => Taken::As(b"told".to_vec()),
                _ => Taken::Whole,
            };
            tree_digest(dir.path(), take).unwrap()
        };
        let put = |path: &str, text: &str| {
            let (path, text) = (path.to_owned(), text.to_owned());
            move |dir: &Path| write_in_place(&dir.join(&path), text.as_bytes()).unwrap()
        };
        let same = digest(&|_| ());
        assert_eq!(digest(&|_| ()), same, "of another place and time");
        assert_eq!(digest(&put("skipped/d", "other")), same);
        assert_ne!(digest(&put("a/b", "other")), same);
        assert_ne!(digest(&put("a/e", "")), same);
        assert_ne!(digest(&|dir| create_dir(&dir.join("e")).unwrap()), same);
        assert_eq!(digest(&|dir| create_dir(&dir.join("d")).unwrap()), same);
        let told = digest(&|dir| create_dir(&dir.join("told")).unwrap());
        assert_ne!(told, same);
        let full = digest(&|dir| create_dir(&dir.join("told/more")).unwrap());
        assert_eq!(full, told);
        let with_mode = |mode: u32| {
            move |dir: &Path| {
                use std::os::unix::fs::PermissionsExt as _;
                let mode = fs::Permissions::from_mode(mode);
                fs::set_permissions(dir.join("c"), mode).unwrap();
            }
        };
        assert_eq!(digest(&with_mode(0o640)), same, "copied with another umask");
        assert_ne!(digest(&with_mode(0o755)), same);
        let relinked = digest(&|dir| {
            fs::remove_file(dir.join("link")).unwrap();
            std::os::unix::fs::symlink("a", dir.join("link")).unwrap();
        });
        assert_ne!(relinked, same);
        // What is neither file nor directory holds up nothing.
        let pipe = digest(&|dir| {
            let socket = std::os::unix::net::UnixListener::bind(dir.join("socket"));
            drop(socket.unwrap());
        });
        assert_ne!(pipe, same);
    }
}
