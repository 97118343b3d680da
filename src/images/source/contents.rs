//! Files of a directory or of an archive, by their paths in it. The paths come from documents that
//! anybody may have written: they are looked up, and lead nowhere else.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use super::error::SourceError;
use crate::files;

/// A directory or an archive, opened.
pub trait ImageFiles: Send + Sync {
    /// Opens a file; `None` where there is none of this path.
    fn open(&self, path: &str) -> io::Result<Option<FileInside>>;

    /// What it is called, for people.
    fn called(&self) -> &str;
}

/// A file in it.
pub struct FileInside {
    /// How many bytes it has.
    pub bytes: u64,
    /// They.
    pub read: Box<dyn Read + Send>,
}

/// A directory.
#[derive(Debug)]
pub struct Dir {
    path: PathBuf,
    called: String,
}

impl Dir {
    /// That of this path; nothing is read yet.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            called: path.display().to_string(),
        }
    }
}

impl ImageFiles for Dir {
    fn open(&self, path: &str) -> io::Result<Option<FileInside>> {
        let is_inside = Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if !is_inside || path.is_empty() {
            return Ok(None);
        }
        let file: File = match files::open(&self.path.join(path)) {
            Ok(file) => file,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let bytes = file.metadata()?.len();
        let read = Box::new(file);
        Ok(Some(FileInside { bytes, read }))
    }

    fn called(&self) -> &str {
        &self.called
    }
}

/// The whole of a document; `None` where there is none.
pub fn document(
    contents: &dyn ImageFiles,
    path: &str,
    most: u64,
) -> Result<Option<Vec<u8>>, SourceError> {
    let from = contents.called();
    let failed = |error: io::Error| {
        let doing = format!("read {path} of {from}");
        SourceError::disk(doing, &error)
    };
    let Some(content) = contents.open(path).map_err(failed)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    let mut read = content.read.take(most + 1);
    read.read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(SourceError::TooLarge {
            what: path.to_owned(),
            from: from.to_owned(),
            most,
        });
    }
    Ok(Some(bytes))
}
