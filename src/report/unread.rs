//! Results that are not read, since no pair of their run stands where they do.

use super::{Outcome, Summary};
use crate::bench::cost::Cost;
use crate::text::{NAME, one_line, plural, some};

impl Summary {
    /// Counts pairs that stand nowhere, and results that stand where no pair does: as many of these
    /// as there may be are of those.
    pub(super) fn count_unnamed(&mut self, unnamed: usize) {
        let results: usize = self.unread.iter().map(|it| it.results).sum();
        for _ in 0..results {
            self.headline_cost.add(Cost::UNKNOWN);
            self.total_spent.add(Cost::UNKNOWN);
            self.add_use(None, None);
        }
        let unread = results.min(unnamed);
        self.pairs += unnamed;
        for (outcome, count) in [
            (Outcome::Unreadable, unread),
            (Outcome::Missing, unnamed - unread),
        ] {
            if count > 0 {
                *self.outcomes.entry(outcome).or_default() += count;
            }
        }
    }

    /// What is said of results that are not read.
    #[must_use]
    pub fn not_read(&self) -> Option<String> {
        let results: usize = self.unread.iter().map(|it| it.results).sum();
        let places = self.unread.iter();
        let places: Vec<String> = places
            .map(|it| format!("{} ({})", one_line(&it.directory, NAME), it.results))
            .collect();
        let places: Vec<&str> = places.iter().map(String::as_str).collect();
        (results > 0).then(|| {
            format!(
                "{} not read, where no pair of this run stands, and of unknown cost: {}",
                plural(results, "result"),
                some(&places, 6)
            )
        })
    }
}
