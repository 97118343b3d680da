//! What is said of a forced pass: how far it is, and what it sets aside. Pure.

use std::fmt;

use super::Plan;
use crate::bench::RunName;
use crate::hint;
use crate::model::price::Total;
use crate::store::Pass;
use crate::survey::{Standing, Surveyed};
use crate::text::plural;

/// Results, counted: how many, how many of them have a verdict, and what they cost.
#[derive(Clone, Debug, Default)]
pub struct ForcedWorth {
    /// How many pairs have a result.
    pub pairs: usize,
    /// Those of them with a verdict.
    pub judged: usize,
    /// What the trials of these results cost, in USD as far as known.
    pub cost: Total,
}

impl ForcedWorth {
    /// The worth of the results among these.
    #[must_use]
    pub fn of<'a>(surveyed: impl Iterator<Item = &'a Surveyed>) -> Self {
        let mut worth = Self::default();
        for one in surveyed {
            if let Standing::Result(judged) = &one.standing {
                worth.pairs += 1;
                worth.judged += usize::from(one.verdict.is_some());
                worth.cost.add(judged.cost);
            }
        }
        worth
    }
}

impl fmt::Display for ForcedWorth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { judged, cost, .. } = self;
        let results = plural(self.pairs, "result");
        write!(f, "{results} ({judged} judged, cost {cost})")
    }
}

/// Whether a pass has still to replace what stands at a pair.
#[must_use]
pub fn is_replaced(pass: &Pass, surveyed: &Surveyed) -> bool {
    match &surveyed.standing {
        Standing::Result(judged) => pass.replaces(&surveyed.pair, &judged.record.trial),
        _ => false,
    }
}

/// How far a pass is that goes on; nothing of one that begins.
#[must_use]
pub fn progress(run: &RunName, pass: &Pass, surveyed: &[Surveyed], plan: &Plan) -> Option<String> {
    let covered: Vec<&Surveyed> = surveyed
        .iter()
        .filter(|one| pass.covers(&one.pair))
        .collect();
    let is_done = |one: &&&Surveyed| !plan.to_run.contains(&one.pair);
    let done = covered.iter().filter(is_done).count();
    (done > 0).then(|| {
        format!(
            "{run}: the forced pass begun at {:.0} goes on: {done} of its {} finished, and stand",
            pass.begun_at,
            plural(covered.len(), "pair"),
        )
    })
}

/// What a pass sets aside, with its worth and the way back.
#[must_use]
pub fn set_aside(run: &RunName, pass: &Pass, surveyed: &[Surveyed]) -> Option<String> {
    let worth = ForcedWorth::of(surveyed.iter().filter(|one| is_replaced(pass, one)));
    (worth.pairs > 0).then(|| {
        let back = hint::command(&format!("restore {run}"));
        format!("{run}: --force sets aside {worth}; `{back}` brings them back")
    })
}

/// What is said where a pass is open and `--force` is not given: what it has still to replace stands.
#[must_use]
pub fn held(run: &RunName, pass: &Pass, surveyed: &[Surveyed]) -> Option<String> {
    let left = surveyed.iter().filter(|one| is_replaced(pass, one)).count();
    (left > 0).then(|| {
        format!(
            "{run}: a forced pass begun at {:.0} is open: {left} of its {} left, whose results stand; --force goes on with it",
            pass.begun_at,
            plural(pass.pairs.len(), "pair"),
        )
    })
}
