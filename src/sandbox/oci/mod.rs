//! Images without a daemon: a sandbox of namespaces over an image's layers.

mod place;
mod scratch;
mod start;

pub use place::OciPlace;
pub use scratch::Scratch;
pub use start::{check, start};
