//! Regatta runs `CooperBench` experiments: it plans, drives an engine, retries what broke for
//! reasons that are not the agent's, and says truthfully what came out and what it cost.
//!
//! [`experiment`] is where a program begins that uses the library: an experiment is planned, executed
//! and summarised there, and tells what happens. [`cli`] is one such program.
//!
//! `ARCHITECTURE.md` has the words, the layers and the invariants.

pub mod agent;
pub mod bench;
pub mod cli;
pub mod config;
pub mod demo;
pub mod engine;
pub mod error;
pub mod evaluation;
pub mod executor;
pub mod experiment;
pub mod files;
pub mod guest;
pub mod hint;
pub mod host;
pub mod images;
pub mod json;
pub mod link;
pub mod model;
pub mod process;
pub mod report;
pub mod runner;
pub mod sandbox;
pub mod secret;
pub mod slurm;
pub mod statistics;
pub mod store;
pub mod study;
pub mod survey;
pub mod text;
pub mod triage;
pub mod version;
pub mod view;
