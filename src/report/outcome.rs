//! What a pair counts as. Pure.

use serde::Serialize;

use crate::evaluation::Verdict;
use crate::survey::{Standing, Surveyed};
use crate::triage::{Cause, Finding};

/// What a pair counts as: exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Judged: both features' hidden tests pass.
    Pass,
    /// Judged: not both features' hidden tests pass.
    Fail,
    /// Finished, and not judged yet.
    Unjudged,
    /// Finished, and the evaluation broke.
    EvalError,
    /// Ended in an error that is the agent's own.
    AgentError,
    /// Ended by infrastructure, which says nothing of the agent.
    InfraError,
    /// Ended by a limit of the account that passes.
    LimitError,
    /// Ended by the experiment's set-up.
    ConfigError,
    /// Ended in an error that no rule knows.
    UnknownError,
    /// Its `result.json` cannot be read, or stands where no pair does.
    Unreadable,
    /// It has no result: it was not run, or cut off.
    Missing,
}

impl Outcome {
    /// Every outcome, in a table's order.
    pub const ALL: [Self; 11] = [
        Self::Pass,
        Self::Fail,
        Self::Unjudged,
        Self::EvalError,
        Self::AgentError,
        Self::InfraError,
        Self::LimitError,
        Self::ConfigError,
        Self::UnknownError,
        Self::Unreadable,
        Self::Missing,
    ];

    /// Its name, as in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unjudged => "unjudged",
            Self::EvalError => "eval_error",
            Self::AgentError => "agent_error",
            Self::InfraError => "infra_error",
            Self::LimitError => "limit_error",
            Self::ConfigError => "config_error",
            Self::UnknownError => "unknown_error",
            Self::Unreadable => "unreadable",
            Self::Missing => "missing",
        }
    }

    /// Whether the pair's trial finished.
    #[must_use]
    pub const fn is_finished(self) -> bool {
        matches!(
            self,
            Self::Pass | Self::Fail | Self::Unjudged | Self::EvalError
        )
    }

    /// Whether the hidden tests gave a verdict on it: only such pairs are in the rates of those judged.
    #[must_use]
    pub const fn is_judged(self) -> bool {
        matches!(self, Self::Pass | Self::Fail)
    }

    /// The outcome of a surveyed pair. An error is an error even where an evaluation judged its
    /// empty patch: upstream evaluates those as ordinary failures.
    #[must_use]
    pub fn of(surveyed: &Surveyed) -> Self {
        let judged = match &surveyed.standing {
            Standing::Missing => return Self::Missing,
            Standing::Unreadable(_) => return Self::Unreadable,
            Standing::Result(judged) => judged,
        };
        match &judged.finding {
            Finding::Finished => match &surveyed.verdict {
                // Its evaluation left no file and broke: the run's summary says how.
                None if surveyed.told.is_some() => Self::EvalError,
                None => Self::Unjudged,
                Some(Verdict::Pass) => Self::Pass,
                Some(Verdict::Fail) => Self::Fail,
                Some(Verdict::Error(_)) => Self::EvalError,
            },
            Finding::Unmatched => Self::UnknownError,
            Finding::OnlyLooksFinished(diagnosis) | Finding::Failed(diagnosis) => {
                match diagnosis.cause {
                    Cause::Infra => Self::InfraError,
                    Cause::Limit => Self::LimitError,
                    Cause::Config => Self::ConfigError,
                    Cause::Agent => Self::AgentError,
                }
            }
        }
    }
}
