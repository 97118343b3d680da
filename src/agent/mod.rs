//! One agent's loop, and the channel of its pair.

mod account;
mod action;
mod brief;
mod calls;
mod clock;
mod compaction;
pub mod config;
mod desks;
mod end;
mod failure;
pub mod git;
pub mod mailbox;
mod observation;
mod post;
mod prompt;
mod transcript;
mod turn;
mod workplace;

pub use action::bash_tool;
pub use brief::{Agent, Halt, InjectedDeath, OnLeftOut, OnSandbox, OnSpent, Times};
pub use config::AgentConfig;
pub use end::{AgentEnd, Status};
pub use failure::Failure;
pub use git::Team;
pub use mailbox::{Departure, Letter, Mailbox};
pub use prompt::rehearse;
