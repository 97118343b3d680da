//! How many more: what designs of more repeats or tasks would tell, and what they would cost. Pure.

mod assumed;
mod forecast;
mod markdown;
mod seen;
mod text;
mod words;

use serde::Serialize;

use super::StudyFormat;
use crate::json::pretty;
use crate::statistics::Component;
use crate::text::paint::plain;
use crate::text::shown_json;

pub use assumed::Assumed;

/// The version of the JSON; it changes when a field changes its meaning or goes.
const FORMAT: u32 = 1;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sought {
    /// The difference that is to be found, as a share of 1.
    pub effect: f64,
    /// The repeats from which on more are thought of. None is those that there are.
    pub repeats: Option<u32>,
    /// What a trial costs, in USD. None is what it cost on average.
    pub cost_per_trial: Option<f64>,
}

/// What more runs would tell and cost.
#[derive(Clone, Debug, Serialize)]
pub struct Power {
    format: u32,
    regatta: &'static str,
    /// The difference that is to be found, as a share of 1.
    pub effect: f64,
    /// What was assumed, where nothing was read.
    pub assumed: Option<Assumed>,
    /// Each arm by itself.
    pub arms: Vec<OfArm>,
    /// Each further arm less the first, on the pairs that were judged in both.
    pub contrasts: Vec<OfContrast>,
    /// What cannot be said, and why; a sentence each.
    pub notes: Vec<String>,
}

/// An arm's pass rate, and how precise it is.
#[derive(Clone, Debug, Serialize)]
pub struct OfArm {
    /// The arm.
    pub arm: String,
    /// How many runs it has; none where it is assumed.
    pub runs: Option<usize>,
    /// How many judged trials.
    pub trials: u64,
    /// The mean over pairs of each pair's own rate.
    pub share: f64,
    /// How many trials have a cost that is unknown, or known in part.
    pub unknown_costs: usize,
    #[serde(flatten)]
    forecast: Forecast,
}

/// The difference of two arms, and how precise it is.
#[derive(Clone, Debug, Serialize)]
pub struct OfContrast {
    /// The arm whose rate is the first.
    pub first: String,
    /// The arm whose rate is taken from it: the baseline.
    pub second: String,
    /// The mean over pairs of the difference of their rates.
    pub difference: f64,
    #[serde(flatten)]
    forecast: Forecast,
}

/// What is to be foretold of one figure.
#[derive(Clone, Debug, Serialize)]
pub struct Forecast {
    /// How many pairs it is of.
    pub pairs: usize,
    /// Their tasks.
    pub tasks: usize,
    /// What the pairs' values vary by; none for a single task.
    pub between: Option<Between>,
    /// Half the width of its 95% interval as it is, for tasks like these.
    pub half_width: Option<f64>,
    /// From how many repeats on more are thought of.
    pub from_repeats: u32,
    /// What one trial in each of its arms costs together, in USD.
    pub cost_of_one: Option<f64>,
    /// What designs would tell.
    pub designs: Vec<DesignLine>,
    /// What more of one or the other would take off the half-width.
    pub steps: Vec<Step>,
}

/// Variances of shares of 1.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Between {
    /// Between tasks; where each has one pair, what is between pairs is in it.
    pub tasks: Component,
    /// Between the pairs of a task.
    pub pairs: Option<Component>,
    /// Between the repeats of a pair.
    pub repeats: Option<Component>,
}

/// What a design would tell.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct DesignLine {
    /// How often each pair is tried in each arm.
    pub repeats: u32,
    /// How many tasks.
    pub tasks: usize,
    /// How many pairs.
    pub pairs: usize,
    /// Half the width of the 95% interval, for tasks like these.
    pub half_width: f64,
    /// The same for these pairs; none where it is not known what repeats differ by.
    pub half_width_these_pairs: Option<f64>,
    /// The smallest difference that is found in 80% of cases.
    pub smallest_difference: Option<f64>,
    /// The chance to find the effect.
    pub chance: Option<f64>,
    /// How many trials it is, of all its arms.
    pub trials: u64,
    /// What they cost, in USD.
    pub cost_usd: Option<f64>,
}

/// What more of something buys.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Step {
    /// From how many repeats.
    pub from_repeats: u32,
    /// To how many.
    pub to_repeats: u32,
    /// How many tasks more.
    pub more_tasks: usize,
    /// By how much the half-width falls.
    pub less: f64,
    /// How many trials more, of all its arms.
    pub trials: u64,
    /// What they cost, in USD.
    pub cost_usd: Option<f64>,
}

impl Power {
    /// For a terminal, in colour, each line as long as it is.
    #[must_use]
    pub fn text(&self) -> String {
        text::render(self)
    }

    /// In this format, ending in a newline.
    #[must_use]
    pub fn render(&self, format: StudyFormat) -> String {
        match format {
            StudyFormat::Text => plain(&text::render(self)),
            StudyFormat::Json => format!("{}\n", shown_json(&pretty(self))),
            StudyFormat::Markdown => markdown::render(self),
        }
    }
}
