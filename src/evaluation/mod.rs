//! Evaluation: the hidden tests' verdict on a pair.
//!
//! The semantics are upstream's, in two rule sets; what differs is what is no verdict: a sandbox
//! that died, a download that failed or a suite that never ran is trouble with a cause, and worth
//! another try.

pub mod alone;
mod bytes;
pub mod cache;
pub mod census;
pub mod clones;
mod conflict;
pub mod judge;
pub mod merge;
pub mod merging;
pub mod network;
pub mod of_trial;
pub mod output;
pub mod patch;
mod patterns;
pub mod reason;
pub mod record;
mod running;
pub mod steering;
pub mod suite;
mod trouble;
pub mod venue;
pub mod verdict;
mod worth;

pub use crate::bench::RuleSet;
pub use judge::{Asking, Judge, Judgement, Work};
pub use trouble::Trouble;
pub use venue::Venue;
pub use verdict::Verdict;
