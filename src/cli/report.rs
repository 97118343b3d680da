//! `regatta report`.

use std::collections::HashSet;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::options::RunSelection;
use super::ui::Ui;
use crate::bench::Pair;
use crate::error::{Error, Result, exit};
use crate::files;
use crate::model::price::PriceTable;
use crate::model::provider::of_model;
use crate::report::setting::{Said, setting_by};
use crate::report::summary::Trials;
use crate::report::survey::{Books, Standing, Surveyed};
use crate::report::{Format, Summary, grounds};
use crate::store::begun::DIED;
use crate::store::events::History;
use crate::store::gold::Gold;
use crate::store::lock::RunLock;
use crate::store::run_config::RunConfig;
use crate::store::{Begun, Ledger, LedgerEntry, Manifest, RunDir};
use crate::triage::Rules;

/// Report what came out and what it cost
///
/// Reads the log tree only, also one that upstream's own CLI wrote.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The format
    #[arg(long, default_value = "text", value_parser = formats())]
    format: Format,
    /// Write to a file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Count a pass as a failure where hidden tests did not run, or where it fails without what
    /// steers its tests
    #[arg(long)]
    strict_verdicts: bool,
    #[command(flatten)]
    selection: RunSelection,
}

/// The formats by name, with clap's own suggestion for a slip.
fn formats() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(|(name, _)| name))
        .try_map(|name| name.parse::<Format>())
}

pub fn run(args: &ReportArgs, ui: &Ui) -> Result<u8> {
    let found = args.selection.open()?;
    let mut summaries = Vec::new();
    for run in &found.runs {
        let stand = Stand::read(run, &found.rules, &found.prices)?;
        summaries.push(summary_of(run, stand, args.strict_verdicts)?);
    }
    summaries.sort_by(|a, b| (a.setting, &a.run).cmp(&(b.setting, &b.run)));
    let text = args.format.render(&summaries);
    match &args.output {
        None => ui.data(&text)?,
        Some(path) => {
            files::write_atomic(path, text.as_bytes()).map_err(Error::into_usage)?;
            ui.say(format!("wrote {}", path.display()));
        }
    }
    Ok(exit::OK)
}

/// A run as it stands on disk.
pub struct Stand {
    pub manifest: Option<Manifest>,
    pub books: Books,
    pub surveyed: Vec<Surveyed>,
    /// Trials that began and that the ledger lacks.
    pub unbooked: Vec<LedgerEntry>,
    /// As they are where the run asked its model.
    pub prices: PriceTable,
}

impl Stand {
    /// Reads and judges a run.
    pub fn read(run: &RunDir, rules: &Rules, prices: &PriceTable) -> Result<Self> {
        let manifest = Manifest::read(run)?;
        let books = Books::read(run)?;
        let prices = prices.at(asked_the_provider(manifest.as_ref()));
        let surveyed = books.survey(run, rules, &prices).all(manifest.as_ref())?;
        let unbooked = unbooked(run, manifest.as_ref(), &books.ledger, &surveyed)?;
        Ok(Self {
            manifest,
            books,
            surveyed,
            unbooked,
            prices,
        })
    }

    /// Its numbers.
    pub fn summary(&self, run: &RunDir) -> Summary {
        let manifest = self.manifest.as_ref();
        let ledger = &self.books.ledger;
        let results = self.surveyed.iter().filter_map(|it| match &it.standing {
            Standing::Result(judged) => Some(Said::of(&judged.record)),
            Standing::Missing | Standing::Unreadable(_) => None,
        });
        let mut summary = Summary::of(
            run.name().clone(),
            setting_by(run, manifest, results),
            &self.surveyed,
            Trials {
                booked: ledger.entries(),
                unbooked: &self.unbooked,
            },
            planned_by_upstream(run, manifest),
        );
        grounds::add_to(&mut summary, &self.surveyed, manifest);
        summary.unreadable_ledger_lines = ledger.unreadable_lines;
        // Our own engine's results have costs of the price that its run had.
        if let Some(manifest) = manifest
            && manifest.engine == "native"
            && summary.headline_cost.usd > 0.0
        {
            summary.priced_as.extend(manifest.priced_as.clone());
        }
        summary
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
    let (Some(manifest), Some(open)) = (manifest, History::of_run(run)?.open) else {
        return Ok(Vec::new());
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
    Ok(begun.lines(&open, ledger, |pair| unrecorded.contains(pair), why))
}

/// Whether a run asked its model's provider itself; without a manifest nobody knows.
fn asked_the_provider(manifest: Option<&Manifest>) -> bool {
    manifest.is_some_and(|manifest| match &manifest.api_base {
        None => true,
        Some(base) => of_model(&manifest.model).is_some_and(|provider| provider.owns(base)),
    })
}

/// The numbers of one run, from disk.
pub fn summarise(run: &RunDir, rules: &Rules, prices: &PriceTable) -> Result<Summary> {
    summary_of(run, Stand::read(run, rules, prices)?, false)
}

/// The numbers of a run; strictly, where flagged passes are no passes.
fn summary_of(run: &RunDir, mut stand: Stand, is_strict: bool) -> Result<Summary> {
    let void = is_strict.then(|| {
        let surveyed = stand.surveyed.iter_mut();
        surveyed
            .filter_map(|pair| pair.make_strict().then_some(()))
            .count()
    });
    let mut summary = stand.summary(run);
    summary.strict_verdicts = void;
    if let Some(logs) = run.path().parent()
        && let Some(gold) = Gold::read(logs)?
    {
        let spoiled = stand.surveyed.iter().filter(|it| gold.spoils(&it.pair));
        summary.ungradeable = spoiled.map(|it| it.pair.to_string()).collect();
    }
    Ok(summary)
}

/// How many pairs upstream's `config.json` counted, for a run without a manifest.
fn planned_by_upstream(run: &RunDir, manifest: Option<&Manifest>) -> Option<usize> {
    if manifest.is_some() {
        return None;
    }
    RunConfig::read(run)?.total_tasks()
}
