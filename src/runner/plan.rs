//! Which pairs run. Pure: it is told what stands.

use crate::bench::Pair;
use crate::store::Pass;
use crate::survey::{Standing, Surveyed};
use crate::triage::{Cause, Finding};

/// What stands and what is to run, of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Pairs whose trial finished, and which no forced pass replaces.
    pub finished: Vec<Pair>,
    /// Pairs that ended in an error which another attempt would not change.
    pub settled: Vec<Pair>,
    /// Pairs to run, in the subset's order.
    pub to_run: Vec<Pair>,
}

impl Plan {
    /// The plan for one attempt.
    ///
    /// An agent's own error is a result and is not run again. A configuration error is run again
    /// only by a new command (`first`), which the user gives after mending something. What a forced
    /// pass has still to replace is run, however it ended.
    #[must_use]
    pub fn of(surveyed: &[Surveyed], first: bool, pass: &Pass) -> Self {
        let mut plan = Self {
            finished: Vec::new(),
            settled: Vec::new(),
            to_run: Vec::new(),
        };
        for pair in surveyed {
            let list = match &pair.standing {
                Standing::Missing | Standing::Unreadable(_) => &mut plan.to_run,
                Standing::Result(judged) if pass.replaces(&pair.pair, &judged.record.trial) => {
                    &mut plan.to_run
                }
                Standing::Result(judged) => match &judged.finding {
                    Finding::Finished => &mut plan.finished,
                    finding if finding.is_retryable() => &mut plan.to_run,
                    Finding::Failed(diagnosis) if first && diagnosis.cause == Cause::Config => {
                        &mut plan.to_run
                    }
                    _ => &mut plan.settled,
                },
            };
            list.push(pair.pair.clone());
        }
        plan
    }

    /// How many pairs there are.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.finished.len() + self.settled.len() + self.to_run.len()
    }
}
