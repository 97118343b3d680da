//! What stands before an experiment runs, and what the rest may cost.

use std::collections::HashMap;

use crate::bench::{RunName, Total};

/// What stands in all runs, and what may be spent on them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outlook {
    /// The runs, in the order in which they run.
    pub runs: Vec<RunOutlook>,
    /// What was spent on runs of the experiment that are not asked for.
    pub elsewhere: Total,
    /// What all runs may cost together, in USD.
    pub budget: Option<f64>,
    /// What finished pairs have cost.
    pub means: Means,
}

/// The mean cost of a finished pair, in USD: the known costs of results that stand, by their number.
/// An arm's own pairs tell best; where it has none yet, those of other arms of the same model and
/// setting do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Means {
    of_arms: HashMap<String, (f64, u32)>,
    of_kinds: HashMap<String, (f64, u32)>,
}

impl Means {
    /// Adds a finished pair of a run that cost so many USD.
    pub fn add(&mut self, run: &RunOutlook, usd: f64) {
        for (sum, count) in [
            self.of_arms.entry(run.arm.clone()).or_default(),
            self.of_kinds.entry(run.kind.clone()).or_default(),
        ] {
            *sum += usd;
            *count += 1;
        }
    }

    /// What so many more pairs of a run may cost, in USD; `None` where none like them has finished.
    #[must_use]
    pub fn expected(&self, run: &RunOutlook, pairs: usize) -> Option<f64> {
        if pairs == 0 {
            return Some(0.0);
        }
        let found = self.of_arms.get(&run.arm);
        let (sum, count) = found.or_else(|| self.of_kinds.get(&run.kind))?;
        Some(sum / f64::from(*count) * pairs as f64)
    }
}

/// What stands in one run. Each pair is in one of the counts.
#[derive(Clone, Debug, PartialEq)]
pub struct RunOutlook {
    /// The run.
    pub run: RunName,
    /// How many pairs it has.
    pub pairs: usize,
    /// Those whose agents submitted.
    pub submitted: usize,
    /// Those that finished otherwise: a limit ended an agent.
    pub at_limit: usize,
    /// Those that ended in an error which stays: the agent's own.
    pub errors: usize,
    /// Those that will run.
    pub to_run: usize,
    /// What was spent on all its trials.
    pub spent: Total,
    /// Its arm.
    pub arm: String,
    /// What it has in common with other arms that cost about the same: model and setting.
    pub kind: String,
}

impl RunOutlook {
    /// A run of which nothing is known.
    #[must_use]
    pub fn unknown(run: RunName) -> Self {
        Self {
            run,
            pairs: 0,
            submitted: 0,
            at_limit: 0,
            errors: 0,
            to_run: 0,
            spent: Total::default(),
            arm: String::new(),
            kind: String::new(),
        }
    }
}

impl Outlook {
    /// What was spent on all runs, also on those that are not asked for.
    #[must_use]
    pub fn spent(&self) -> Total {
        let mut spent = self.elsewhere;
        for run in &self.runs {
            spent += run.spent;
        }
        spent
    }

    /// Whether the budget is spent already, and something would run all the same.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        let is_left = self.runs.iter().any(|run| run.to_run > 0);
        is_left && self.budget.is_some_and(|budget| self.spent().usd >= budget)
    }

    /// What the pairs of a run that will run may cost, in USD.
    #[must_use]
    pub fn expected(&self, run: &RunOutlook) -> Option<f64> {
        self.means.expected(run, run.to_run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arm: &str, kind: &str) -> RunOutlook {
        RunOutlook {
            arm: arm.to_owned(),
            kind: kind.to_owned(),
            ..RunOutlook::unknown(format!("x-{arm}").parse().unwrap())
        }
    }

    #[test]
    fn what_is_left_costs_what_its_arm_has_cost_or_one_like_it() {
        let [talk, trust, solo] = [("talk", "m coop"), ("trust", "m coop"), ("solo", "m solo")]
            .map(|(arm, kind)| run(arm, kind));
        let mut means = Means::default();
        assert_eq!(means.expected(&talk, 5), None);
        assert_eq!(means.expected(&talk, 0), Some(0.0));
        means.add(&talk, 0.5);
        means.add(&talk, 1.5);
        assert_eq!(means.expected(&talk, 3), Some(3.0));
        assert_eq!(means.expected(&trust, 3), Some(3.0));
        assert_eq!(means.expected(&solo, 3), None);
        // Its own pairs tell more than all of its kind.
        means.add(&trust, 4.0);
        assert_eq!(means.expected(&trust, 2), Some(8.0));
        assert_eq!(means.expected(&talk, 2), Some(2.0));
    }
}
