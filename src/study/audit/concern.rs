//! What may be wrong with a trial's part in the numbers. Pure.

use serde::Serialize;

use crate::bench::RuleId;
use crate::report::{Outcome, Row};
use crate::store::result::TIME_LIMIT;
use crate::study::beside::Published;
use crate::survey::Damage;

/// What may be wrong with a trial's part in the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Concern {
    /// Something that is not the agents' ended the trial, and its verdict counts.
    JudgedError,
    /// A verdict counts, and there is no result that can be read.
    VerdictWithoutResult,
    /// The verdict is of an earlier result.
    OutdatedVerdict,
    /// A suite did not end in time, and counts as failed.
    SuiteTimeout,
    /// An agent was ended by an error, and its pair was judged.
    EndedByError,
    /// The agents' own error ended the trial, and its verdict counts.
    AgentError,
    /// An agent submitted an empty patch.
    EmptySubmission,
    /// The pass is flagged.
    FlaggedPass,
    /// The verdict's time contradicts the result's, or is not told.
    UnclearTime,
    /// Upstream's rules change the submission and with it the verdict.
    OtherByBytes,
    /// There is a result and no verdict.
    NoVerdict,
    /// There is no result.
    NoResult,
    /// The time limit ended the trial.
    TimeLimit,
    /// Some or all of the cost is unknown.
    UnknownCost,
}

/// What a concern means for the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gravity {
    /// The verdict says nothing of the agents.
    Damage,
    /// The verdict may say something else than it seems to.
    Doubt,
    /// A verdict is missing.
    Gap,
    /// It does not change what a verdict says.
    Note,
}

impl Gravity {
    /// What it means, in words for people.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Damage => "damage",
            Self::Doubt => "doubt",
            Self::Gap => "gap",
            Self::Note => "note",
        }
    }
}

impl Concern {
    /// Every concern, the gravest first.
    pub const ALL: [Self; 14] = [
        Self::JudgedError,
        Self::VerdictWithoutResult,
        Self::OutdatedVerdict,
        Self::SuiteTimeout,
        Self::EndedByError,
        Self::AgentError,
        Self::EmptySubmission,
        Self::FlaggedPass,
        Self::UnclearTime,
        Self::OtherByBytes,
        Self::NoVerdict,
        Self::NoResult,
        Self::TimeLimit,
        Self::UnknownCost,
    ];

    /// What it means for the numbers.
    #[must_use]
    pub const fn grade(self) -> Gravity {
        match self {
            Self::JudgedError
            | Self::VerdictWithoutResult
            | Self::OutdatedVerdict
            | Self::SuiteTimeout
            | Self::EndedByError => Gravity::Damage,
            Self::AgentError
            | Self::EmptySubmission
            | Self::FlaggedPass
            | Self::UnclearTime
            | Self::OtherByBytes => Gravity::Doubt,
            Self::NoVerdict | Self::NoResult => Gravity::Gap,
            Self::TimeLimit | Self::UnknownCost => Gravity::Note,
        }
    }

    /// Its name for people, of several.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::JudgedError => "errors that count as results",
            Self::VerdictWithoutResult => "verdicts without a result",
            Self::OutdatedVerdict => "verdicts older than their results",
            Self::SuiteTimeout => "suites that did not end in time",
            Self::EndedByError => "judged results of agents that an error ended",
            Self::AgentError => "agents' own errors that were judged",
            Self::EmptySubmission => "empty submissions",
            Self::FlaggedPass => "flagged passes",
            Self::UnclearTime => "verdicts of unclear time",
            Self::OtherByBytes => "other verdicts byte for byte",
            Self::NoVerdict => "results without a verdict",
            Self::NoResult => "pairs without a result",
            Self::TimeLimit => "trials that the time limit ended",
            Self::UnknownCost => "unknown costs",
        }
    }

    /// What it is, in a sentence.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::JudgedError => {
                "Infrastructure, a limit of the account or the set-up ended the trial. Its verdict counts like any other."
            }
            Self::VerdictWithoutResult => {
                "There is an eval.json, and beside it no result.json that can be read."
            }
            Self::OutdatedVerdict => {
                "The trial ran again after it was judged. The verdict is of the earlier result."
            }
            Self::SuiteTimeout => {
                "Upstream's evaluation stopped the tests and counts them as failed."
            }
            Self::EndedByError => {
                "The agent's program says that an error ended it, and its result looks finished or passed."
            }
            Self::AgentError => {
                "The error is the agents' own, so it is a result. Leaving it out favours an arm that fails so."
            }
            Self::EmptySubmission => {
                "An agent's patch is empty. That may be a failure of its own or the arm's design."
            }
            Self::FlaggedPass => {
                "The pass is worth another look: tests did not run, or files of the submission steer them."
            }
            Self::UnclearTime => {
                "The pair was judged before its result ended, by times without a zone, or a time is missing."
            }
            Self::OtherByBytes => {
                "Upstream's rules change the submission before the tests. Unchanged, it gets the other verdict."
            }
            Self::NoVerdict => "The trial has a result, and no evaluation came to a verdict.",
            Self::NoResult => {
                "The pair has no result in a run, although another run of the arm or the plan has it."
            }
            Self::TimeLimit => "What was cut off counts as it was left, or was run again.",
            Self::UnknownCost => "No rate depends on it. Costs per pass do.",
        }
    }

    /// What is to be said of a pair of a run.
    pub(super) fn of(row: &Row, published: Option<&Published>) -> Vec<Self> {
        let mut found = Vec::new();
        let mut note = |concern, is_so: bool| found.extend(is_so.then_some(concern));
        let is_damaged = |damage: Damage| {
            let mut words = row.damage.iter().flat_map(|damage| damage.split('+'));
            words.any(|word| word == damage.name())
        };
        let has_result = !matches!(row.outcome, Outcome::Missing | Outcome::Unreadable);
        if let Some(published) = published {
            note(Self::JudgedError, is_error(row.outcome));
            note(Self::VerdictWithoutResult, !has_result);
            note(Self::OutdatedVerdict, published.is_outdated && has_result);
            note(Self::AgentError, row.outcome == Outcome::AgentError);
            note(Self::UnclearTime, published.is_time_unclear);
        }
        if row.outcome.is_judged() {
            note(Self::SuiteTimeout, is_damaged(Damage::SuiteTimeout));
            note(Self::EndedByError, is_damaged(Damage::EndedByError));
            note(Self::EmptySubmission, is_damaged(Damage::EmptySubmission));
            note(Self::FlaggedPass, row.flagged == Some(true));
            let by_bytes = row.passed_by_bytes.zip(row.passed);
            note(
                Self::OtherByBytes,
                by_bytes.is_some_and(|(one, other)| one != other),
            );
        }
        note(Self::NoVerdict, published.is_none() && has_result);
        note(
            Self::NoResult,
            published.is_none() && !has_result && row.asked,
        );
        note(Self::TimeLimit, is_cut(row));
        note(Self::UnknownCost, row.has_unknown_cost == Some(true));
        found
    }
}

/// Whether a trial ended in an error that is not the agents' own.
pub(super) const fn is_error(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::InfraError | Outcome::LimitError | Outcome::ConfigError | Outcome::UnknownError
    )
}

/// Whether the time limit ended a trial.
fn is_cut(row: &Row) -> bool {
    let mut statuses = row.status.iter().flat_map(|status| status.split('+'));
    row.rule.as_deref() == Some(RuleId::TASK_TIMEOUT.as_str())
        || statuses.any(|status| status == TIME_LIMIT)
}
