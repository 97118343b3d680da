//! `regatta compare`.

use std::path::PathBuf;

use clap::Args;

use super::arms::ArmSelection;
use super::destination::Destination;
use super::listing::one_of;
use super::ui::Ui;
use super::width;
use crate::error::{Result, exit};
use crate::study::{ArmsCompared, Family, StudyFormat, text};

const EXAMPLES: &str = "\
Examples:
  regatta compare                                # every arm less the first one
  regatta compare solo talk                      # talk less solo
  regatta compare nano_control 'nano_*_git_*'    # patterns of runs; repeats are pooled
  regatta compare --format json -o compare.json  # with every number";

/// Hold arms and runs against each other
///
/// Repeats are pooled into arms: by their manifests, else by a number at the end of their names (_2,
/// -r2), else by the groups of the configuration. The first arm is the baseline. Differences are of the
/// pairs that were judged in both. Reads the log tree only, also one that upstream's own CLI wrote.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompareArgs {
    /// The format
    #[arg(long, default_value = "text", value_parser = one_of::<StudyFormat>())]
    format: StudyFormat,
    /// Write to a file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Hold every two arms against each other, instead of each against the first
    #[arg(long)]
    every_two: bool,
    #[command(flatten)]
    selection: ArmSelection,
}

pub fn run(args: &CompareArgs, ui: &Ui) -> Result<u8> {
    let study = args.selection.open(ui)?;
    let family = if args.every_two {
        Family::EveryTwo
    } else {
        Family::LessFirst
    };
    let compared = ArmsCompared::of(&study, family);
    if args.output.is_none() && args.format == StudyFormat::Text {
        ui.data(&text::compared(&compared, width::columns()))?;
        return Ok(exit::OK);
    }
    let mut to = Destination::of(args.output.as_deref(), ui)?;
    to.write(&args.format.compared(&compared))?;
    to.finish()?;
    Ok(exit::OK)
}
