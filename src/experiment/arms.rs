//! The arms of an experiment, and the runs that they make: each arm, so many times.

use std::collections::HashSet;
use std::sync::Arc;

use super::setup;
use crate::bench::{Pair, RunName, Setting};
use crate::config::{ArmConfig, Config, Order};
use crate::engine::EngineOptions;
use crate::error::{Error, Result};
use crate::model::price::PriceTable;
use crate::store::{LogTree, Manifest, RunDir};
use crate::text::{by_number, plural};

/// One arm as planned: a setting, and all that its pairs are run with.
#[derive(Debug)]
pub struct Arm {
    /// Its name: the setting's, where the configuration has no arms.
    pub name: String,
    /// The setting of all its trials.
    pub setting: Setting,
    /// The configuration that it runs with.
    pub config: Config,
    /// The engine that runs its pairs, with its options.
    pub options: EngineOptions,
    /// Prices in USD per token, at the endpoint that it asks.
    pub prices: PriceTable,
}

/// One run of an experiment: an arm, for the n-th time.
#[derive(Clone, Debug)]
pub struct PlannedRun {
    /// The arm that it is a run of.
    pub arm: Arc<Arm>,
    /// Which repeat of its arm it is, from 1.
    pub repeat: u32,
    /// Its place in the log tree.
    pub run: RunDir,
}

impl PlannedRun {
    /// The setting of all its trials.
    #[must_use]
    pub fn setting(&self) -> Setting {
        self.arm.setting
    }
}

/// A run of the experiment that is there and not asked for. Only what it has cost matters.
#[derive(Clone, Debug)]
pub struct OtherRun {
    /// The arm that it is a run of, by its name.
    pub arm: String,
    /// Its place in the log tree.
    pub run: RunDir,
}

/// The runs of an experiment.
pub struct Runs {
    /// Those that are asked for, in the order in which they run.
    pub asked: Vec<PlannedRun>,
    /// Those of the same experiment that are not, where they exist: arms that `--arm` leaves out,
    /// settings that `--setting` leaves out, and repeats beyond those that are asked for.
    pub others: Vec<OtherRun>,
    /// What there is to say of them.
    pub notes: Vec<String>,
}

/// Readies the arms that are asked for with their engines; what there is to say of each goes to `notes`.
pub fn arms(
    config: &Config,
    arms: &[ArmConfig],
    prices: &PriceTable,
    pairs: &[Pair],
    dry_run: bool,
    notes: &mut Vec<String>,
) -> Result<Vec<Arc<Arm>>> {
    let mut told: Vec<(String, Vec<String>)> = Vec::new();
    let mut ready = Vec::new();
    for arm in arms {
        let (planned, notes) = of_config(arm, prices, pairs, dry_run)
            .map_err(|error| of_arm(error, arm, config.own_arms.is_empty()))?;
        for note in notes {
            match told.iter_mut().find(|(known, _)| *known == note) {
                Some((_, by)) => by.push(arm.name.clone()),
                None => told.push((note, vec![arm.name.clone()])),
            }
        }
        ready.push(Arc::new(planned));
    }
    for (note, by) in told {
        notes.push(if by.len() == arms.len() {
            note
        } else {
            let word = by_number(by.len(), "arm", "arms");
            format!("{word} {}: {note}", by.join(", "))
        });
    }
    Ok(ready)
}

/// An error of one arm says which.
fn of_arm(error: Error, arm: &ArmConfig, is_setting: bool) -> Error {
    if is_setting {
        error
    } else {
        error.about(&format!("arm `{}`", arm.name))
    }
}

fn of_config(
    arm: &ArmConfig,
    prices: &PriceTable,
    pairs: &[Pair],
    dry_run: bool,
) -> Result<(Arm, Vec<String>)> {
    let config = &arm.config;
    let dataset = setup::dataset(config)?;
    let (options, mut notes) = setup::of_engine(config, dataset, prices, dry_run)?;
    if let EngineOptions::Native(options) = &options {
        options.check_workspaces(pairs)?;
    }
    for flag in &arm.hidden_flags {
        notes.push(format!("{flag} is not used: the arm says it itself"));
    }
    let arm = Arm {
        name: arm.name.clone(),
        setting: arm.setting,
        config: config.clone(),
        prices: prices.clone().at(options.access().is_providers_own()),
        options,
    };
    Ok((arm, notes))
}

/// The runs of the arms that are asked for, in their order, and what else a log tree has of the
/// experiment.
pub fn runs(tree: &LogTree, prefix: &str, arms: &[Arc<Arm>], config: &Config) -> Result<Runs> {
    let repeats = config.experiment.repeats;
    let mut asked = Vec::new();
    for repeat in 1..=repeats {
        for arm in arms {
            asked.push(PlannedRun {
                arm: Arc::clone(arm),
                repeat,
                run: place(tree, prefix, &arm.name, repeat, repeats)?,
            });
        }
    }
    if config.experiment.order == Order::Arms {
        let at = |one: &PlannedRun| arms.iter().position(|arm| Arc::ptr_eq(arm, &one.arm));
        // It is stable: the repeats of an arm keep their order.
        asked.sort_by_key(at);
    }
    let others = others(tree, prefix, config, &asked)?;
    let is_asked = |one: &&OtherRun| arms.iter().any(|arm| arm.name == one.arm);
    let beyond = others.iter().filter(is_asked);
    let beyond: Vec<&str> = beyond.map(|one| one.run.name().as_str()).collect();
    let mut notes = Vec::new();
    if !beyond.is_empty() {
        notes.push(format!(
            "{} of more repeats than are asked for {} as {}: {}",
            plural(beyond.len(), "run"),
            by_number(beyond.len(), "stays", "stay"),
            by_number(beyond.len(), "it is", "they are"),
            beyond.join(", ")
        ));
    }
    Ok(Runs {
        asked,
        others,
        notes,
    })
}

/// Where one repeat of an arm is. The first has no suffix where it is the only one, or was when it
/// was begun.
fn place(tree: &LogTree, prefix: &str, arm: &str, repeat: u32, repeats: u32) -> Result<RunDir> {
    let bare = tree.run(&RunName::of(prefix, arm, None)?);
    // It may be too long for a name, and is not used then.
    let numbered = RunName::of(prefix, arm, Some(repeat)).map(|name| tree.run(&name));
    if repeat > 1 {
        return numbered;
    }
    let is_there = |run: &RunDir| run.path().exists();
    match (is_there(&bare), numbered.as_ref().is_ok_and(is_there)) {
        (true, true) => Err(Error::usage(format!(
            "`{0}` and `{0}-r1` are both the first repeat of arm `{arm}`",
            bare.name(),
        ))
        .hint("move one of them out of the log tree, or take another --name")),
        (false, true) => numbered,
        (false, false) if repeats > 1 => numbered,
        (true | false, false) => Ok(bare),
    }
}

/// The runs of the experiment that are there and not asked for.
fn others(
    tree: &LogTree,
    prefix: &str,
    config: &Config,
    asked: &[PlannedRun],
) -> Result<Vec<OtherRun>> {
    // What else may stand in its place is told where it is written.
    let there = if tree.path().is_dir() {
        tree.runs()?
    } else {
        Vec::new()
    };
    let asked: HashSet<&RunName> = asked.iter().map(|one| one.run.name()).collect();
    let mut found = Vec::new();
    for arm in config.arm_names() {
        // An arm whose name is too long for one has no run.
        let Ok(bare) = RunName::of(prefix, arm, None) else {
            continue;
        };
        for run in there.iter().filter(|run| !asked.contains(run.name())) {
            if is_of_arm(run.name(), &bare) && is_of_experiment(run, prefix, arm)? {
                found.push(OtherRun {
                    arm: arm.to_owned(),
                    run: run.clone(),
                });
            }
        }
    }
    Ok(found)
}

/// Whether a run has the name of an arm's, of whichever repeat.
fn is_of_arm(run: &RunName, bare: &RunName) -> bool {
    let rest = run.as_str().strip_prefix(bare.as_str());
    rest.is_some_and(|rest| {
        let number = rest.strip_prefix("-r");
        let repeat: Option<u32> = number.and_then(|number| number.parse().ok());
        // Written as a run of ours is: `-r04` is somebody else's.
        let is_ours = |repeat: u32| repeat > 0 && number == Some(repeat.to_string().as_str());
        rest.is_empty() || repeat.is_some_and(is_ours)
    })
}

/// Whether a run that has such a name is of this experiment, as far as it says so: `a-b-solo` may be
/// the arm `solo` of `a-b`, or the arm `b-solo` of `a`.
fn is_of_experiment(run: &RunDir, prefix: &str, arm: &str) -> Result<bool> {
    let Some(manifest) = Manifest::read(run)? else {
        return Ok(true);
    };
    let is = |known: Option<String>, ours: &str| known.is_none_or(|known| known == ours);
    Ok(is(manifest.experiment, prefix) && is(manifest.arm, arm))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_an_arm_is_named_after_it_and_perhaps_numbered() {
        let bare: RunName = "x-talk".parse().unwrap();
        for (run, is_one) in [
            ("x-talk", true),
            ("x-talk-r1", true),
            ("x-talk-r12", true),
            ("x-talk-r04", false),
            ("x-talk-r0", false),
            ("x-talk-r", false),
            ("x-talk-trust", false),
            ("x-talky", false),
            ("y-talk", false),
        ] {
            assert_eq!(is_of_arm(&run.parse().unwrap(), &bare), is_one, "{run}");
        }
    }
}
