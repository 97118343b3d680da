//! The one way we write a file, and the few others.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::NamedTempFile;

use super::{create_dir, dir_of, failed, open, open_to_write, temporary};
use crate::error::Result;

/// Writes a whole file so that a reader, or a crash, sees the old one or the new one.
///
/// The bytes go to a temporary file in the same directory, which is synced and renamed,
/// and the directory is synced after it.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes)?;
    sync_dir_of(path)
}

/// Writes a whole file, like [`write_atomic`], where nothing is yet: what comes there meanwhile stays,
/// and that is an error.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let mut file = temporary::ours().tempfile_in(dir_of(path))?;
        file.write_all(bytes)?;
        make_whole(&file, path)?;
        file.persist_noclobber(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|error| failed("write", path, &error))?;
    sync_dir_of(path)
}

/// Writes a whole file that nobody but its user can read, whoever could read the old one.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        // A temporary file is its user's alone.
        let mut file = temporary::ours().tempfile_in(dir_of(path))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().map_err(|error| failed("write", path, &error))
}

/// Whether a file is there that nobody but its user can read.
#[must_use]
pub fn is_private(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.permissions().mode().trailing_zeros() >= 6)
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
        put(file, path)
    };
    write().map_err(|error| failed("write", path, &error))
}

/// Puts a file that is written in its place, synced.
pub(super) fn put(file: NamedTempFile, path: &Path) -> io::Result<()> {
    make_whole(&file, path)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Makes a file that is written ready for its place, synced.
fn make_whole(file: &NamedTempFile, path: &Path) -> io::Result<()> {
    set_usual_mode(path, file.as_file())?;
    file.as_file().sync_all()
}

fn sync_dir_of(path: &Path) -> Result<()> {
    sync_dir(dir_of(path))
}

/// Makes the names in a directory safe against a crash of the machine.
pub fn sync_dir(dir: &Path) -> Result<()> {
    let synced = fs::File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(|error| failed("write", dir, &error))
}

/// Temporary files are private by default; a file in the log tree keeps its mode or is 0644.
fn set_usual_mode(path: &Path, file: &fs::File) -> io::Result<()> {
    let mode = fs::metadata(path).map_or(0o644, |old| old.permissions().mode());
    file.set_permissions(fs::Permissions::from_mode(mode))
}

/// Writes into a file that is there; for the kernel's own, which cannot be replaced.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the call that adds the path"
)]
pub fn write_in_place(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(|error| failed("write", path, &error))
}

/// Appends one line and syncs it; a torn last line is the most that a crash can leave. Its directory
/// must be there: a file that is gone with it has lost what it had, and is not begun anew.
pub fn append_line(path: &Path, line: &str) -> Result<()> {
    let write = || {
        let mut file = open_to_write(path, fs::OpenOptions::new().read(true).append(true))?;
        // A line that a crash has torn must not swallow this one.
        let end_of_last = if is_torn(&file)? { "\n" } else { "" };
        file.write_all(format!("{end_of_last}{line}\n").as_bytes())?;
        file.sync_data()
    };
    write().map_err(|error| failed("write", path, &error))
}

/// Ends a last line that a crash has torn, so that it does not swallow the next one.
pub fn end_torn_line(path: &Path) -> Result<()> {
    let end = || match open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        opened => {
            if is_torn(&opened?)? {
                append(path, "\n")?;
            }
            Ok(())
        }
    };
    end().map_err(|error| failed("write", path, &error))
}

/// Whether the last line of a file has no end.
fn is_torn(file: &fs::File) -> io::Result<bool> {
    let Some(at) = file.metadata()?.len().checked_sub(1) else {
        return Ok(false);
    };
    let mut last = [0];
    file.read_exact_at(&mut last, at)?;
    Ok(last != *b"\n")
}

/// Appends one line; it survives our end, not the machine's.
pub fn append_line_unsynced(path: &Path, line: &str) -> Result<()> {
    append_lines_unsynced(path, &format!("{line}\n"))
}

/// Appends whole lines, each with its end, by one write; they survive our end, not the machine's.
///
/// The directory is made when it is found missing: to ask for it before each line costs as much as
/// the line.
pub fn append_lines_unsynced(path: &Path, lines: &str) -> Result<()> {
    append_or_begin(path, lines).map(drop)
}

fn append_or_begin(path: &Path, lines: &str) -> Result<fs::File> {
    let appended = match append(path, lines) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_dir(dir_of(path))?;
            append(path, lines)
        }
        appended => appended,
    };
    appended.map_err(|error| failed("write", path, &error))
}

/// Syncs what was written to a file, so that it survives the machine's end. One that is not there
/// has nothing to lose.
pub fn sync(path: &Path) -> Result<()> {
    match open(path).and_then(|file| file.sync_data()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("sync", path, &error)),
        _ => Ok(()),
    }
}

fn append(path: &Path, lines: &str) -> io::Result<fs::File> {
    let mut file = open_to_write(path, fs::OpenOptions::new().append(true))?;
    file.write_all(lines.as_bytes())?;
    Ok(file)
}

/// A file that lines are appended to for as long as something goes on. It is opened with the first
/// line and kept open: to open it for each takes five calls of the kernel.
#[derive(Debug)]
pub struct Appender {
    path: PathBuf,
    file: Mutex<Option<fs::File>>,
}

impl Appender {
    /// One for a file, which need not be there. A last line that a crash has torn is ended before
    /// the first one of ours.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: Mutex::new(None),
        }
    }

    /// Appends one line; it survives our end, not the machine's. A file that was taken away is begun
    /// anew.
    pub fn line(&self, line: &str) -> Result<()> {
        // A panic within a write leaves the file as a full disk does.
        let mut kept = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken out: after a failure the next line looks for a torn one again.
        let file = match kept.take_if(|file| !is_gone(file)) {
            Some(file) => file,
            None => self.open()?,
        };
        let written = (&file).write_all(format!("{line}\n").as_bytes());
        written.map_err(|error| failed("write", &self.path, &error))?;
        *kept = Some(file);
        Ok(())
    }

    fn open(&self) -> Result<fs::File> {
        end_torn_line(&self.path)?;
        append_or_begin(&self.path, "")
    }
}

/// Whether an open file has no name any more, so that nobody would ever read what is written to it.
fn is_gone(file: &fs::File) -> bool {
    file.metadata().map_or(true, |meta| meta.nlink() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{list, read_text};

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
    fn a_new_file_takes_the_place_of_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.json");
        write_new(&path, b"mine").unwrap();
        let error = write_new(&path, b"other").unwrap_err().to_string();
        assert!(error.contains("mine.json"), "{error}");
        assert_eq!(read_text(&path).unwrap(), "mine");
        assert_eq!(list(dir.path()).unwrap(), [path]);
    }

    #[test]
    fn a_torn_last_line_swallows_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        append_line(&path, "one").unwrap();
        append_lines_unsynced(&path, "tor").unwrap();
        append_line(&path, "two").unwrap();
        assert_eq!(read_text(&path).unwrap(), "one\ntor\ntwo\n");
        append_lines_unsynced(&path, "n").unwrap();
        for _ in 0..2 {
            end_torn_line(&path).unwrap();
        }
        append_line_unsynced(&path, "three").unwrap();
        assert_eq!(read_text(&path).unwrap(), "one\ntor\ntwo\nn\nthree\n");
        let none = dir.path().join("none");
        end_torn_line(&none).unwrap();
        assert!(!none.exists());
    }

    #[test]
    fn a_file_that_is_kept_open_begins_after_a_torn_line_and_anew_when_it_was_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/lines");
        create_dir(dir_of(&path)).unwrap();
        append_lines_unsynced(&path, "tor").unwrap();
        let appender = Appender::new(path.clone());
        appender.line("one").unwrap();
        appender.line("two").unwrap();
        assert_eq!(read_text(&path).unwrap(), "tor\none\ntwo\n");
        fs::remove_dir_all(dir.path().join("run")).unwrap();
        appender.line("three").unwrap();
        assert_eq!(read_text(&path).unwrap(), "three\n");
    }

    #[test]
    fn lines_of_two_who_keep_a_file_open_follow_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        let (first, second) = (Appender::new(path.clone()), Appender::new(path.clone()));
        for line in ["one", "two"] {
            first.line(line).unwrap();
            second.line(line).unwrap();
        }
        assert_eq!(read_text(&path).unwrap(), "one\none\ntwo\ntwo\n");
    }
}
