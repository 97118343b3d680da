//! `regatta report`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::options::RunSelection;
use super::ui::Ui;
use super::width;
use crate::error::{Error, Result, exit};
use crate::files;
use crate::hint;
use crate::report::{Format, Summary};
use crate::survey::Stand;

const EXAMPLES: &str = "\
Examples:
  regatta report                            # every run, and what sets them apart
  regatta report command-a-solo
  regatta report --format markdown -o report.md";

/// Report what came out and what it cost
///
/// Reads the log tree only, also one that upstream's own CLI wrote.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
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
    let found = args.selection.open(ui)?;
    found.say_misnamed(ui);
    let mut summaries = Vec::new();
    for run in &found.runs {
        let stand = Stand::read(run, &found.rules, &found.prices)?;
        summaries.push(Summary::of_stand(run, stand, args.strict_verdicts)?);
    }
    match &args.output {
        None if args.format == Format::Text => width::report(&summaries, ui)?,
        None => ui.data(&args.format.render(&summaries))?,
        Some(path) => {
            let text = args.format.render(&summaries);
            files::write_output(path, text.as_bytes()).map_err(Error::into_usage)?;
            ui.say(format!("wrote {}", path.display()));
        }
    }
    Ok(exit::OK)
}

/// A command on these runs by their names, for a hint.
pub fn command(words: &str, summaries: &[Summary]) -> String {
    let names: Vec<&str> = summaries.iter().map(|one| one.run.as_str()).collect();
    hint::command(&format!("{words} {}", names.join(" ")))
}
