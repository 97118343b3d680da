//! `regatta set`.

use std::collections::BTreeMap;

use clap::Args;

use super::asking::{WheelArgs, ask, run_name};
use crate::cli::ui::Ui;
use crate::error::{Error, Result, exit};
use crate::store::wheel::Ask;

const EXAMPLES: &str = "\
Examples:
  regatta set concurrency=8
  regatta set command-a-solo budget=50 max_wait=12h
  regatta set budget=none";

/// Change settings of a run that goes on
///
/// concurrency, budget, `max_attempts`, `max_wait`, backoff, `backoff_max`, `breaker_trials` and
/// `min_free_disk_gb` may change; what says what a trial is may not. It holds for all runs of the
/// command, and until it ends. The manifest keeps it. With upstream another concurrency holds from the
/// next attempt on.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SetArgs {
    /// A run [default: the one that goes on], and settings with their new values
    #[arg(value_name = "RUN|KEY=VALUE", required = true)]
    words: Vec<String>,
    #[command(flatten)]
    wheel: WheelArgs,
}

pub fn run(args: &SetArgs, ui: &Ui) -> Result<u8> {
    let words = args.words.iter().cloned();
    let (pairs, runs): (Vec<String>, Vec<String>) = words.partition(|word| word.contains('='));
    let mut settings = BTreeMap::new();
    for text in &pairs {
        let (key, value) = text.split_once('=').unwrap_or((text, ""));
        let (key, value) = (key.trim(), value.trim());
        if settings.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(Error::usage(format!("`{key}` is set twice")).hint("give it once"));
        }
    }
    if settings.is_empty() {
        return Err(Error::usage("no setting is given")
            .hint("write a key and its value: regatta set concurrency=8"));
    }
    let run = run_name(&runs)?;
    ask(&args.wheel, run.as_ref(), Ask::Set { settings }, ui)?;
    Ok(exit::OK)
}
