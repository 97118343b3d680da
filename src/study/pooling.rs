//! From runs to arms. Pure.

use std::collections::BTreeMap;

use super::repeats::Repeats;
use super::selection::Selection;
use super::{Arm, ArmRun, mixed};
use crate::error::{Error, Result};

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

/// Runs, pooled.
#[derive(Clone, Debug, Default)]
pub struct Study {
    /// The arms, in the order in which they were asked for.
    pub arms: Vec<Arm>,
    /// What is to be said of how runs were pooled, a sentence each.
    pub notes: Vec<String>,
}

/// Pools runs into arms. Runs whose verdicts are not comparable are not pooled unless that is asked
/// for.
pub fn study(runs: Vec<ArmRun>, pooling: &Pooling) -> Result<Study> {
    let Repeats { arms, mut notes } = Repeats::of(runs, pooling)?;
    let chosen = Selection::of(arms, pooling)?;
    notes.extend(chosen.notes);
    let mut refused = Vec::new();
    for arm in chosen.arms.iter().filter(|arm| arm.runs.len() > 1) {
        let differences = mixed::within(arm);
        if !differences.is_empty() {
            refused.push(format!(
                "`{}` has runs of different {}",
                arm.name,
                differences.join(" and ")
            ));
        }
    }
    if refused.is_empty() || pooling.is_mixed {
        notes.extend(refused);
        return Ok(Study {
            arms: chosen.arms,
            notes,
        });
    }
    Err(Error::usage(format!(
        "not pooled, since the verdicts are not comparable: {}",
        refused.join("; ")
    ))
    .hint("judge all by one: `regatta eval --force`; or take each run by itself: --no-pool; or pool them all the same: --mixed"))
}

#[cfg(test)]
mod tests;
