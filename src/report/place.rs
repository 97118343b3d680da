//! Where the work of two agents fails: with one of them, in the merge, or in the tests of both
//! together. Pure.

use serde::Serialize;

use super::Outcome;
use crate::store::eval::EvalFile;

/// Where the work of two agents fails: exactly one of these for each judged pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Nowhere: the pair passes, whatever the agents' patches do alone.
    Passes,
    /// The first agent's patch alone does not pass its own feature; the second's does.
    Agent1,
    /// The second agent's does not; the first's does.
    Agent2,
    /// Neither does.
    BothAgents,
    /// Both do, and the patches do not merge.
    Merge,
    /// Both do, they merge, and the tests fail on the merged work.
    Together,
    /// The pair fails, and not both agents' patches were judged alone.
    NotKnown,
}

impl Place {
    /// Every place, in a table's order.
    pub const ALL: [Self; 7] = [
        Self::Passes,
        Self::Agent1,
        Self::Agent2,
        Self::BothAgents,
        Self::Merge,
        Self::Together,
        Self::NotKnown,
    ];

    /// Its name, as in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passes => "passes",
            Self::Agent1 => "agent1",
            Self::Agent2 => "agent2",
            Self::BothAgents => "both_agents",
            Self::Merge => "merge",
            Self::Together => "together",
            Self::NotKnown => "not_known",
        }
    }

    /// Its name, where it is known that the pair fails there.
    #[must_use]
    pub const fn of_failure(self) -> Option<&'static str> {
        match self {
            Self::Passes | Self::NotKnown => None,
            failed => Some(failed.name()),
        }
    }

    /// Whether it is an agent that could not do its part.
    #[must_use]
    pub const fn is_of_agents(self) -> bool {
        matches!(self, Self::Agent1 | Self::Agent2 | Self::BothAgents)
    }
}

/// The place of a judged pair, whose agents' patches alone do this.
pub(super) fn in_place(outcome: Outcome, alone: [Option<bool>; 2], file: &EvalFile) -> Place {
    if outcome == Outcome::Pass {
        return Place::Passes;
    }
    // A pass that does not count: alone, the patches were not looked at so strictly.
    if file.is_void() {
        return Place::NotKnown;
    }
    let merge = file.merge.as_ref().and_then(|it| it.status.as_deref());
    match (alone, merge) {
        ([Some(false), Some(true)], _) => Place::Agent1,
        ([Some(true), Some(false)], _) => Place::Agent2,
        ([Some(false), Some(false)], _) => Place::BothAgents,
        ([Some(true), Some(true)], Some("conflicts" | "missing_input")) => Place::Merge,
        ([Some(true), Some(true)], Some("clean" | "identical")) => Place::Together,
        _ => Place::NotKnown,
    }
}
