//! What one agent told another.

use serde::Serialize;

/// A message between agents.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrialMessage {
    /// The id of the agent that sent it.
    pub from: String,
    /// The id of the agent that it is for.
    pub to: String,
    /// Its text.
    pub text: String,
    /// When it was sent.
    pub sent_at: Option<f64>,
    /// The turn whose action sent it.
    pub sent_turn: Option<TurnPlace>,
    /// The turn that has it first among what it is told, or among what it sees of a command.
    pub read_turn: Option<TurnPlace>,
    /// Whether its receiver's turns are known and none has it.
    pub is_unread: bool,
}

/// A turn of an agent, as JSON `[agent, turn]`: both count from 0, in `agents` and in its `turns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TurnPlace(pub usize, pub usize);
