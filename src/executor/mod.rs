//! Where trials run.

pub mod local;

pub use local::Local;
