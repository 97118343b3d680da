//! A trial as people look at it: its agents' turns side by side, and the messages between them.

mod acting;
mod action;
mod command;
mod lane;
mod links;
mod message;
mod producer;
mod read;
mod salvage;
mod source;
mod telling;
mod turn;
mod whole;
mod words;

pub use action::{ActionKind, TurnAction};
pub use lane::{AgentLane, NamedFile, Producer};
pub use message::{TrialMessage, TurnPlace};
pub use read::read;
pub use turn::{Mark, MarkKind, Turn};
pub use whole::Trial;
