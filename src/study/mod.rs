//! What many runs say together: repeats pooled into arms, arms held against each other.

pub mod arm;
mod likeness;
#[cfg(test)]
mod made;
mod mixed;
mod pooling;
mod repeats;
mod selection;

pub use arm::{Arm, ArmRun};
pub use pooling::{Pooling, Study, study};
