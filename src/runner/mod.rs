//! When a trial runs, and whether it runs again.

pub mod attempts;
pub mod backoff;
pub mod breaker;
pub mod events;
pub mod interrupt;
pub mod plan;
pub mod preflight;
pub mod record;

pub use attempts::{RunEnd, Runner};
pub use events::{Event, Sink};
pub use interrupt::Interrupt;
pub use plan::Plan;
