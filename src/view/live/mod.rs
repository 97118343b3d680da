//! The page, served on loopback while runs go on. Read only.

mod missed;
mod read_run;
mod serve;
mod tree;
mod watch;

pub use serve::{Served, serve};
pub use tree::{LiveOf, LiveTree};
