//! What a run does, as lines.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::state::{Eta, RunState};
use crate::bench::Cost;
use crate::bench::cost::dollars;
use crate::runner::limit::local;
use crate::store::live::{Hold, LiveTrial, LiveWorker};
use crate::text::paint::broken;
use crate::text::{NAME, duration, fit, one_line, plural};

/// The longest text that is told of what it waits for.
const WORDS: usize = 200;

/// How long the run's command is at it, what it waits for, and each trial that runs; nothing of a
/// run at rest.
pub fn told(state: &RunState, at_once: usize, now: Timestamp) -> String {
    let mut out = String::new();
    if !state.is_running() {
        return out;
    }
    let live = &state.live;
    let since = |at: Timestamp| duration(now.duration_since(at).as_secs_f64().max(0.0));
    if let (Some(begun), Some(last)) = (live.begun_at, live.last_at) {
        let eta = match state.eta(at_once, now) {
            Some(Eta::Seconds(seconds)) => format!(", ETA {}", duration(seconds)),
            Some(Eta::Unknown) => ", ETA unknown".to_owned(),
            None => String::new(),
        };
        let (begun, last) = (since(begun), since(last));
        let _ = writeln!(out, "  for {begun}, last heard of {last} ago{eta}");
    }
    if let Some((at, by)) = &live.paused {
        let by = one_line(&by.to_string(), NAME);
        let paused = format!("paused {} ago by {by}: nothing new begins", since(*at));
        let _ = writeln!(out, "  {}", broken(paused));
    }
    if let Some(hold) = &live.hold {
        let _ = writeln!(out, "  {}", broken(of_hold(hold)));
    }
    if let Some(slowed) = &live.pace {
        let _ = writeln!(
            out,
            "  slowed {} ago to {} at once: {}",
            since(slowed.at),
            plural(slowed.limit, "model call"),
            one_line(&slowed.why, WORDS)
        );
    }
    if let Some((at, text)) = &live.note {
        let _ = writeln!(out, "  said {} ago: {}", since(*at), one_line(text, WORDS));
    }
    let workers = live.workers.in_words();
    let has_workers = workers.is_some();
    if let Some(workers) = workers {
        let _ = writeln!(out, "  {workers}");
    }
    let rows: Vec<Vec<String>> = live
        .trials
        .iter()
        .map(|(pair, trial)| {
            let steps = trial.answers.steps();
            let node = live.workers.of(pair).map(LiveWorker::shown_node);
            let mut row = vec![pair.to_string()];
            row.extend(has_workers.then(|| node.unwrap_or_default()));
            row.extend([
                since(trial.begun_at),
                steps.unwrap_or_else(|| "no answer yet".to_owned()),
                cost(trial).to_string(),
                format!("{} ago", since(trial.last_at)),
            ]);
            row
        })
        .collect();
    for line in fit::spaced(&rows, 2).lines() {
        let _ = writeln!(out, "    {line}");
    }
    out
}

/// Why nothing new is begun.
fn of_hold(hold: &Hold) -> String {
    match hold {
        Hold::BackOff { why, .. } | Hold::Reset { why, .. } => {
            format!("reason: {}", one_line(why, WORDS))
        }
        Hold::Limit { resets_at, text } => format!(
            "nothing new begins: a limit is reached, which resets at {}: {}",
            local(*resets_at),
            one_line(text, WORDS)
        ),
        Hold::Budget { spent, budget } => format!(
            "nothing new begins: {} of the budget of {} are spent",
            dollars(*spent),
            dollars(*budget)
        ),
        Hold::Breaker { trials, error } => format!(
            "nothing new begins: {} ended in `{}`",
            plural(*trials, "trial"),
            one_line(error, WORDS)
        ),
        Hold::Stopping { signal, .. } if signal.is_empty() => "stopping now".to_owned(),
        Hold::Stopping { signal, until } => format!(
            "nothing new begins: {}; what runs has until {}",
            one_line(signal, WORDS),
            local(*until)
        ),
    }
}

/// What is known of the cost so far; before the first answer nothing was spent.
pub(super) fn cost(trial: &LiveTrial) -> Cost {
    match trial.answers.spent() {
        Some(spent) => Cost {
            usd: spent.cost,
            is_partial: spent.usage_unknown,
        },
        None => Cost::whole(0.0),
    }
}
