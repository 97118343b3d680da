//! An archive of images: a file as it is, or a stream that is kept until it is read.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::Compression;
use super::super::layer::{Snag, TarEntries, TarKind};
use super::contents::{FileInside, ImageFiles};
use super::error::SourceError;
use crate::files;

/// An archive that can be read at any place.
#[derive(Debug)]
pub struct Archive {
    file: Arc<File>,
    entries: HashMap<String, Entry>,
    called: String,
}

#[derive(Debug)]
enum Entry {
    /// A file: where its bytes begin, and how many there are.
    File { at: u64, bytes: u64 },
    /// A link to another entry, by its whole path; older versions of Docker write one for a layer
    /// that is there already.
    Link(String),
}

/// How many links may follow one another.
const LINKS: usize = 8;
/// The most files that an archive of images may have: each image has about three for every layer.
const MOST_ENTRIES: usize = 1_000_000;
/// How much is read of a stream at once, in bytes.
const PIECE: usize = 1 << 17;

impl Archive {
    /// That of a file. If it is compressed, it is unpacked into a file without a name in `beside`.
    pub fn open(path: &Path, beside: &Path) -> Result<Self, SourceError> {
        let called = path.display().to_string();
        let file = files::open(path);
        let file = file.map_err(|error| SourceError::disk(format!("read {called}"), &error))?;
        Self::of_file(file, called, beside)
    }

    fn of_file(mut file: File, called: String, beside: &Path) -> Result<Self, SourceError> {
        let failed = |error: io::Error| SourceError::disk(format!("read {called}"), &error);
        file.rewind().map_err(failed)?;
        let mut packed = BufReader::with_capacity(PIECE, &file);
        let start = packed.fill_buf().map_err(failed)?;
        if Compression::of(start) != Compression::None {
            let mut plain = nameless(beside)?;
            let mut broke = None;
            let unpacked = Compression::Detect.unpack(&mut packed, |whole| {
                copy(whole, &mut plain, &called, beside).map_err(|error| {
                    broke = Some(error);
                    io::Error::other("stopped")
                })
            });
            if let Some(error) = broke {
                return Err(error);
            }
            unpacked.map_err(|error| damaged(&called, &error))?;
            file = plain;
        }
        let entries = entries(&file, &called)?;
        if entries.is_empty() {
            let why = "it is empty, or no tar archive".to_owned();
            return Err(SourceError::NoImage { from: called, why });
        }
        let file = Arc::new(file);
        Ok(Self {
            file,
            entries,
            called,
        })
    }
}

/// An archive that comes as a stream: kept in a file without a name, since what it has is known at its
/// end.
#[derive(Debug)]
pub struct Spool {
    file: File,
    beside: PathBuf,
}

impl Spool {
    /// One that is kept in a directory.
    pub fn new(beside: &Path) -> Result<Self, SourceError> {
        Ok(Self {
            file: nameless(beside)?,
            beside: beside.to_owned(),
        })
    }

    /// Takes in the next bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        let written = self.file.write_all(bytes);
        written.map_err(|error| keeping("the archive", &self.beside, &error))
    }

    /// Takes in all that comes.
    pub fn read(&mut self, from: &mut dyn Read, called: &str) -> Result<(), SourceError> {
        copy(from, &mut self.file, called, &self.beside)
    }

    /// The archive, when all of it has come.
    pub fn finish(self, called: &str) -> Result<Archive, SourceError> {
        Archive::of_file(self.file, called.to_owned(), &self.beside)
    }
}

/// Copies what can be read; an error of reading is the archive's, one of writing the disk's.
fn copy(
    from: &mut dyn Read,
    to: &mut File,
    called: &str,
    beside: &Path,
) -> Result<(), SourceError> {
    let mut piece = vec![0; PIECE];
    loop {
        let read = from.read(&mut piece);
        let read = read.map_err(|error| damaged(called, &error))?;
        if read == 0 {
            return Ok(());
        }
        let written = to.write_all(&piece[..read]);
        written.map_err(|error| keeping(called, beside, &error))?;
    }
}

fn damaged(called: &str, error: &io::Error) -> SourceError {
    SourceError::NoImage {
        from: called.to_owned(),
        why: format!("it cannot be decompressed: {error}"),
    }
}

fn keeping(called: &str, beside: &Path, error: &io::Error) -> SourceError {
    SourceError::disk(format!("keep {called} in {}", beside.display()), error)
}

/// A file that is gone with the last who has it open, be it by a `kill -9`.
fn nameless(beside: &Path) -> Result<File, SourceError> {
    let made = files::create_dir(beside)
        .map_err(|error| io::Error::other(error.to_string()))
        .and_then(|()| tempfile::tempfile_in(beside));
    made.map_err(|error| SourceError::disk(format!("write in {}", beside.display()), &error))
}

/// The files of an archive, by their paths in it.
fn entries(file: &File, called: &str) -> Result<HashMap<String, Entry>, SourceError> {
    let no_image = |why: &str| SourceError::NoImage {
        from: called.to_owned(),
        why: why.to_owned(),
    };
    let broke = |trouble: Snag| match trouble {
        Snag::Content(why) => no_image(&why),
        Snag::System { .. } | Snag::Cut => no_image("it cannot be read to its end"),
    };
    let mut found = HashMap::new();
    let failed = |error: io::Error| SourceError::disk(format!("read {called}"), &error);
    let whole = file.metadata().map_err(failed)?.len();
    let mut archive = TarEntries::of(Positioned::new(file).map_err(failed)?);
    while let Some(entry) = archive.next().map_err(broke)? {
        // A path that is no text is none that a document can name.
        let Some(path) = text(entry.name).and_then(|path| inside("", &path)) else {
            continue;
        };
        let link = text(entry.link);
        let made = match entry.kind {
            TarKind::File if entry.sparse.is_none() => {
                let (at, bytes) = (archive.source().at, archive.left());
                if at.saturating_add(bytes) > whole {
                    return Err(no_image(&format!("it ends in the middle of {path:?}")));
                }
                Some(Entry::File { at, bytes })
            }
            TarKind::HardLink => link.and_then(|link| inside("", &link)).map(Entry::Link),
            TarKind::Symlink => {
                let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
                link.and_then(|link| inside(dir, &link)).map(Entry::Link)
            }
            _ => None,
        };
        if let Some(made) = made {
            found.insert(path, made);
        }
        if found.len() > MOST_ENTRIES {
            return Err(no_image("it has more than a million files"));
        }
    }
    Ok(found)
}

/// A file that is read from its beginning, and knows how far.
struct Positioned<'a> {
    file: BufReader<&'a File>,
    at: u64,
}

impl<'a> Positioned<'a> {
    fn new(file: &'a File) -> io::Result<Self> {
        let mut from = file;
        from.rewind()?;
        let file = BufReader::with_capacity(PIECE, file);
        Ok(Self { file, at: 0 })
    }
}

impl Read for Positioned<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl BufRead for Positioned<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.file.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.file.consume(bytes);
        self.at += bytes as u64;
    }
}
fn text(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok()
}

/// A path from a directory of the archive, in its simplest form; `None` where it leads out of it.
fn inside(dir: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let all = dir.split('/').chain(path.split('/'));
    for part in all {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    (!path.starts_with('/')).then(|| parts.join("/"))
}

impl ImageFiles for Archive {
    fn open(&self, path: &str) -> io::Result<Option<FileInside>> {
        let Some(mut path) = inside("", path) else {
            return Ok(None);
        };
        for _ in 0..LINKS {
            match self.entries.get(&path) {
                Some(Entry::File { at, bytes }) => {
                    let (at, left) = (*at, *bytes);
                    let file = Arc::clone(&self.file);
                    let read = Box::new(Slice { file, at, left });
                    return Ok(Some(FileInside {
                        bytes: *bytes,
                        read,
                    }));
                }
                Some(Entry::Link(to)) => path.clone_from(to),
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    fn called(&self) -> &str {
        &self.called
    }
}

/// A piece of a file, which several may read at once.
struct Slice {
    file: Arc<File>,
    at: u64,
    left: u64,
}

impl Read for Slice {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let most = most.min(into.len());
        let read = self.file.read_at(&mut into[..most], self.at)?;
        if read == 0 && most > 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the archive ends in the middle of it",
            ));
        }
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn no_path_leads_out_of_an_archive() {
        for (dir, path, found) in [
            ("", "./a/b", Some("a/b")),
            ("x", "../y/layer.tar", Some("y/layer.tar")),
            ("", "../etc/passwd", None),
            ("x", "../../etc", None),
            ("x", "/etc", None),
        ] {
            assert_eq!(inside(dir, path).as_deref(), found, "{dir} {path}");
        }
    }
}
