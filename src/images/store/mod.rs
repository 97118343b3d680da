//! The store: every layer unpacked once, by its digest, for all images and all processes.

mod adding;
mod index;
mod lock;
mod opening;
mod places;
mod pruning;
mod verifying;

use std::path::Path;

pub use adding::{Held, HeldLayer, Unpacked};
pub use index::ListedImage;
pub use lock::StoreLock;
pub use pruning::Pruned;
pub use verifying::VerifiedLayer;

use super::layer::OwnedBy;
use places::StorePaths;

/// A directory that keeps images. Processes share it, on several machines too: each thing in it has a
/// lock, is made beside its place and renamed into it.
#[derive(Clone, Debug)]
pub struct Store {
    places: StorePaths,
    owner: OwnedBy,
    /// Whether its file system is read-only here.
    is_read_only: bool,
}

impl Store {
    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.places.dir()
    }
}
