//! Writes a page run by run, so that no more than one trial's texts are in memory.

use std::collections::HashMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::Value;

use super::assets::frame;
use super::block::{PairBlock, TrialBlock};
use super::happened::happened;
use super::index::{Index, PairPart, RunPart, TrialPart};
use super::pack::{Shared, packed, plain};
use super::study::Shown;
use crate::bench::Pair;
use crate::error::{Error, Result};
use crate::report::{Row, rows};
use crate::secret::Mask;
use crate::store::{LedgerEntry, RunDir};
use crate::survey::{Stand, Standing, Surveyed};
use crate::version::VERSION;

/// The version of the page's data; the script of a page reads its own.
const FORMAT: u32 = 1;

/// The block with the texts that others share.
const SHARED: &str = "shared";

/// What a page is of, and how it is made.
#[derive(Debug)]
pub struct PageOf {
    /// Its title.
    pub title: String,
    /// The dataset, for the features' texts; none where none is at hand.
    pub dataset: Option<PathBuf>,
    /// What must not stand in it.
    pub masks: Vec<Mask>,
}

/// A page that is being written.
pub struct Page<W> {
    of: PageOf,
    to: W,
    tail: String,
    index: Index,
    places: HashMap<Pair, usize>,
    shared: Shared,
    blocks: usize,
}

impl<W: FnMut(&str) -> Result<()>> Page<W> {
    /// Begins a page; `to` takes its text piece by piece.
    pub fn begin(of: PageOf, mut to: W) -> Result<Self> {
        let frame = frame(&of.title, None);
        to(&frame.head)?;
        Ok(Self {
            index: Index {
                format: FORMAT,
                regatta: VERSION,
                made_at: Timestamp::now()
                    .strftime("%Y-%m-%d %H:%M:%S UTC")
                    .to_string(),
                title: of.title.clone(),
                ..Index::default()
            },
            of,
            to,
            tail: frame.tail,
            places: HashMap::new(),
            shared: Shared::default(),
            blocks: 0,
        })
    }

    /// Adds a run as it stands, and gives its rows.
    pub fn add(&mut self, run: &RunDir, stand: Stand, is_strict: bool) -> Result<Vec<Row>> {
        let (surveyed, ledger) = (
            stand.surveyed.clone(),
            stand.books.ledger.entries().to_vec(),
        );
        let rows = rows(run, stand, is_strict)?;
        let at = self.index.runs.len();
        self.index.runs.push(RunPart {
            name: run.name().to_string(),
            arm: 0,
            repeat: rows.first().and_then(|row| row.repeat),
        });
        for (surveyed, row) in surveyed.iter().zip(&rows) {
            let pair = self.pair(&surveyed.pair)?;
            let block = match &surveyed.standing {
                Standing::Missing => None,
                _ => Some(self.trial(run, &ledger, surveyed)?),
            };
            self.index.trials.push(TrialPart::of(row, at, pair, block));
        }
        self.index.timeline.extend(happened(run, &rows)?);
        Ok(rows)
    }

    /// A pair's place in the index; its features go into a block when it is first seen.
    fn pair(&mut self, pair: &Pair) -> Result<usize> {
        if let Some(at) = self.places.get(pair) {
            return Ok(*at);
        }
        let dataset = self.of.dataset.as_deref();
        let block = dataset.and_then(|dataset| PairBlock::of(dataset, pair));
        let block = block.map(|block| self.block(&block)).transpose()?;
        let at = self.index.pairs.len();
        self.places.insert(pair.clone(), at);
        self.index.pairs.push(PairPart {
            name: pair.to_string(),
            task: pair.task.to_string(),
            block,
        });
        Ok(at)
    }

    fn trial(
        &mut self,
        run: &RunDir,
        ledger: &[LedgerEntry],
        surveyed: &Surveyed,
    ) -> Result<String> {
        let dir = run.pair(surveyed.tree, &surveyed.pair);
        let booked = ledger.iter().filter(|it| it.pair == surveyed.pair);
        self.block(&TrialBlock::of(
            &dir,
            surveyed,
            None,
            &booked.collect::<Vec<_>>(),
        ))
    }

    /// Writes a block, and gives its id.
    fn block(&mut self, block: &impl serde::Serialize) -> Result<String> {
        let number = self.blocks;
        self.blocks += 1;
        let mut value = serde_json::to_value(block).map_err(|error| {
            Error::world(format!("a part of the page cannot be written: {error}"))
        })?;
        for mask in &self.of.masks {
            mask.hide_in(&mut value);
        }
        self.shared.take(&mut value, number);
        let id = format!("b{number}");
        self.write(&id, &value)?;
        Ok(id)
    }

    fn write(&mut self, id: &str, value: &Value) -> Result<()> {
        (self.to)(&format!(
            "<script type=\"text/plain\" id=\"{id}\">{}</script>\n",
            packed(value)
        ))
    }

    /// Ends the page with what its runs say together.
    pub fn finish(mut self, shown: Shown) -> Result<()> {
        if let Some(texts) = std::mem::take(&mut self.shared).texts() {
            self.write(SHARED, &texts)?;
            self.index.shared = Some(SHARED.to_owned());
        }
        shown.put_into(&mut self.index);
        self.index
            .timeline
            .sort_by(|one, other| one.at.total_cmp(&other.at));
        let mut index = serde_json::to_value(&self.index).map_err(|error| {
            Error::world(format!("the page's index cannot be written: {error}"))
        })?;
        for mask in &self.of.masks {
            mask.hide_in(&mut index);
        }
        (self.to)(&format!(
            "<script type=\"application/json\" id=\"index\">{}</script>\n",
            plain(&index)?
        ))?;
        (self.to)(&self.tail)
    }
}
