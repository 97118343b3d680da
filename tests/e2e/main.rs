//! End to end, against the real parts: upstream's CLI in two versions, Docker, Redis, an endpoint.
//!
//! They are ignored by a plain `cargo test`, which says so by name; `just e2e` prepares what they
//! need and runs them, and CI does the same and fails where they cannot run.

#![allow(
    clippy::disallowed_methods,
    reason = "a test that cannot read its file may panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod arms;
mod cheats;
mod daemon;
mod evaluation;
mod faults;
mod images;
mod lab;
mod native;
mod oci;
mod proxy;
mod registry;
mod relay;
mod settings;
mod slurm;
mod slurm_runs;
mod stopping;
mod tables;
mod team;
mod trust;
