//! Puts an index together, run by run.

use std::collections::HashMap;

use jiff::Timestamp;

use super::index::{ContainerPart, Happened, Index, PairPart, RunPart, TrialPart};
use super::running::RunningNow;
use super::study::Shown;
use crate::bench::RunName;
use crate::error::Result;
use crate::report::{Outcome, Row};
use crate::version::VERSION;

/// The version of the page's data; the script of a page reads its own.
const FORMAT: u32 = 1;

/// Gives the ids of blocks, which whoever gives them out makes.
pub trait Blocks {
    /// The block of a pair; `None` where nothing is known of it beyond its name.
    fn of_pair(&mut self, pair: &str) -> Result<Option<String>>;
    /// The block of a trial whose row is the nth of its run.
    fn of_trial(&mut self, nth: usize, row: &Row) -> Result<String>;
}

/// An index that grows.
#[derive(Debug)]
pub struct Gathered {
    index: Index,
    places: HashMap<String, usize>,
}

impl Gathered {
    /// Nothing so far.
    #[must_use]
    pub fn new(title: &str) -> Self {
        Self {
            index: Index {
                format: FORMAT,
                regatta: VERSION,
                made_at: Timestamp::now()
                    .strftime("%Y-%m-%d %H:%M:%S UTC")
                    .to_string(),
                title: title.to_owned(),
                ..Index::default()
            },
            places: HashMap::new(),
        }
    }

    /// Adds a run by its rows, and what of it runs. Of rows that name no pair there is nothing to
    /// look at.
    pub fn add(
        &mut self,
        run: &RunName,
        rows: &[Row],
        happened: Vec<Happened>,
        running: &RunningNow,
        blocks: &mut impl Blocks,
    ) -> Result<()> {
        let at = self.index.runs.len();
        self.index.runs.push(RunPart {
            name: run.to_string(),
            arm: 0,
            repeat: rows.first().and_then(|row| row.repeat),
            is_paused: false,
            workers: running.workers.clone(),
        });
        for (nth, row) in rows.iter().enumerate() {
            let Some(name) = &row.pair else { continue };
            let pair = self.pair(name, row, blocks)?;
            let since = running.trials.get(name);
            let is_running = since.is_some();
            let is_there = is_running || row.outcome != Outcome::Missing;
            let block = is_there.then(|| blocks.of_trial(nth, row)).transpose()?;
            self.index.trials.push(TrialPart {
                is_running,
                since: since.copied().flatten(),
                node: running.nodes.get(name).cloned(),
                is_gone: running.gone.contains(name),
                ..TrialPart::of(row, at, pair, block)
            });
        }
        self.index.timeline.extend(happened);
        let containers = running.containers.iter().cloned();
        let containers = containers.map(|container| ContainerPart {
            run: run.to_string(),
            container,
        });
        self.index.containers.extend(containers);
        Ok(())
    }

    /// The run that was added last is paused.
    pub fn pause(&mut self) {
        if let Some(run) = self.index.runs.last_mut() {
            run.is_paused = true;
        }
    }

    /// Says something of the page, before what its runs say together.
    pub fn note(&mut self, said: String) {
        self.index.notes.push(said);
    }

    /// A pair's place in the index.
    fn pair(&mut self, name: &str, row: &Row, blocks: &mut impl Blocks) -> Result<usize> {
        if let Some(at) = self.places.get(name) {
            return Ok(*at);
        }
        let at = self.index.pairs.len();
        self.places.insert(name.to_owned(), at);
        self.index.pairs.push(PairPart {
            name: name.to_owned(),
            task: row.task.clone().unwrap_or_default(),
            block: blocks.of_pair(name)?,
        });
        Ok(at)
    }

    /// The whole index, with what its runs say together.
    #[must_use]
    pub fn finish(mut self, shown: Shown) -> Index {
        shown.put_into(&mut self.index);
        self.index
            .timeline
            .sort_by(|one, other| one.at.total_cmp(&other.at));
        self.index
    }
}
