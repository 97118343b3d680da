//! File calls whose errors name the path, and the one way we write a file.

mod read;
mod temporary;

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::text::hex;
pub use read::{
    MAX_INPUT, open, open_to_write, read, read_end, read_last, read_lines, read_text, read_up_to,
};
pub use temporary::{OF_A_TREE, left_behind, remove_all};

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
            report.hint("move it away; `ls -l` shows what it is")
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

/// Writes a whole file so that a reader, or a crash, sees the old one or the new one.
///
/// The bytes go to a temporary file in the same directory, which is synced and renamed,
/// and the directory is synced after it.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes)?;
    sync_dir_of(path)
}

/// Writes files of one directory, each as [`write_atomic`] does, and the last one last: where it
/// is, even after a crash, the others are.
pub fn write_in_order(files: &[(PathBuf, Vec<u8>)]) -> Result<()> {
    let Some(((last, bytes), others)) = files.split_last() else {
        return Ok(());
    };
    for (path, bytes) in others {
        replace(path, bytes)?;
    }
    if let Some((path, _)) = others.last() {
        sync_dir_of(path)?;
    }
    write_atomic(last, bytes)
}

/// Replaces a file by a synced one; its name is safe when the directory is synced.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let mut file = temporary::ours().tempfile_in(dir_of(path))?;
        file.write_all(bytes)?;
        set_usual_mode(path, file.as_file())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|error| failed("write", path, &error))
}

fn sync_dir_of(path: &Path) -> Result<()> {
    sync_dir(dir_of(path))
}

/// Makes the names in a directory safe against a crash of the machine.
pub fn sync_dir(dir: &Path) -> Result<()> {
    let synced = fs::File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(|error| failed("write", dir, &error))
}

fn dir_of(path: &Path) -> &Path {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    dir.unwrap_or(Path::new("."))
}

/// Temporary files are private by default; a file in the log tree keeps its mode or is 0644.
fn set_usual_mode(path: &Path, file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path).map_or(0o644, |old| old.permissions().mode());
    file.set_permissions(fs::Permissions::from_mode(mode))
}

/// Lets everybody read a file or a directory, and execute or enter it; only its owner may write.
pub fn open_to_all(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .map_err(|error| failed("open to all", path, &error))
}

/// Writes into a file that is there; for the kernel's own, which cannot be replaced.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the call that adds the path"
)]
pub fn write_in_place(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(|error| failed("write", path, &error))
}

/// Makes a directory for a while, in the system's place for such, with this process's name on it.
pub fn temporary_dir() -> Result<tempfile::TempDir> {
    let parent = std::env::temp_dir();
    temporary::ours()
        .tempdir()
        .map_err(|error| failed("make a directory in", &parent, &error))
}

/// Makes a file for a while, as [`temporary_dir`] does a directory.
pub fn temporary_file() -> io::Result<tempfile::NamedTempFile> {
    temporary::ours().tempfile()
}

/// Makes a directory that is open to all, whatever the umask.
pub fn create_open_dir(path: &Path) -> Result<()> {
    create_dir(path)?;
    open_to_all(path)
}

/// Makes a file the same as another, and all may do with it what its owner may: a second name for
/// it, or a copy where that cannot be, or is not for all.
pub fn link_or_copy(from: &Path, to: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let meta = fs::metadata(from).map_err(|error| failed("read", from, &error))?;
    let mode = meta.permissions().mode();
    let is_for_all = (mode >> 6) & !mode & 0o005 == 0;
    if is_for_all && fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    fs::copy(from, to).map_err(|error| failed("copy", from, &error))?;
    if is_for_all { Ok(()) } else { open_to_all(to) }
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
    /// Nothing.
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

/// Appends one line and syncs it; a torn last line is the most that a crash can leave.
pub fn append_line(path: &Path, line: &str) -> Result<()> {
    let file = append(path, &format!("{line}\n"))?;
    file.sync_data()
        .map_err(|error| failed("write", path, &error))
}

/// Appends one line; it survives our end, not the machine's.
pub fn append_line_unsynced(path: &Path, line: &str) -> Result<()> {
    append_lines_unsynced(path, &format!("{line}\n"))
}

/// Appends whole lines, each with its end, by one write; they survive our end, not the machine's.
pub fn append_lines_unsynced(path: &Path, lines: &str) -> Result<()> {
    append(path, lines).map(drop)
}

/// Syncs what was written to a file, so that it survives the machine's end. One that is not there
/// has nothing to lose.
pub fn sync(path: &Path) -> Result<()> {
    match open(path).and_then(|file| file.sync_data()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("sync", path, &error)),
        _ => Ok(()),
    }
}

/// The directory is made when it is found missing: to ask for it before each line costs as much as
/// the line.
fn append(path: &Path, lines: &str) -> Result<fs::File> {
    let open = || open_to_write(path, fs::OpenOptions::new().append(true));
    let opened = match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_dir(dir_of(path))?;
            open()
        }
        opened => opened,
    };
    let write = |mut file: fs::File| file.write_all(lines.as_bytes()).map(|()| file);
    opened
        .and_then(write)
        .map_err(|error| failed("write", path, &error))
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

    #[test]
    fn an_atomic_write_replaces_the_file_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("result.json");
        write_atomic(&path, b"old").unwrap();
        write_atomic(&path, b"new").unwrap();
        assert_eq!(read_text(&path).unwrap(), "new");
        assert_eq!(list(dir.path()).unwrap(), [path]);
    }

    #[test]
    fn errors_name_the_path() {
        let error = read(Path::new("/nonexistent/x")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/x"), "{error}");
    }
}
