//! Judging what is asked for, run by run.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::alone_plan::AlonePlan;
use super::judge::{cache, check, clones, judge, suites_on};
use super::leftovers::reap;
use super::news::{News, NewsSender};
use super::setup;
use super::verdicts::{ToJudge, Verdicts};
use crate::bench::{BackendKind, RuleSet, RunName, Word};
use crate::engine::Stop;
use crate::error::{Error, Result};
use crate::evaluation::cache::Cache;
use crate::evaluation::network;
use crate::hint;
use crate::runner::Interrupt;
use crate::runner::judging::{Finished, Judging, JudgingResult};
use crate::sandbox::SandboxLimits;
use crate::store::lock::RunLock;
use crate::store::{Manifest, Pass, RunDir};
use crate::text::one_line;
use crate::text::plural;

/// How the judging of runs ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JudgingEnd {
    /// Whether the user stopped it.
    pub is_interrupted: bool,
    /// Pairs without a verdict that another evaluation may give one.
    pub troubles: usize,
    /// Whether no pair is left that infrastructure, or an interrupt, left without its verdict.
    pub is_over: bool,
}

/// The pairs of one run that are judged now.
struct Batch {
    open: Vec<Finished>,
    /// Those of them that replace something.
    again: usize,
    /// Pairs of the run that stay as they are.
    judged: usize,
    alone: bool,
}

impl Verdicts {
    /// Judges runs one after the other; and then, if that is asked for, each agent alone, of every pair
    /// with a verdict that stands.
    pub async fn judge(
        &self,
        runs: &[RunDir],
        interrupt: &mut Interrupt,
        news: &NewsSender,
    ) -> Result<JudgingEnd> {
        let end = self.judge_pairs(runs, interrupt, news).await?;
        if !self.alone || end.is_interrupted {
            return Ok(end);
        }
        self.judge_agents(runs, end, interrupt, news).await
    }

    /// Judges each agent alone, run by run.
    async fn judge_agents(
        &self,
        runs: &[RunDir],
        mut end: JudgingEnd,
        interrupt: &mut Interrupt,
        news: &NewsSender,
    ) -> Result<JudgingEnd> {
        let mut plans = Vec::new();
        for (run, pass) in runs.iter().zip(self.passes(runs, false)?) {
            let plan = self.plan(run, &pass)?.alone;
            self.tell_of_agents(run, &plan, news);
            plans.push((run, plan));
        }
        let pairs = plans.iter().map(|(_, plan)| plan.open.len()).sum();
        if pairs == 0 {
            return Ok(end);
        }
        news.tell(News::JudgingBegun { pairs, alone: true });
        let cache = cache(!self.force && !self.without_cache);
        for (run, plan) in plans {
            if plan.open.is_empty() {
                continue;
            }
            if interrupt.came().stop > Stop::No {
                end.is_interrupted = true;
                break;
            }
            let _lock = RunLock::take(run)?;
            let batch = Batch {
                open: plan.open,
                again: plan.outdated,
                judged: plan.judged,
                alone: true,
            };
            let ended = self.one(run, batch, &cache, interrupt, news).await?;
            end.troubles += ended.troubles;
            if ended.stopped {
                end.is_interrupted = true;
                break;
            }
        }
        Ok(end)
    }

    /// Says what there is to say of a run's agents before they are judged alone.
    fn tell_of_agents(&self, run: &RunDir, plan: &AlonePlan, news: &NewsSender) {
        let name = run.name();
        if plan.one_agent > 0 {
            let pairs = plural(plan.one_agent, "pair");
            news.note(format!(
                "{name}: one agent worked on {pairs}: --alone has nothing to add"
            ));
        }
        if let Some(again) = plan.says_outdated() {
            news.warn(format!("{name}: {again}"));
        }
        if plan.others > 0 {
            let rules = self.config.evaluation.rules;
            let again = hint::command(&format!("eval {name} --alone --rules"));
            news.warn(format!(
                "{name}: {} judged by other rules than {rules}: the agents are not judged alone by these; `{again} VERSION` takes theirs",
                plural(plan.others, "pair"),
            ));
        }
    }

    async fn judge_pairs(
        &self,
        runs: &[RunDir],
        interrupt: &mut Interrupt,
        news: &NewsSender,
    ) -> Result<JudgingEnd> {
        reap(&self.config, runs.iter(), news).await?;
        let passes = self.passes(runs, self.force)?;
        // Who finishes a forced pass asks as little of what was known before.
        let is_forced = self.force || passes.iter().any(|pass| !pass.pairs.is_empty());
        let plans = self.plans(runs, &passes, news)?;
        let mut end = JudgingEnd {
            is_interrupted: false,
            troubles: 0,
            is_over: true,
        };
        if plans.iter().all(|plan| plan.open.is_empty()) {
            if is_forced {
                self.close(runs, &HashMap::new(), news)?;
            }
            return Ok(end);
        }
        if self.force {
            // A pass that begins is gone on with: not one that nobody could judge.
            for (run, _) in runs
                .iter()
                .zip(&plans)
                .filter(|(_, plan)| !plan.open.is_empty())
            {
                check(&self.config, backend_of(run)?).await?;
            }
        }
        self.warn_of_network(runs, &plans, news)?;
        news.tell(News::JudgingBegun {
            pairs: plans.iter().map(|plan| plan.open.len()).sum(),
            alone: false,
        });
        let cache = cache(!is_forced && !self.without_cache);
        let mut settled = HashMap::new();
        let mut locks = self.begin_passes(runs, &passes)?;
        for (run, plan) in runs.iter().zip(plans) {
            if plan.open.is_empty() {
                continue;
            }
            // Also where it came when the last pair of the run before was judged.
            if interrupt.came().stop > Stop::No {
                end.is_interrupted = true;
                end.is_over = false;
                break;
            }
            let _lock = match locks.remove(run.name()) {
                Some(lock) => lock,
                None => RunLock::take(run)?,
            };
            let batch = Batch {
                again: plan.again + plan.outdated.len(),
                open: plan.open,
                judged: plan.judged,
                alone: false,
            };
            let ended = self.one(run, batch, &cache, interrupt, news).await?;
            if ended.stopped {
                end.is_interrupted = true;
                end.is_over = false;
                break;
            }
            end.troubles += ended.troubles;
            end.is_over &= ended.troubles == ended.settled.len();
            settled.insert(run.name(), ended.settled);
        }
        drop(locks);
        if is_forced && end.is_over {
            self.close(runs, &settled, news)?;
        }
        Ok(end)
    }

    /// What there is to judge in each run, and what there is to say of it.
    fn plans(&self, runs: &[RunDir], passes: &[Pass], news: &NewsSender) -> Result<Vec<ToJudge>> {
        let mut plans = Vec::new();
        for (run, pass) in runs.iter().zip(passes) {
            let plan = self.plan(run, pass)?;
            self.tell_of_pass(run, pass, &plan, news)?;
            if let Some(again) = plan.says_outdated() {
                news.warn(format!("{}: {again}", run.name()));
            }
            if plan.others > 0 {
                let again = hint::command(&format!("eval {} --force", run.name()));
                news.warn(format!(
                    "{}: {} judged by other rules than {}, which is not comparable; `{again}` judges all by one",
                    run.name(),
                    plural(plan.others, "pair"),
                    self.config.evaluation.rules
                ));
            }
            plans.push(plan);
        }
        Ok(plans)
    }

    /// Says once where suites have no network and want one.
    fn warn_of_network(&self, runs: &[RunDir], plans: &[ToJudge], news: &NewsSender) -> Result<()> {
        let mut told = BTreeSet::new();
        for (run, plan) in runs.iter().zip(plans) {
            let config = self.config_of(run)?;
            let kind = suites_on(&config, backend_of(run)?);
            let (Some(kind), false) = (kind.known(), plan.open.is_empty()) else {
                continue;
            };
            let limits = SandboxLimits::of_config(&config.native, kind);
            let tasks = plan.open.iter().map(|one| &one.pair.task);
            // Where there is no dataset, judging says so.
            if let Ok(dataset) = setup::dataset_alone(&config) {
                told.extend(network::lack(&dataset, &limits, tasks));
            }
        }
        for (what, remedy) in told {
            news.warn(format!("{what}; {remedy}"));
        }
        Ok(())
    }

    /// Writes the passes that are forced, under the locks of their runs.
    ///
    /// All of the passes are written before any verdict is replaced: killed at any moment, the same
    /// command goes on with what it had begun.
    fn begin_passes<'a>(
        &self,
        runs: &'a [RunDir],
        passes: &[Pass],
    ) -> Result<HashMap<&'a RunName, RunLock>> {
        let mut locks = HashMap::new();
        if self.force {
            for (run, pass) in runs.iter().zip(passes) {
                locks.insert(run.name(), RunLock::take(run)?);
                if !pass.pairs.is_empty() {
                    pass.write(&run.eval_pass())?;
                }
            }
        }
        Ok(locks)
    }

    /// Says what there is to say of a forced pass, and that one by other rules is not done.
    fn tell_of_pass(
        &self,
        run: &RunDir,
        pass: &Pass,
        plan: &ToJudge,
        news: &NewsSender,
    ) -> Result<()> {
        if let Some(told) = self.says_of_pass(run, pass, plan)? {
            news.note(format!("{}: {told}", run.name()));
        }
        let other = Pass::read_open(&run.eval_pass())?;
        let ours = self.config.evaluation.rules;
        if let Some(rules) = other.rules.filter(|rules| *rules != ours) {
            let name = run.name();
            let rest = hint::command(&format!("eval {name} --rules {rules}"));
            news.warn(format!(
                "{name}: a forced evaluation by the rules of {rules} is not finished; `{rest}` finishes it"
            ));
        }
        Ok(())
    }

    async fn one(
        &self,
        run: &RunDir,
        batch: Batch,
        cache: &Arc<Cache>,
        interrupt: &mut Interrupt,
        news: &NewsSender,
    ) -> Result<JudgingResult> {
        let config = self.config_of(run)?;
        let mut judge = judge(&config, backend_of(run)?, &self.rules, cache).await?;
        let is_solo = |finished: &Finished| finished.tree.is_solo();
        if !batch.alone && !batch.open.iter().all(is_solo) {
            judge.clones = clones(&judge.venue.backend, &config).await?;
        }
        let judge = Arc::new(judge);
        note_rules(run, self.config.evaluation.rules)?;
        news.tell(News::JudgingStarted {
            run: run.name().clone(),
            pairs: batch.open.len(),
            again: batch.again,
            judged: batch.judged,
            rules: self.config.evaluation.rules,
            alone: batch.alone,
        });
        let attempts = &self.config.attempts;
        let judging = Arc::new(Judging {
            judge: Arc::clone(&judge),
            run: run.clone(),
            rules: Arc::new(self.rules.clone()),
            concurrency: self.config.experiment.concurrency,
            tries: attempts.max_attempts,
            backoff: (attempts.backoff, attempts.backoff_max),
        });
        let (name, told) = (run.name().clone(), news.clone());
        let tell = move |what| {
            told.tell(News::Judging {
                run: name.clone(),
                told: what,
            });
        };
        let ended = judging.all(batch.open, interrupt, Arc::new(tell)).await;
        news.tell(News::JudgingEnded {
            run: run.name().clone(),
        });
        judge.venue.backend.close().await;
        let ended = ended?;
        if let Some(why) = ended.daemon_gone {
            return Err(Error::world(format!(
                "the Docker daemon is gone: {}",
                one_line(&why, 300)
            ))
            .hint("what was judged is kept; start the daemon, and the same command goes on"));
        }
        Ok(ended)
    }
}

/// Where the agents' commands of a run ran: its suites run there too, unless something else is
/// asked for.
fn backend_of(run: &RunDir) -> Result<Option<Word<BackendKind>>> {
    Ok(Manifest::read(run)?.map(|manifest| manifest.backend))
}

/// Notes the rule set in the run's manifest, where it has one.
fn note_rules(run: &RunDir, rules: RuleSet) -> Result<()> {
    let Some(mut manifest) = Manifest::read(run)? else {
        return Ok(());
    };
    let rules = Word::Known(rules);
    if manifest.judged_by.contains(&rules) {
        return Ok(());
    }
    manifest.judged_by.push(rules);
    manifest.write(run)
}
