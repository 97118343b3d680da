//! How a program ended by the last event of its stream that says so.

use serde_json::Value;

use super::{error_of, tail, text_of};
use crate::bench::believable_cost;
use crate::store::PairDir;
use crate::store::words::{Author, KnownText, status};

/// The last event of a stream that says how its program ended: once more where that went on after
/// it had ended before.
#[derive(Clone, Debug)]
pub struct LastEvent {
    event: Value,
}

/// Reads it from an agent's stream.
#[must_use]
pub fn ended(dir: &PairDir, agent: &str) -> Option<LastEvent> {
    let tail = tail(dir, &dir.of_program(agent, "stream.jsonl")?)?;
    // Tails are long, and one line of them is parsed.
    let may_end = |line: &&str| {
        ["\"result\"", "\"turn.completed\"", "\"turn.failed\""]
            .iter()
            .any(|kind| line.contains(kind))
    };
    let ends = tail.lines().rev().filter(may_end);
    let event = ends
        .filter_map(|line| crate::json::of_text::<Value>(line).ok())
        .find(|event| {
            matches!(
                event["type"].as_str(),
                Some("result" | "turn.completed" | "turn.failed")
            )
        })?;
    Some(LastEvent { event })
}

impl LastEvent {
    /// What ended the agent; nothing where that is no error. Of an agent whose result says that it
    /// submitted. The words may be the agent's own.
    #[must_use]
    pub fn words(&self) -> Option<KnownText> {
        let last = &self.event;
        let code = status(&last["api_error_status"]);
        let said = text_of(&last["result"]).or_else(|| error_of(last));
        let (text, author) = match (last["type"].as_str(), code) {
            (Some("turn.failed"), _) => (
                said.unwrap_or_else(|| "its turn failed".to_owned()),
                Author::Client,
            ),
            (Some("result"), Some(code)) if last["is_error"] == true => (
                said.unwrap_or_else(|| format!("a call was answered with status {code}")),
                Author::Client,
            ),
            // No field vouches for its text.
            (Some("result"), None) if last["is_error"] == true => (said?, Author::Agent),
            _ => return None,
        };
        Some(KnownText::new("stream.jsonl", text, author))
    }

    /// What all that its program did has cost, in USD, as Claude Code tells it.
    #[must_use]
    pub fn cost(&self) -> Option<f64> {
        believable_cost(self.event["total_cost_usd"].as_f64()?)
    }
}
