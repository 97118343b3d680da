//! Judging what is asked for, run by run.

use std::collections::HashMap;
use std::sync::Arc;

use super::judge::{cache, clones, judge};
use super::present::Present;
use super::verdicts::{Ended, Plan};
use crate::bench::{Pair, RuleSet};
use crate::cli::bar::lock;
use crate::cli::clean::reap;
use crate::cli::tally::Tally;
use crate::cli::ui::Ui;
use crate::config::Config;
use crate::error::{Error, Result, exit};
use crate::evaluation::Judge;
use crate::hint;
use crate::model::price::PriceTable;
use crate::report::text::plural;
use crate::runner::Interrupt;
use crate::runner::judging::{Finished, Judged, Judging};
use crate::store::lock::RunLock;
use crate::store::{Manifest, Pass, RunDir};
use crate::text::one_line;
use crate::triage::Rules;

/// What is judged, and by what.
pub struct Task {
    pub config: Config,
    pub rules: Rules,
    pub prices: PriceTable,
    /// What the verdicts that stand are held against.
    pub present: Present,
    pub force: bool,
    /// The pairs that are looked at; all of them without.
    pub only: Option<Vec<Pair>>,
}

impl Task {
    /// Judges runs one after the other.
    pub async fn judge(
        &self,
        runs: &[RunDir],
        interrupt: &mut Interrupt,
        ui: &Ui,
    ) -> Result<Ended> {
        reap(&self.config, runs.iter(), ui).await?;
        let mut plans = Vec::new();
        let passes = self.passes(runs, self.force)?;
        // Who finishes a forced pass asks as little of what was known before.
        let is_anew = self.force || passes.iter().any(|pass| !pass.pairs.is_empty());
        for (run, pass) in runs.iter().zip(&passes) {
            let plan = self.plan(run, pass)?;
            self.tell_of_pass(run, pass, &plan, ui)?;
            if let Some(again) = plan.says_outdated() {
                ui.warn(format!("{}: {again}", run.name()));
            }
            if plan.others > 0 {
                ui.warn(format!(
                    "{}: {} judged by other rules than {}; their verdicts are not comparable, and --force judges them again",
                    run.name(),
                    plural(plan.others, "pair"),
                    self.config.evaluation.rules
                ));
            }
            plans.push(plan);
        }
        if plans.iter().all(|plan| plan.open.is_empty()) {
            if is_anew {
                self.close(runs, &HashMap::new(), ui)?;
            }
            ui.say("nothing to judge");
            return Ok(Ended {
                code: exit::OK,
                is_over: true,
            });
        }
        let cache = cache(!is_anew);
        let (mut code, mut is_over) = (exit::OK, true);
        let mut settled = HashMap::new();
        // All of the passes are written before any verdict is replaced: killed at any moment, the
        // same command goes on with what it had begun.
        let mut locks = HashMap::new();
        if self.force {
            for (run, pass) in runs.iter().zip(&passes) {
                locks.insert(run.name(), RunLock::take(run)?);
                if !pass.pairs.is_empty() {
                    pass.write(&run.eval_pass())?;
                }
            }
        }
        for (run, plan) in runs.iter().zip(plans) {
            if plan.open.is_empty() {
                continue;
            }
            let _lock = match locks.remove(run.name()) {
                Some(lock) => lock,
                None => RunLock::take(run)?,
            };
            // Where its agents' commands ran, unless something else is asked for.
            let manifest = Manifest::read(run)?;
            let backend = manifest.map(|manifest| manifest.backend);
            let mut judge = judge(&self.config, backend, &self.rules, &cache).await?;
            if !plan.open.iter().all(|finished| finished.tree.is_solo()) {
                judge.clones = clones(&judge.venue.backend, &self.config.native).await?;
            }
            let judge = Arc::new(judge);
            note_rules(run, self.config.evaluation.rules)?;
            let ended = self.one(run, plan, &judge, interrupt, ui).await;
            judge.venue.backend.close().await;
            let ended = ended?;
            if let Some(why) = ended.daemon_gone {
                return Err(Error::world(format!(
                    "the Docker daemon is gone: {}",
                    one_line(&why, 300)
                ))
                .hint("what was judged is kept; start the daemon, and the same command goes on"));
            }
            if ended.stopped {
                ui.say("interrupted; the same command goes on");
                (code, is_over) = (exit::INTERRUPTED, false);
                break;
            }
            if ended.troubles > 0 {
                code = exit::ERRORS;
            }
            is_over &= ended.troubles == ended.settled.len();
            settled.insert(run.name(), ended.settled);
        }
        drop(locks);
        if is_anew && is_over {
            self.close(runs, &settled, ui)?;
        }
        Ok(Ended { code, is_over })
    }

    /// Says how far a forced pass is that goes on, and that one by other rules is not done.
    fn tell_of_pass(&self, run: &RunDir, pass: &Pass, plan: &Plan, ui: &Ui) -> Result<()> {
        let covered = |one: &&Finished| pass.covers(&one.pair);
        let left = plan.open.iter().filter(covered).count();
        let all = pass.pairs.len();
        if left > 0 && left < all {
            ui.say(format!(
                "{}: the forced evaluation begun at {:.0} goes on: {left} of its {} left",
                run.name(),
                pass.begun_at,
                plural(all, "pair")
            ));
        }
        if let Some(again) = plan.replaces() {
            ui.say(format!("{}: {again}", run.name()));
        }
        let other = Pass::read_open(&run.eval_pass())?;
        let ours = self.config.evaluation.rules.name();
        if let Some(rules) = other.rules.filter(|rules| rules != ours) {
            let name = run.name();
            let rest = hint::command(&format!("eval {name} --rules {rules}"));
            ui.warn(format!(
                "{name}: a forced evaluation by the rules of {rules} is not finished; `{rest}` finishes it"
            ));
        }
        Ok(())
    }

    async fn one(
        &self,
        run: &RunDir,
        plan: Plan,
        judge: &Arc<Judge>,
        interrupt: &mut Interrupt,
        ui: &Ui,
    ) -> Result<Judged> {
        let total = plan.open.len();
        let again = match plan.again + plan.outdated.len() {
            0 => String::new(),
            again => format!(" ({again} of them again)"),
        };
        ui.say(format!(
            "{}: {} to judge by the rules of {}{again}, {} judged already",
            run.name(),
            plural(total, "pair"),
            self.config.evaluation.rules,
            plan.judged
        ));
        let attempts = &self.config.attempts;
        let judging = Arc::new(Judging {
            judge: Arc::clone(judge),
            run: run.clone(),
            rules: Arc::new(self.rules.clone()),
            concurrency: self.config.experiment.concurrency,
            tries: attempts.max_attempts,
            backoff: (attempts.backoff, attempts.backoff_max),
        });
        let tally = Tally::begin(ui, run.name().as_str(), total);
        let told = Arc::clone(&tally);
        let tell = move |what| lock(&told).take_in(what);
        let ended = judging.all(plan.open, interrupt, Arc::new(tell)).await;
        lock(&tally).bar.finish();
        ended
    }
}

/// Notes the rule set in the run's manifest, where it has one.
fn note_rules(run: &RunDir, rules: RuleSet) -> Result<()> {
    let Some(mut manifest) = Manifest::read(run)? else {
        return Ok(());
    };
    let name = rules.name().to_owned();
    if manifest.judged_by.contains(&name) {
        return Ok(());
    }
    manifest.judged_by.push(name);
    manifest.write(run)
}
