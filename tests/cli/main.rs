//! The program and its library through their public surface, on real files; no Docker, no network.
#![allow(
    clippy::disallowed_methods,
    reason = "a test that cannot read its file may panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod alone;
mod arms;
mod audit;
mod bad_input;
mod book;
mod bytes;
mod chosen;
mod compare;
mod config;
mod conversation;
mod damage;
mod discarded;
mod doctor;
mod elsewhere;
mod eval;
mod evidence;
mod experiment;
mod foreign;
mod hints;
mod hostile;
mod image_store;
mod images;
mod in_force;
mod killed;
mod known_truth;
mod layers;
mod layouts;
mod leases;
mod limits;
mod listener;
mod live;
mod masks;
mod native;
mod older;
mod others;
mod pages;
mod picking;
mod pinned;
mod plan;
mod power;
mod pulls;
mod reach;
mod recorded;
mod refusals;
mod replies;
mod report;
mod restore;
mod rows;
mod runner;
mod said;
mod schema;
mod script;
mod show;
mod slurm;
mod smoke;
mod spending;
mod stdout;
mod subset;
mod terminal;
mod tree;
mod triage;
mod unpulled;
mod upstream;
mod verdicts;
mod watched;
mod wheel;
mod widths;
mod worth;
mod zeros;
