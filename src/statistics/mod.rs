//! What counts say and what they don't: means and differences with 95% intervals and p-values that
//! respect that pairs of one task are alike. Pure; it knows tasks by a word, and no runs and no files.
//!
//! Two targets are told apart everywhere. *Tasks like these*: tasks are the sample, and the question
//! is what others of their kind would show. *These pairs*: repeats are the sample, and the question
//! is what more repeats of the same pairs would show. `docs/concepts/statistics.md` has the formulas,
//! their sources, and how often they keep what they promise.

mod contrast;
mod design;
mod flips;
mod holm;
mod interval;
mod labels;
mod mcnemar;
mod mean;
mod moments;
mod pairs;
mod passk;
mod random;
mod repeats;
mod sum;
mod tasks;
mod tested;
mod units;
mod variance;

pub use contrast::{Contrast, contrast};
pub use design::{Design, Precision};
pub use holm::holm;
pub use interval::Interval;
pub use mcnemar::mcnemar;
pub use mean::{Mean, mean};
pub use pairs::{Both, Passes, Repeated};
pub use passk::{pass_at, pass_hat};
pub use random::Random;
pub use tested::{Method, NoP, P, Tested};
pub use variance::{Component, Components};
