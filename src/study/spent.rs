//! What an arm cost, and how long it took. Pure.

use serde::Serialize;

use super::Arm;
use crate::bench::{Total, Usage};
use crate::report::{Row, Totals};

/// What an arm cost, and how long it took. What is not known is counted, and is in no sum.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct ArmSpent {
    /// Results that stand.
    pub results: usize,
    /// What they cost.
    pub cost: Total,
    /// What every trial cost, those that no longer stand included.
    pub spent: Total,
    /// The cost of the results by the number of passes, in USD; none without a pass or a known cost.
    pub cost_per_pass: Option<f64>,
    /// Tokens of the results, where they are known.
    pub usage: Option<Usage>,
    /// How many results have unknown tokens.
    pub usage_unknown: usize,
    /// Wall-clock seconds of the results' trials, together.
    pub seconds: f64,
    /// How many results have an unknown time.
    pub seconds_unknown: usize,
    /// How much of that time went by waiting for rate limits and overloads: of each trial the wait of
    /// the agent who waited longest.
    pub waited_seconds: f64,
    /// How many results don't tell; only the native engine's do.
    pub waited_unknown: usize,
}

impl ArmSpent {
    /// Of all of an arm's runs.
    pub(super) fn of(arm: &Arm) -> Self {
        let mut sum = Self::default();
        for row in arm.rows() {
            sum.take(row);
        }
        let passes = arm.rows().filter(|row| row.passed == Some(true)).count();
        let is_known = sum.cost.usd > 0.0 || sum.cost.unknown == 0;
        sum.cost_per_pass = (passes > 0 && is_known).then(|| sum.cost.usd / passes as f64);
        sum
    }

    fn take(&mut self, row: &Row) {
        self.spent.usd += row.spent_usd.unwrap_or(0.0);
        self.spent.unknown += usize::try_from(row.spent_unknown_trials).unwrap_or(usize::MAX);
        // A pair without a result has no cost that stands.
        let Some(has_unknown) = row.has_unknown_cost else {
            return;
        };
        self.results += 1;
        self.cost.usd += row.cost_usd.unwrap_or(0.0);
        self.cost.unknown += usize::from(has_unknown);
        match row.duration_s {
            Some(seconds) => self.seconds += seconds,
            None => self.seconds_unknown += 1,
        }
        match row.waited_s {
            Some(seconds) => self.waited_seconds += seconds,
            None => self.waited_unknown += 1,
        }
        match usage(row) {
            Some(usage) => *self.usage.get_or_insert_default() += usage,
            None => self.usage_unknown += 1,
        }
    }

    /// The tokens, in words; none where they are not known.
    #[must_use]
    pub fn tokens(&self) -> Option<String> {
        let totals = Totals {
            usage: Some(self.usage?),
            usage_unknown: self.usage_unknown,
            ..Totals::default()
        };
        Some(totals.tokens().trim_end().to_owned())
    }

    /// How long a trial took, in seconds; none where no time is known.
    #[must_use]
    pub fn seconds_per_trial(&self) -> Option<f64> {
        let known = self.results - self.seconds_unknown;
        (known > 0).then(|| self.seconds / known as f64)
    }
}

fn usage(row: &Row) -> Option<Usage> {
    Some(Usage {
        input_tokens: row.input_tokens?,
        output_tokens: row.output_tokens?,
        cached_tokens: row.cached_tokens.unwrap_or(0),
        cache_write_tokens: row.cache_write_tokens.unwrap_or(0),
        reasoning_tokens: row.reasoning_tokens.unwrap_or(0),
    })
}
