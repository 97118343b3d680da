//! Every path and every file format under `logs/`, and the dataset tree.

pub mod aside;
pub mod begun;
pub mod contents;
pub mod dataset;
pub mod diagnosis;
pub mod eval;
pub mod event;
pub mod events;
pub mod framework;
pub mod gold;
pub mod layout;
pub mod ledger;
pub mod lock;
pub mod manifest;
pub mod moment;
pub mod pass;
pub mod pins;
pub mod reasons;
pub mod restore;
pub mod result;
pub mod run_config;
pub mod scan;
pub mod stream;
mod tokens;
pub mod trajectory;
pub mod words;
pub mod workspace;

pub use begun::Begun;
pub use diagnosis::{Cause, Diagnosis, Evidence};
pub use event::Event;
pub use layout::{LogTree, PairDir, RunDir};
pub use ledger::{Ledger, LedgerEntry};
pub use manifest::Manifest;
pub use moment::Moment;
pub use pass::Pass;
pub use result::{AgentRecord, ResultFile, Tag, TrialRecord};
