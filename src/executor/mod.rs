//! Where trials run.

pub mod local;
pub mod reaper;
pub mod redis;

pub use local::Local;
