//! What in a submission steers tests instead of doing the work, and the same file without that. Pure,
//! but for [`strip`].
//!
//! Test configuration only: a dependency, an entry point or a source file is the work itself, whatever
//! it does. What the code under test does while tests run is not seen here.

mod back;
mod base;
mod path;
mod sections;
pub mod strip;

pub use back::put_back;
pub use base::Back;
pub use path::{Steers, harness, named, steers};
