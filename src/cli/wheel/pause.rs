//! `regatta pause`.

use clap::Args;

use super::asking::{WheelArgs, ask};
use crate::bench::RunName;
use crate::cli::ui::Ui;
use crate::error::{Result, exit};
use crate::hint;
use crate::store::wheel::Ask;

const EXAMPLES: &str = "\
Examples:
  regatta pause
  regatta pause command-a-solo";

/// Begin no further pair of a run that goes on; what runs goes on
///
/// It holds for all runs of the command, and until `regatta resume`. With upstream the attempt ends when
/// what runs has ended; `resume` begins the next one.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PauseArgs {
    /// A run [default: the one that goes on]
    #[arg(value_name = "RUN")]
    run: Option<RunName>,
    #[command(flatten)]
    wheel: WheelArgs,
}

pub fn run(args: &PauseArgs, ui: &Ui) -> Result<u8> {
    let answer = ask(&args.wheel, args.run.as_ref(), Ask::Pause, ui)?;
    if answer.done && !args.wheel.json {
        let resume = match &args.run {
            Some(run) => hint::command(&format!("resume {run}")),
            None => hint::command("resume"),
        };
        ui.say(format!("`{resume}` begins again"));
    }
    Ok(exit::OK)
}
