//! How runs become arms. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

/// How runs become arms.
#[derive(Clone, Debug, Default)]
pub struct Pooling {
    /// Whether every run is an arm by itself.
    pub each_alone: bool,
    /// Whether runs of different rule sets, datasets or images are pooled all the same.
    pub is_mixed: bool,
    /// The runs of arms that their names don't tell: patterns by the arm's name.
    pub groups: BTreeMap<String, Vec<String>>,
    /// The arms of the experiment in its order, which is theirs where nothing is asked for.
    pub order: Vec<String>,
    /// Runs, arms, groups or patterns, in the order in which they are wanted; empty for every arm.
    pub asked: Vec<String>,
}

/// Why an arm is the first, which others are held against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FirstBy {
    /// It was named first.
    #[default]
    Named,
    /// It is the experiment's first arm.
    Experiment,
    /// It is the first by name.
    Name,
}

impl FirstBy {
    /// Why, in words.
    #[must_use]
    pub const fn told(self) -> &'static str {
        match self {
            Self::Named => "named first",
            Self::Experiment => "the experiment's first arm",
            Self::Name => "the first by name",
        }
    }
}
