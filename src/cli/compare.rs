//! `regatta compare`.

use clap::Args;

use super::arms::ArmSelection;
use super::ui::Ui;
use crate::error::{Result, exit};

/// Hold runs and arms against each other
#[derive(Debug, Args)]
pub struct CompareArgs {
    #[command(flatten)]
    selection: ArmSelection,
}

pub fn run(args: &CompareArgs, ui: &Ui) -> Result<u8> {
    let study = args.selection.open(ui)?;
    for arm in &study.arms {
        ui.data(&format!("{}: {} runs\n", arm.name, arm.runs.len()))?;
    }
    for note in &study.notes {
        ui.say(note);
    }
    Ok(exit::OK)
}
