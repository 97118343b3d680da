//! Slurm, by its own commands: what it allows, jobs handed in, watched and cancelled.
//!
//! It has no library that every cluster's version shares, and no key is needed where its commands
//! are. They are asked for named fields, and what they print is read by pure code.

mod address;
mod client;
mod limits;
mod pending;
mod refusal;
mod rows;
mod script;
mod state;
mod task;

pub use client::{OurJob, Slurm};
pub use limits::{Limits, Partition};
pub use pending::why_pending;
pub use script::{JobScript, NAME_PREFIX};
pub use state::TaskState;
pub use task::{JobId, TaskId, TaskSeen};
