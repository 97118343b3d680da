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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::made::{at, diagnosis, pair, pass, with};

    /// One pair of each kind: missing, unreadable, finished, and failed by each cause.
    fn surveyed() -> Vec<Surveyed> {
        let failed = |n, cause| with(pair(n), "old", Finding::Failed(diagnosis(cause)));
        vec![
            at(pair(2), Standing::Missing),
            at(pair(3), Standing::Unreadable("it is a list".to_owned())),
            with(pair(4), "old", Finding::Finished),
            with(pair(5), "old", Finding::Unmatched),
            failed(6, Cause::Infra),
            failed(7, Cause::Agent),
            failed(8, Cause::Config),
        ]
    }

    fn features(pairs: &[Pair]) -> Vec<u64> {
        pairs.iter().map(|pair| pair.features[1]).collect()
    }

    #[test]
    fn a_set_up_that_failed_runs_again_by_a_new_command_only() {
        for (first, settled, to_run) in [
            (true, &[7][..], &[2, 3, 5, 6, 8][..]),
            (false, &[7, 8], &[2, 3, 5, 6]),
        ] {
            let plan = Plan::of(&surveyed(), first, &Pass::default());
            assert_eq!(features(&plan.finished), [4]);
            assert_eq!(features(&plan.settled), settled);
            assert_eq!(features(&plan.to_run), to_run);
            assert_eq!(plan.total(), 7);
        }
    }

    #[test]
    fn what_a_pass_has_still_to_replace_runs_however_it_ended() {
        let pairs = [4, 7].map(|n| (pair(n), Some("old")));
        let plan = Plan::of(&surveyed(), false, &pass(&pairs));
        assert_eq!(features(&plan.to_run), [2, 3, 4, 5, 6, 7]);
        let pairs = [4, 7].map(|n| (pair(n), Some("older")));
        let plan = Plan::of(&surveyed(), false, &pass(&pairs));
        assert_eq!(features(&plan.finished), [4]);
    }
}
