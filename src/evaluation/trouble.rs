//! What leaves an evaluation without a verdict.

use crate::bench::RuleId;
use crate::error::Error;
use crate::sandbox::SandboxError;

/// Why there is no verdict.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Trouble {
    /// The id of the triage rule that it falls under.
    pub rule: RuleId,
    /// What happened, in a sentence for people.
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
