//! What a live page cannot show: runs that are not there yet, and runs that are gone.

use std::collections::BTreeMap;

use jiff::Zoned;

use crate::bench::RunName;
use crate::store::{LogTree, RunDir};

/// Runs that were shown and are gone, with the time when that was seen.
#[derive(Debug, Default)]
pub struct Missed(BTreeMap<RunName, Zoned>);

impl Missed {
    /// Notes which of the runs that were known are not among these.
    pub fn look<'a>(&mut self, known: impl Iterator<Item = &'a RunName>, runs: &[RunDir]) {
        let is_there = |name: &RunName| runs.iter().any(|run| run.name() == name);
        for name in known.filter(|name| !is_there(name)) {
            self.0.entry(name.clone()).or_insert_with(Zoned::now);
        }
        self.0.retain(|name, _| !is_there(name));
    }

    /// A sentence of each.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(name, at)| {
            format!(
                "{name} is gone since {}: its directory was removed, moved or renamed",
                at.strftime("%H:%M:%S")
            )
        })
    }
}

/// What is waited for: the first run, or those of the named ones that are not there.
pub fn nothing_yet(
    trees: &[LogTree],
    wanted: &[RunName],
    runs: &[RunDir],
    missed: &Missed,
) -> Vec<String> {
    let places: Vec<String> = trees.iter().map(shown).collect();
    let places = places.join(" or ");
    let is_there = |name: &&RunName| runs.iter().any(|run| run.name() == *name);
    let waited_for = wanted
        .iter()
        .filter(|name| !is_there(name) && !missed.0.contains_key(name));
    let mut notes: Vec<String> = waited_for
        .map(|name| format!("No run {name} yet under {places}. It is shown here when it begins."))
        .collect();
    if wanted.is_empty() && runs.is_empty() && missed.0.is_empty() {
        notes.push(format!(
            "No run yet under {places}. The first is shown here when it begins."
        ));
    }
    notes
}

fn shown(tree: &LogTree) -> String {
    let path = std::path::absolute(tree.path());
    let path = path.as_deref().unwrap_or_else(|_| tree.path());
    path.display().to_string()
}
