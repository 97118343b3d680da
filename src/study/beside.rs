//! What an audit asks of a run beside its rows. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::report::time_limit::TimeLimit;
use crate::store::eval::EvalFile;
use crate::survey::{Stand, Surveyed};

/// How upstream merges two patches that fit: cleanly, or they are the same.
const MERGED: [&str; 2] = ["clean", "identical"];
/// How it does not.
const UNMERGED: [&str; 2] = ["conflicts", "missing_input"];

/// What is known of a run that its rows do not say.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// The verdicts that upstream counts, by pair.
    pub published: BTreeMap<String, Published>,
    /// How many of its trials the time limit ended, those included that no longer stand.
    pub time_limit: TimeLimit,
    /// The version of regatta that began it.
    pub regatta: Option<String>,
    /// When it was begun, by its manifest.
    pub begun_at: Option<Timestamp>,
}

/// A verdict as upstream counts it: whatever stands in `eval.json`, and whatever we say of the trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Whether both features' hidden tests pass.
    pub passed: bool,
    /// Whether the two patches merge; none for one agent.
    pub merged: Option<bool>,
    /// Whether it is of an earlier result than the one that stands.
    pub is_outdated: bool,
    /// Whether its time contradicts the result's, or is not told.
    pub is_time_unclear: bool,
}

impl Beside {
    /// Of a run as it stands.
    #[must_use]
    pub fn of(stand: &Stand) -> Self {
        let published = stand.surveyed.iter().filter_map(|surveyed| {
            let published = Published::of(surveyed)?;
            Some((surveyed.pair.to_string(), published))
        });
        let manifest = stand.manifest.as_ref();
        Self {
            published: published.collect(),
            time_limit: TimeLimit::of(&stand.surveyed, stand.books.ledger.entries()),
            regatta: manifest.map(|manifest| manifest.regatta.clone()),
            begun_at: manifest.map(|manifest| manifest.created_at),
        }
    }
}

impl Published {
    /// Of a pair as the survey found it; none where no evaluation came to a verdict.
    #[must_use]
    pub fn of(surveyed: &Surveyed) -> Option<Self> {
        let outdated = surveyed.outdated.as_deref();
        let file = surveyed.evaluation.as_ref().or(outdated)?;
        file.is_verdict().then(|| Self {
            passed: file.both_passed == Some(true),
            merged: merged(file),
            is_outdated: surveyed.evaluation.is_none(),
            is_time_unclear: surveyed.is_time_unclear,
        })
    }
}

fn merged(file: &EvalFile) -> Option<bool> {
    let status = file.merge.as_ref()?.status.as_deref()?;
    is_merged(status)
}

/// Whether this word of an evaluation says that two patches merge; none where it says neither.
pub(super) fn is_merged(status: &str) -> Option<bool> {
    let is_known = MERGED.contains(&status) || UNMERGED.contains(&status);
    is_known.then(|| MERGED.contains(&status))
}
