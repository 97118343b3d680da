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
    let rows: Vec<[String; 5]> = state
        .live
        .trials
        .iter()
        .map(|(pair, trial)| {
            [
                pair.to_string(),
                since(trial.begun_at),
                steps(trial),
                cost(trial).to_string(),
                format!("{} ago", since(trial.last_at)),
            ]
        })
        .collect();
    for row in &rows {
        out.push_str("   ");
        for (column, cell) in row.iter().enumerate() {
            let widest = rows.iter().map(|row| fit::width(&row[column])).max();
            let room = " ".repeat(widest.unwrap_or(0) - fit::width(cell));
            if column == 0 {
                let _ = write!(out, " {cell}{room}");
            } else {
                let _ = write!(out, "  {room}{cell}");
            }
        }
        out.push('\n');
    }
    out
}

/// The answers that each agent had: `step 12`, or of two agents `step 12+9`.
fn steps(trial: &LiveTrial) -> String {
    let answers: Vec<String> = trial.agents.values().map(|(n, _)| n.to_string()).collect();
    match answers.as_slice() {
        [] => "no answer yet".to_owned(),
        more => format!("step {}", more.join("+")),
    }
}

/// What is known of the cost so far; before the first answer nothing was spent.
fn cost(trial: &LiveTrial) -> Cost {
    let spent = trial.spent();
    Cost {
        usd: if trial.agents.is_empty() {
            Some(0.0)
        } else {
            spent.cost
        },
        is_partial: spent.usage_unknown,
    }
}
