//! What a feature of a dataset is worth as a judge.

use crate::bench::TaskKey;

/// A feature that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graded {
    /// The task that the feature is of.
    pub task: TaskKey,
    /// The feature's number within its task.
    pub feature: u64,
    /// Whether patches can be judged by it.
    pub grade: Grade,
}

/// What was found of a feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grade {
    /// A patch can be judged by it.
    Gradeable,
    /// No patch can: its own patch fails, or its tests pass on the untouched base. Which, in one
    /// line.
    Ungradeable(String),
    /// The evaluation broke before it was known; why, in one line.
    Unknown(String),
}
