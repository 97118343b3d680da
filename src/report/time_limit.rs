//! Trials that the time limit ended, arm by arm: where it cuts one more than another, it takes part
//! in the comparison. Pure.

use serde::Serialize;

use crate::bench::RuleId;
use crate::store::result::TIME_LIMIT;
use crate::store::{AgentRecord, LedgerEntry};
use crate::survey::{Standing, Surveyed};
use crate::triage::Diagnosis;

/// How many of a run's trials the time limit ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TimeLimit {
    /// Trials that the time limit ended: by the triage rule, or by our own engine's status.
    pub trials: usize,
    /// Of all that came to an end, those that no longer stand included.
    pub of: usize,
}

/// The rule of a trial whose container outlived the time limit.
const RULE: RuleId = RuleId::TASK_TIMEOUT;

impl TimeLimit {
    /// Counts the trials of the ledger, and results that it does not have.
    #[must_use]
    pub fn of(surveyed: &[Surveyed], ledger: &[LedgerEntry]) -> Self {
        let mut limit = Self::default();
        for entry in ledger {
            limit.count(&entry.agents, entry.diagnosis.as_ref());
        }
        for pair in surveyed {
            if let Standing::Result(judged) = &pair.standing
                && !ledger
                    .iter()
                    .any(|entry| entry.trial == judged.record.trial && entry.pair == pair.pair)
            {
                limit.count(&judged.record.agents, judged.finding.diagnosis());
            }
        }
        limit
    }

    fn count(&mut self, agents: &[AgentRecord], diagnosis: Option<&Diagnosis>) {
        let by_rule = diagnosis.is_some_and(|it| it.evidence.rule == RULE);
        let by_status = agents.iter().any(|agent| agent.status == TIME_LIMIT);
        self.trials += usize::from(by_rule || by_status);
        self.of += 1;
    }

    /// `18 of 100 (18.0%)`.
    #[must_use]
    pub(super) fn told(self) -> String {
        let share = 100.0 * self.trials as f64 / self.of.max(1) as f64;
        format!("{} of {} ({share:.1}%)", self.trials, self.of)
    }
}
