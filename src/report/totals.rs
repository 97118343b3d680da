//! The sums over all runs of a report. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::summary::{Outcome, Summary};
use crate::bench::Usage;
use crate::model::price::Total;

/// What the runs of a report come to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Totals {
    /// How many runs.
    pub runs: usize,
    /// Their pairs.
    pub pairs: usize,
    /// Pairs whose trial finished.
    pub finished: usize,
    /// Pairs by outcome.
    pub outcomes: BTreeMap<Outcome, usize>,
    /// What the results that stand cost.
    pub headline_cost: Total,
    /// What every trial cost.
    pub total_spent: Total,
    /// Tokens of the results that stand, where they are known.
    pub usage: Option<Usage>,
    /// How many of the results that stand have unknown tokens.
    pub usage_unknown: usize,
    /// Wall-clock seconds of the results that stand, summed.
    pub trial_seconds: f64,
}

impl Totals {
    /// Sums up runs.
    #[must_use]
    pub fn of(summaries: &[Summary]) -> Self {
        let mut totals = Self {
            runs: summaries.len(),
            ..Self::default()
        };
        for summary in summaries {
            totals.pairs += summary.pairs;
            totals.finished += summary.finished;
            for (outcome, count) in &summary.outcomes {
                *totals.outcomes.entry(*outcome).or_default() += count;
            }
            totals.headline_cost += summary.headline_cost;
            totals.total_spent += summary.total_spent;
            if let Some(usage) = summary.usage {
                *totals.usage.get_or_insert_default() += usage;
            }
            totals.usage_unknown += summary.usage_unknown;
            totals.trial_seconds += summary.trial_seconds;
        }
        totals
    }

    /// How many pairs count as this.
    #[must_use]
    pub fn count_of(&self, outcome: Outcome) -> usize {
        self.outcomes.get(&outcome).copied().unwrap_or(0)
    }

    /// What the row with them is called: a run may be called `total` too.
    #[must_use]
    pub fn name(&self) -> String {
        format!("total ({} runs)", self.runs)
    }
}
