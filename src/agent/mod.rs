//! One agent's loop, and the channel of its pair.

mod compaction;
pub mod config;
mod failure;
pub mod git;
pub mod mailbox;
mod observation;
mod post;
mod prompt;
mod transcript;
mod turn;

pub use config::AgentConfig;
pub use failure::Failure;
pub use git::Team;
pub use mailbox::{Departure, Letter, Mailbox};
pub use prompt::rehearse;
pub use turn::{Agent, AgentEnd, Death, Halt, OnLeftOut, Status, Times, bash_tool};
