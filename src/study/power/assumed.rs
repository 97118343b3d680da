//! From stated assumptions instead of runs.

use serde::Serialize;

use super::forecast::Figure;
use super::{FORMAT, OfArm, OfContrast, Power, Sought};
use crate::error::{Error, Result};
use crate::statistics::{Components, Design};

/// What is assumed of two arms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Assumed {
    /// The baseline's pass rate, as a share of 1.
    pub rate: f64,
    /// How many tasks.
    pub tasks: usize,
    /// How many pairs, as evenly over the tasks as can be.
    pub pairs: usize,
    /// How many repeats.
    pub repeats: u32,
    /// Which share of the variance is between tasks: pairs of two tasks differ by more than pairs of
    /// one.
    pub icc: f64,
    /// Which share of the variance is between the pairs of a task.
    pub pair_icc: f64,
    /// Which share of what is between tasks and pairs is the same in both arms.
    pub shared: f64,
}

impl Assumed {
    fn check(&self) -> Result<()> {
        if self.pairs < self.tasks {
            let wrong = format!("--pairs {} is less than --tasks {}", self.pairs, self.tasks);
            return Err(Error::usage(wrong).hint("each task has one pair or more"));
        }
        if self.icc + self.pair_icc > 1.0 {
            return Err(Error::usage(format!(
                "--icc {} and --pair-icc {} are more than all of the variance",
                self.icc, self.pair_icc
            ))
            .hint(
                "they are shares of it, and come to 1 at most: --pair-icc 0 leaves all to --icc",
            ));
        }
        Ok(())
    }

    fn sizes(&self) -> Vec<usize> {
        let (least, more) = (self.pairs / self.tasks, self.pairs % self.tasks);
        (0..self.tasks)
            .map(|n| least + usize::from(n < more))
            .collect()
    }

    fn figure(&self, components: Components, arms: u64, cost: Option<f64>) -> Figure {
        Figure {
            components: Some(components).filter(|_| self.tasks > 1),
            pairs: self.pairs,
            tasks: self.tasks,
            share: None,
            half_width: None,
            repeats: self.repeats,
            arms,
            cost: cost.map(|cost| cost * arms as f64),
        }
    }
}

impl Power {
    /// By assumptions: an arm at the rate, and one that is the effect above it, or below it if there is
    /// no room above.
    pub fn of_assumed(assumed: Assumed, sought: &Sought) -> Result<Self> {
        assumed.check()?;
        let other = [assumed.rate + sought.effect, assumed.rate - sought.effect]
            .into_iter()
            .find(|it| (0.0..=1.0).contains(it))
            .ok_or_else(|| {
                Error::usage(format!(
                    "from a rate of {:.1}% no effect of {:.1} points leads to another rate",
                    100.0 * assumed.rate,
                    100.0 * sought.effect
                ))
                .hint("give a smaller --effect")
            })?;
        let sizes = assumed.sizes();
        let cost = sought.cost_per_trial;
        let as_assumed = Design {
            repeats: Some(assumed.repeats),
            times: 1,
        };
        let of = |share: f64| Components::assumed(share, assumed.icc, assumed.pair_icc, &sizes);
        let name = |share: f64| format!("{}%", (1e6 * share).round() / 1e4);
        let arms = [assumed.rate, other].map(|share| {
            let precision = of(share).precision(as_assumed);
            let mut figure = assumed.figure(of(share), 1, cost);
            figure.share = Some(share);
            figure.half_width = precision.map(|it| it.half_width_of(share));
            OfArm {
                arm: name(share),
                runs: None,
                trials: assumed.pairs as u64 * u64::from(assumed.repeats),
                share,
                unknown_costs: 0,
                forecast: figure.forecast(sought),
            }
        });
        let both = of(other).assumed_difference(&of(assumed.rate), assumed.shared);
        let precision = both.precision(as_assumed);
        let mut figure = assumed.figure(both, 2, cost);
        figure.half_width = precision.map(|it| it.half_width());
        let contrast = OfContrast {
            first: name(other),
            second: name(assumed.rate),
            difference: other - assumed.rate,
            forecast: figure.forecast(sought),
        };
        let mut power = Self {
            format: FORMAT,
            regatta: env!("CARGO_PKG_VERSION"),
            effect: sought.effect,
            assumed: Some(assumed),
            arms: arms.into(),
            contrasts: vec![contrast],
            notes: Vec::new(),
        };
        power.note_what_is_missing();
        Ok(power)
    }
}
