//! A run as it stands on disk: its manifest, its books, and what stands for each pair.

use std::collections::HashSet;

use super::books::Books;
use super::surveyed::{Standing, Surveyed};
use crate::bench::Pair;
use crate::error::Result;
use crate::model::price::PriceTable;
use crate::model::provider::of_model;
use crate::store::begun::DIED;
use crate::store::contents::{Contents, Unread};
use crate::store::events::{History, OpenAttempt, RunEvents};
use crate::store::lock::RunLock;
use crate::store::run_config::RunConfig;
use crate::store::{Begun, Ledger, LedgerEntry, Manifest, RunDir};
use crate::triage::Rules;

/// A run as it stands on disk.
#[derive(Debug)]
pub struct Stand {
    /// Its manifest, if it has one.
    pub manifest: Option<Manifest>,
    /// Its ledger, and what its own files say beside it.
    pub books: Books,
    /// What stands for each of its pairs: in the manifest's order, or as they are on disk.
    pub surveyed: Vec<Surveyed>,
    /// Trials that began and that the ledger lacks.
    pub unbooked: Vec<LedgerEntry>,
    /// Where it has results that are no pair's of it.
    pub unread: Vec<Unread>,
    /// As they are where the run asked its model.
    pub prices: PriceTable,
}

impl Stand {
    /// Reads and judges a run.
    pub fn read(run: &RunDir, rules: &Rules, prices: &PriceTable) -> Result<Self> {
        Self::with(run, rules, prices, RunEvents::of_run(run)?)
    }

    /// Reads and judges a run whose events were read before: what ended since is in its results.
    pub fn with(run: &RunDir, rules: &Rules, prices: &PriceTable, told: RunEvents) -> Result<Self> {
        let manifest = Manifest::read(run)?;
        let books = Books::with(run, told.facts)?;
        let prices = prices.at(asked_the_provider(manifest.as_ref()));
        let Contents { pairs, unread } = match &manifest {
            Some(manifest) => {
                let tree = manifest.setting.tree();
                let pairs = manifest.pairs.iter();
                Contents {
                    pairs: pairs.map(|pair| (tree, pair.clone())).collect(),
                    unread: run.beside(tree),
                }
            }
            None => run.contents()?,
        };
        let surveyed = books.survey(run, rules, &prices).all(&pairs);
        let (ledger, open) = (&books.ledger, told.history.open);
        let unbooked = unbooked_of(run, manifest.as_ref(), ledger, &surveyed, open);
        Ok(Self {
            manifest,
            books,
            surveyed,
            unbooked,
            unread,
            prices,
        })
    }
}

/// The trials of a run that its last attempt began, and that its ledger lacks: they run, or died with
/// regatta, and the next command books them.
pub fn unbooked(
    run: &RunDir,
    manifest: Option<&Manifest>,
    ledger: &Ledger,
    surveyed: &[Surveyed],
) -> Result<Vec<LedgerEntry>> {
    let open = History::of_run(run)?.open;
    Ok(unbooked_of(run, manifest, ledger, surveyed, open))
}

/// The same, where the events have been read.
fn unbooked_of(
    run: &RunDir,
    manifest: Option<&Manifest>,
    ledger: &Ledger,
    surveyed: &[Surveyed],
    open: Option<OpenAttempt>,
) -> Vec<LedgerEntry> {
    let (Some(manifest), Some(open)) = (manifest, open) else {
        return Vec::new();
    };
    // Manifests from before that was kept leave it to upstream's own file.
    let of_config = || RunConfig::read(run)?.concurrency();
    let at_once = manifest.concurrency.or_else(of_config);
    let begun = Begun {
        pairs: &manifest.pairs,
        setting: manifest.setting,
        concurrency: at_once.unwrap_or(manifest.pairs.len()),
    };
    let unrecorded: HashSet<&Pair> = surveyed
        .iter()
        .filter(|it| match &it.standing {
            Standing::Result(judged) => !ledger.has(&it.pair, &judged.record.trial),
            Standing::Missing | Standing::Unreadable(_) => false,
        })
        .map(|it| &it.pair)
        .collect();
    let why = (!RunLock::is_held_elsewhere(run)).then_some(DIED);
    begun.lines(&open, ledger, |pair| unrecorded.contains(pair), why)
}

/// Whether a run asked its model's provider itself; without a manifest nobody knows.
fn asked_the_provider(manifest: Option<&Manifest>) -> bool {
    manifest.is_some_and(|manifest| match &manifest.api_base {
        None => true,
        Some(base) => of_model(&manifest.model).is_some_and(|provider| provider.owns(base)),
    })
}

/// How many pairs upstream's `config.json` counted, for a run without a manifest.
#[must_use]
pub fn planned_by_upstream(run: &RunDir, manifest: Option<&Manifest>) -> Option<usize> {
    if manifest.is_some() {
        return None;
    }
    RunConfig::read(run)?.total_tasks()
}
