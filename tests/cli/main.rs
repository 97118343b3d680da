//! The program and its library through their public surface, on real files; no Docker, no network.
#![allow(
    clippy::disallowed_methods,
    reason = "a test that cannot read its file may panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod config;
mod eval;
mod layers;
mod native;
mod plan;
mod report;
mod runner;
mod triage;
mod worth;
