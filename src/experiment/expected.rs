//! What stands in each run of an experiment.

use std::collections::{HashMap, HashSet};

use super::arms::Arm;
use super::outlook::{Means, Outlook, RunOutlook};
use super::planned::Experiment;
use crate::bench::{Pair, Setting, Total};
use crate::error::Result;
use crate::runner::Plan;
use crate::store::Pass;
use crate::survey::spent::spent;
use crate::survey::{Judged, Stand, Standing, Surveyed};
use crate::triage::Finding;

impl Experiment {
    /// What stands now, where the runs are run with these passes.
    pub fn outlook(&self, passes: &[Pass]) -> Result<Outlook> {
        let asked: HashSet<&Pair> = self.pairs.iter().collect();
        let mut runs = Vec::new();
        let mut means = Means::default();
        for (one, pass) in self.runs.iter().zip(passes) {
            let (mut surveyed, spent) = self.stock(one)?;
            let (arm, kind) = (&one.arm.name, of_arm(&one.arm));
            for (pair, usd) in known_costs(&surveyed) {
                means.add(Some(arm), &kind, pair, usd);
            }
            surveyed.retain(|one| asked.contains(&one.pair));
            let plan = Plan::of(&surveyed, true, pass);
            let finished: HashSet<&Pair> = plan.finished.iter().collect();
            let has_submitted = |one: &&Surveyed| {
                let submitted = finished_result(one).is_some_and(|it| it.record.is_submitted());
                submitted && finished.contains(&one.pair)
            };
            let submitted = surveyed.iter().filter(has_submitted).count();
            runs.push(RunOutlook {
                run: one.run.name().clone(),
                pairs: plan.total(),
                submitted,
                at_limit: plan.finished.len() - submitted,
                errors: plan.settled.len(),
                to_run: plan.to_run,
                spent,
                arm: arm.clone(),
                kind,
            });
        }
        let elsewhere = self.of_others(&mut means)?;
        Ok(Outlook {
            runs,
            elsewhere,
            budget: self.config.limits.budget,
            means,
        })
    }

    /// What was spent on runs that are not asked for; what their pairs have cost goes to the means.
    fn of_others(&self, means: &mut Means) -> Result<Total> {
        let arms = self.arms.iter();
        let kinds: HashMap<&str, String> =
            arms.map(|arm| (arm.name.as_str(), of_arm(arm))).collect();
        let mut total = Total::default();
        for one in &self.others {
            let stand = Stand::read(&one.run, &self.rules, &self.prices)?;
            let trials = stand.books.ledger.entries().iter().chain(&stand.unbooked);
            total += spent(trials, &stand.surveyed).total;
            let Some(manifest) = &stand.manifest else {
                continue;
            };
            let kind = kind(&manifest.model, &manifest.agent, manifest.setting);
            let is_same = kinds.get(one.arm.as_str()) == Some(&kind);
            for (pair, usd) in known_costs(&stand.surveyed) {
                means.add(is_same.then_some(&one.arm), &kind, pair, usd);
            }
        }
        Ok(total)
    }
}

/// What arms have in common that cost about the same.
fn kind(model: &str, agent: &str, setting: Setting) -> String {
    format!("{model} {agent} {setting}")
}

fn of_arm(arm: &Arm) -> String {
    let model = &arm.config.experiment.model;
    kind(model, arm.options.agent(), arm.setting)
}

/// The pairs that have finished, with what each has cost in USD, where all of that is known.
fn known_costs(surveyed: &[Surveyed]) -> impl Iterator<Item = (&Pair, f64)> {
    surveyed.iter().filter_map(|one| {
        let cost = finished_result(one)?.cost;
        let usd = cost.usd.filter(|_| !cost.is_partial)?;
        Some((&one.pair, usd))
    })
}

/// The result of a pair, if its trial finished.
fn finished_result(one: &Surveyed) -> Option<&Judged> {
    match &one.standing {
        Standing::Result(judged) if judged.finding == Finding::Finished => Some(judged),
        _ => None,
    }
}
