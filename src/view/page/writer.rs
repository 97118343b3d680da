//! Writes a page run by run, so that no more than one trial's texts are in memory.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use super::assets::frame;
use super::block::{PairBlock, TrialBlock};
use super::gather::{Blocks, Gathered};
use super::happened::happened;
use super::hidden::hide_in;
use super::pack::{SharedTexts, packed, plain};
use super::running::RunningNow;
use super::study::Shown;
use crate::bench::Pair;
use crate::error::{Error, Result};
use crate::files;
use crate::report::{Row, rows};
use crate::store::{LedgerEntry, RunDir};
use crate::survey::{Stand, Surveyed};
use crate::view::PageMask;

/// The block with the texts that others share.
const SHARED: &str = "shared";

/// The directory of a bundle's blocks.
const BLOCKS: &str = "blocks";

/// What a page is of, and how it is made.
#[derive(Debug)]
pub struct PageOf {
    /// Its title.
    pub title: String,
    /// The dataset, for the features' texts; none where none is at hand.
    pub dataset: Option<PathBuf>,
    /// What must not stand in it.
    pub mask: PageMask,
    /// The directory that gets each trial as a file of its own, for a page on a web server; none for
    /// a page that is one file.
    pub bundle: Option<PathBuf>,
}

/// A page that is being written.
#[derive(Debug)]
pub struct Page<W> {
    gathered: Gathered,
    packed: Packed<W>,
    tail: String,
}

impl<W: FnMut(&str) -> Result<()>> Page<W> {
    /// Begins a page; `to` takes its text piece by piece.
    pub fn begin(of: PageOf, mut to: W) -> Result<Self> {
        if let Some(bundle) = &of.bundle {
            files::create_dir(&bundle.join(BLOCKS))?;
        }
        let connect = of.bundle.as_ref().map(|_| "'self'");
        let frame = frame(&of.title, connect);
        to(&frame.head)?;
        Ok(Self {
            gathered: Gathered::new(&of.title),
            packed: Packed {
                of,
                to,
                shared: SharedTexts::default(),
                blocks: 0,
            },
            tail: frame.tail,
        })
    }

    /// Adds a run as it stands, and gives its rows.
    pub fn add(&mut self, run: &RunDir, stand: Stand, is_strict: bool) -> Result<Vec<Row>> {
        let surveyed = stand.surveyed.clone();
        let ledger = stand.books.ledger.entries().to_vec();
        let rows = rows(run, stand, is_strict)?;
        let mut blocks = OfRun {
            packed: &mut self.packed,
            run,
            surveyed: &surveyed,
            ledger: &ledger,
        };
        let happened = happened(run, &rows)?;
        let now = RunningNow::default();
        self.gathered
            .add(run.name(), &rows, happened, &now, &mut blocks)?;
        Ok(rows)
    }

    /// Ends the page with what its runs say together.
    pub fn finish(mut self, shown: Shown) -> Result<()> {
        let mut index = self.gathered.finish(shown);
        if let Some(texts) = std::mem::take(&mut self.packed.shared).texts() {
            self.packed.write(SHARED, &texts)?;
            index.shared = Some(SHARED.to_owned());
        }
        if self.packed.of.bundle.is_some() {
            index.blocks = Some(format!("{BLOCKS}/"));
        }
        let index = plain(&self.packed.masked(&index)?)?;
        (self.packed.to)(&format!(
            "<script type=\"application/json\" id=\"index\">{index}</script>\n"
        ))?;
        (self.packed.to)(&self.tail)
    }
}

/// Blocks that are written into the page.
#[derive(Debug)]
struct Packed<W> {
    of: PageOf,
    to: W,
    shared: SharedTexts,
    blocks: usize,
}

impl<W: FnMut(&str) -> Result<()>> Packed<W> {
    fn masked(&self, value: &impl Serialize) -> Result<Value> {
        let mut value = serde_json::to_value(value).map_err(|error| {
            Error::world(format!("a part of the page cannot be written: {error}"))
        })?;
        hide_in(&mut value, &self.of.mask);
        Ok(value)
    }

    /// Writes a block, and gives its id.
    fn block(&mut self, block: &impl Serialize) -> Result<String> {
        let number = self.blocks;
        self.blocks += 1;
        let mut value = self.masked(block)?;
        self.shared.take(&mut value, number);
        let id = format!("b{number}");
        self.write(&id, &value)?;
        Ok(id)
    }

    fn write(&mut self, id: &str, value: &Value) -> Result<()> {
        if let Some(bundle) = &self.of.bundle {
            let path = bundle.join(BLOCKS).join(id);
            return files::write_atomic(&path, packed(value).as_bytes());
        }
        (self.to)(&format!(
            "<script type=\"text/plain\" id=\"{id}\">{}</script>\n",
            packed(value)
        ))
    }
}

/// The blocks of one run.
struct OfRun<'a, W> {
    packed: &'a mut Packed<W>,
    run: &'a RunDir,
    surveyed: &'a [Surveyed],
    ledger: &'a [LedgerEntry],
}

impl<W: FnMut(&str) -> Result<()>> Blocks for OfRun<'_, W> {
    fn of_pair(&mut self, pair: &str) -> Result<Option<String>> {
        let dataset = self.packed.of.dataset.as_deref();
        let block = dataset.and_then(|dataset| PairBlock::of(dataset, &Pair::of_text(pair)?));
        block.map(|block| self.packed.block(&block)).transpose()
    }

    fn of_trial(&mut self, nth: usize, _: &Row) -> Result<String> {
        let block = TrialBlock::of(self.run, &self.surveyed[nth], self.ledger);
        self.packed.block(&block)
    }
}
