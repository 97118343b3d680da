//! A blob that is being fetched: a file that lasts until its layer is unpacked.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::super::{Digest, ImageError, Store, StoreLock};
use super::error::SourceError;
use crate::files;

/// The file of a blob. Who has it here is the only one who does, on all machines that share the store.
#[derive(Debug)]
pub struct Partial {
    digest: Digest,
    path: PathBuf,
    file: File,
    bytes: u64,
    wanted: u64,
    _lock: StoreLock,
}

/// How often it is looked whether another one is done.
const AGAIN: Duration = Duration::from_millis(50);

impl Partial {
    /// The file of a blob of so many bytes, made when it is not there. While another process has it,
    /// this waits, and says so to `waits` once.
    pub async fn hold(
        store: &Store,
        digest: &Digest,
        wanted: u64,
        waits: impl Fn(),
    ) -> Result<Self, ImageError> {
        let mut said = false;
        let lock = loop {
            if let Some(lock) = store.try_lock_partial(digest)? {
                break lock;
            }
            if !said {
                waits();
                said = true;
            }
            tokio::time::sleep(AGAIN).await;
        };
        let path = store.partial(digest);
        let mut options = OpenOptions::new();
        let opened = files::open_to_write(&path, options.read(true).append(true));
        let sized = opened.and_then(|file| Ok((file.metadata()?.len(), file)));
        let (bytes, file) = sized
            .map_err(|error| SourceError::disk(format!("write {}", path.display()), &error))?;
        Ok(Self {
            digest: digest.clone(),
            path,
            file,
            bytes,
            wanted,
            _lock: lock,
        })
    }

    /// The digest that it should have.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// How many bytes are there.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many it will have.
    pub const fn wanted(&self) -> u64 {
        self.wanted
    }

    /// Adds bytes at the end.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        let written = self.file.write_all(bytes);
        written.map_err(|error| {
            let (layer, megabytes) = (self.digest.short(), self.bytes as f64 / 1e6);
            let path = self.path.display();
            let doing = format!("write the layer {layer} to {path}, after {megabytes:.1} MB");
            SourceError::disk(doing, &error)
        })?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Begins again.
    pub fn empty(&mut self) -> Result<(), SourceError> {
        let emptied = self.file.set_len(0);
        emptied.map_err(|error| self.failed("empty", &error))?;
        self.bytes = 0;
        Ok(())
    }

    /// The digest of what is there.
    pub fn found(&mut self) -> Result<Digest, SourceError> {
        let mut hash = || -> io::Result<Digest> {
            let mut hash = Sha256::new();
            let mut piece = vec![0; 1 << 17];
            self.file.rewind()?;
            loop {
                match self.file.read(&mut piece)? {
                    0 => return Ok(Digest::of_hash(&hash.finalize())),
                    n => hash.update(&piece[..n]),
                }
            }
        };
        let found = hash();
        found.map_err(|error| self.failed("read", &error))
    }

    /// What is there, from its first byte.
    pub fn read(&self) -> Result<File, SourceError> {
        let again = || -> io::Result<File> {
            let mut file = self.file.try_clone()?;
            file.rewind()?;
            Ok(file)
        };
        again().map_err(|error| self.failed("read", &error))
    }

    /// Removes it.
    pub fn remove(self) -> Result<(), SourceError> {
        files::remove(&self.path).map_err(|error| {
            let error = io::Error::other(error.to_string());
            self.failed("remove", &error)
        })
    }

    fn failed(&self, doing: &str, error: &io::Error) -> SourceError {
        SourceError::disk(format!("{doing} {}", self.path.display()), error)
    }
}
