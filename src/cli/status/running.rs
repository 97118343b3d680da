//! The trials that run, as lines.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::state::RunState;
use crate::bench::Cost;
use crate::store::live::LiveTrial;
use crate::text::{duration, fit};

/// How long the run's command is at it, and each trial that runs; nothing of a run at rest.
pub fn told(state: &RunState, now: Timestamp) -> String {
    let mut out = String::new();
    if !state.is_running() {
        return out;
    }
    let since = |at: Timestamp| duration(now.duration_since(at).as_secs_f64());
    if let (Some(begun), Some(last)) = (state.live.begun_at, state.live.last_at) {
        let eta = match state.seconds_left(now) {
            Some(seconds) => format!(", ETA {}", duration(seconds)),
            None => String::new(),
        };
        let (begun, last) = (since(begun), since(last));
        let _ = writeln!(out, "  for {begun}, last heard of {last} ago{eta}");
    }
    let rows: Vec<Vec<String>> = state
        .live
        .trials
        .iter()
        .map(|(pair, trial)| {
            let steps = trial.answers.steps();
            vec![
                pair.to_string(),
                since(trial.begun_at),
                steps.unwrap_or_else(|| "no answer yet".to_owned()),
                cost(trial).to_string(),
                format!("{} ago", since(trial.last_at)),
            ]
        })
        .collect();
    for line in fit::spaced(&rows, 2).lines() {
        let _ = writeln!(out, "    {line}");
    }
    out
}

/// What is known of the cost so far; before the first answer nothing was spent.
fn cost(trial: &LiveTrial) -> Cost {
    match trial.answers.spent() {
        Some(spent) => Cost {
            usd: spent.cost,
            is_partial: spent.usage_unknown,
        },
        None => Cost::whole(0.0),
    }
}
