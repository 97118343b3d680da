//! Images without a daemon: a sandbox of namespaces over an image's layers.

mod place;
mod pulls;
mod readied;
mod scratch;
mod start;

pub use place::OciPlace;
pub use pulls::{OciPulls, known, world, worlds};
pub use readied::ReadiedImages;
pub use scratch::Scratch;
pub use start::{check, start, why_one_id};
