//! The runs asked for together: planned, opened, run, judged.

pub mod gold;
pub mod judge;
pub mod judging;
mod passes;
mod pins;
mod planned;
pub mod present;
mod refusal;
pub mod setup;
pub mod verdicts;

pub use planned::Experiment;
