//! What the verdicts of a study were made with, where that differs within an arm or between arms.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::found::Shift;
use super::seen::{Measure, Seen, of_arm};
use crate::bench::setting::RunSetting;

/// Something that verdicts were made with, and that is not the same for all.
#[derive(Clone, Debug, Serialize)]
pub struct Mixture {
    /// What differs, for people.
    pub what: &'static str,
    /// Whether it differs within an arm. Otherwise each arm has its own.
    pub is_within_an_arm: bool,
    /// Each value with where it is found; none where each pair has values of its own.
    pub values: Vec<MixedValue>,
    /// The pairs that have several, where each pair has values of its own.
    pub pairs: Vec<String>,
    /// The arms that are mixed, and their rates without the rarer values.
    pub arms: Vec<MixedArm>,
}

/// A value, and where it is found.
#[derive(Clone, Debug, Serialize)]
pub struct MixedValue {
    /// As a file names it.
    pub value: String,
    /// How many trials have it.
    pub trials: usize,
    /// The arms, each with how many of its trials have it.
    pub arms: BTreeMap<String, usize>,
}

/// An arm in which something differs.
#[derive(Clone, Debug, Serialize)]
pub struct MixedArm {
    /// The arm.
    pub arm: String,
    /// How many of its trials have a rarer value.
    pub trials: usize,
    /// Of how many.
    pub of: usize,
    /// What leaving those out does to the rate of passes.
    pub pass: Shift,
}

/// A thing that may differ.
struct Thing {
    what: &'static str,
    /// The value and what it is a value of: nothing, or a pair (and the kind of the value).
    value: fn(&Seen<'_>) -> Option<(String, String)>,
    /// Whether arms are meant to differ in it.
    is_arms_own: bool,
    is_of_pairs: bool,
}

impl Thing {
    const fn of_all(what: &'static str, value: fn(&Seen<'_>) -> Option<(String, String)>) -> Self {
        Self {
            what,
            value,
            is_arms_own: false,
            is_of_pairs: false,
        }
    }

    const fn of_arms(what: &'static str, value: fn(&Seen<'_>) -> Option<(String, String)>) -> Self {
        Self {
            is_arms_own: true,
            ..Self::of_all(what, value)
        }
    }

    const fn of_pairs(
        what: &'static str,
        value: fn(&Seen<'_>) -> Option<(String, String)>,
    ) -> Self {
        Self {
            is_of_pairs: true,
            ..Self::of_all(what, value)
        }
    }
}

/// A column of the row as a value of everything.
macro_rules! column {
    ($name:ident) => {
        |seen| Some((String::new(), seen.row?.$name.clone()?.to_string()))
    };
}

/// What is looked at.
const THINGS: [Thing; 12] = [
    Thing::of_all("rule sets", column!(rules)),
    Thing::of_pairs("datasets of trials", |seen| {
        of_pair(seen, seen.row?.task_files_sha256.as_deref()?)
    }),
    Thing::of_pairs("images of trials", |seen| {
        of_pair(seen, seen.row?.task_world.as_deref()?)
    }),
    Thing::of_pairs("datasets of verdicts", |seen| {
        of_pair(seen, seen.row?.judged_files_sha256.as_deref()?)
    }),
    Thing::of_pairs("images of verdicts", |seen| {
        of_pair(seen, seen.row?.judged_world.as_deref()?)
    }),
    Thing::of_all("versions of the engine", column!(engine_version)),
    Thing::of_all("versions of regatta", |seen| {
        Some((String::new(), seen.run.beside.regatta.clone()?))
    }),
    Thing::of_arms("models", column!(model)),
    Thing::of_arms("agents", column!(agent)),
    Thing::of_arms("settings", |seen| {
        // Two agents of whom nobody knows whether they could talk are in no other setting.
        let setting = seen
            .row?
            .setting
            .filter(|it| *it != RunSetting::Coop.name())?;
        Some((String::new(), setting.to_owned()))
    }),
    Thing::of_arms("agent configurations", column!(agent_config_sha256)),
    Thing::of_arms("backends", column!(backend)),
];

/// Worlds of two kinds are not compared.
fn of_pair(seen: &Seen<'_>, value: &str) -> Option<(String, String)> {
    let kind = value.rsplit_once(' ').map_or("", |(kind, _)| kind);
    Some((format!("{} {kind}", seen.pair?), value.to_owned()))
}

/// What differs, and what was looked at and does not.
pub(super) fn mixtures(names: &[&str], seen: &[Seen<'_>]) -> (Vec<Mixture>, Vec<&'static str>) {
    let (mut found, mut same) = (Vec::new(), Vec::new());
    for thing in &THINGS {
        match mixture(thing, names, seen) {
            Some(mixture) => found.push(mixture),
            None => same.push(thing.what),
        }
    }
    (found, same)
}

type Counted = BTreeMap<String, BTreeMap<String, usize>>;

/// How often each value is found of each of what it is a value of.
fn counted<'a, 's: 'a>(thing: &Thing, seen: impl Iterator<Item = &'a Seen<'s>>) -> Counted {
    let mut counted = Counted::new();
    for (of, value) in seen.filter_map(|one| (thing.value)(one)) {
        *counted.entry(of).or_default().entry(value).or_default() += 1;
    }
    counted
}

fn mixture(thing: &Thing, names: &[&str], seen: &[Seen<'_>]) -> Option<Mixture> {
    let arms = names.iter().enumerate();
    let of_arms: Vec<(usize, &str, Counted)> = arms
        .map(|(at, name)| (at, *name, counted(thing, of_arm(seen, at))))
        .collect();
    let is_mixed = |counted: &Counted| counted.values().any(|values| values.len() > 1);
    let is_within = of_arms.iter().any(|(.., counted)| is_mixed(counted));
    let all = counted(thing, seen.iter());
    if !is_mixed(&all) || (thing.is_arms_own && !is_within) {
        return None;
    }
    let mixed = of_arms.iter().filter(|(.., counted)| is_mixed(counted));
    let arms = mixed.map(|(at, name, counted)| {
        let is_rare = |one: &Seen<'_>| {
            let value = (thing.value)(one);
            value.is_some_and(|(of, value)| usual(&counted[&of]) != Some(value.as_str()))
        };
        let known = of_arm(seen, *at).filter(|one| (thing.value)(one).is_some());
        MixedArm {
            arm: (*name).to_owned(),
            trials: known.clone().filter(|one| is_rare(one)).count(),
            of: known.count(),
            pass: Shift::of(
                &of_arm(seen, *at).collect::<Vec<_>>(),
                Measure::Pass,
                is_rare,
            ),
        }
    });
    let mut mixture = Mixture {
        what: thing.what,
        is_within_an_arm: is_within,
        values: Vec::new(),
        pairs: Vec::new(),
        arms: arms.collect(),
    };
    if thing.is_of_pairs {
        let mixed = all.iter().filter(|(_, values)| values.len() > 1);
        let pairs = mixed.filter_map(|(of, _)| of.split(' ').next());
        let pairs: BTreeSet<&str> = pairs.collect();
        mixture.pairs = pairs.into_iter().map(str::to_owned).collect();
    } else {
        mixture.values = values(&of_arms);
    }
    Some(mixture)
}

/// The value that is found most often.
fn usual(values: &BTreeMap<String, usize>) -> Option<&str> {
    let most = values.iter().rev().max_by_key(|(_, trials)| **trials);
    most.map(|(value, _)| value.as_str())
}

fn values(of_arms: &[(usize, &str, Counted)]) -> Vec<MixedValue> {
    let mut found: Vec<MixedValue> = Vec::new();
    for (_, arm, counted) in of_arms {
        for (value, trials) in counted.values().flatten() {
            let known = found.iter().position(|it| it.value == *value);
            let at = known.unwrap_or_else(|| {
                found.push(MixedValue {
                    value: value.clone(),
                    trials: 0,
                    arms: BTreeMap::new(),
                });
                found.len() - 1
            });
            found[at].trials += trials;
            found[at].arms.insert((*arm).to_owned(), *trials);
        }
    }
    found.sort_by(|a, b| b.trials.cmp(&a.trials).then_with(|| a.value.cmp(&b.value)));
    found
}
