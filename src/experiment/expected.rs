//! What stands in each run of an experiment.

use super::outlook::{Means, Outlook, RunOutlook};
use super::planned::Experiment;
use crate::bench::Total;
use crate::error::Result;
use crate::runner::Plan;
use crate::store::Pass;
use crate::survey::{Standing, Surveyed};

impl Experiment {
    /// What stands now, where the runs are run with these passes.
    pub fn outlook(&self, passes: &[Pass]) -> Result<Outlook> {
        let mut runs = Vec::new();
        let mut means = Means::default();
        for (one, pass) in self.runs.iter().zip(passes) {
            let (arm, surveyed) = (&one.arm, self.survey(one)?);
            let plan = Plan::of(&surveyed, true, pass);
            let is_finished = |one: &&Surveyed| plan.finished.contains(&one.pair);
            let mut outlook = RunOutlook {
                run: one.run.name().clone(),
                pairs: plan.total(),
                submitted: 0,
                at_limit: 0,
                errors: plan.settled.len(),
                to_run: plan.to_run.len(),
                spent: self.total_on(one)?,
                arm: arm.name.clone(),
                kind: format!("{} {}", arm.config.experiment.model, arm.setting),
            };
            for one in surveyed.iter().filter(is_finished) {
                let Standing::Result(judged) = &one.standing else {
                    continue;
                };
                outlook.submitted += usize::from(judged.record.is_submitted());
                if let Some(usd) = judged.cost.usd.filter(|_| !judged.cost.is_partial) {
                    means.add(&outlook, usd);
                }
            }
            outlook.at_limit = plan.finished.len() - outlook.submitted;
            runs.push(outlook);
        }
        let mut elsewhere = Total::default();
        for one in &self.others {
            elsewhere += self.total_on(one)?;
        }
        Ok(Outlook {
            runs,
            elsewhere,
            budget: self.config.limits.budget,
            means,
        })
    }
}
