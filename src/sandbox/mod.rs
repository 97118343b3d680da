//! Running a command somewhere else, with a deadline.
//!
//! Every real sandbox is the same thing inside: a [`guest`](crate::guest) (this program again, as
//! the sandbox's first process) that runs commands and answers over one long-lived [`channel`]. The backends
//! differ in where they start it.

mod backend;
pub mod channel;
mod command;
pub mod docker;
mod error;
pub mod fake;
mod git_file;
pub mod group;
mod handle;
mod host_place;
mod image_ids;
pub mod namespace;
pub mod oci;
mod place;
pub mod process;
mod proven;
mod pulled;
mod repo;
pub mod spec;
mod submodules;
pub mod tools;

pub use crate::guest::call::{Call, CallAnswer, Callee};
pub use crate::guest::frame::CommandEnd;
pub use backend::Backend;
pub use channel::Output;
pub use command::Command;
pub use error::{SandboxError, StartFailure};
pub use handle::{Real, Sandbox};
pub use host_place::HostPlace;
pub use image_ids::ImageIds;
pub use spec::{Repository, SandboxLimits, Source, Spec};
