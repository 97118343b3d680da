//! `regatta status`.

mod as_json;
mod running;
mod state;
mod watch;

use std::fmt::Write as _;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::options::{RunSelection, SelectedRuns};
use super::ui::Ui;
use super::{tree, width};
use crate::bench::Pair;
use crate::bench::cost::dollars;
use crate::error::{Result, exit};
use crate::json;
use crate::model::price::PriceTable;
use crate::report::{Outcome, Summary, Totals};
use crate::runner::Plan;
use crate::store::run_config::RunConfig;
use crate::store::{Ledger, LedgerEntry, Manifest, Pass, RunDir};
use crate::survey::Stand;
use crate::text::paint::{broken, faint, good, strong};
use crate::text::{NAME, one_line, plural};
use crate::triage::Rules;
use as_json::RunStatus;
use state::{AskedFor, Forced, RunState};

const EXAMPLES: &str = "\
Examples:
  regatta status
  regatta status --watch
  regatta status command-a-solo --json
  regatta status command-a-solo --logs-dir results";

/// Show what is finished, running and left, from disk
///
/// It disturbs nothing: another regatta may be running.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct StatusArgs {
    /// Show it again every 2 seconds, in place, until Ctrl-C
    #[arg(short, long)]
    watch: bool,
    /// Print it as one JSON object
    #[arg(long, conflicts_with = "watch")]
    json: bool,
    #[command(flatten)]
    selection: RunSelection,
}

pub async fn run(args: &StatusArgs, ui: &Ui) -> Result<u8> {
    let layers = args.selection.layers()?;
    if args.watch {
        return watch::watch(&args.selection, &layers, ui).await;
    }
    let found = args.selection.read(tree::config(&layers, ui)?)?;
    found.say_misnamed(ui);
    if args.json {
        let runs = found.runs.iter();
        let told = runs.map(|run| Ok(status(run, &found.rules, &found.prices)?.2));
        let told = json!({ "runs": told.collect::<Result<Vec<_>>>()? });
        ui.data(&format!("{}\n", json::line(&told)))?;
    } else {
        width::page(&of_runs(&found)?, ui)?;
    }
    Ok(exit::OK)
}

/// What there is to say of runs, and of all of them together.
fn of_runs(found: &SelectedRuns) -> Result<String> {
    let (mut text, mut summaries) = (String::new(), Vec::new());
    for run in &found.runs {
        let (told, summary, _) = status(run, &found.rules, &found.prices)?;
        text.push_str(&told);
        summaries.push(summary);
    }
    if summaries.len() > 1 {
        text.push_str(&of_all(&Totals::of(&summaries)));
    }
    Ok(text)
}

/// What all runs come to.
fn of_all(totals: &Totals) -> String {
    let missing = totals.count_of(Outcome::Missing);
    let errors = totals.pairs - totals.finished - missing;
    format!(
        "{}: {}, {} finished, {}, {missing} without a result\n  cost of the results that stand {}, spent on every trial {}\n",
        strong(totals.name()),
        plural(totals.pairs, "pair"),
        totals.finished,
        in_error(errors),
        totals.headline_cost,
        totals.total_spent
    )
}

fn status(
    run: &RunDir,
    rules: &Rules,
    prices: &PriceTable,
) -> Result<(String, Summary, RunStatus)> {
    let now = Timestamp::now();
    // The results are read after the events: what these say still runs may have ended since.
    let (mut state, told) = RunState::read(run)?;
    let stand = Stand::with(run, rules, prices, told)?;
    let runs = |pair: &Pair| stand.unbooked.iter().any(|it| it.pair == *pair);
    state.live.trials.retain(|pair, _| runs(pair));
    let summary = Summary::of_run(run, &stand);
    let ledger = &stand.books.ledger;
    let mut text = String::new();
    let pass = Pass::read_open(&run.pass())?;
    // Another attempt does not change an error that is the agent's own: no command resumes it.
    let plan = Plan::of(&stand.surveyed, true, &pass);
    state.asked = match summary.asked {
        _ if stand.manifest.is_none() => AskedFor::Nothing,
        Some(_) => AskedFor::Part,
        None => AskedFor::All,
    };
    if pass.pairs.is_empty() {
        state.forced = Forced::No;
    } else if state.forced == Forced::No {
        state.forced = Forced::Later;
    }
    // What a pass would replace stands, unless the command that has the run goes on with it.
    let next = match state.forced {
        Forced::Now => plan.clone(),
        Forced::No | Forced::Later => Plan::of(&stand.surveyed, true, &Pass::default()),
    };
    state.settled = next.settled.len();
    let unseen = summary.pairs.saturating_sub(next.total());
    state.left = (next.to_run.len() + unseen).saturating_sub(summary.unasked());
    let told = state.told(now);
    let as_json = RunStatus::of(&told, &state, &summary);
    let is_well = state.is_running() || told.starts_with("complete");
    let told = if is_well { good(told) } else { told };
    let _ = writeln!(text, "{}: {told}", strong(run.name()));
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
        "  {}: {} finished ({} submitted), {}, {} without a result",
        plural(summary.pairs, "pair"),
        summary.finished,
        summary.submitted,
        in_error(errors),
        summary.count_of(Outcome::Missing)
    );
    if let Some(unread) = summary.not_read() {
        let _ = writeln!(text, "  {}: {unread}", broken("WARNING"));
    }
    let at_once = stand.manifest.as_ref().and_then(|it| it.concurrency);
    text.push_str(&running::told(&state, at_once.unwrap_or(1), now));
    // Of the native engine's trials that run there are lines; of upstream's it is known which those
    // are that it may have in hand.
    if state.live.trials.is_empty() || !state.is_running() {
        text.push_str(&of_unbooked(&stand.unbooked, state.is_running()));
    }
    text.push_str(&of_pass(&pass, &plan));
    let _ = writeln!(
        text,
        "  cost of the results that stand {}, {}",
        summary.headline_cost,
        spent(&summary, ledger, state.is_running())
    );
    Ok((text, summary, as_json))
}

/// How many pairs ended in an error.
fn in_error(errors: usize) -> String {
    let told = format!("{errors} in error");
    if errors == 0 {
        faint(told)
    } else {
        broken(told)
    }
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
    let pairs = plural(pass.pairs.len(), "pair");
    let left = match left {
        0 => format!("its {pairs} ran, and verdicts or other runs are left"),
        left => format!("{left} of its {pairs} left"),
    };
    format!(
        "  a forced pass begun at {:.0} is not closed: {left}; --force goes on with it\n",
        pass.begun_at
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
        |usd| format!("{} of their cost is known", dollars(usd)),
    );
    format!(
        "  died with regatta, and run again: {names}; {cost}, and the same command books them\n"
    )
}
