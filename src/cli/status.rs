//! `regatta status`.

use std::fmt::Write as _;

use clap::Args;

use super::options::RunSelection;
use super::report::Stand;
use super::ui::{Ui, bold};
use crate::engine::upstream::command::in_hand;
use crate::error::{Result, exit};
use crate::model::price::PriceTable;
use crate::report::summary::{Outcome, cut_off};
use crate::report::text::plural;
use crate::runner::Plan;
use crate::store::events::History;
use crate::store::lock::RunLock;
use crate::store::{Pass, RunDir};
use crate::triage::Rules;

/// Show what is finished, running and left, from disk
///
/// It disturbs nothing: another regatta may be running.
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    selection: RunSelection,
}

pub fn run(args: &StatusArgs, ui: &Ui) -> Result<u8> {
    let found = args.selection.open()?;
    for run in &found.runs {
        ui.data(&status(
            run,
            found.config.experiment.concurrency,
            &found.rules,
            &found.prices,
        )?)?;
    }
    Ok(exit::OK)
}

fn status(run: &RunDir, concurrency: usize, rules: &Rules, prices: &PriceTable) -> Result<String> {
    let stand = Stand::read(run, rules, prices)?;
    let summary = stand.summary(run);
    let ledger = &stand.books.ledger;
    let history = History::of_run(run)?;
    let holder = RunLock::holder(run);
    let mut text = String::new();
    let state = match (&holder, summary.unfinished()) {
        (Some(holder), _) => format!(
            "running, by {holder}, attempt {}",
            history.last_attempt.max(1)
        ),
        (None, 0) => "complete".to_owned(),
        (None, _) if history.open.is_some() => {
            "died in its last attempt; the same command resumes".to_owned()
        }
        (None, left) => format!("not running, {left} left; the same command resumes"),
    };
    let _ = writeln!(text, "{}: {state}", bold(run.name()));
    let errors = summary.unfinished() - summary.count_of(Outcome::Missing);
    let _ = writeln!(
        text,
        "  {}: {} finished ({} submitted), {errors} in error, {} without a result",
        plural(summary.pairs, "pair"),
        summary.finished,
        summary.submitted,
        summary.count_of(Outcome::Missing)
    );
    if let (Some(_), Some(open), Some(manifest)) = (&holder, &history.open, &stand.manifest) {
        let recorded = |pair: &str| {
            let mut entries = ledger.entries().iter();
            entries
                .any(|entry| entry.attempt == Some(open.attempt) && entry.pair.to_string() == pair)
        };
        let left: Vec<_> = manifest
            .pairs
            .iter()
            .filter(|pair| {
                let name = pair.to_string();
                open.pairs.contains(&name) && !recorded(&name)
            })
            .cloned()
            .collect();
        let running: Vec<String> = in_hand(&left, concurrency)
            .iter()
            .map(ToString::to_string)
            .collect();
        let _ = writeln!(
            text,
            "  running now, by upstream's order: {}",
            running.join(", ")
        );
    }
    text.push_str(&of_pass(run, &stand)?);
    let _ = writeln!(
        text,
        "  cost of the results that stand {}, spent on {} {}{}",
        summary.headline_cost,
        plural(summary.trials, "trial"),
        summary.total_spent,
        match cut_off(ledger.entries()) {
            0 => String::new(),
            n => format!(" ({n} cut off)"),
        }
    );
    Ok(text)
}

/// A line on a forced pass that is not done, whose pairs may look finished.
fn of_pass(run: &RunDir, stand: &Stand) -> Result<String> {
    let pass = Pass::read_open(&run.pass())?;
    if pass.pairs.is_empty() {
        return Ok(String::new());
    }
    let to_run = Plan::of(&stand.surveyed, true, &pass).to_run;
    let left = to_run.iter().filter(|pair| pass.covers(pair)).count();
    Ok(format!(
        "  a forced pass begun at {:.0} is not closed: {left} of its {} left; the same command goes on with it\n",
        pass.begun_at,
        plural(pass.pairs.len(), "pair")
    ))
}
