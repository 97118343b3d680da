//! Sandboxes, really started: whatever a command does, the harness gets a typed answer and the
//! next command works, or the sandbox is declared dead.

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod history;
mod isolation;
mod place;
mod post;
mod team;
