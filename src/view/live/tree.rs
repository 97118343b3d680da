//! The runs that a live page is of, read again as far as they have changed.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use serde_json::Value;

use super::watch;
use crate::bench::{Pair, RunName};
use crate::error::{Error, Result};
use crate::model::price::PriceTable;
use crate::report::{Row, rows};
use crate::store::events::RunEvents;
use crate::store::lock::RunLock;
use crate::store::{LogTree, RunDir};
use crate::study::{ArmRun, Beside, Pooling};
use crate::survey::Stand;
use crate::triage::Rules;
use crate::view::PageMask;
use crate::view::page::{
    Blocks, Gathered, Happened, PairBlock, Shown, TrialBlock, happened, hide_in,
};

/// What a live page is of, and how it is read.
#[derive(Debug)]
pub struct LiveOf {
    /// The log tree.
    pub tree: LogTree,
    /// The runs; empty for all, those to come too.
    pub runs: Vec<RunName>,
    /// The page's title.
    pub title: String,
    /// The dataset, for the features' texts; none where none is at hand.
    pub dataset: Option<PathBuf>,
    /// How failures are told apart.
    pub rules: Rules,
    /// What tokens cost.
    pub prices: PriceTable,
    /// How runs are pooled.
    pub pooling: Pooling,
    /// What must not be shown.
    pub mask: PageMask,
}

/// The runs, with what was read of them last.
#[derive(Debug)]
pub struct LiveTree {
    of: LiveOf,
    read: HashMap<RunName, ReadRun>,
}

/// A run as it was read.
#[derive(Debug)]
struct ReadRun {
    state: u64,
    repeat: Option<u64>,
    rows: Vec<Row>,
    happened: Vec<Happened>,
    /// Pairs whose trials run.
    running: BTreeSet<String>,
    /// Whether its last command was paused, as far as its events tell.
    is_paused: bool,
}

impl LiveTree {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(of: LiveOf) -> Self {
        Self {
            of,
            read: HashMap::new(),
        }
    }

    /// The page's title.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.of.title
    }

    /// The runs that are there now.
    fn runs(&self) -> Result<Vec<RunDir>> {
        let mut runs = self.of.tree.runs()?;
        runs.retain(|run| self.of.runs.is_empty() || self.of.runs.contains(run.name()));
        Ok(runs)
    }

    /// A number that is another one when something has changed.
    #[must_use]
    pub fn state(&self) -> u64 {
        let runs = self.runs().unwrap_or_default();
        runs.iter().fold(runs.len() as u64, |all, run| {
            all.rotate_left(7) ^ watch::state(run)
        })
    }

    /// The index of what stands now.
    pub fn index(&mut self) -> Result<Value> {
        let mut gathered = Gathered::new(&self.of.title);
        let mut arms = Vec::new();
        let runs = self.runs()?;
        self.read
            .retain(|name, _| runs.iter().any(|run| run.name() == name));
        for run in runs {
            let state = watch::state(&run);
            if self.read.get(run.name()).is_none_or(|it| it.state != state) {
                let read = self.read(&run, state)?;
                self.read.insert(run.name().clone(), read);
            }
            let read = &self.read[run.name()];
            let mut blocks = Named(run.name());
            let happened = read.happened.clone();
            gathered.add(run.name(), &read.rows, happened, &read.running, &mut blocks)?;
            // A command that died tells nothing.
            if read.is_paused && RunLock::holder(&run).is_some() {
                gathered.pause();
            }
            arms.push(ArmRun {
                name: run.name().clone(),
                repeat: read.repeat,
                rows: read.rows.clone(),
                beside: Beside::default(),
            });
        }
        let mut index = gathered.finish(Shown::of(arms, &self.of.pooling));
        index.blocks = Some(String::new());
        index.is_live = true;
        self.masked(&index)
    }

    fn read(&self, run: &RunDir, state: u64) -> Result<ReadRun> {
        let told = RunEvents::of_run(run)?;
        let running = told.live.trials.keys().map(ToString::to_string).collect();
        let is_paused = told.live.paused.is_some();
        let stand = Stand::with(run, &self.of.rules, &self.of.prices, told)?;
        let repeat = stand.manifest.as_ref().and_then(|it| it.repeat);
        let rows = rows(run, stand, false)?;
        Ok(ReadRun {
            state,
            repeat: repeat.map(u64::from),
            happened: happened(run, &rows)?,
            rows,
            running,
            is_paused,
        })
    }

    /// A trial's block; `None` where there is no such run or pair.
    pub fn trial(&self, run: &str, pair: &str) -> Result<Option<Value>> {
        let Some(run) = self
            .runs()?
            .into_iter()
            .find(|it| it.name().as_str() == run)
        else {
            return Ok(None);
        };
        let stand = Stand::read(&run, &self.of.rules, &self.of.prices)?;
        let found = stand
            .surveyed
            .iter()
            .find(|surveyed| surveyed.pair.to_string() == pair);
        found
            .map(|surveyed| {
                self.masked(&TrialBlock::of(
                    &run,
                    surveyed,
                    stand.books.ledger.entries(),
                ))
            })
            .transpose()
    }

    /// A pair's block; `None` where the dataset has no such pair.
    pub fn pair(&self, pair: &str) -> Result<Option<Value>> {
        let dataset = self.of.dataset.as_deref();
        let block = dataset.and_then(|dataset| PairBlock::of(dataset, &Pair::of_text(pair)?));
        block.map(|block| self.masked(&block)).transpose()
    }

    fn masked(&self, value: &impl serde::Serialize) -> Result<Value> {
        let mut value = serde_json::to_value(value).map_err(|error| {
            Error::world(format!("a part of the page cannot be written: {error}"))
        })?;
        hide_in(&mut value, &self.of.mask);
        Ok(value)
    }
}

/// Blocks that are asked for by name.
struct Named<'a>(&'a RunName);

impl Blocks for Named<'_> {
    fn of_pair(&mut self, pair: &str) -> Result<Option<String>> {
        Ok(Some(format!("pair/{pair}")))
    }

    fn of_trial(&mut self, _: usize, row: &Row) -> Result<String> {
        let pair = row.pair.as_deref().unwrap_or_default();
        Ok(format!("trial/{}/{pair}", self.0))
    }
}
