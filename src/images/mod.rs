//! Images without a daemon: what they are called, where they come from, and the store that keeps
//! them unpacked.
//!
//! An image is files and a few settings. A store holds every layer once, as a directory; a sandbox
//! lays them over one another and writes into a directory of its own.

mod digest;
mod image;
mod name;

pub use digest::Digest;
pub use image::{ImageConfig, StoredImage};
pub use name::ImageName;
