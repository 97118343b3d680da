//! Which agents are judged alone, beside the verdicts that stand.

use super::Verdicts;
use super::alone_plan::AlonePlan;
use crate::bench::Pair;
use crate::bench::setting::Tree;
use crate::runner::judging::{Finished, JudgeFor, Need};
use crate::store::TrialRecord;
use crate::store::eval::EvalFile;
use crate::store::eval::independent::AGENTS;

impl Verdicts {
    /// Adds a pair with a verdict that stays.
    pub(super) fn plan_alone(
        &self,
        plan: &mut AlonePlan,
        tree: Tree,
        pair: &Pair,
        record: TrialRecord,
        file: &EvalFile,
    ) {
        // Where the rules give no verdict (0.0.11's failed merge), there is nothing to take apart.
        if !file.is_verdict() {
            return;
        }
        if tree.is_solo() {
            plan.one_agent += 1;
            return;
        }
        let note = file.regatta_independent.as_ref();
        let rules = self.config.evaluation.rules;
        let of_pair = file.regatta.as_ref().map(|own| own.rules.clone());
        let alone = note.map(|note| note.rules.clone());
        // Of upstream's own verdict the rules are not known, and are taken for these.
        if of_pair.into_iter().chain(alone).any(|of| of != rules) {
            plan.others += 1;
            return;
        }
        let is_outdated = note.is_some_and(|note| {
            let changes = self.present.changes(pair, &note.judged_with);
            !note.suites.is_empty() && !changes.is_empty()
        });
        let needs = [0, 1].map(|of| {
            let by_us = note.is_some_and(|note| {
                let mut suites = note.suites.iter();
                suites.any(|suite| suite.agent == AGENTS[of])
            });
            match file.independent(of).and_then(|seen| seen.passed) {
                Some(passed) if !(is_outdated && by_us) => Need::Known(passed),
                _ => match file.told_alone(of, pair.features) {
                    Some(told) => Need::Told(told),
                    None => Need::Suite,
                },
            }
        });
        if needs.iter().all(|need| matches!(need, Need::Known(_))) {
            plan.judged += 1;
            return;
        }
        plan.outdated += usize::from(is_outdated);
        plan.open.push(Finished {
            pair: pair.clone(),
            tree,
            record,
            has_verdict: true,
            asked: JudgeFor::Alone(needs),
        });
    }
}
