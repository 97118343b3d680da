//! `regatta cancel`.

use clap::Args;

use super::asking::{WheelArgs, ask, run_name};
use crate::cli::ui::Ui;
use crate::error::{Error, Result, exit};
use crate::store::wheel::Ask;

const EXAMPLES: &str = "\
Examples:
  regatta cancel dspy_task/8394/f3_f5
  regatta cancel command-a-solo dspy_task/8394/f3_f5 dspy_task/8394/f1_f2
  regatta cancel                       # the whole run, as after the first Ctrl-C";

/// End the trials of some pairs of a run that goes on, or the whole run
///
/// What such a trial spent is booked. The pair has no result then, for the reason `cancelled`; the next
/// `run` takes it again. Without a pair the run stops as after the first Ctrl-C. With upstream only the
/// whole run can be cancelled.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CancelArgs {
    /// A run [default: the one that goes on], and pairs of it, e.g. `dspy_task/8394/f3_f5` [default: the
    /// whole run]
    #[arg(value_name = "RUN|PAIR")]
    words: Vec<String>,
    #[command(flatten)]
    wheel: WheelArgs,
}

pub fn run(args: &CancelArgs, ui: &Ui) -> Result<u8> {
    // No run's name has a slash.
    let words = args.words.iter().cloned();
    let (pairs, runs): (Vec<String>, Vec<String>) = words.partition(|word| word.contains('/'));
    let run = run_name(&runs).map_err(|error| match error.hints() {
        [] => error.hint("a pair is repo_task/7/f1_f2"),
        _ => error,
    })?;
    if let Some(wrong) = pairs
        .iter()
        .find(|pair| crate::bench::Pair::of_text(pair).is_none())
    {
        return Err(Error::usage(format!("`{wrong}` is no pair"))
            .hint("a pair is a repository, a task and two features: repo_task/7/f1_f2"));
    }
    let are_pairs = !pairs.is_empty();
    ask(&args.wheel, run.as_ref(), Ask::Cancel { pairs }, ui)?;
    if are_pairs && !args.wheel.json {
        ui.say("what was spent is booked; the next `run` takes what was cancelled");
    }
    Ok(exit::OK)
}
