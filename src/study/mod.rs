//! What many runs say together: repeats pooled into arms, arms held against each other.

pub mod arm;
mod pooling;

pub use arm::{Arm, ArmRun};
pub use pooling::{Pooling, Study, study};
