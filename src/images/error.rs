//! What can go wrong with images.

use std::io;
use std::path::{Path, PathBuf};

use super::Digest;
use super::source::SourceError;
use crate::error::Error;

/// What went wrong with an image or with the store of images.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A directory cannot be a store for this user.
    #[error("{} cannot be the store of images: {why}", dir.display())]
    Unusable {
        /// The directory.
        dir: PathBuf,
        /// Why not.
        why: String,
        /// What the user can do.
        hint: String,
    },
    /// A store that is only read here.
    #[error("{so}: the store of images in {} is on a file system that is read-only here", dir.display())]
    ReadOnly {
        /// The store.
        dir: PathBuf,
        /// What cannot be done.
        so: String,
    },
    /// A call of the system failed.
    #[error("cannot {doing} {}: {error}", path.display())]
    System {
        /// What was being done to the file.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file of ours could not be read or written.
    #[error("{0}")]
    File(Error),
    /// The disk, or what the user may have of it, is full.
    #[error("no space is left for the layer {} in {}, after {}", layer.short(), dir.display(), megabytes(*written))]
    Full {
        /// The layer that was being unpacked.
        layer: Digest,
        /// The store.
        dir: PathBuf,
        /// How many bytes of the layer were written before.
        written: u64,
    },
    /// A layer's bytes have another digest than they should.
    #[error("the layer {} has another digest than its image says: {found}, of {}", wanted.short(), megabytes(*bytes))]
    WrongDigest {
        /// What the image says.
        wanted: Digest,
        /// What came.
        found: Digest,
        /// How many bytes came, not compressed.
        bytes: u64,
    },
    /// A layer is none, or has what no image may have.
    #[error("the layer {} cannot be unpacked: {why}", layer.short())]
    BadLayer {
        /// The layer.
        layer: Digest,
        /// What is wrong with it.
        why: String,
    },
    /// The system refused to make what a layer has.
    #[error("cannot {doing} {name} of the layer {}: {error}", layer.short())]
    Entry {
        /// The layer.
        layer: Digest,
        /// What was being done.
        doing: &'static str,
        /// The name in the layer, as it can be shown.
        name: String,
        /// What the system said.
        error: io::Error,
    },
    /// Where a layer comes from, reading failed.
    #[error("the layer {} stopped coming after {}: {error}", layer.short(), megabytes(*read))]
    Source {
        /// The layer.
        layer: Digest,
        /// How many bytes had come, as they come.
        read: u64,
        /// Why it stopped.
        error: io::Error,
    },
    /// The image cannot be had from where it was asked for.
    #[error(transparent)]
    Fetch(#[from] SourceError),
    /// The store has no such image, or not all of it.
    #[error("the image {name} is not in the store{}", lacking(*missing))]
    Absent {
        /// Its name.
        name: String,
        /// How many of its layers are missing; 0 when all of it is.
        missing: usize,
    },
    /// Another process uses the store in a way that excludes this one.
    #[error("cannot {doing}: another process pulls images into {}", dir.display())]
    Busy {
        /// What was asked for.
        doing: &'static str,
        /// The store.
        dir: PathBuf,
    },
    /// A file of the store is not as we write it.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl ImageError {
    /// For a call of the system that failed on a path.
    pub fn system(doing: &'static str, path: &Path, error: impl Into<io::Error>) -> Self {
        Self::System {
            doing,
            path: path.to_owned(),
            error: error.into(),
        }
    }

    /// What the reader can do; empty where the sentence says it.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Unusable { hint, .. } => hint.as_str(),
            Self::File(error) => return error.hints().to_vec(),
            Self::Fetch(error) => return error.hints(),
            Self::System { .. } => return Vec::new(),
            Self::Entry { .. } => {
                "the store's file system may be unfit: name a store on a local disk (`[images] store`)"
            }
            Self::Full { .. } => {
                "free some space, or name a store on another disk (`[images] store`); nothing half-unpacked stays, and the same command goes on"
            }
            Self::WrongDigest { .. } => {
                "pull it again; where the same comes again, the source has a damaged copy: take another (--from)"
            }
            Self::BadLayer { .. } => {
                "the image itself is so: build it again, or take it from another source (--from)"
            }
            Self::Source { .. } => "pull again: the layers that are there are kept",
            Self::Absent { .. } => "pull it: `regatta images pull`",
            Self::Busy { .. } => "wait until it is done",
            Self::ReadOnly { .. } => {
                "do it on the machine that may write there, or name another store: `[images] store` in the configuration"
            }
            Self::Damaged { .. } => {
                "remove this file and pull its image again: the layers that are there are kept"
            }
        };
        vec![hint.to_owned()]
    }
}

impl From<Error> for ImageError {
    fn from(error: Error) -> Self {
        Self::File(error)
    }
}

impl From<ImageError> for Error {
    fn from(error: ImageError) -> Self {
        let hints = error.hints();
        let is_usage = match &error {
            ImageError::Unusable { .. } => true,
            ImageError::Fetch(error) => error.is_of_usage(),
            _ => false,
        };
        let plain = match error {
            ImageError::File(error) => return error,
            _ if is_usage => Self::usage(error.to_string()),
            _ => Self::world(error.to_string()),
        };
        hints.into_iter().fold(plain, Self::hint)
    }
}

/// Bytes as people read them.
fn megabytes(bytes: u64) -> String {
    if bytes < 1_000_000 {
        format!("{bytes} bytes")
    } else {
        format!("{:.1} MB", bytes as f64 / 1e6)
    }
}

fn lacking(layers: usize) -> String {
    match layers {
        0 => String::new(),
        1 => ": one of its layers is missing".to_owned(),
        n => format!(": {n} of its layers are missing"),
    }
}
