//! From runs to arms. Pure.

use super::pooling::{FirstBy, Pooling};
use super::repeats::Repeats;
use super::selection::Selection;
use super::{Arm, ArmRun, mixed};
use crate::error::{Error, Result};

/// Runs, pooled.
#[derive(Clone, Debug, Default)]
pub struct Study {
    /// The arms, in the order in which they were asked for.
    pub arms: Vec<Arm>,
    /// What is to be said of how runs were pooled, a sentence each.
    pub notes: Vec<String>,
    /// Why the first arm is the first.
    pub first_by: FirstBy,
}

/// Pools runs into arms. Runs whose verdicts are not comparable are not pooled unless that is asked
/// for.
pub fn study(runs: Vec<ArmRun>, pooling: &Pooling) -> Result<Study> {
    let Repeats { arms, mut notes } = Repeats::of(runs, pooling)?;
    let chosen = Selection::of(arms, pooling)?;
    notes.extend(chosen.notes);
    if chosen.arms.is_empty() {
        return Err(Error::usage("no run here has a pair, so there is no arm"));
    }
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
            first_by: chosen.first_by,
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
