//! One turn of an agent: what it was told, what it thought, and what it did.

use serde::Serialize;

use super::TurnAction;

/// A reply of the model and what came of it. What an agent is told stands at the turn that answers it;
/// the last turn may have no reply.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Turn {
    /// When the reply was there.
    pub at: Option<f64>,
    /// What it was told before it replied, in order.
    pub marks: Vec<Mark>,
    /// What the model said beside its actions; empty where it said nothing.
    pub thought: String,
    /// What it did, in order.
    pub actions: Vec<TurnAction>,
    /// Tokens of the prompt, those of the cache among them.
    pub tokens_in: Option<u64>,
    /// Tokens that the model wrote.
    pub tokens_out: Option<u64>,
    /// Tokens of the prompt that came from the provider's cache.
    pub tokens_cached: Option<u64>,
    /// What the reply cost in USD.
    pub cost: Option<f64>,
    /// How long the call waited for the provider's limits, in seconds.
    pub waited: Option<f64>,
    /// What is not understood, as it stands in the file.
    pub raw: Option<String>,
}

impl Turn {
    /// Whether there is a reply, and not only what the agent was told at its end.
    #[must_use]
    pub fn is_reply(&self) -> bool {
        let is_silent = self.thought.is_empty() && self.actions.is_empty() && self.raw.is_none();
        !is_silent || self.at.is_some() || self.tokens_in.is_some()
    }
}

/// What an agent was told, or what became of its conversation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mark {
    /// What it is.
    pub kind: MarkKind,
    /// Its text.
    pub text: String,
    /// When that was.
    pub at: Option<f64>,
}

/// What an agent is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// The system prompt.
    System,
    /// The task, or what else the user says.
    User,
    /// A message of another agent.
    Delivered,
    /// What its program tells it: a reply that cannot be used, a peer that is gone, an empty submission.
    Notice,
    /// A summary that took the place of earlier turns.
    Compaction,
    /// How it ended.
    End,
}
