//! Reading: ordinary files only, and never more of one than such a file can have.
//!
//! A log tree, a dataset or a configuration may be anybody's. A pipe in the place of a file would
//! wait for its other end for ever, a device may never end, and a file of zeros fills the memory.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

use super::failed;
use crate::error::{Error, Result};

/// The most that a file may have that a person writes or a dataset holds: a configuration, prices,
/// rules, a subset, a feature's text or patch. litellm's price list, the largest known, has 1.5 MB.
pub const MAX_INPUT: u64 = 16_000_000;

/// The most of a file that is shown to people from its end.
const MAX_TAIL: u64 = 1 << 20;

/// The most room that is made for a file before it is read, in bytes: what it says to have may be a
/// hole.
const ROOM: usize = 1 << 20;

/// The longest line of our own `jsonl` files that is read. A line lists at most every pair of the
/// dataset, or a trial's error texts, which are cut: 100 kB is much.
const MAX_LINE: u64 = 8_000_000;

/// Opens an ordinary file to read. Nothing else is even opened: that of a pipe waits for its other
/// end, and that of a device may do something.
pub fn open(path: &Path) -> io::Result<File> {
    Ok(open_with_size(path)?.0)
}

/// The same, with how many bytes it says to have.
fn open_with_size(path: &Path) -> io::Result<(File, u64)> {
    // What takes its place a moment later is opened without waiting, and read up to a limit.
    let meta = fs::metadata(path)?;
    refuse_special(&meta)?;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(not_waiting())
        .open(path)?;
    Ok((file, meta.len()))
}

/// Opens an ordinary file, made when it is not there, in the way that `options` say.
pub fn open_to_write(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    match fs::metadata(path) {
        Ok(meta) => refuse_special(&meta)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let file = options
        .create(true)
        .custom_flags(not_waiting())
        .open(path)?;
    refuse_special(&file.metadata()?)?;
    Ok(file)
}

fn not_waiting() -> i32 {
    // Never the controlling terminal either, should a name lead to one.
    (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed()
}

/// An error for what is no ordinary file, which says what it is.
fn refuse_special(meta: &Metadata) -> io::Result<()> {
    match kind(meta.file_type()) {
        None => Ok(()),
        Some("directory") => Err(io::Error::new(
            io::ErrorKind::IsADirectory,
            "it is a directory, not a file",
        )),
        Some(kind) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("it is a {kind}, not a file"),
        )),
    }
}

fn kind(it: FileType) -> Option<&'static str> {
    if it.is_file() {
        None
    } else if it.is_dir() {
        Some("directory")
    } else if it.is_fifo() {
        Some("named pipe")
    } else if it.is_socket() {
        Some("socket")
    } else {
        Some("device")
    }
}

/// Like [`open_with_size`]; `None` when there is no such file.
fn open_if_there(path: &Path) -> Result<Option<(File, u64)>> {
    match open_with_size(path) {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, &error)),
    }
}

/// The bytes of a file of at most [`MAX_INPUT`].
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let opened = open_with_size(path).map_err(|error| failed("read", path, &error))?;
    whole(opened, path, MAX_INPUT)
}

/// The bytes of a file of at most `limit` bytes; `Ok(None)` when there is no such file.
///
/// A longer file is an error: what we read whole is small by design.
pub fn read_up_to(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    open_if_there(path)?
        .map(|opened| whole(opened, path, limit))
        .transpose()
}

/// The beginning of a file, of at most `limit` bytes, and how many come after it; `Ok(None)` when
/// there is no such file.
pub fn read_start(path: &Path, limit: u64) -> Result<Option<(Vec<u8>, u64)>> {
    let Some((file, says)) = open_if_there(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| failed("read", path, &error))?;
    let rest = says.saturating_sub(bytes.len() as u64);
    Ok(Some((bytes, rest)))
}

fn whole((file, says): (File, u64), path: &Path, limit: u64) -> Result<Vec<u8>> {
    // Refused before a byte of it is in memory.
    let mut bytes = Vec::new();
    if says <= limit {
        // Room for all of it, so that it comes in one piece. What is written to it meanwhile is not
        // of this reading; what says to be empty may be made while it is read, as in /proc.
        bytes.reserve(usize::try_from(says).unwrap_or(0).min(ROOM));
        let most = if says == 0 { limit + 1 } else { says };
        file.take(most)
            .read_to_end(&mut bytes)
            .map_err(|error| failed("read", path, &error))?;
    }
    if says > limit || bytes.len() as u64 > limit {
        return Err(too_large(path, limit));
    }
    Ok(bytes)
}

fn too_large(path: &Path, limit: u64) -> Error {
    let size = if limit >= 1_000_000 {
        format!("{} MB", limit / 1_000_000)
    } else {
        format!("{limit} bytes")
    };
    Error::world(format!(
        "{} is larger than {size}, which no such file is",
        path.display()
    ))
    .hint("look at it with `ls -ls` and `head -c 1000`, and move it away if it is not what its name says")
}

/// The last bytes of a file, for people: at most 1 MiB; nothing when there is no such file.
pub fn read_end(path: &Path) -> Result<Vec<u8>> {
    read_last(path, MAX_TAIL)
}

/// The last bytes of a file, at most so many; nothing when there is no such file.
pub fn read_last(path: &Path, most: u64) -> Result<Vec<u8>> {
    let Some((mut file, size)) = open_if_there(path)? else {
        return Ok(Vec::new());
    };
    let mut bytes = Vec::new();
    file.seek(io::SeekFrom::Start(size.saturating_sub(most)))
        .and_then(|_| file.take(most).read_to_end(&mut bytes))
        .map_err(|error| failed("read", path, &error))?;
    Ok(bytes)
}

/// Takes in the lines of a file from an offset on, one at a time, each with whether its end is
/// there, and gives the offset where the last whole one ends. Of a line longer than 8 MB its
/// beginning is given. No file, no lines.
///
/// A file of more than `limit` bytes is an error, of which nothing is taken in.
pub fn read_lines(
    path: &Path,
    offset: u64,
    limit: u64,
    mut take_in: impl FnMut(&[u8], bool),
) -> Result<u64> {
    let Some((mut file, size)) = open_if_there(path)? else {
        return Ok(offset);
    };
    if size > limit {
        return Err(too_large(path, limit));
    }
    let mut read = offset;
    let lines = || -> io::Result<()> {
        file.seek(io::SeekFrom::Start(offset))?;
        let mut reader = BufReader::with_capacity(1 << 16, file.take(limit));
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut taken = reader
                .by_ref()
                .take(MAX_LINE)
                .read_until(b'\n', &mut line)? as u64;
            if taken == 0 {
                return Ok(());
            }
            let mut is_whole = line.pop_if(|last| *last == b'\n').is_some();
            if !is_whole {
                let (rest, ended) = skip_line(&mut reader)?;
                taken += rest;
                is_whole = ended;
            }
            take_in(&line, is_whole);
            if !is_whole {
                return Ok(());
            }
            read += taken;
        }
    };
    lines().map_err(|error| failed("read", path, &error))?;
    Ok(read)
}

/// Passes over the rest of a line: how many bytes it had, and whether its end was there.
fn skip_line(reader: &mut impl io::BufRead) -> io::Result<(u64, bool)> {
    let mut skipped = 0;
    loop {
        let there = reader.fill_buf()?;
        if there.is_empty() {
            return Ok((skipped, false));
        }
        let end = there.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(there.len(), |end| end + 1);
        reader.consume(used);
        skipped += used as u64;
        if end.is_some() {
            return Ok((skipped, true));
        }
    }
}

/// The text of a file of at most [`MAX_INPUT`], which must be UTF-8.
pub fn read_text(path: &Path) -> Result<String> {
    String::from_utf8(read(path)?).map_err(|error| {
        Error::usage(format!(
            "{} is not UTF-8 text: invalid byte at offset {}",
            path.display(),
            error.utf8_error().valid_up_to()
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::files::{append_line, copy, write_atomic};

    /// One of each kind of what is no file, and what its error says.
    fn special(dir: &Path) -> Vec<(std::path::PathBuf, &'static str)> {
        let at = |name: &str| dir.join(name);
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        drop(UnixListener::bind(at("socket")).unwrap());
        fs::create_dir(at("dir")).unwrap();
        symlink("/dev/zero", at("zeros")).unwrap();
        symlink(at("pipe"), at("to-pipe")).unwrap();
        symlink(at("loop"), at("loop")).unwrap();
        vec![
            (at("pipe"), "it is a named pipe, not a file"),
            (at("to-pipe"), "it is a named pipe, not a file"),
            (at("socket"), "it is a socket, not a file"),
            (at("zeros"), "it is a device, not a file"),
            (at("dir"), "it is a directory, not a file"),
            (at("loop"), "Too many levels of symbolic links"),
        ]
    }

    #[test]
    fn what_is_no_file_is_refused_by_every_call_and_holds_up_nothing() {
        let dir = tempfile::tempdir().unwrap();
        for (path, why) in special(dir.path()) {
            let errors = [
                read(&path).map(drop),
                read_text(&path).map(drop),
                read_up_to(&path, 100).map(drop),
                read_end(&path).map(drop),
                read_last(&path, 100).map(drop),
                read_lines(&path, 0, 100, |_, _| {}).map(drop),
                append_line(&path, "x"),
                copy(&path, &dir.path().join("copy")).map(drop),
            ];
            for error in errors {
                let error = error.unwrap_err().to_string();
                let path = path.display().to_string();
                assert!(error.contains(why) && error.contains(&path), "{error}");
            }
        }
    }

    #[test]
    fn a_file_of_zeros_is_refused_by_its_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("result.json");
        let file = File::create(&path).unwrap();
        file.set_len(1 << 41).unwrap();
        for error in [
            read(&path).map(drop),
            read_up_to(&path, 1 << 30).map(drop),
            read_lines(&path, 0, 1 << 30, |_, _| panic!("a line was read")).map(drop),
        ] {
            let error = error.unwrap_err();
            assert!(error.to_string().contains("result.json is larger than"));
            assert_eq!(error.hints().len(), 1);
        }
        assert_eq!(read_end(&path).unwrap().len() as u64, MAX_TAIL);
        assert_eq!(read_last(&path, 7).unwrap().len(), 7);
    }

    #[test]
    fn a_file_as_large_as_it_may_be_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write_atomic(&path, b"12345").unwrap();
        assert_eq!(read_up_to(&path, 5).unwrap().unwrap(), b"12345");
        assert!(read_up_to(&path, 4).is_err());
        assert_eq!(read_up_to(&dir.path().join("none"), 4).unwrap(), None);
    }

    #[test]
    fn a_line_that_is_being_written_is_told_from_whole_ones() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let lines_from = |offset| {
            let mut lines = Vec::new();
            let end = read_lines(&path, offset, 100, |line, is_whole| {
                lines.push((String::from_utf8_lossy(line).into_owned(), is_whole));
            });
            (lines, end.unwrap())
        };
        let line = |text: &str, is_whole| (text.to_owned(), is_whole);
        assert_eq!(lines_from(0), (vec![], 0));
        write_atomic(&path, b"one\n\nthr").unwrap();
        let torn = vec![line("one", true), line("", true), line("thr", false)];
        assert_eq!(lines_from(0), (torn, 5));
        write_atomic(&path, b"one\n\nthree\n").unwrap();
        assert_eq!(lines_from(5), (vec![line("three", true)], 11));
    }

    #[test]
    fn of_a_line_without_end_only_its_beginning_is_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut bytes = vec![b'x'; 3 * usize::try_from(MAX_LINE).unwrap()];
        bytes.extend(b"\nnext\n");
        write_atomic(&path, &bytes).unwrap();
        let mut sizes = Vec::new();
        let end = read_lines(&path, 0, 100_000_000, |line, _| {
            sizes.push(line.len() as u64);
        });
        assert_eq!(sizes, [MAX_LINE, 4]);
        assert_eq!(end.unwrap(), bytes.len() as u64);
    }
}
