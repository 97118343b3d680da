//! What a pair counts as. Pure.

use std::fmt;

use serde::Serialize;

use crate::evaluation::Verdict;
use crate::survey::{Standing, Surveyed};
use crate::triage::{Cause, Finding};

/// What a pair counts as: exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
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
    #[default]
    Missing,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made::{at, failed, finished, judged, pair};
    use crate::triage::ToldError;

    #[test]
    fn a_finished_pair_is_what_its_evaluation_says() {
        let of = |json| Outcome::of(&judged(finished(pair(1, 2)), json));
        assert_eq!(of(r#"{"both_passed":true}"#), Outcome::Pass);
        assert_eq!(of(r#"{"both_passed":false}"#), Outcome::Fail);
        assert_eq!(of(r#"{"error":"it broke"}"#), Outcome::EvalError);
        let mut without = finished(pair(1, 2));
        assert_eq!(Outcome::of(&without), Outcome::Unjudged);
        without.told = Some(ToldError {
            rule: None,
            source: "summary.json".to_owned(),
            text: "it broke".to_owned(),
        });
        assert_eq!(Outcome::of(&without), Outcome::EvalError);
    }

    #[test]
    fn an_error_is_its_causes_whatever_an_evaluation_says() {
        for (cause, outcome) in [
            (Cause::Infra, Outcome::InfraError),
            (Cause::Limit, Outcome::LimitError),
            (Cause::Config, Outcome::ConfigError),
            (Cause::Agent, Outcome::AgentError),
        ] {
            let judged = judged(failed(pair(1, 2), cause), r#"{"both_passed":false}"#);
            assert_eq!(Outcome::of(&judged), outcome);
        }
        let missing = at(pair(1, 2), Standing::Missing);
        assert_eq!(Outcome::of(&missing), Outcome::Missing);
        let unreadable = at(pair(1, 2), Standing::Unreadable("a list".to_owned()));
        assert_eq!(Outcome::of(&unreadable), Outcome::Unreadable);
    }

    #[test]
    fn only_a_verdict_is_judged_and_what_finished_may_have_none() {
        let is = |of: fn(Outcome) -> bool| Outcome::ALL.into_iter().filter(|it| of(*it)).count();
        assert_eq!((is(Outcome::is_judged), is(Outcome::is_finished)), (2, 4));
        for outcome in Outcome::ALL {
            assert_eq!(serde_json::json!(outcome), outcome.name());
        }
    }
}
