//! What a pair was run and judged with. Pure.

use std::collections::BTreeSet;

use crate::bench::{Pair, Pin};
use crate::store::Manifest;
use crate::survey::Surveyed;

/// What a pair was run and judged with, as far as that is known.
#[derive(Clone, Debug, Default)]
pub struct Grounds {
    /// As its run's manifest has it; only what is of the pair.
    pub begun_with: Option<Pin>,
    /// As its verdict says; `None` where upstream judged, or before this was kept.
    pub judged_with: Option<Pin>,
}

impl Grounds {
    /// Of a pair with a verdict.
    pub(super) fn of(surveyed: &Surveyed, manifest: Option<&Manifest>) -> Self {
        let own = surveyed
            .evaluation
            .as_ref()
            .and_then(|it| it.regatta.as_ref());
        let task = surveyed.pair.task.to_string();
        let begun_with = manifest.and_then(|manifest| manifest.tasks.get(&task));
        Self {
            begun_with: begun_with.map(|pin| only(pin, &surveyed.pair)),
            judged_with: own.and_then(|own| own.judged_with.clone()),
        }
    }

    /// What differs from another run's pair.
    pub(super) fn differ_from(&self, other: &Self) -> bool {
        let differ = |one: &Option<Pin>, two: &Option<Pin>| {
            let both = one.as_ref().zip(two.as_ref());
            both.is_some_and(|(one, two)| !one.differences(two).is_empty())
        };
        differ(&self.begun_with, &other.begun_with) || differ(&self.judged_with, &other.judged_with)
    }
}

/// A task's pin with the files of this pair only.
fn only(pin: &Pin, pair: &Pair) -> Pin {
    let features: Vec<u64> = pair.all_features().collect();
    let names: BTreeSet<_> = Pin::names(&features).collect();
    let mut pin = pin.clone();
    pin.files.retain(|name, _| names.contains(name));
    pin
}
