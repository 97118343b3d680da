//! Sandboxes, really started: whatever a command does, the harness gets a typed answer and the
//! next command works, or the sandbox is declared dead.

#![allow(
    clippy::disallowed_methods,
    reason = "a test that cannot read its file may panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod calls;
mod commands;
mod groups;
mod history;
mod ids;
mod image;
mod isolation;
mod merging;
mod network;
mod oci;
mod oddities;
mod overlays;
mod place;
mod team;
mod terminal;
