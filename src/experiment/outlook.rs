//! What stands before an experiment runs, and what the rest may cost.

use std::collections::HashMap;

use super::planned::Experiment;
use crate::bench::{RunName, Setting, Total};
use crate::error::Result;
use crate::runner::Plan;
use crate::store::Pass;
use crate::survey::{Standing, Surveyed};

/// What stands in all runs, and what may be spent on them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outlook {
    /// The runs, in the order in which they run.
    pub runs: Vec<RunOutlook>,
    /// What all runs may cost together, in USD.
    pub budget: Option<f64>,
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
    /// What the pairs that will run may cost, in USD: so many times the mean of finished ones of its arm,
    /// or of another arm with its model and setting. `None` where none has finished.
    pub expected: Option<f64>,
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
            expected: None,
        }
    }
}

impl Outlook {
    /// What was spent on all runs.
    #[must_use]
    pub fn spent(&self) -> Total {
        let mut spent = Total::default();
        for run in &self.runs {
            spent += run.spent;
        }
        spent
    }

    /// What is left may cost so much, in USD; `None` where some of it is not known.
    #[must_use]
    pub fn expected(&self) -> Option<f64> {
        let open = self.runs.iter().filter(|run| run.to_run > 0);
        open.map(|run| run.expected).sum()
    }
}

/// The mean cost of a finished pair, in USD: the sum of the known costs of results that stand, by
/// their number. An arm's own pairs tell best; where it has none yet, those of other arms of the same
/// model and setting do.
#[derive(Default)]
struct Mean {
    of_arms: HashMap<String, (f64, u32)>,
    of_kinds: HashMap<(String, Setting), (f64, u32)>,
}

impl Mean {
    fn add(&mut self, arm: &str, model: &str, setting: Setting, usd: f64) {
        let kind = (model.to_owned(), setting);
        for (sum, count) in [
            self.of_arms.entry(arm.to_owned()).or_default(),
            self.of_kinds.entry(kind).or_default(),
        ] {
            *sum += usd;
            *count += 1;
        }
    }

    fn of(&self, arm: &str, model: &str, setting: Setting) -> Option<f64> {
        let kind = (model.to_owned(), setting);
        let found = self.of_arms.get(arm).or_else(|| self.of_kinds.get(&kind));
        found.map(|(sum, count)| sum / f64::from(*count))
    }
}

impl Experiment {
    /// What stands now, where the runs are run with these passes.
    pub fn outlook(&self, passes: &[Pass]) -> Result<Outlook> {
        let mut runs = Vec::new();
        let mut mean = Mean::default();
        for (one, pass) in self.runs.iter().zip(passes) {
            let (arm, surveyed) = (&one.arm, self.survey(one)?);
            let plan = Plan::of(&surveyed, true, pass);
            let is_finished = |one: &&Surveyed| plan.finished.contains(&one.pair);
            let mut submitted = 0;
            for one in surveyed.iter().filter(is_finished) {
                let Standing::Result(judged) = &one.standing else {
                    continue;
                };
                submitted += usize::from(judged.record.is_submitted());
                if let Some(usd) = judged.cost.usd.filter(|_| !judged.cost.is_partial) {
                    mean.add(&arm.name, &arm.config.experiment.model, arm.setting, usd);
                }
            }
            runs.push(RunOutlook {
                run: one.run.name().clone(),
                pairs: plan.total(),
                submitted,
                at_limit: plan.finished.len() - submitted,
                errors: plan.settled.len(),
                to_run: plan.to_run.len(),
                spent: self.total_on(one)?,
                expected: None,
            });
        }
        for (one, planned) in runs.iter_mut().zip(&self.runs) {
            let arm = &planned.arm;
            let mean = mean.of(&arm.name, &arm.config.experiment.model, arm.setting);
            #[expect(clippy::cast_precision_loss, reason = "a number of pairs")]
            let left = one.to_run as f64;
            one.expected = mean.map(|mean| mean * left);
        }
        Ok(Outlook {
            runs,
            budget: self.config.limits.budget,
        })
    }
}
