//! `regatta report`.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::listing::one_of;
use super::options::{RunSelection, SelectedRuns};
use super::ui::Ui;
use super::width;
use crate::error::{Error, Result, exit};
use crate::experiment::setup;
use crate::files::{self, OutputFile};
use crate::hint;
use crate::report::{Document, Format, Summary, Table, rows};
use crate::store::LogTree;
use crate::study::{ArmRun, Beside, study};
use crate::survey::Stand;
use crate::view::page::{Page, PageOf, Shown};

const EXAMPLES: &str = "\
Examples:
  regatta report                            # every run, and what sets them apart
  regatta report command-a-solo
  regatta report --format markdown -o report.md
  regatta report --format html -o page.html # everything, for a browser
  regatta report --format csv -o rows.csv   # one row for each pair of each run";

/// Report what came out and what it cost
///
/// Reads the log tree only, also one that upstream's own CLI wrote.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReportArgs {
    /// The format
    #[arg(long, default_value = "text", value_parser = one_of::<Format>())]
    format: Format,
    /// Write to a file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the page into a directory, each trial in a file of its own, for a web server
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    bundle: Option<PathBuf>,
    /// Count a pass as a failure where hidden tests did not run, or where it fails without what
    /// steers its tests
    #[arg(long)]
    strict_verdicts: bool,
    #[command(flatten)]
    selection: RunSelection,
}

pub fn run(args: &ReportArgs, ui: &Ui) -> Result<u8> {
    if args.bundle.is_some() && args.format != Format::Html {
        return Err(Error::usage("--bundle is of --format html only")
            .hint("`regatta report --format html --bundle DIR`"));
    }
    let found = args.selection.open(ui)?;
    found.say_misnamed(ui);
    match args.format {
        Format::Document(document) => write_document(document, &found, args, ui)?,
        Format::Table(table) => write_table(table, &found, args, ui)?,
        Format::Html => write_page(&found, args, ui)?,
    }
    Ok(exit::OK)
}

fn write_document(
    document: Document,
    found: &SelectedRuns,
    args: &ReportArgs,
    ui: &Ui,
) -> Result<()> {
    let mut summaries = Vec::new();
    for run in &found.runs {
        let mut stand = Stand::read(run, &found.rules, &found.prices)?;
        summaries.push(Summary::of_stand(run, &mut stand, args.strict_verdicts)?);
    }
    match &args.output {
        None if document == Document::Text => width::report(&summaries, ui),
        None => ui.data(&document.render(&summaries)),
        Some(_) => {
            let mut to = Destination::of(args, ui)?;
            to.write(&document.render(&summaries))?;
            to.finish()
        }
    }
}

/// Writes the rows of each run as it is read, so that no more than one run is in memory.
fn write_table(table: Table, found: &SelectedRuns, args: &ReportArgs, ui: &Ui) -> Result<()> {
    let mut to = Destination::of(args, ui)?;
    to.write(&table.head())?;
    for run in &found.runs {
        let stand = Stand::read(run, &found.rules, &found.prices)?;
        let rows = rows(run, stand, args.strict_verdicts)?;
        let lines: String = rows.iter().map(|row| table.line(row)).collect();
        if !to.write(&lines)? {
            break;
        }
    }
    to.finish()
}

/// Writes the page, trial by trial: into one file, or into a directory.
fn write_page(found: &SelectedRuns, args: &ReportArgs, ui: &Ui) -> Result<()> {
    if let Some(dir) = &args.bundle {
        let dir = &std::path::absolute(dir).unwrap_or_else(|_| dir.clone());
        refuse_taken(dir)?;
        files::create_tree(dir, |inside| {
            let mut file = OutputFile::begin(&inside.join("index.html"))?;
            fill_page(found, args, Some(inside), |text| {
                file.write(text.as_bytes())
            })?;
            file.finish()
        })
        .map_err(Error::into_usage)?;
        ui.say(format!("wrote {}", dir.join("index.html").display()));
        return Ok(());
    }
    if args.output.is_none() && std::io::stdout().is_terminal() {
        return Err(Error::usage("a page is no text for a terminal")
            .hint("name the file: `regatta report --format html -o report.html`"));
    }
    let mut to = Destination::of(args, ui)?;
    fill_page(found, args, None, |text| to.write(text).map(drop))?;
    to.finish()
}

/// Refuses a directory in which there is something: a page would be mixed with it.
fn refuse_taken(dir: &Path) -> Result<()> {
    if dir.is_dir() && files::list(dir)?.is_empty() || !dir.exists() {
        return Ok(());
    }
    Err(Error::usage(format!("{} is there already", dir.display()))
        .hint("name a directory that is not there, or remove it first"))
}

fn fill_page(
    found: &SelectedRuns,
    args: &ReportArgs,
    bundle: Option<&Path>,
    to: impl FnMut(&str) -> Result<()>,
) -> Result<()> {
    let of = PageOf {
        title: title(&setup::log_tree(&found.config)),
        dataset: setup::dataset_alone(&found.config).ok(),
        masks: Vec::new(),
        bundle: bundle.map(Path::to_owned),
    };
    let mut page = Page::begin(of, to)?;
    let mut runs = Vec::new();
    for run in &found.runs {
        let stand = Stand::read(run, &found.rules, &found.prices)?;
        let repeat = stand.manifest.as_ref().and_then(|it| it.repeat);
        let rows = page.add(run, stand, args.strict_verdicts)?;
        runs.push(ArmRun {
            name: run.name().clone(),
            repeat: repeat.map(u64::from),
            rows,
            beside: Beside::default(),
        });
    }
    page.finish(Shown::of(&study(runs, &found.pooling())?))
}

/// What a page is called: the directory of the runs, and the one above it.
pub fn title(tree: &LogTree) -> String {
    let names = tree.path().components().rev().take(2);
    let mut names: Vec<_> = names.map(|it| it.as_os_str().to_string_lossy()).collect();
    names.reverse();
    names.join("/")
}

/// Where a report goes.
enum Destination<'a> {
    Stdout(&'a Ui),
    File(OutputFile, &'a Path, &'a Ui),
}

impl<'a> Destination<'a> {
    fn of(args: &'a ReportArgs, ui: &'a Ui) -> Result<Self> {
        Ok(match &args.output {
            None => Self::Stdout(ui),
            Some(path) => {
                let file = OutputFile::begin(path).map_err(Error::into_usage)?;
                Self::File(file, path, ui)
            }
        })
    }

    /// Whether there is still somebody who reads.
    fn write(&mut self, text: &str) -> Result<bool> {
        match self {
            Self::Stdout(ui) => ui.data_as_it_is(text),
            Self::File(file, ..) => {
                let written = file.write(text.as_bytes());
                written.map_err(Error::into_usage).map(|()| true)
            }
        }
    }

    fn finish(self) -> Result<()> {
        if let Self::File(file, path, ui) = self {
            file.finish().map_err(Error::into_usage)?;
            ui.say(format!("wrote {}", path.display()));
        }
        Ok(())
    }
}

/// A command on these runs, for a hint: where they are many and all that the log tree has, without
/// their names.
pub fn command_in(tree: &LogTree, words: &str, summaries: &[Summary]) -> Result<String> {
    let is_all = summaries.len() > NAMED && tree.runs()?.len() == summaries.len();
    Ok(if is_all {
        hint::command(words)
    } else {
        command(words, summaries)
    })
}

/// The most runs that a hint names where it need not.
const NAMED: usize = 6;

/// A command on these runs by their names, for a hint.
pub fn command(words: &str, summaries: &[Summary]) -> String {
    let names: Vec<&str> = summaries.iter().map(|one| one.run.as_str()).collect();
    hint::command(&format!("{words} {}", names.join(" ")))
}
