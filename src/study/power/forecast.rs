//! The forecast of one figure.

use super::{Between, DesignLine, Forecast, Sought, Step};
use crate::statistics::{Components, Design, Precision};

/// The repeats that are always shown.
const REPEATS: [u32; 4] = [1, 3, 5, 10];

/// How many times the tasks.
const TIMES: [usize; 2] = [2, 4];

/// How many times the repeats are weighed against more tasks.
const MORE: u32 = 3;

/// What is to be foretold.
pub(super) struct Figure {
    pub(super) components: Option<Components>,
    /// How many pairs of how many tasks.
    pub(super) pairs: usize,
    pub(super) tasks: usize,
    /// The rate, of one arm; none for a difference.
    pub(super) share: Option<f64>,
    pub(super) half_width: Option<f64>,
    /// The repeats that there are.
    pub(super) repeats: u32,
    /// In how many arms.
    pub(super) arms: u64,
    /// What one trial in each arm costs together, in USD.
    pub(super) cost: Option<f64>,
}

impl Figure {
    pub(super) fn forecast(&self, sought: &Sought) -> Forecast {
        let varies = self.components.as_ref().map(|it| it.repeats.is_some());
        // Of others than those that there are nothing is known if these do not vary.
        let from = sought.repeats.filter(|_| varies != Some(false));
        let from = from.unwrap_or(self.repeats).max(1);
        let mut forecast = Forecast {
            pairs: self.pairs,
            tasks: self.tasks,
            between: None,
            half_width: self.half_width,
            from_repeats: from,
            cost_of_one: self.cost,
            designs: Vec::new(),
            steps: Vec::new(),
        };
        let Some(components) = &self.components else {
            return forecast;
        };
        forecast.between = Some(Between {
            tasks: components.tasks,
            pairs: components.pairs,
            repeats: components.repeats,
        });
        let mut all = REPEATS.to_vec();
        all.extend([from, from.saturating_mul(MORE)]);
        all.sort_unstable();
        all.dedup();
        let mut designs: Vec<(u32, usize)> = all.into_iter().map(|it| (it, 1)).collect();
        designs.extend(TIMES.map(|times| (from, times)));
        let lines = designs
            .iter()
            .filter_map(|it| self.line(*it, sought.effect));
        forecast.designs = lines.collect();
        let steps = [(from.saturating_mul(MORE), 1), (from, TIMES[0])];
        forecast.steps = steps
            .iter()
            .filter_map(|to| self.step((from, 1), *to))
            .collect();
        forecast
    }

    /// What is known of a design. Without repeats that vary, only of as many as there are.
    fn precision(&self, (repeats, times): (u32, usize)) -> Option<Precision> {
        let components = self.components.as_ref()?;
        let is_as_it_is = components.repeats.is_none() && repeats == self.repeats;
        components.precision(Design {
            repeats: Some(repeats).filter(|_| !is_as_it_is),
            times,
        })
    }

    fn half_width(&self, precision: &Precision) -> f64 {
        match self.share {
            Some(share) => precision.half_width_of(share),
            None => precision.half_width(),
        }
    }

    fn trials(&self, (repeats, times): (u32, usize)) -> u64 {
        let pairs = self.pairs as u64 * times as u64;
        pairs * u64::from(repeats) * self.arms
    }

    fn cost(&self, trials: u64) -> Option<f64> {
        Some(self.cost? * trials as f64 / self.arms as f64)
    }

    fn line(&self, design: (u32, usize), effect: f64) -> Option<DesignLine> {
        let precision = self.precision(design)?;
        let is_difference = self.share.is_none();
        let varies = self.components.as_ref()?.repeats.is_some();
        let trials = self.trials(design);
        Some(DesignLine {
            repeats: design.0,
            tasks: self.tasks * design.1,
            pairs: self.pairs * design.1,
            half_width: self.half_width(&precision),
            half_width_these_pairs: varies.then(|| precision.half_width_of_these_pairs()),
            smallest_difference: precision.smallest().filter(|_| is_difference),
            chance: is_difference.then(|| precision.chance(effect)),
            trials,
            cost_usd: self.cost(trials),
        })
    }

    fn step(&self, from: (u32, usize), to: (u32, usize)) -> Option<Step> {
        let [before, after] = [self.precision(from)?, self.precision(to)?];
        let trials = self.trials(to) - self.trials(from);
        Some(Step {
            from_repeats: from.0,
            to_repeats: to.0,
            more_tasks: self.tasks * (to.1 - from.1),
            less: self.half_width(&before) - self.half_width(&after),
            trials,
            cost_usd: self.cost(trials),
        })
    }
}
