//! Which pairs an evaluation judges: those without a verdict that stands, and with `--force` those
//! whose verdict is of before the forced pass.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::alone_plan::AlonePlan;
use super::news::NewsSender;
use super::present::Present;
use crate::bench::setting::Tree;
use crate::bench::{Pair, RunName};
use crate::config::{Config, OwnArm};
use crate::error::Result;
use crate::model::price::PriceTable;
use crate::runner::judging::{Finished, JudgeFor};
use crate::store::eval::{self, EvalFile};
use crate::store::lock::RunLock;
use crate::store::pass::{self, Covered};
use crate::store::{Manifest, PairDir, Pass, RunDir};
use crate::survey::{Stand, Standing};
use crate::text::plural;
use crate::triage::{Finding, Rules};

/// The verdicts that are asked for: by which rules, and over what.
#[derive(Debug)]
pub struct Verdicts {
    /// The configuration in force. It says whose rules decide, and how many pairs are judged at
    /// once.
    pub config: Config,
    /// The rules of triage. They say which trials finished, and which trouble is tried again.
    pub rules: Rules,
    /// Prices in USD per token, for the costs of the trials that are surveyed.
    pub prices: PriceTable,
    /// What the verdicts that stand are held against.
    pub present: Present,
    /// Whether those that stand are made again.
    pub force: bool,
    /// Whether what earlier evaluations have kept in the cache is left unread.
    pub without_cache: bool,
    /// Whether each agent's patch is judged alone too.
    pub alone: bool,
    /// The pairs that are looked at; all of them without.
    pub only: Option<Vec<Pair>>,
}

/// What there is to judge in a run.
#[derive(Debug)]
pub struct ToJudge {
    /// Pairs to judge: they finished, and have no verdict that stays.
    pub open: Vec<Finished>,
    /// Pairs with a verdict that stays.
    pub judged: usize,
    pairs_judged: Vec<(Tree, Pair)>,
    /// Pairs without a trial that finished.
    pub unfinished: usize,
    /// Pairs that were judged by other rules.
    pub others: usize,
    /// Pairs with a verdict that a forced pass replaces.
    pub again: usize,
    /// Pairs whose verdict was made with another dataset or image, with what differs.
    pub outdated: Vec<(Pair, Vec<String>)>,
    /// What is known, and what not, of each agent alone, of the pairs with a verdict that stays.
    pub alone: AlonePlan,
}

impl ToJudge {
    /// Which verdicts are made again, as the dataset or an image is another one by now.
    #[must_use]
    pub fn says_outdated(&self) -> Option<String> {
        if self.outdated.is_empty() {
            return None;
        }
        let mut tasks: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for (pair, what) in &self.outdated {
            let names = tasks.entry(pair.task.to_string()).or_default();
            names.extend(what.iter().map(String::as_str));
        }
        let tasks = tasks.iter().map(|(task, names)| {
            let names: Vec<&str> = names.iter().copied().collect();
            format!("{task}: {}", names.join(", "))
        });
        Some(format!(
            "{} judged with another dataset or image, and judged again; each verdict stands until its new one is there ({})",
            plural(self.outdated.len(), "pair"),
            tasks.collect::<Vec<_>>().join("; ")
        ))
    }
}

impl Verdicts {
    /// The configuration that a run is judged with: its suites have the root file system and the limits
    /// that its agents had, where its arm has some of its own.
    pub(super) fn config_of(&self, run: &RunDir) -> Result<Config> {
        let mut config = self.config.clone();
        let Some(manifest) = Manifest::read(run)? else {
            return Ok(config);
        };
        let ours = config.experiment.name.as_ref();
        let is_of_another = ours
            .zip(manifest.experiment.as_ref())
            .is_some_and(|(ours, its)| ours != its);
        let is_its = |arm: &&OwnArm| Some(&arm.name) == manifest.arm.as_ref();
        let arm = self.config.own_arms.iter().find(is_its);
        if let Some(arm) = arm.filter(|_| !is_of_another) {
            config.native = arm.meant.clone()?.config.native;
        }
        Ok(config)
    }

    /// What there is to judge in a run, with a forced pass over it.
    pub fn plan(&self, run: &RunDir, pass: &Pass) -> Result<ToJudge> {
        self.plan_of(run, pass, self.only.as_deref())
    }

    fn plan_of(&self, run: &RunDir, pass: &Pass, only: Option<&[Pair]>) -> Result<ToJudge> {
        let stand = Stand::read(run, &self.rules, &self.prices)?;
        let mut plan = ToJudge {
            open: Vec::new(),
            judged: 0,
            unfinished: 0,
            others: 0,
            again: 0,
            outdated: Vec::new(),
            alone: AlonePlan::default(),
            pairs_judged: Vec::new(),
        };
        for surveyed in stand.surveyed {
            if only.is_some_and(|only| !only.contains(&surveyed.pair)) {
                continue;
            }
            let finished = match surveyed.standing {
                Standing::Result(judged) if judged.finding == Finding::Finished => judged.record,
                _ => {
                    plan.unfinished += 1;
                    continue;
                }
            };
            let dir = run.pair(surveyed.tree, &surveyed.pair);
            // The survey has read it, and knows whether it is of this trial.
            let file = surveyed.evaluation.filter(stands);
            let is_replaced = file.is_some()
                && pass.covers(&surveyed.pair)
                && identity(&dir)?.is_some_and(|now| pass.replaces(&surveyed.pair, &now));
            plan.again += usize::from(is_replaced);
            let own = file.as_ref().and_then(|file| file.regatta.as_ref());
            let rules = self.config.evaluation.rules;
            // By other rules it would be another verdict as well: that asks for --force.
            let same_rules = own.filter(|own| own.rules == rules && !is_replaced);
            let judged_with = same_rules.and_then(|own| own.judged_with.as_ref());
            let changes = judged_with.map(|old| self.present.changes(&surveyed.pair, old));
            let changes = changes.filter(|changes| !changes.is_empty());
            let is_replaced = is_replaced || changes.is_some();
            plan.outdated
                .extend(changes.map(|changes| (surveyed.pair.clone(), changes)));
            // Not by other rules: the verdict would be another one as well.
            let is_half =
                own.is_some_and(|own| own.worth_broken_by.is_some() && own.rules == rules);
            let worth_only = is_half && !is_replaced;
            if let Some(file) = &file
                && !is_replaced
                && !worth_only
            {
                plan.judged += 1;
                self.plan_alone(
                    &mut plan.alone,
                    surveyed.tree,
                    &surveyed.pair,
                    finished,
                    file,
                );
                plan.pairs_judged.push((surveyed.tree, surveyed.pair));
                plan.others += usize::from(own.is_some_and(|own| own.rules != rules));
                continue;
            }
            plan.open.push(Finished {
                pair: surveyed.pair,
                tree: surveyed.tree,
                record: finished,
                has_verdict: is_replaced || worth_only,
                asked: if worth_only {
                    JudgeFor::Worth
                } else {
                    JudgeFor::Verdict
                },
            });
        }
        Ok(plan)
    }

    /// The forced passes over these runs that are open, or would be with `--force`; reads only.
    ///
    /// One by other rules is another pass: it is left as it is, or followed by a new one.
    pub fn passes(&self, runs: &[RunDir], force: bool) -> Result<Vec<Pass>> {
        let rules = self.config.evaluation.rules;
        let mut forced = Vec::new();
        for run in runs {
            let pass = Pass::read(&run.eval_pass())?;
            let pass = pass.filter(|pass| pass.rules.as_ref().is_some_and(|of| *of == rules));
            let pairs = if force {
                self.finished(run)?
            } else {
                Vec::new()
            };
            forced.push((pass, pairs));
        }
        if !force {
            let open = |(pass, _): (Option<Pass>, _)| {
                pass.filter(|pass| pass.closed_at.is_none())
                    .unwrap_or_default()
            };
            return Ok(forced.into_iter().map(open).collect());
        }
        let mut passes = pass::forced(forced, Timestamp::now());
        for pass in &mut passes {
            pass.rules = Some(rules.into());
        }
        Ok(passes)
    }

    /// The finished pairs that are asked for, with the verdict that each has.
    fn finished(&self, run: &RunDir) -> Result<Vec<Covered>> {
        let anew = self.plan(run, &Pass::default())?;
        let judged = anew.pairs_judged.iter();
        let open = anew.open.iter().map(|one| (one.tree, &one.pair));
        let all = judged.map(|(tree, pair)| (*tree, pair)).chain(open);
        let covered = all.map(|(tree, pair)| {
            Ok(Covered {
                pair: pair.clone(),
                was: identity(&run.pair(tree, pair))?,
            })
        });
        covered.collect()
    }

    /// What there is to say of a forced pass: that one begins, or how far one is that goes on, whether
    /// `--force` is given again or not.
    pub fn says_of_pass(
        &self,
        run: &RunDir,
        pass: &Pass,
        plan: &ToJudge,
    ) -> Result<Option<String>> {
        let stands = "each verdict stands until its new one is there";
        let begun = Pass::read_open(&run.eval_pass())?;
        if pass.pairs.is_empty() || begun.pairs.is_empty() || begun.begun_at != pass.begun_at {
            return Ok((plan.again > 0).then(|| {
                let pairs = plural(plan.again, "pair");
                format!("--force judges {pairs} again; {stands}")
            }));
        }
        let covered = |one: &&Finished| pass.covers(&one.pair);
        let left = plan.open.iter().filter(covered).count();
        Ok((left > 0).then(|| {
            format!(
                "goes on with the pass that `eval --force` began at {:.0}: {left} of its {} left; {stands}",
                pass.begun_at,
                plural(pass.pairs.len(), "pair")
            )
        }))
    }

    /// Closes the passes when no pair of them is left; until then `--force` goes on with them. A pair
    /// is not left that was judged just now and is `settled`: only mending changes it, and then
    /// another pass is asked for.
    pub fn close(
        &self,
        runs: &[RunDir],
        settled: &HashMap<&RunName, Vec<Pair>>,
        news: &NewsSender,
    ) -> Result<()> {
        let passes = self.passes(runs, false)?;
        let mut pairs = Vec::new();
        for (run, pass) in runs.iter().zip(&passes) {
            // Also of pairs that nobody asked for now: the pass is not done before them.
            let plan = self.plan_of(run, pass, None)?;
            let (half, open): (Vec<_>, Vec<_>) = plan
                .open
                .into_iter()
                .partition(|one| one.asked == JudgeFor::Worth);
            let settled = settled.get(run.name()).map_or(&[][..], Vec::as_slice);
            let is_left = |one: &Finished| pass.covers(&one.pair) && !settled.contains(&one.pair);
            if open.iter().any(is_left) {
                return Ok(());
            }
            let judged = plan.pairs_judged.into_iter().map(|(_, pair)| pair);
            let half = half.into_iter().map(|one| one.pair);
            let settled = settled.iter().cloned();
            pairs.push(judged.chain(half).chain(settled).collect::<Vec<_>>());
        }
        for ((run, mut pass), pairs) in runs.iter().zip(passes).zip(pairs) {
            if !pass.pairs.is_empty() {
                let _lock = RunLock::take(run)?;
                pass.leave(&pairs, Timestamp::now());
                pass.write(&run.eval_pass())?;
                news.detail(format!("{}: the forced evaluation is done", run.name()));
            }
        }
        Ok(())
    }
}

/// What tells one `eval.json` from the next.
fn identity(dir: &PairDir) -> Result<Option<String>> {
    eval::independent::identity(&dir.eval())
}

/// Whether what an `eval.json` says needs not be asked again.
fn stands(file: &EvalFile) -> bool {
    match &file.regatta {
        // A verdict, or a merge that cannot be had.
        Some(own) => own.broken_by.is_none(),
        // Upstream's: it keeps errors of its world like verdicts.
        None => file.is_verdict(),
    }
}
