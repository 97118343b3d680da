//! Evaluation: the hidden tests' verdict on a pair.
//!
//! The semantics are upstream's, in two rule sets; what differs is what is no verdict: a sandbox
//! that died, a download that failed or a suite that never ran is trouble with a cause, and worth
//! another try.

mod bytes;
pub mod cache;
pub mod census;
pub mod clones;
mod conflict;
pub mod judge;
pub mod merge;
pub mod merging;
pub mod of_trial;
pub mod output;
pub mod patch;
mod patterns;
pub mod reason;
pub mod record;
pub mod steering;
pub mod suite;
pub mod venue;
pub mod verdict;
mod worth;

pub use crate::bench::RuleSet;
pub use judge::{Asking, Judge, Judgement, Work};
pub use venue::Venue;
pub use verdict::Verdict;

use crate::bench::RuleId;
use crate::error::Error;
use crate::sandbox::SandboxError;

/// Why there is no verdict.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Trouble {
    /// The triage rule.
    pub rule: RuleId,
    /// What happened.
    pub text: String,
    /// Whether it is the sandbox that failed, whatever ran in it.
    pub of_sandbox: bool,
}

impl Trouble {
    /// Trouble of a known rule.
    #[must_use]
    pub fn new(rule: RuleId, text: impl Into<String>) -> Self {
        Self {
            rule,
            text: text.into(),
            of_sandbox: false,
        }
    }

    /// A file of the dataset that cannot be read.
    #[must_use]
    pub fn dataset(error: &Error) -> Self {
        Self::new(RuleId::DATASET_FILE, error.to_string())
    }
}

impl From<SandboxError> for Trouble {
    fn from(error: SandboxError) -> Self {
        Self {
            of_sandbox: true,
            ..Self::new(error.rule(), error.to_string())
        }
    }
}
