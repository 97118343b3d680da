//! `regatta status`.

use std::fmt::Write as _;

use clap::Args;
use jiff::Timestamp;

use super::options::RunSelection;
use super::ui::{Ui, bold};
use crate::bench::cost::dollars;
use crate::error::{Result, exit};
use crate::model::price::PriceTable;
use crate::report::{Outcome, Summary, Totals};
use crate::runner::Plan;
use crate::runner::limit::local;
use crate::store::events::History;
use crate::store::lock::RunLock;
use crate::store::run_config::RunConfig;
use crate::store::{Ledger, LedgerEntry, Manifest, Pass, RunDir};
use crate::survey::Stand;
use crate::text::{NAME, one_line, plural};
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
    found.say_misnamed(ui);
    let mut summaries = Vec::new();
    for run in &found.runs {
        let (text, summary) = status(run, &found.rules, &found.prices)?;
        ui.data(&text)?;
        summaries.push(summary);
    }
    if summaries.len() > 1 {
        ui.data(&of_all(&Totals::of(&summaries)))?;
    }
    Ok(exit::OK)
}

/// What all runs come to.
fn of_all(totals: &Totals) -> String {
    let missing = totals.count_of(Outcome::Missing);
    format!(
        "{}: {}, {} finished, {} in error, {missing} without a result\n  cost of the results that stand {}, spent on every trial {}\n",
        totals.name(),
        plural(totals.pairs, "pair"),
        totals.finished,
        totals.pairs - totals.finished - missing,
        totals.headline_cost,
        totals.total_spent
    )
}

fn status(run: &RunDir, rules: &Rules, prices: &PriceTable) -> Result<(String, Summary)> {
    let stand = Stand::read(run, rules, prices)?;
    let summary = Summary::of_run(run, &stand);
    let ledger = &stand.books.ledger;
    let history = History::of_run(run)?;
    let holder = RunLock::holder(run);
    let mut text = String::new();
    let pass = Pass::read_open(&run.pass())?;
    let is_forced = !pass.pairs.is_empty();
    // Another attempt does not change an error that is the agent's own: no command resumes it.
    let plan = Plan::of(&stand.surveyed, true, &pass);
    let settled = plan.settled.len();
    let left = summary.unfinished() - settled - summary.unasked();
    let waits = history.waits_until.filter(|at| *at > Timestamp::now());
    let state = match &holder {
        Some(holder) if waits.is_some() => format!(
            "waiting until {} for a limit to reset, by {holder}",
            waits.map(local).unwrap_or_default()
        ),
        Some(holder) => format!(
            "running, by {holder}, attempt {}",
            history.last_attempt.max(1)
        ),
        None if left == 0 && is_forced => {
            "every pair has finished; a forced pass is open".to_owned()
        }
        None if left == 0 && settled > 0 => format!(
            "complete; {} ended in an error of the agent's own",
            plural(settled, "pair")
        ),
        None if left == 0 && summary.asked.is_some() => {
            "complete, as far as it was asked for".to_owned()
        }
        None if left == 0 => "complete".to_owned(),
        None if stand.manifest.is_none() => {
            format!("not running, {left} left; the cooperbench command that began it resumes")
        }
        None if history.open.is_some() => {
            "died in its last attempt; the same command resumes".to_owned()
        }
        None => format!("not running, {left} left; the same command resumes"),
    };
    let _ = writeln!(text, "{}: {state}", bold(run.name()));
    if let Some(asked) = summary.told_asked() {
        let _ = writeln!(text, "  {asked}: {} not yet", summary.unasked());
    }
    match &stand.manifest {
        Some(manifest) => {
            let _ = writeln!(text, "  {}", in_force(manifest));
        }
        None => text.push_str(&of_others(run, &summary)),
    }
    let errors = summary.unfinished() - summary.count_of(Outcome::Missing);
    let _ = writeln!(
        text,
        "  {}: {} finished ({} submitted), {errors} in error, {} without a result",
        plural(summary.pairs, "pair"),
        summary.finished,
        summary.submitted,
        summary.count_of(Outcome::Missing)
    );
    if let Some(unread) = summary.not_read() {
        let _ = writeln!(text, "  WARNING: {unread}");
    }
    text.push_str(&of_unbooked(&stand.unbooked, holder.is_some()));
    text.push_str(&of_pass(&pass, &plan));
    let _ = writeln!(
        text,
        "  cost of the results that stand {}, {}",
        summary.headline_cost,
        spent(&summary, ledger, holder.is_some())
    );
    Ok((text, summary))
}

/// What every trial cost. Without a ledger nobody knows how many there were.
fn spent(summary: &Summary, ledger: &Ledger, is_running: bool) -> String {
    if !summary.has_ledger {
        return format!("spent {} (no ledger)", summary.total_spent);
    }
    let cut_off = ledger.entries().iter().filter(|it| it.is_cut_off());
    let unbooked = if is_running { "running" } else { "died" };
    let parts = [(cut_off.count(), "cut off"), (summary.unbooked, unbooked)];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let parts = match parts.as_slice() {
        [] => String::new(),
        parts => format!(" ({})", parts.join(", ")),
    };
    format!(
        "spent on {} {}{parts}",
        plural(summary.trials, "trial"),
        summary.total_spent
    )
}

/// What is known of a run that has no manifest.
fn of_others(run: &RunDir, summary: &Summary) -> String {
    let config = RunConfig::read(run).unwrap_or_default();
    let agent = summary
        .agent
        .as_deref()
        .or_else(|| config.agent_framework());
    let model = summary.model.as_deref().or_else(|| config.model());
    let known = [
        summary.setting.map(|setting| setting.to_string()),
        agent.map(|agent| format!("agent {}", one_line(agent, NAME))),
        model.map(|model| format!("model {}", one_line(model, NAME))),
    ];
    let known: Vec<String> = known.into_iter().flatten().collect();
    if known.is_empty() {
        return String::new();
    }
    format!("  {}\n", known.join(", "))
}

/// A line on a forced pass that is not done, whose pairs may look finished.
fn of_pass(pass: &Pass, plan: &Plan) -> String {
    if pass.pairs.is_empty() {
        return String::new();
    }
    let left = plan.to_run.iter().filter(|pair| pass.covers(pair)).count();
    format!(
        "  a forced pass begun at {:.0} is not closed: {left} of its {} left; --force goes on with it\n",
        pass.begun_at,
        plural(pass.pairs.len(), "pair")
    )
}

/// What the run is made of, by its own manifest.
fn in_force(manifest: &Manifest) -> String {
    let at_once = manifest.concurrency.map_or_else(String::new, |count| {
        format!(", {} at a time", plural(count, "pair"))
    });
    format!(
        "engine {}, agent {}, backend {}{at_once}, model {} at {}",
        manifest.engine,
        manifest.agent,
        manifest.backend,
        manifest.model,
        manifest.api_base.as_deref().unwrap_or("its provider")
    )
}

/// A line on the trials that the last attempt began and that the ledger lacks.
fn of_unbooked(trials: &[LedgerEntry], is_running: bool) -> String {
    if trials.is_empty() {
        return String::new();
    }
    let known = trials
        .iter()
        .filter_map(|trial| trial.cost)
        .reduce(|a, b| a + b);
    let names: Vec<String> = trials.iter().map(|trial| trial.pair.to_string()).collect();
    let names = names.join(", ");
    if is_running {
        let so_far = known.map_or_else(String::new, |usd| format!(", {} so far", dollars(usd)));
        return format!("  running now{so_far}: {names}\n");
    }
    let cost = known.map_or_else(
        || "what they cost is not known".to_owned(),
        |usd| format!("{} of them are known", dollars(usd)),
    );
    format!(
        "  died with regatta, and run again: {names}; {cost}, and the same command books them\n"
    )
}
