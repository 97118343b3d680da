//! Images without a daemon: what they are called, where they come from, and the store that keeps
//! them unpacked.
//!
//! An image is files and a few settings. A store holds every layer once, as a directory; a sandbox
//! lays them over one another and writes into a directory of its own.

mod compression;
mod copying;
mod digest;
mod error;
mod flat;
mod image;
mod layer;
mod name;
mod pull;
mod removal;
mod several;
mod source;
mod store;

pub use compression::Compression;
pub use digest::Digest;
pub use error::ImageError;
pub use flat::copy_trees;
pub use image::{ImageConfig, StoredImage};
pub use layer::{Layer, LeftOut};
pub use name::ImageName;
pub use pull::{From, names_in, pull};
pub use removal::remove_path;
pub use several::{Pulled, pull_several};
pub use source::{
    Archive, Logins, Patience, PullNews, RegistryOptions, SourceError, Spool, architecture,
};
pub use store::{Held, HeldLayer, ListedImage, Pruned, Store, StoreLock, Unpacked, VerifiedLayer};
