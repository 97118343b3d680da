//! The sums over all runs of a report.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Outcome, Summary};
use crate::bench::Usage;
use crate::model::price::Total;
use crate::text::plural;

/// What the runs of a report come to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Totals {
    /// How many runs are in the report.
    pub runs: usize,
    /// The pairs of all their plans; one that two runs have counts twice.
    pub pairs: usize,
    /// Pairs whose trial finished, whatever its verdict.
    pub finished: usize,
    /// Pairs by outcome; one that no pair has is not there.
    pub outcomes: BTreeMap<Outcome, usize>,
    /// What the results that stand cost.
    pub headline_cost: Total,
    /// What every trial cost, those that no longer stand included.
    pub total_spent: Total,
    /// Tokens of the results that stand, where they are known.
    pub usage: Option<Usage>,
    /// How many of the results that stand have unknown tokens.
    pub usage_unknown: usize,
    /// Wall-clock seconds of the results that stand, summed, where they are known.
    pub trial_seconds: f64,
    /// How many of the results that stand have an unknown time.
    pub trial_seconds_unknown: usize,
}

impl Totals {
    /// The sums over these runs, be it one or none.
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
            totals.trial_seconds_unknown += summary.trial_seconds_unknown;
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

    /// The tokens of the results that stand; nothing where none is known.
    #[must_use]
    pub fn tokens(&self) -> String {
        let Some(usage) = self.usage else {
            return String::new();
        };
        let parts = [
            (usage.cached_tokens, "from a cache"),
            (usage.cache_write_tokens, "written to one"),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{} {what}", grouped(*count)))
            .collect();
        let cache = if parts.is_empty() {
            String::new()
        } else {
            format!(" ({})", parts.join(", "))
        };
        let reasoning = match usage.reasoning_tokens {
            0 => String::new(),
            count => format!(" ({} of reasoning)", grouped(count)),
        };
        let unknown = match self.usage_unknown {
            0 => String::new(),
            n => format!("; of {} unknown", plural(n, "result")),
        };
        format!(
            "tokens of the results that stand: {} in{cache}, {} out{reasoning}{unknown}\n",
            grouped(usage.input_tokens),
            grouped(usage.output_tokens)
        )
    }
}

/// A number with its thousands apart: `4,503,120`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Setting;
    use crate::report::made::{failed, finished, pair, run, with_verdict};
    use crate::triage::Cause;

    #[test]
    fn tokens_are_told_with_those_of_the_cache_and_of_reasoning() {
        let totals = Totals {
            usage: Some(Usage {
                input_tokens: 4_503_120,
                output_tokens: 1_000,
                cached_tokens: 4_000_000,
                cache_write_tokens: 12,
                reasoning_tokens: 999,
            }),
            usage_unknown: 1,
            ..Totals::default()
        };
        assert_eq!(
            totals.tokens(),
            "tokens of the results that stand: 4,503,120 in (4,000,000 from a cache, 12 written to one), 1,000 out (999 of reasoning); of 1 result unknown\n"
        );
        assert_eq!(Totals::default().tokens(), "");
    }

    #[test]
    fn the_sums_are_over_all_runs() {
        let runs = [2, 3].map(|n| {
            let pairs = [
                with_verdict(pair(1, 2), [true, true]),
                failed(pair(1, n + 1), Cause::Infra),
            ];
            run("x-solo", Setting::Solo, &pairs, &[])
        });
        let totals = Totals::of(&runs);
        assert_eq!((totals.runs, totals.pairs, totals.finished), (2, 4, 2));
        assert_eq!(totals.count_of(Outcome::Pass), 2);
        assert_eq!(totals.count_of(Outcome::InfraError), 2);
        assert_eq!(totals.count_of(Outcome::Fail), 0);
        assert_eq!(totals.name(), "total (2 runs)");
        let sum = |of: fn(&Summary) -> f64| runs.iter().map(of).sum::<f64>();
        let is = |one: f64, other: f64| (one - other).abs() < 1e-9;
        assert!(is(totals.headline_cost.usd, sum(|it| it.headline_cost.usd)));
        assert!(is(totals.total_spent.usd, sum(|it| it.total_spent.usd)));
        assert!(is(totals.trial_seconds, sum(|it| it.trial_seconds)));
        assert!(totals.trial_seconds > 0.0 && totals.total_spent.usd > 0.0);
        let unknown: usize = runs.iter().map(|it| it.usage_unknown).sum();
        assert_eq!(totals.usage_unknown, unknown);
        assert_eq!(Totals::of(&[]).pairs, 0);
    }

    #[test]
    fn what_only_some_runs_know_is_summed_and_counted() {
        let mut runs = [2, 3].map(|n| run("x-solo", Setting::Solo, &[finished(pair(1, n))], &[]));
        let usage = Usage {
            input_tokens: 5,
            ..Usage::default()
        };
        for (run, unknown) in runs.iter_mut().zip([3, 4]) {
            run.usage = Some(usage);
            run.usage_unknown = unknown;
            run.trial_seconds_unknown = unknown + 1;
        }
        let totals = Totals::of(&runs);
        assert_eq!(totals.usage.map(|it| it.input_tokens), Some(10));
        assert_eq!((totals.usage_unknown, totals.trial_seconds_unknown), (7, 9));
    }

    #[test]
    fn thousands_are_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
    #[test]
    fn a_cache_that_was_only_read_is_told_alone() {
        let totals = Totals {
            usage: Some(Usage {
                input_tokens: 900,
                output_tokens: 80,
                cached_tokens: 500,
                ..Usage::default()
            }),
            ..Totals::default()
        };
        assert_eq!(
            totals.tokens(),
            "tokens of the results that stand: 900 in (500 from a cache), 80 out\n"
        );
    }
}
