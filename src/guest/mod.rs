//! Inside a sandbox: the first process, which runs commands for the harness.
//!
//! It is a container's or a namespace's process 1, so that no command can end it from inside, and
//! when it ends, the kernel ends everything else in there. It has one thread and waits in `poll`.

pub mod call;
mod callers;
mod command;
pub mod frame;
mod kept;
mod known;
mod memory;
pub mod order;
pub mod powers;
mod serve;
mod shell;
mod signals;
mod tree;

pub use serve::{GuestOptions, serve};
