//! Triage: from an error to its cause, with evidence. Pure: it judges what it is given.
//!
//! Retry, resume, the tag in `result.json`, the denominators, the exit code and the report all
//! ask here. It reads the error that the harness saw, and where there is none what the agent's
//! program said of its own end; never what an agent's command printed.

mod asked;
mod free;
pub mod lost;
mod notice;
pub mod rules;
pub mod trial;

pub use crate::store::diagnosis::{Cause, Diagnosis, Evidence};
pub use asked::Question;
pub use free::is_free;
pub use rules::{Rule, Rules};
pub use trial::{Case, Finding, ToldError, examine, told};
