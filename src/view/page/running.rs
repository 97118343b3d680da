//! What runs now, of a page that is served.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::bench::Pair;
use crate::bench::image::image_name;
use crate::store::LedgerEntry;
use crate::store::live::{Live, LiveContainer};

/// The characters of a container's id that Docker itself shows.
const SHORT: usize = 12;

/// What runs of a run, and what of it is gone.
#[derive(Clone, Debug, Default)]
pub struct RunningNow {
    /// Pairs whose trials run, each with when it began where that is known: seconds since 1970.
    pub trials: BTreeMap<String, Option<f64>>,
    /// The nodes whose workers run them, where they run on other machines.
    pub nodes: BTreeMap<String, String>,
    /// The workers that are there, in words.
    pub workers: Option<String>,
    /// The containers in use, of an engine that tells of these only.
    pub containers: Vec<RunningContainer>,
    /// Pairs that had a result and have none any more.
    pub gone: BTreeSet<String>,
}

/// A container in use.
#[derive(Clone, Debug, Serialize)]
pub struct RunningContainer {
    /// The beginning of its id.
    pub id: String,
    /// Its name, where the engine gave it one.
    pub name: Option<String>,
    /// Its image.
    pub image: String,
    /// The pair that it is for, where only one of its task runs.
    pub pair: Option<String>,
    /// Its task, as far as it is one's.
    pub task: Option<String>,
    /// When it was made: seconds since 1970.
    pub since: f64,
    /// How many commands began in it.
    pub commands: u64,
    /// How the last of them begins.
    pub last: Option<String>,
}

impl RunningNow {
    /// What the events of a run tell that somebody runs, with the trials that its ledger lacks.
    #[must_use]
    pub fn of(live: &Live, unbooked: &[LedgerEntry]) -> Self {
        let running = unbooked.iter().filter(|trial| !trial.is_cut_off());
        let pairs: Vec<&Pair> = running.map(|trial| &trial.pair).collect();
        let containers: Vec<RunningContainer> = live
            .containers
            .by_age()
            .into_iter()
            .map(|(id, container)| RunningContainer::of(id, container, &pairs))
            .collect();
        let since = |pair: &Pair| {
            let told = live.trials.get(pair).map(|trial| seconds(trial.begun_at));
            let name = pair.to_string();
            let is_its = |it: &&RunningContainer| it.pair.as_ref() == Some(&name);
            told.or_else(|| containers.iter().find(is_its).map(|it| it.since))
        };
        let node = |pair: &&Pair| {
            let worker = live.workers.of(pair)?;
            Some((pair.to_string(), worker.shown_node()))
        };
        Self {
            nodes: pairs.iter().filter_map(node).collect(),
            workers: live.workers.in_words(),
            trials: pairs
                .iter()
                .map(|pair| (pair.to_string(), since(pair)))
                .collect(),
            containers,
            gone: BTreeSet::new(),
        }
    }
}

impl RunningContainer {
    fn of(id: &str, container: &LiveContainer, running: &[&Pair]) -> Self {
        let is_of = |pair: &&&Pair| container.image.ends_with(&image_name(&pair.task));
        let mut of_task = running.iter().filter(is_of);
        let first = of_task.next();
        let pair = first.filter(|_| of_task.next().is_none());
        Self {
            id: id.chars().take(SHORT).collect(),
            name: container.name.clone(),
            image: container.image.clone(),
            pair: pair.map(ToString::to_string),
            task: first.map(|pair| pair.task.to_string()),
            since: seconds(container.begun_at),
            commands: container.commands,
            last: container.last.clone(),
        }
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}
