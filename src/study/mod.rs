//! What many runs say together: repeats pooled into arms, arms held against each other.

pub mod arm;
pub mod audit;
pub mod beside;
pub mod compared;
pub mod figures;
mod format;
pub mod json;
mod likeness;
#[cfg(test)]
mod made;
pub mod markdown;
mod mixed;
mod pooled;
mod pooling;
pub mod power;
mod repeats;
mod selection;
pub mod spent;
mod tally;
pub mod text;
pub mod versus;
mod words;

pub use arm::{Arm, ArmRun};
pub use beside::Beside;
pub use compared::{ArmsCompared, Family};
pub use figures::Figures;
pub use format::StudyFormat;
pub use pooled::{Study, study};
pub use pooling::{FirstBy, Pooling};
pub use versus::Versus;
