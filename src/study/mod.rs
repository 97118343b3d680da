//! What many runs say together: repeats pooled into arms, arms held against each other.

pub mod arm;
pub mod audit;
pub mod beside;
mod likeness;
#[cfg(test)]
mod made;
mod mixed;
mod pooling;
mod repeats;
mod selection;

pub use arm::{Arm, ArmRun};
pub use beside::Beside;
pub use pooling::{Pooling, Study, study};
