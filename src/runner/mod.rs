//! When a trial runs, and whether it runs again.

mod asked;
pub mod attempts;
pub mod backoff;
pub mod breaker;
pub mod forced;
pub mod interrupt;
pub mod judging;
pub mod limit;
mod lost;
#[cfg(test)]
mod made;
mod obeying;
mod one_run;
pub mod plan;
pub mod policy;
pub mod preflight;
pub mod record;
pub mod restore;
mod setting_change;
mod sink;
mod spending;
mod stock;
mod watching;
pub mod wheel;

pub use interrupt::Interrupt;
pub use one_run::Runner;
pub use plan::Plan;
pub use policy::{Policy, RunEnd};
pub use sink::Sink;
pub use wheel::Wheel;

pub use crate::store::Event;
