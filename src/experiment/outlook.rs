//! What stands before an experiment runs, and what the rest may cost.

use std::collections::HashMap;

use crate::bench::{Pair, RunName, Total};

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

/// What finished pairs have cost, and so what others may: the known costs of results that stand.
///
/// What is known of the nearest counts: of the same pair in the same arm, of the arm's pairs, of the
/// same pair in arms of the same kind, of the pairs of these. A trial that does not finish costs as
/// well, and none is expected.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Means {
    of_arms: HashMap<String, Costs>,
    of_kinds: HashMap<String, Costs>,
}

/// What finished pairs of one arm have cost, or of arms of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
struct Costs {
    of_pairs: HashMap<Pair, Mean>,
    of_all: Mean,
}

/// A mean in USD.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Mean {
    sum: f64,
    count: u32,
}

impl Mean {
    fn add(&mut self, usd: f64) {
        self.sum += usd;
        self.count += 1;
    }

    fn usd(self) -> f64 {
        self.sum / f64::from(self.count)
    }
}

impl Costs {
    fn of(&self, pair: &Pair) -> Mean {
        self.of_pairs.get(pair).copied().unwrap_or(self.of_all)
    }
}

impl Means {
    /// Adds a finished pair that cost so many USD, of an arm and a kind; of no arm where its run was
    /// begun as something else than the arm is now.
    pub fn add(&mut self, arm: Option<&str>, kind: &str, pair: &Pair, usd: f64) {
        let of_arm = arm.map(|arm| self.of_arms.entry(arm.to_owned()).or_default());
        let of_kind = self.of_kinds.entry(kind.to_owned()).or_default();
        for costs in of_arm.into_iter().chain([of_kind]) {
            costs.of_pairs.entry(pair.clone()).or_default().add(usd);
            costs.of_all.add(usd);
        }
    }

    /// What these pairs of a run may cost, in USD; `None` where none like them has finished.
    pub fn expected<'a>(
        &self,
        run: &RunOutlook,
        pairs: impl IntoIterator<Item = &'a Pair>,
    ) -> Option<f64> {
        let of_arm = self.of_arms.get(&run.arm);
        let costs = of_arm.or_else(|| self.of_kinds.get(&run.kind));
        let mut pairs = pairs.into_iter();
        pairs.try_fold(0.0, |sum, pair| Some(sum + costs?.of(pair).usd()))
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
    /// Those that will run, in their order.
    pub to_run: Vec<Pair>,
    /// What was spent on all its trials.
    pub spent: Total,
    /// Its arm.
    pub arm: String,
    /// What it has in common with other arms that cost about the same: model, agent and setting.
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
            to_run: Vec::new(),
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
        let is_left = self.runs.iter().any(|run| !run.to_run.is_empty());
        is_left && self.budget.is_some_and(|budget| self.spent().usd >= budget)
    }

    /// What the pairs of a run that will run may cost, in USD.
    #[must_use]
    pub fn expected(&self, run: &RunOutlook) -> Option<f64> {
        self.means.expected(run, &run.to_run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::TaskKey;

    fn run(arm: &str, kind: &str) -> RunOutlook {
        RunOutlook {
            arm: arm.to_owned(),
            kind: kind.to_owned(),
            ..RunOutlook::unknown(format!("x-{arm}").parse().unwrap())
        }
    }

    fn pairs<const N: usize>(numbers: [u64; N]) -> [Pair; N] {
        numbers.map(|number| Pair::new(TaskKey::new("gull_task", number), 1, 2))
    }

    #[test]
    fn what_is_left_costs_what_the_nearest_has_cost() {
        let [talk, trust, solo] = [("talk", "m coop"), ("trust", "m coop"), ("solo", "m solo")]
            .map(|(arm, kind)| run(arm, kind));
        let mut means = Means::default();
        let all = pairs([1, 2, 3]);
        assert_eq!(means.expected(&talk, &all), None);
        assert_eq!(means.expected(&talk, []), Some(0.0));
        means.add(Some("talk"), "m coop", &all[0], 0.5);
        means.add(Some("talk"), "m coop", &all[1], 1.5);
        // A pair that is known costs what it did, another the mean of all.
        assert_eq!(means.expected(&talk, &all), Some(0.5 + 1.5 + 1.0));
        assert_eq!(means.expected(&trust, &all), Some(0.5 + 1.5 + 1.0));
        assert_eq!(means.expected(&solo, &all), None);
        // Its own pairs tell more than all of its kind.
        means.add(Some("trust"), "m coop", &all[2], 4.0);
        assert_eq!(means.expected(&trust, &all), Some(12.0));
        assert_eq!(means.expected(&talk, &all[2..]), Some(1.0));
        // A run that was begun as something else is of its kind alone.
        means.add(None, "m solo", &all[0], 2.0);
        assert_eq!(means.expected(&solo, &all), Some(6.0));
    }

    #[test]
    fn a_pair_costs_the_mean_of_its_repeats() {
        let talk = run("talk", "m coop");
        let mut means = Means::default();
        let [pair, other] = pairs([1, 2]);
        for usd in [1.0, 2.0] {
            means.add(Some("talk"), "m coop", &pair, usd);
        }
        means.add(Some("talk"), "m coop", &other, 6.0);
        assert_eq!(means.expected(&talk, [&pair]), Some(1.5));
        assert_eq!(means.expected(&talk, &pairs([3])), Some(3.0));
    }
}
