//! What agents' programs spent after the end that upstream read of them. Pure.

use crate::store::TrialRecord;
use crate::store::stream::LastEvent;

/// What an agent's program spent beyond its result.
#[derive(Clone, Debug, PartialEq)]
pub struct Beyond {
    /// The agent's id: `solo`, `agent1`, `agent2`, …
    pub agent: String,
    /// How much more than its result says, in USD.
    pub usd: f64,
}

/// Less is what sums of rounded numbers differ by, in USD.
const LEAST: f64 = 1e-6;

impl Beyond {
    /// What the ends of the agents' programs tell beyond their results: a program that goes on ends
    /// once more, upstream reads its first end, and the cost in the last is that of all.
    pub(super) fn of(record: &TrialRecord, ends: &[Option<LastEvent>]) -> Vec<Self> {
        let agents = record.agents.iter().zip(ends);
        let more = agents.filter_map(|(agent, end)| {
            let written = agent.cost.filter(|cost| *cost > 0.0)?;
            let usd = end.as_ref()?.cost()? - written;
            (usd > LEAST).then(|| Self {
                agent: agent.id.clone(),
                usd,
            })
        });
        more.collect()
    }
}
