//! The runs that a live page is of, read again as far as they have changed.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::missed::{Missed, nothing_yet};
use super::read_run::ReadRun;
use super::watch;
use crate::bench::{Pair, RunName};
use crate::error::{Error, Result};
use crate::model::price::PriceTable;
use crate::report::Row;
use crate::store::{LogTree, RunDir};
use crate::study::{ArmRun, Beside, Pooling};
use crate::survey::Stand;
use crate::triage::Rules;
use crate::view::PageMask;
use crate::view::page::{Blocks, Gathered, PairBlock, Shown, TrialBlock, hide_in};

/// How long a look is good for all who ask: less than each of them waits between two.
const SHARED: Duration = Duration::from_millis(500);

/// What a live page is of, and how it is read.
#[derive(Debug)]
pub struct LiveOf {
    /// The log tree. Before there is a run, those in which the first may come: the first of them that
    /// has one is it.
    pub trees: Vec<LogTree>,
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
    missed: Missed,
    /// What a look found last, and when.
    looked: Option<(Instant, u64)>,
    /// The index that was made last, and of which state.
    made: Option<(u64, Value)>,
}

impl LiveTree {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(of: LiveOf) -> Self {
        Self {
            of,
            read: HashMap::new(),
            missed: Missed::default(),
            looked: None,
            made: None,
        }
    }

    /// The page's title.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.of.title
    }

    /// The runs that are there now.
    fn runs(&self) -> Result<Vec<RunDir>> {
        let mut runs = Vec::new();
        for tree in &self.of.trees {
            runs = tree.runs()?;
            if !runs.is_empty() {
                break;
            }
        }
        runs.retain(|run| self.of.runs.is_empty() || self.of.runs.contains(run.name()));
        Ok(runs)
    }

    /// A number that is another one when something has changed. Pages that ask at the same time get
    /// one look.
    pub fn state(&mut self) -> u64 {
        if let Some((at, state)) = self.looked
            && at.elapsed() < SHARED
        {
            return state;
        }
        let state = self.look(&self.runs().unwrap_or_default());
        self.looked = Some((Instant::now(), state));
        state
    }

    fn look(&self, runs: &[RunDir]) -> u64 {
        whole(runs.iter().map(|run| {
            let read = self.read.get(run.name());
            // A command that is killed changes no file.
            let is_held = read.is_some_and(|read| read.is_still_held(run));
            (watch::state(run), is_held)
        }))
    }

    /// The index of what stands now. Of a run that cannot be read it says why, and shows the others.
    pub fn index(&mut self) -> Result<Value> {
        let runs = self.runs()?;
        let state = self.look(&runs);
        if let Some((_, index)) = self.made.as_ref().filter(|(made, _)| *made == state) {
            return Ok(index.clone());
        }
        let mut gathered = Gathered::new(&self.of.title);
        self.missed.look(self.read.keys(), &runs);
        self.read
            .retain(|name, _| runs.iter().any(|run| run.name() == name));
        let mut arms = Vec::new();
        for run in &runs {
            self.catch_up(run);
            let read = &self.read[run.name()];
            read.notes
                .iter()
                .for_each(|note| gathered.note(note.clone()));
            let mut blocks = Named(run.name());
            let happened = read.happened.clone();
            gathered.add(run.name(), &read.rows, happened, &read.now, &mut blocks)?;
            if read.is_paused {
                gathered.pause();
            }
            arms.push(ArmRun {
                name: run.name().clone(),
                repeat: read.repeat,
                rows: read.rows.clone(),
                beside: Beside::default(),
            });
        }
        for note in self.missed.notes() {
            gathered.note(note);
        }
        for note in nothing_yet(&self.of.trees, &self.of.runs, &runs, &self.missed) {
            gathered.note(note);
        }
        let mut index = gathered.finish(Shown::of(arms, &self.of.pooling));
        index.blocks = Some(String::new());
        index.is_live = true;
        let mut index = self.masked(&index)?;
        // By what was looked at before it was read: what came meanwhile is read again.
        let read = runs.iter().map(|run| &self.read[run.name()]);
        let state = whole(read.map(|read| (read.state, read.is_held)));
        // A script's numbers are too short for it.
        index["state"] = state.to_string().into();
        self.made = Some((state, index.clone()));
        Ok(index)
    }

    /// Reads a run again if it has changed.
    fn catch_up(&mut self, run: &RunDir) {
        let state = watch::state(run);
        let before = self.read.get(run.name());
        if before.is_some_and(|it| it.state == state && it.is_held == it.is_still_held(run)) {
            return;
        }
        let read = ReadRun::read(run, state, before, &self.of.rules, &self.of.prices);
        self.read.insert(run.name().clone(), read);
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

    /// A pair's block; `None` where no run or the dataset has no such pair.
    pub fn pair(&mut self, pair: &str) -> Result<Option<Value>> {
        self.index()?;
        // A name that nobody gave may lead out of the dataset.
        let mut rows = self.read.values().flat_map(|read| &read.rows);
        let is_known = rows.any(|row| row.pair.as_deref() == Some(pair));
        let dataset = self.of.dataset.as_deref().filter(|_| is_known);
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

/// One number for the states of all runs, and whether commands have them.
fn whole(states: impl ExactSizeIterator<Item = (u64, bool)>) -> u64 {
    let count = states.len() as u64;
    states.fold(count, |all, (state, is_held)| {
        all.rotate_left(7) ^ state ^ u64::from(is_held)
    })
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
