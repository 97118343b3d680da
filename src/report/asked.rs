//! A run of whose pairs only a part was asked for so far. Pure.

use super::{Outcome, Rates, Summary};
use crate::store::Manifest;
use crate::survey::Surveyed;

impl Summary {
    /// Takes in what its manifest says of the pairs that were asked for.
    pub(super) fn take_asked(&mut self, manifest: &Manifest, surveyed: &[Surveyed]) {
        self.asked = manifest.asked.as_ref().map(Vec::len);
        if self.asked.is_none() {
            return;
        }
        for (line, it) in self.lines.iter_mut().zip(surveyed) {
            line.not_asked = line.outcome == Outcome::Missing && !manifest.has_asked(&it.pair);
        }
        // What nobody asked for has not failed.
        let asked = self.lines.iter().filter(|line| !line.not_asked);
        self.rates = Rates::of(&asked.cloned().collect::<Vec<_>>(), 0);
    }

    /// How large the part is: `5 of 100 asked for so far`; none where all of it was.
    #[must_use]
    pub fn told_asked(&self) -> Option<String> {
        let asked = self.asked?;
        Some(format!("{asked} of {} asked for so far", self.pairs))
    }

    /// How many pairs nobody has asked for yet, and have no result.
    #[must_use]
    pub fn unasked(&self) -> usize {
        self.lines.iter().filter(|line| line.not_asked).count()
    }
}
