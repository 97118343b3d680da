//! A file that a user wants at a path of theirs.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::write::{put, sync_dir};
use super::{dir_of, failed, temporary};
use crate::error::Result;

/// A file that is written piece by piece. It is there as a whole when it is finished, and an older
/// one stays until then; but what goes into a device or a pipe that is there already
/// (`/dev/stdout`) goes there at once, as a renamed file would replace it for everybody.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    to: To,
}

#[derive(Debug)]
enum To {
    /// A file that takes the place of the one at the path.
    Fresh(NamedTempFile),
    /// What is there.
    There(fs::File),
}

impl OutputFile {
    /// Begins it.
    pub fn begin(path: &Path) -> Result<Self> {
        let to = match fs::metadata(path) {
            Ok(meta) if !meta.is_file() && !meta.is_dir() => {
                fs::OpenOptions::new().write(true).open(path).map(To::There)
            }
            _ => temporary::ours().tempfile_in(dir_of(path)).map(To::Fresh),
        };
        Ok(Self {
            to: to.map_err(|error| failed("write", path, &error))?,
            path: path.to_owned(),
        })
    }

    /// Writes a piece.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = match &mut self.to {
            To::Fresh(file) => file.write_all(bytes),
            To::There(file) => file.write_all(bytes),
        };
        written.map_err(|error| failed("write", &self.path, &error))
    }

    /// Puts the file in its place.
    pub fn finish(self) -> Result<()> {
        let To::Fresh(file) = self.to else {
            return Ok(());
        };
        put(file, &self.path).map_err(|error| failed("write", &self.path, &error))?;
        sync_dir(dir_of(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{list, read_text, write_atomic};

    #[test]
    fn an_older_file_stays_until_the_new_one_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.csv");
        write_atomic(&path, b"old").unwrap();
        let mut output = OutputFile::begin(&path).unwrap();
        output.write(b"new ").unwrap();
        assert_eq!(read_text(&path).unwrap(), "old");
        drop(output);
        assert_eq!(list(dir.path()).unwrap(), std::slice::from_ref(&path));
        let mut output = OutputFile::begin(&path).unwrap();
        output.write(b"new ").unwrap();
        output.write(b"rows").unwrap();
        output.finish().unwrap();
        assert_eq!(read_text(&path).unwrap(), "new rows");
        assert_eq!(list(dir.path()).unwrap(), [path]);
    }
}
