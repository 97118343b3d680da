//! An arm of a study: runs that repeat one thing, as the rows of their pairs. Pure.

use std::collections::BTreeMap;

use super::beside::Beside;
use crate::bench::RunName;
use crate::report::Row;

/// Runs that are repeats of one thing.
#[derive(Clone, Debug)]
pub struct Arm {
    /// Its name, as in the manifests of its runs or by theirs.
    pub name: String,
    /// Its runs, in the order of their repeats; at least one.
    pub runs: Vec<ArmRun>,
}

/// One run of an arm: what `report --format csv` says of it.
#[derive(Clone, Debug)]
pub struct ArmRun {
    /// The run's name.
    pub name: RunName,
    /// Which repeat of the arm it is, from 1, where something says so.
    pub repeat: Option<u64>,
    /// Its pairs, and those that upstream counted and that nothing on disk names.
    pub rows: Vec<Row>,
    /// What an audit asks beside them.
    pub beside: Beside,
}

impl Arm {
    /// The rows of all its runs.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.runs.iter().flat_map(|run| &run.rows)
    }

    /// The pairs that some run of it names, with their rows in the order of the repeats.
    #[must_use]
    pub fn pairs(&self) -> BTreeMap<&str, Vec<&Row>> {
        let mut pairs: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        for row in self.rows() {
            if let Some(pair) = &row.pair {
                pairs.entry(pair).or_default().push(row);
            }
        }
        pairs
    }
}
