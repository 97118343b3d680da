//! Evaluation: the hidden tests' verdict on a pair.

pub mod verdict;

pub use verdict::Verdict;
