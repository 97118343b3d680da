//! What stands before an experiment runs.

use super::planned::Experiment;
use crate::bench::{RunName, Total};
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
        }
    }
}

impl Experiment {
    /// What stands now, where the runs are run with these passes.
    pub(super) fn outlook(&self, passes: &[Pass]) -> Result<Outlook> {
        let mut runs = Vec::new();
        for ((setting, run), pass) in self.runs.iter().zip(passes) {
            let surveyed = self.survey(*setting, run)?;
            let plan = Plan::of(&surveyed, true, pass);
            let is_submitted = |one: &&Surveyed| {
                let Standing::Result(judged) = &one.standing else {
                    return false;
                };
                plan.finished.contains(&one.pair) && judged.record.is_submitted()
            };
            let submitted = surveyed.iter().filter(is_submitted).count();
            runs.push(RunOutlook {
                run: run.name().clone(),
                pairs: plan.total(),
                submitted,
                at_limit: plan.finished.len() - submitted,
                errors: plan.settled.len(),
                to_run: plan.to_run.len(),
                spent: self.total_on(*setting, run)?,
            });
        }
        Ok(Outlook {
            runs,
            budget: self.config.limits.budget,
        })
    }
}
