//! A trial as text for a terminal. Pure.

mod diff;
mod fold;
mod head;
mod lanes;
mod messages;
mod suites;

pub use diff::patches;
pub use fold::Fold;
pub use head::{Known, foot, head, outcome};
pub use lanes::lanes;
pub use messages::conversation;
pub use suites::suites;
