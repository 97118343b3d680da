//! Images without a daemon: a sandbox of namespaces over an image's layers.

mod place;
mod start;

pub use place::OciPlace;
pub use start::{check, start};
