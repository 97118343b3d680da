//! The colour of an outcome.

use crate::report::{Outcome, Summary};
use crate::text::paint::{bad, broken, faint, good};

/// A text in the colour of an outcome.
pub(super) fn of(outcome: Outcome, text: &str) -> String {
    match outcome {
        Outcome::Pass => good(text),
        Outcome::Fail | Outcome::AgentError => bad(text),
        Outcome::Unjudged | Outcome::Missing => text.to_owned(),
        Outcome::EvalError
        | Outcome::InfraError
        | Outcome::LimitError
        | Outcome::ConfigError
        | Outcome::UnknownError
        | Outcome::Unreadable => broken(text),
    }
}

/// A run's counts, each in its colour; those that are zero are of no importance.
pub(super) fn counts(summary: &Summary) -> String {
    let counted = summary.counted().map(|(outcome, n)| {
        let told = format!("{n} {}", outcome.name());
        if n == 0 {
            faint(told)
        } else {
            of(outcome, &told)
        }
    });
    counted.collect::<Vec<_>>().join(", ")
}
