//! What agents' programs spent after the end that upstream read of them. Pure.

use super::surveyed::Judged;
use crate::bench::Cost;
use crate::store::stream::LastEvent;
use crate::store::{LedgerEntry, TrialRecord};

/// What an agent's program spent beyond its result.
#[derive(Clone, Debug, PartialEq)]
pub struct Beyond {
    /// The agent's id: `solo`, `agent1` or `agent2`.
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

impl Judged {
    /// What the trial cost with what its agents' programs spent beyond the result.
    #[must_use]
    pub fn spent(&self) -> Cost {
        Cost {
            usd: self.cost.usd.map(|usd| usd + self.beyond_usd()),
            ..self.cost
        }
    }

    fn beyond_usd(&self) -> f64 {
        self.beyond.iter().map(|it| it.usd).sum()
    }

    /// What the trial adds to a total: all of it, or of one that is booked, what was not known when
    /// it was. Zeros may have been booked that are not believed any more.
    pub(super) fn unbooked(&self, booked: Option<&LedgerEntry>) -> Cost {
        let spent = self.spent();
        let is_nothing = |entry: &LedgerEntry| entry.cost == Some(0.0) && !entry.usage_unknown;
        let Some(booked) = booked.filter(|entry| !is_nothing(entry)) else {
            return spent;
        };
        let both = spent.usd.zip(booked.cost);
        let more = both.map_or(0.0, |(spent, booked)| spent - booked);
        Cost::whole(more.clamp(0.0, self.beyond_usd()))
    }
}
