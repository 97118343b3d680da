//! Why an agent's loop broke: never what the agent did, always what the harness saw.

use super::prompt::TemplateError;
use crate::bench::RuleId;
use crate::model::chat::ChatError;
use crate::sandbox::SandboxError;

/// Something that is not the agent's doing, with the triage rule that it falls under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The id of the triage rule; results and recordings keep it.
    pub rule: RuleId,
    /// What happened, for people: the `error` of results and trajectories.
    pub text: String,
    /// Whether the sandbox is as the agent left it, so that its work can still be had.
    pub keeps_work: bool,
}

impl Failure {
    /// A failure under a rule.
    #[must_use]
    pub fn new(rule: RuleId, text: impl Into<String>) -> Self {
        Self {
            rule,
            text: text.into(),
            keeps_work: false,
        }
    }
}

impl From<ChatError> for Failure {
    fn from(error: ChatError) -> Self {
        Self {
            keeps_work: true,
            ..Self::new(error.rule(), error.to_string())
        }
    }
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        Self::new(error.rule(), error.to_string())
    }
}

impl From<TemplateError> for Failure {
    fn from(error: TemplateError) -> Self {
        Self {
            keeps_work: true,
            ..Self::new(RuleId::AGENT_CONFIG_TEMPLATE, error.to_string())
        }
    }
}
