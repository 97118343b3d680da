//! How what agents' programs spent beyond their results is told. Pure.

use serde::Serialize;

use crate::bench::cost::dollars;
use crate::text::{plural, some};

/// What an agent of a pair that stands spent beyond its result.
#[derive(Clone, Debug, Serialize)]
pub struct OfPair {
    /// The pair, `repo/task/fi_fj`.
    pub pair: String,
    /// The agent's id: `solo`, `agent1`, `agent2`, …
    pub agent: String,
    /// How much more than its result says, in USD.
    pub usd: f64,
}

/// What it is, how much, and whose, in one line; nothing where there is none. `name` writes names
/// for where they are shown.
pub(super) fn told(beyond: &[OfPair], name: impl Fn(&str) -> String) -> Option<String> {
    if beyond.is_empty() {
        return None;
    }
    let sum = beyond.iter().map(|it| it.usd).sum();
    let named = beyond.iter().map(|it| {
        format!(
            "{} {} ({})",
            name(&it.pair),
            name(&it.agent),
            dollars(it.usd)
        )
    });
    let named: Vec<String> = named.collect();
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    Some(format!(
        "cost beyond the results, in the total spent only: {} of {}, whose programs went on after the end that upstream read: {}",
        dollars(sum),
        plural(beyond.len(), "agent"),
        some(&named, 6)
    ))
}
