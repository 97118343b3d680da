//! The arms that words name, in the order in which they do. Pure.

use std::collections::BTreeSet;

use super::pooling::FirstBy;
use super::repeats::{By, Found};
use super::{Arm, ArmRun, Pooling};
use crate::bench::RunName;
use crate::bench::pattern::{fits, is_glob};
use crate::error::{Error, Result, nearest};
use crate::text::{natural, plural, some};

/// How many names a message lists.
const TOLD: usize = 12;

/// What was chosen, and what is to be said of it.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pub arms: Vec<Arm>,
    pub notes: Vec<String>,
    pub first_by: FirstBy,
    taken: BTreeSet<RunName>,
}

impl Selection {
    /// The arms that the words name; without words every arm: the experiment's in its order, then by
    /// name.
    pub fn of(found: Vec<Found>, pooling: &Pooling) -> Result<Self> {
        let mut chosen = Self::default();
        if pooling.asked.is_empty() {
            for group in pooling.groups.keys() {
                if !found.iter().any(|arm| arm.name == *group) {
                    return Err(empty_group(group, pooling, &found));
                }
            }
            let ordered = in_order(found, &pooling.order);
            chosen.first_by = match ordered.first().map(|arm| place(arm, &pooling.order)) {
                Some(Some(_)) => FirstBy::Experiment,
                _ => FirstBy::Name,
            };
            chosen.arms = ordered.into_iter().map(Arm::from).collect();
        } else {
            for word in &pooling.asked {
                chosen.take(word, &found, pooling)?;
            }
        }
        if pooling.each_alone {
            let runs = chosen.arms.into_iter().flat_map(|arm| arm.runs);
            chosen.arms = runs.map(Arm::of_run).collect();
        }
        Ok(chosen)
    }

    fn take(&mut self, word: &str, found: &[Found], pooling: &Pooling) -> Result<()> {
        if !is_glob(word)
            && let Some(arm) = exact(word, found)?
        {
            return self.add(word, arm);
        }
        if pooling.groups.contains_key(word) {
            return Err(empty_group(word, pooling, found));
        }
        if !is_glob(word) {
            return Err(unknown(word, found));
        }
        let mut is_any = false;
        let mut arms: Vec<&Found> = found.iter().collect();
        arms.sort_by(|a, b| natural(&a.name, &b.name));
        for arm in arms {
            let full = arm.by.with_experiment();
            let is_whole = fits(word, &arm.name) && !is_glob(&arm.name)
                || full.is_some_and(|it| fits(word, &it));
            let fitting = arm
                .runs
                .iter()
                .filter(|run| is_whole || fits(word, run.name.as_str()));
            let fitting: Vec<&ArmRun> = fitting.collect();
            is_any |= !fitting.is_empty();
            // A run that was named before is not of the rest.
            let rest = fitting.iter().filter(|run| !self.taken.contains(&run.name));
            let runs: Vec<ArmRun> = rest.map(|run| (*run).clone()).collect();
            if runs.is_empty() {
                continue;
            }
            if runs.len() < arm.runs.len() {
                self.notes.push(format!(
                    "`{}`: {} of its {}",
                    arm.name,
                    runs.len(),
                    plural(arm.runs.len(), "run")
                ));
            }
            let name = arm.name.clone();
            self.add(word, Arm { name, runs })?;
        }
        if is_any {
            Ok(())
        } else {
            Err(unknown(word, found))
        }
    }

    fn add(&mut self, word: &str, arm: Arm) -> Result<()> {
        for run in &arm.runs {
            if !self.taken.insert(run.name.clone()) {
                return Err(Error::usage(format!(
                    "`{word}`: the run {} was named before",
                    run.name
                ))
                .hint("what is compared has no runs in common"));
            }
        }
        self.arms.push(arm);
        Ok(())
    }
}

impl Arm {
    /// A run by itself.
    fn of_run(run: ArmRun) -> Self {
        Self {
            name: run.name.to_string(),
            runs: vec![run],
        }
    }
}

impl From<Found> for Arm {
    fn from(found: Found) -> Self {
        Self {
            name: found.name,
            runs: found.runs,
        }
    }
}

/// The arm, or the run as an arm, that has this name.
fn exact(word: &str, found: &[Found]) -> Result<Option<Arm>> {
    let named = |arm: &&Found| arm.name == word;
    if let Some(arm) = found.iter().find(named) {
        return Ok(Some(arm.clone().into()));
    }
    let in_full = |arm: &&Found| arm.by.with_experiment().is_some_and(|full| full == word);
    if let Some(arm) = found.iter().find(in_full) {
        return Ok(Some(arm.clone().into()));
    }
    let mut runs = found.iter().flat_map(|arm| &arm.runs);
    if let Some(run) = runs.find(|run| run.name.as_str() == word) {
        return Ok(Some(Arm::of_run(run.clone())));
    }
    let is_arm = |it: &&Found| matches!(&it.by, By::Manifest { arm, .. } if arm == word);
    let of_experiments: Vec<&str> = found
        .iter()
        .filter(is_arm)
        .map(|it| it.name.as_str())
        .collect();
    if of_experiments.is_empty() {
        return Ok(None);
    }
    Err(Error::usage(format!(
        "`{word}` is an arm of {} experiments: {}",
        of_experiments.len(),
        some(&of_experiments, TOLD)
    ))
    .hint("name it with its experiment"))
}

/// Every arm: those of the configuration in its order, then the others by name.
fn in_order(mut found: Vec<Found>, order: &[String]) -> Vec<Found> {
    found.sort_by(|a, b| {
        let places = [a, b].map(|it| place(it, order).unwrap_or(usize::MAX));
        let [one, other] = places;
        one.cmp(&other).then_with(|| natural(&a.name, &b.name))
    });
    found
}

/// The place of an arm in its experiment's order, as far as the configuration has it.
fn place(arm: &Found, order: &[String]) -> Option<usize> {
    match &arm.by {
        By::Manifest { arm, .. } => order.iter().position(|it| it == arm),
        By::Group(_) | By::Itself | By::Name { .. } => None,
    }
}

fn unknown(word: &str, found: &[Found]) -> Error {
    let shown = word.escape_debug();
    let error = Error::usage(if is_glob(word) {
        format!("no run and no arm fits `{shown}`")
    } else {
        format!("no run and no arm is called `{shown}`")
    });
    let arms = || found.iter().map(|arm| arm.name.as_str());
    let runs = found.iter().flat_map(|arm| &arm.runs);
    let near = nearest(word, arms().chain(runs.map(|run| run.name.as_str())));
    match near {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(there_is(found)),
    }
}

fn empty_group(group: &str, pooling: &Pooling, found: &[Found]) -> Error {
    let patterns = pooling.groups.get(group).cloned().unwrap_or_default();
    Error::usage(format!(
        "[groups] {group}: no run fits {}",
        patterns
            .iter()
            .map(|it| format!("`{}`", it.escape_debug()))
            .collect::<Vec<_>>()
            .join(" or ")
    ))
    .hint(there_is(found))
}

/// The runs there are.
fn there_is(found: &[Found]) -> String {
    let runs = found.iter().flat_map(|arm| &arm.runs);
    let mut names: Vec<&RunName> = runs.map(|run| &run.name).collect();
    names.sort();
    let names: Vec<&str> = names.into_iter().map(RunName::as_str).collect();
    if names.is_empty() {
        return "no run here has a pair".to_owned();
    }
    format!("there are: {}", some(&names, TOLD))
}
