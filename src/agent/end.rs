//! How an agent ended, and what it leaves.

use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinHandle;

use super::Failure;
use crate::bench::{RuleId, Spending, Usage};
use crate::model::tape::RecordedEnd;
use crate::store::result;

/// How a recording names the end of an agent whose time was up.
const TIME_LIMIT: RuleId = RuleId::of("time_limit");

/// How a recording names the end of an agent that ended its own sandbox.
const OWN_END: RuleId = RuleId::of("own_sandbox_ended");

/// How an agent ended: the status in its result, and what decides whether its work is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// One of its commands succeeded and printed the line that submits.
    Submitted,
    /// It made as many model calls as it may.
    StepLimit,
    /// It spent as much as it may.
    CostLimit,
    /// It took as long as it may.
    TimeLimit,
    /// Its commands ended their own sandbox, for the second time in its pair; how.
    SandboxEnded(String),
    /// Something that is not its doing ended it.
    Failed(Failure),
    /// It was stopped with the run.
    Aborted,
}

impl Status {
    /// What a failure is to the agent. A sandbox that ends once without a cause may be anything, and
    /// the trial is made again; one that does so again is the agent's own doing. Otherwise an agent
    /// that fails could buy another trial, and take its peer's along.
    pub(super) fn of(failure: Failure, ended_before: bool) -> Self {
        let is_own = failure.rule == RuleId::SANDBOX_ENDED && ended_before;
        if is_own || failure.rule == OWN_END {
            Self::SandboxEnded(failure.text)
        } else if failure.rule == TIME_LIMIT {
            // A replay ends where the recording's time was up.
            Self::TimeLimit
        } else {
            Self::Failed(failure)
        }
    }

    /// The word in results: upstream's, where it has one.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Submitted => "Submitted",
            Self::StepLimit => "LimitsExceeded",
            Self::CostLimit => "CostLimitExceeded",
            Self::TimeLimit => result::TIME_LIMIT,
            Self::SandboxEnded(_) => "SandboxEnded",
            Self::Failed(_) | Self::Aborted => "Error",
        }
    }

    /// How it is put to a peer.
    #[must_use]
    pub const fn told(&self) -> &'static str {
        match self {
            Self::Submitted => "submitted its work",
            Self::StepLimit | Self::CostLimit | Self::TimeLimit => "ran into a limit",
            Self::SandboxEnded(_) => "broke its sandbox",
            Self::Failed(_) | Self::Aborted => "died",
        }
    }

    /// The error that ended it, for its trajectory.
    pub(super) fn error(&self) -> Option<&str> {
        match self {
            Self::Failed(failure) => Some(&failure.text),
            Self::SandboxEnded(how) => Some(how),
            _ => None,
        }
    }

    /// As a recording has it; one of an agent that is stopped with its run has no end.
    pub(super) fn recorded(&self) -> Option<RecordedEnd> {
        let failed = |rule: &RuleId, error: &str| RecordedEnd::Failed {
            rule: rule.clone(),
            error: error.to_owned(),
        };
        Some(match self {
            Self::Aborted => return None,
            Self::Failed(failure) if failure.rule == RuleId::PEER_LOST => RecordedEnd::Halted,
            Self::Failed(Failure { rule, text, .. }) => failed(rule, text),
            Self::SandboxEnded(how) => failed(&OWN_END, how),
            Self::TimeLimit => failed(&TIME_LIMIT, "the time was up"),
            Self::Submitted | Self::StepLimit | Self::CostLimit => RecordedEnd::Itself,
        })
    }
}

/// What an agent leaves when it ends, for its trial's result and trajectory.
#[derive(Debug)]
pub struct AgentEnd {
    /// How it ended. A failure to take its work or to end its recording counts as its end.
    pub status: Status,
    /// Its work, submitted or not: git's own bytes.
    pub patch: Vec<u8>,
    /// What its calls cost in USD as far as it is known; `None` when no call's cost is.
    pub cost: Option<f64>,
    /// The model's replies, the unreadable ones included; summaries do not count.
    pub steps: u64,
    /// Tokens, as far as the endpoint told.
    pub usage: Usage,
    /// Whether there were calls whose usage it did not tell.
    pub usage_unknown: bool,
    /// Time lost to rate limits.
    pub rate_limited: Duration,
    /// The whole conversation, in upstream's form.
    pub log: Vec<Value>,
    /// The commit that the patch is measured against.
    pub base: String,
    /// The removal of its sandbox, which goes on.
    pub closing: Option<JoinHandle<()>>,
}

impl AgentEnd {
    /// All that it spent.
    #[must_use]
    pub const fn spending(&self) -> Spending {
        Spending {
            cost: self.cost,
            usage: self.usage,
            usage_unknown: self.usage_unknown,
        }
    }

    /// The end of an agent that never began.
    #[must_use]
    pub fn never(failure: Failure) -> Self {
        Self {
            status: Status::Failed(failure),
            patch: Vec::new(),
            // Known to be nothing: no call was made.
            cost: Some(0.0),
            steps: 0,
            usage: Usage::default(),
            usage_unknown: false,
            rate_limited: Duration::ZERO,
            log: Vec::new(),
            base: String::new(),
            closing: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_that_ends_twice_in_a_pair_is_the_agents_own_doing() {
        let ended = || Failure::new(RuleId::SANDBOX_ENDED, "it is gone");
        assert_eq!(Status::of(ended(), false), Status::Failed(ended()));
        let own = Status::SandboxEnded("it is gone".to_owned());
        assert_eq!(Status::of(ended(), true), own);
        // Another failure is nobody's doing however often it comes.
        let lost = || Failure::new(RuleId::CONTAINER_LOST, "it is gone");
        assert_eq!(Status::of(lost(), true), Status::Failed(lost()));
    }

    #[test]
    fn a_replay_ends_as_the_recording_did() {
        for status in [Status::TimeLimit, Status::SandboxEnded("how".to_owned())] {
            let Some(RecordedEnd::Failed { rule, error }) = status.recorded() else {
                panic!("{status:?}");
            };
            assert_eq!(Status::of(Failure::new(rule, error), false), status);
        }
        let lost = Status::Failed(Failure::new(RuleId::PEER_LOST, "it died"));
        assert_eq!(lost.recorded(), Some(RecordedEnd::Halted));
        assert_eq!(Status::StepLimit.recorded(), Some(RecordedEnd::Itself));
        assert_eq!(Status::Aborted.recorded(), None);
    }
}
