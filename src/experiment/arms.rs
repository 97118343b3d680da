//! The arms of an experiment, and the runs that they make: each arm, so many times.

use std::sync::Arc;

use super::setup;
use crate::bench::{Pair, RunName, Setting};
use crate::config::{ArmConfig, Config, Order};
use crate::engine::EngineOptions;
use crate::error::{Error, Result, nearest};
use crate::model::price::PriceTable;
use crate::store::{LogTree, RunDir};
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

/// The runs of an experiment.
pub struct Runs {
    /// Those that are asked for, in the order in which they run.
    pub asked: Vec<PlannedRun>,
    /// Those of the same experiment that are not, where they exist: arms that `--arm` leaves out, and
    /// repeats beyond those that are asked for.
    pub others: Vec<PlannedRun>,
    /// What there is to say of them.
    pub notes: Vec<String>,
}

/// Readies the arms of a configuration with their engines; what there is to say of each goes to `notes`.
pub fn arms(
    config: &Config,
    prices: &PriceTable,
    pairs: &[Pair],
    dry_run: bool,
    notes: &mut Vec<String>,
) -> Result<Vec<Arc<Arm>>> {
    let arms = config.arms();
    let mut told: Vec<(String, Vec<String>)> = Vec::new();
    let mut ready = Vec::new();
    for arm in &arms {
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

/// The runs of these arms in a log tree, in their order; `only` names the arms that are asked for,
/// and none means all.
pub fn runs(
    tree: &LogTree,
    prefix: &str,
    arms: &[Arc<Arm>],
    config: &Config,
    only: &[String],
) -> Result<Runs> {
    for name in only {
        if !arms.iter().any(|arm| arm.name == *name) {
            return Err(no_arm(name, arms));
        }
    }
    let repeats = config.experiment.repeats;
    let mut planned = Vec::new();
    for repeat in 1..=repeats {
        for arm in arms {
            planned.push(PlannedRun {
                arm: Arc::clone(arm),
                repeat,
                run: place(tree, prefix, &arm.name, repeat, repeats)?,
            });
        }
    }
    if config.experiment.order == Order::Arms {
        let at = |one: &PlannedRun| arms.iter().position(|arm| Arc::ptr_eq(arm, &one.arm));
        // It is stable: the repeats of an arm keep their order.
        planned.sort_by_key(at);
    }
    let is_asked = |one: &PlannedRun| only.is_empty() || only.contains(&one.arm.name);
    let (asked, mut others): (Vec<_>, Vec<_>) = planned.into_iter().partition(&is_asked);
    others.retain(|one| one.run.path().exists());
    let mut notes = Vec::new();
    let beyond = beyond(tree, prefix, arms, repeats)?;
    let named = beyond.iter().filter(|one| is_asked(one));
    let named: Vec<&str> = named.map(|one| one.run.name().as_str()).collect();
    if !named.is_empty() {
        notes.push(format!(
            "{} of more repeats than are asked for {} as {}: {}",
            plural(named.len(), "run"),
            by_number(named.len(), "stays", "stay"),
            by_number(named.len(), "it is", "they are"),
            named.join(", ")
        ));
    }
    others.extend(beyond);
    Ok(Runs {
        asked,
        others,
        notes,
    })
}

fn no_arm(name: &str, arms: &[Arc<Arm>]) -> Error {
    let names = || arms.iter().map(|arm| arm.name.as_str());
    let there: Vec<&str> = names().collect();
    let shown = name.escape_debug();
    let error = Error::usage(format!("--arm {shown}: there is no such arm"));
    match nearest(name, names()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("the arms are {}", there.join(", "))),
    }
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

/// Runs of these arms that are there from a time of more repeats.
fn beyond(
    tree: &LogTree,
    prefix: &str,
    arms: &[Arc<Arm>],
    repeats: u32,
) -> Result<Vec<PlannedRun>> {
    let mut found = Vec::new();
    // What else may stand in its place is told where it is written.
    let there = if tree.path().is_dir() {
        tree.runs()?
    } else {
        Vec::new()
    };
    for arm in arms {
        let bare = RunName::of(prefix, &arm.name, None)?;
        for run in &there {
            let rest = run.name().as_str().strip_prefix(bare.as_str());
            let number = rest.and_then(|rest| rest.strip_prefix("-r"));
            let repeat: Option<u32> = number.and_then(|number| number.parse().ok());
            // Written as a run of ours is: `-r04` is somebody else's.
            let is_ours = |repeat: &u32| number == Some(repeat.to_string().as_str());
            if let Some(repeat) = repeat.filter(is_ours).filter(|repeat| *repeat > repeats) {
                found.push(PlannedRun {
                    arm: Arc::clone(arm),
                    repeat,
                    run: run.clone(),
                });
            }
        }
    }
    Ok(found)
}
