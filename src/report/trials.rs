//! The trials of a run, by pair. Pure.

use std::collections::BTreeMap;

use crate::bench::Pair;
use crate::store::LedgerEntry;

/// Every trial of a run.
#[derive(Clone, Copy, Debug)]
pub struct Trials<'a> {
    /// Those in the ledger, in the order in which they were recorded.
    pub booked: &'a [LedgerEntry],
    /// Those that began and that it lacks.
    pub unbooked: &'a [LedgerEntry],
}

/// The trials of one pair.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried<'a> {
    /// How many began.
    pub trials: usize,
    /// How many of them failed, were cut off or are void. What a forced pass replaced did not fail.
    pub failed: usize,
    /// The one that was booked last; of those that are not booked, the last that began.
    pub last: Option<&'a LedgerEntry>,
}

impl<'a> Trials<'a> {
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
            tried.trials += 1;
            tried.failed += usize::from(entry.void || entry.diagnosis.is_some());
            tried.last = Some(entry);
        }
        by_pair
    }
}
