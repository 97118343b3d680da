//! `regatta pause`, `resume`, `cancel` and `set`: a hand on the wheel of a command whose runs go on.

mod asking;
mod by_file;
pub mod cancel;
pub mod pause;
pub mod resume;
pub mod set;
mod target;
