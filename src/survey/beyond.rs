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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::survey::made::{end, judged};

    /// What a program spent beyond a result of this cost, by its last end.
    fn beyond(written: f64, last: Option<f64>) -> Vec<(String, f64)> {
        let record = judged("mole", written).record;
        let found = Beyond::of(&record, &[last.map(end)]);
        found.into_iter().map(|it| (it.agent, it.usd)).collect()
    }

    #[test]
    fn a_program_that_went_on_spent_what_its_last_end_says_beyond_the_result() {
        assert_eq!(beyond(0.5, Some(0.75)), [("solo".to_owned(), 0.25)]);
        for (written, last) in [
            (0.5, Some(0.5)),
            // Sums of rounded numbers.
            (0.5, Some(0.500_000_5)),
            (0.5, Some(0.25)),
            // A result without a cost says of none of it that it was read.
            (0.0, Some(0.75)),
            (0.5, None),
        ] {
            assert_eq!(beyond(written, last), [], "{written} {last:?}");
        }
    }
}
