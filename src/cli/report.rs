//! `regatta report`.

use std::path::PathBuf;

use clap::Args;

use super::arms::ArmSelection;
use super::destination::Destination;
use super::listing::one_of;
use super::options::SelectedRuns;
use super::page::{self, PageTo};
use super::ui::Ui;
use super::width;
use crate::bench::word::Listed;
use crate::error::{Error, Result, exit};
use crate::hint;
use crate::report::{Document, Format, Summary, Table, rows};
use crate::store::LogTree;
use crate::study::{self, Figures, StudyFormat};
use crate::survey::Stand;

const EXAMPLES: &str = "\
Examples:
  regatta report                            # every run, and what sets them apart
  regatta report command-a-solo
  regatta report --by arm                   # repeats pooled: pass@k, what changes between them
  regatta report --format markdown -o report.md
  regatta report --format html -o page.html # everything, for a browser
  regatta report --format csv -o rows.csv   # one row for each pair of each run";

/// What the words are.
const RUNS: &str =
    "The runs, with --by arm also arms, [groups] and patterns such as 'talk-*' [default: all]";

/// Report what came out and what it cost
///
/// Reads the log tree only, also one that upstream's own CLI wrote.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, mut_arg("arms", |arg| arg.value_name("RUN").help(RUNS)))]
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
    /// What has a part of its own: each run, or each arm with its repeats pooled
    #[arg(long, default_value = "run", value_parser = one_of::<By>())]
    by: By,
    #[command(flatten)]
    selection: ArmSelection,
}

/// What a report has a part for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Run,
    Arm,
}

impl Listed for By {
    const LIST: &'static [Self] = &[Self::Run, Self::Arm];

    fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Arm => "arm",
        }
    }
}

pub fn run(args: &ReportArgs, ui: &Ui) -> Result<u8> {
    if args.bundle.is_some() && args.format != Format::Html {
        return Err(Error::usage("--bundle is of --format html only")
            .hint("`regatta report --format html --bundle DIR`"));
    }
    if args.by == By::Arm {
        write_arms(args, ui)?;
        return Ok(exit::OK);
    }
    let found = args.selection.runs(ui)?;
    found.say_misnamed(ui);
    match args.format {
        Format::Document(document) => write_document(document, &found, args, ui)?,
        Format::Table(table) => write_table(table, &found, args, ui)?,
        Format::Html => {
            let to = PageTo {
                output: args.output.as_deref(),
                bundle: args.bundle.as_deref(),
                is_strict: args.selection.strict_verdicts,
            };
            page::write(&found, &to, ui)?;
        }
    }
    Ok(exit::OK)
}

/// Writes the pooled numbers of each arm.
fn write_arms(args: &ReportArgs, ui: &Ui) -> Result<()> {
    let Some(format) = StudyFormat::of_word(args.format.word()) else {
        let formats: Vec<_> = StudyFormat::LIST.iter().map(|it| it.word()).collect();
        return Err(Error::usage(format!(
            "--format {} is by run: --by arm has {}",
            args.format.word(),
            formats.join(", ")
        )));
    };
    let study = args.selection.open(ui)?;
    let arms: Vec<Figures> = study.arms.iter().map(Figures::of).collect();
    if args.output.is_none() && format == StudyFormat::Text {
        return ui.data(&study::text::by_arm(&arms, &study.notes, width::columns()));
    }
    let mut to = Destination::of(args.output.as_deref(), ui)?;
    to.write(&format.by_arm(&arms, &study.notes))?;
    to.finish()
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
        summaries.push(Summary::of_stand(
            run,
            &mut stand,
            args.selection.strict_verdicts,
        )?);
    }
    match &args.output {
        None if document == Document::Text => width::report(&summaries, ui),
        None => ui.data(&document.render(&summaries)),
        Some(_) => {
            let mut to = Destination::of(args.output.as_deref(), ui)?;
            to.write(&document.render(&summaries))?;
            to.finish()
        }
    }
}

/// Writes the rows of each run as it is read, so that no more than one run is in memory.
fn write_table(table: Table, found: &SelectedRuns, args: &ReportArgs, ui: &Ui) -> Result<()> {
    let mut to = Destination::of(args.output.as_deref(), ui)?;
    to.write(&table.head())?;
    for run in &found.runs {
        let stand = Stand::read(run, &found.rules, &found.prices)?;
        let rows = rows(run, stand, args.selection.strict_verdicts)?;
        let lines: String = rows.iter().map(|row| table.line(row)).collect();
        if !to.write(&lines)? {
            break;
        }
    }
    to.finish()
}

/// A command on these runs by their names, for a hint.
pub fn command(words: &str, summaries: &[Summary]) -> String {
    let names: Vec<&str> = summaries.iter().map(|one| one.run.as_str()).collect();
    hint::command(&format!("{words} {}", names.join(" ")))
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
