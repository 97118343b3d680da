//! What the trials of an arm's pairs came to. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::Arm;
use crate::report::Row;
use crate::statistics::{Passes, Repeated};

/// A pair in an arm: its trials, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally<'a> {
    /// Its task; nothing for a pair that nothing on disk names.
    pub task: &'a str,
    /// Trials that passed.
    pub passed: u32,
    /// Trials that were judged.
    pub judged: u32,
    /// Trials that somebody asked for and that have no verdict.
    pub open: u32,
}

/// What counts for a trial without a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// It is left out.
    Judged,
    /// It is a fail.
    Strict,
    /// It is a pass.
    Best,
}

impl Tally<'_> {
    /// How many passed of how many, if open trials count as this.
    pub fn passes(&self, reading: Reading) -> Passes {
        let (passed, of) = match reading {
            Reading::Judged => (self.passed, self.judged),
            Reading::Strict => (self.passed, self.judged + self.open),
            Reading::Best => (self.passed + self.open, self.judged + self.open),
        };
        Passes { passed, of }
    }

    /// The same as a pair of an arm.
    pub fn repeated(&self, reading: Reading) -> Repeated<'_> {
        let Passes { passed, of } = self.passes(reading);
        Repeated {
            task: self.task,
            passed,
            of,
        }
    }
}

/// The pairs of an arm.
#[derive(Debug, Default)]
pub(super) struct Tallies<'a> {
    /// Those with a name.
    pub named: BTreeMap<&'a str, Tally<'a>>,
    /// Those that were planned and that nothing on disk names.
    pub unnamed: Vec<Tally<'a>>,
}

impl<'a> Tallies<'a> {
    pub fn of(arm: &'a Arm) -> Self {
        let mut found = Self::default();
        for row in arm.rows() {
            let (Some(pair), Some(task)) = (row.pair.as_deref(), row.task.as_deref()) else {
                continue;
            };
            let tally = found.named.entry(pair).or_default();
            tally.task = task;
            match row.passed {
                Some(passed) => {
                    tally.judged += 1;
                    tally.passed += u32::from(passed);
                }
                None => tally.open += u32::from(row.asked),
            }
        }
        for run in &arm.runs {
            found.take_unnamed(&run.rows);
        }
        found
    }

    /// Pairs that a run planned and does not name: those of the arm that it lacks, and then pairs that
    /// no run names.
    fn take_unnamed(&mut self, rows: &[Row]) {
        let has: BTreeSet<&str> = rows.iter().filter_map(|row| row.pair.as_deref()).collect();
        let mut unnamed = rows.iter().filter(|row| row.pair.is_none()).count();
        let lacking = self
            .named
            .iter_mut()
            .filter(|(pair, _)| !has.contains(*pair));
        for (_, tally) in lacking.take(unnamed) {
            tally.open += 1;
            unnamed -= 1;
        }
        if self.unnamed.len() < unnamed {
            self.unnamed.resize_with(unnamed, Tally::default);
        }
        for tally in &mut self.unnamed[..unnamed] {
            tally.open += 1;
        }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Tally<'a>> {
        self.named.values().chain(&self.unnamed)
    }

    /// How many pairs were judged at least once.
    pub fn judged_pairs(&self) -> usize {
        self.named.values().filter(|it| it.judged > 0).count()
    }
}
