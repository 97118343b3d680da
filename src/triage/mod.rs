//! Triage: from an error to its cause, with evidence. Pure: it judges what it is given.
//!
//! Retry, resume, the tag in `result.json`, the denominators, the exit code and the report all
//! ask here. It reads the error that the harness saw, never what an agent's command printed.

pub mod lost;
pub mod reset;
pub mod rules;
pub mod trial;

pub use crate::store::diagnosis::{Cause, Diagnosis, Evidence};
pub use rules::{Rule, Rules};
pub use trial::{Case, Finding, examine};
