//! A trial as people look at it: its agents' turns side by side, and the messages between them.

mod action;
mod lane;
mod message;
mod turn;
mod whole;

pub use action::{ActionKind, TurnAction};
pub use lane::{AgentLane, NamedFile, Producer};
pub use message::{TrialMessage, TurnPlace};
pub use turn::{Mark, MarkKind, Turn};
pub use whole::Trial;
