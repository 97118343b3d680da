//! The trials of a run, by pair. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::bench::Pair;
use crate::store::{LedgerEntry, Pass};
use crate::survey::Stand;

/// Every trial of a run.
#[derive(Clone, Copy, Debug)]
pub struct Trials<'a> {
    /// Those in the ledger, in the order in which they were recorded.
    pub booked: &'a [LedgerEntry],
    /// Those that began and that it lacks.
    pub unbooked: &'a [LedgerEntry],
    /// The last pass of `--force`, open or closed, if there was one.
    pub pass: Option<&'a Pass>,
}

/// The trials of one pair.
#[derive(Clone, Debug, Default)]
pub struct Tried<'a> {
    /// Those in the ledger, as it has them, then the others.
    pub trials: Vec<&'a LedgerEntry>,
    /// When the last pass of `--force` began that covers the pair.
    pub forced_at: Option<Timestamp>,
}

impl<'a> Tried<'a> {
    /// The one that was booked last; of those that are not booked, the last that began.
    #[must_use]
    pub fn last(&self) -> Option<&'a LedgerEntry> {
        self.trials.last().copied()
    }

    /// How many trials failed, were cut off or are void before the one that stands was made: those
    /// since the last one that had finished, or since `--force` began the pair anew. Where none
    /// stands, up to now.
    #[must_use]
    pub fn failed_before(&self, standing: Option<&str>) -> usize {
        let place = standing.and_then(|id| self.trials.iter().position(|it| it.trial == id));
        let before = &self.trials[..place.unwrap_or(self.trials.len())];
        let forced_at = self.forced_at.filter(|at| {
            // What stood before the pass may have been restored.
            place.is_none_or(|place| self.trials[place].recorded_at >= *at)
        });
        let is_of_this_pass =
            |entry: &&&LedgerEntry| forced_at.is_none_or(|at| entry.recorded_at >= at);
        let failed = |entry: &&&LedgerEntry| entry.void || entry.diagnosis.is_some();
        let since = before.iter().rev().take_while(is_of_this_pass);
        since.take_while(failed).count()
    }
}

impl<'a> Trials<'a> {
    /// Those of a run as it stands.
    #[must_use]
    pub fn of(stand: &'a Stand, pass: Option<&'a Pass>) -> Self {
        Self {
            booked: stand.books.ledger.entries(),
            unbooked: &stand.unbooked,
            pass,
        }
    }

    /// The trials in the ledger, then those that it lacks.
    pub fn all(self) -> impl Iterator<Item = &'a LedgerEntry> {
        self.booked.iter().chain(self.unbooked)
    }

    /// The same, pair by pair; a pair that was never tried is not there.
    #[must_use]
    pub fn by_pair(self) -> BTreeMap<&'a Pair, Tried<'a>> {
        let mut by_pair: BTreeMap<_, Tried<'_>> = BTreeMap::new();
        for entry in self.all() {
            let tried = by_pair.entry(&entry.pair).or_default();
            tried.trials.push(entry);
        }
        for covered in self.pass.iter().flat_map(|pass| &pass.pairs) {
            if let Some(tried) = by_pair.get_mut(&covered.pair) {
                tried.forced_at = self.pass.map(|pass| pass.begun_at);
            }
        }
        by_pair
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made::{entry, pair};
    use crate::triage::Cause;

    /// A pair's trials, each with the second it was recorded at and whether it failed.
    fn trials(of: &[(&str, i64, bool)]) -> Vec<LedgerEntry> {
        let one = |(trial, second, failed): &(&str, i64, bool)| LedgerEntry {
            recorded_at: Timestamp::from_second(*second).unwrap(),
            ..entry(&pair(1, 2), trial, None, failed.then_some(Cause::Infra))
        };
        of.iter().map(one).collect()
    }

    #[test]
    fn only_what_failed_since_the_pair_was_last_done_was_retried() {
        let entries = trials(&[
            ("a", 1, true),
            ("b", 2, false),
            ("c", 3, true),
            ("d", 4, true),
            ("e", 5, false),
            ("f", 6, false),
        ]);
        let tried = Tried {
            trials: entries.iter().collect(),
            forced_at: None,
        };
        let before = |id| tried.failed_before(Some(id));
        assert_eq!(["b", "e", "f"].map(before), [1, 2, 0]);
        // A result that is not booked yet is the last.
        assert_eq!(before("g"), 0);
        assert_eq!(tried.failed_before(None), 0);
    }

    #[test]
    fn what_failed_before_a_forced_pass_is_no_trial_of_it() {
        let entries = trials(&[("a", 1, true), ("b", 5, true), ("c", 6, false)]);
        let pass = Pass {
            begun_at: Timestamp::from_second(3).unwrap(),
            closed_at: Some(Timestamp::from_second(9).unwrap()),
            pairs: vec![crate::store::pass::Covered {
                pair: pair(1, 2),
                was: None,
            }],
            ..Pass::default()
        };
        let of = |pass, booked| {
            let trials = Trials {
                booked,
                unbooked: &[],
                pass,
            };
            trials.by_pair()[&pair(1, 2)].failed_before(Some("c"))
        };
        assert_eq!((of(None, &entries), of(Some(&pass), &entries)), (2, 1));
        // Restored: it is from before the pass.
        let restored = trials(&[("a", 1, true), ("c", 2, false)]);
        assert_eq!(of(Some(&pass), &restored), 1);
    }
}
