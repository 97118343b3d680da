//! `regatta audit`.

use std::path::PathBuf;

use clap::Args;

use super::arms::ArmSelection;
use super::destination::Destination;
use super::listing::one_of;
use super::ui::Ui;
use super::width;
use crate::error::{Result, exit};
use crate::study::StudyFormat;
use crate::study::audit::{self, audit};

const EXAMPLES: &str = "\
Examples:
  regatta audit                                       # everything in the log tree
  regatta audit 'nano_*' --baseline nano_control      # arms by a pattern
  regatta audit --logs-dir published/logs --format markdown -o audit.md";

/// Say whether the numbers of a log tree can be trusted
///
/// Finds what is damaged or doubtful and counts as a result all the same, says what it does to each
/// arm's rates, and which contrasts turn when it is left out. Reads the log tree only, also one that
/// upstream's own CLI wrote. Ends with 1 if a contrast turns.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct AuditArgs {
    /// The arm that the others are held against [default: the experiment's first arm, otherwise the
    /// first by name]
    #[arg(long, value_name = "ARM")]
    baseline: Option<String>,
    /// The format
    #[arg(long, default_value = "text", value_parser = one_of::<StudyFormat>())]
    format: StudyFormat,
    /// Write to a file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    selection: ArmSelection,
}

pub fn run(args: &AuditArgs, ui: &Ui) -> Result<u8> {
    let study = args.selection.open_mixed(ui)?;
    let audit = audit(&study, args.baseline.as_deref())?;
    match &args.output {
        None if args.format == StudyFormat::Text => {
            ui.data(&audit::text(&audit, width::columns()))?;
        }
        None => ui.data(&audit::render(&audit, args.format))?,
        Some(path) => {
            let mut to = Destination::of(Some(path), ui)?;
            to.write(&audit::render(&audit, args.format))?;
            to.finish()?;
        }
    }
    Ok(if audit.turned().next().is_some() {
        exit::ERRORS
    } else {
        exit::OK
    })
}
