//! An experiment from its opened runs to its verdicts.

use super::judging::JudgingEnd;
use super::leftovers::reap;
use super::news::NewsSender;
use super::planned::Experiment;
use super::present::Present;
use super::running::Executors;
use super::served::ServedWheel;
use super::verdicts::Verdicts;
use crate::error::Result;
use crate::runner::{Interrupt, RunEnd, Wheel};
use crate::store::RunDir;

/// What is asked for beside the configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExecutionOptions {
    /// Begin anew: results that stand are set aside first.
    pub force: bool,
    /// Go on with runs that were begun as something else.
    pub accept_changes: bool,
    /// Start without the checks of the world.
    pub without_preflight: bool,
}

/// How an experiment ended: what became of its runs, and of their judging.
#[derive(Debug)]
pub struct Executed {
    /// [`RunEnd::Complete`] if every run is. Otherwise the end that stopped the runs after it, or
    /// [`RunEnd::Errors`].
    pub end: RunEnd,
    /// How their judging did, if they were judged. What ran stands also where this is an error.
    pub judged: Result<Option<JudgingEnd>>,
}

impl Experiment {
    /// Opens the runs, runs them, and judges what finished if the configuration says so.
    pub async fn execute(
        &self,
        executors: &impl Executors,
        asked: ExecutionOptions,
        interrupt: &mut Interrupt,
        news: &NewsSender,
    ) -> Result<Executed> {
        let runs = self.open(asked.accept_changes, asked.force).await?;
        let names = runs.iter().map(|open| open.run().name().clone());
        let wheel = Wheel::of(interrupt.clone(), names.collect());
        let served = ServedWheel::begin(&runs, wheel, news);
        if !asked.without_preflight {
            self.preflight(asked.force, news).await?;
        }
        reap(&self.config, self.runs.iter().map(|one| &one.run), news).await?;
        if !self.pull(asked.force, interrupt, news).await? {
            let end = RunEnd::Interrupted;
            let judged = Ok(None);
            return Ok(Executed { end, judged });
        }
        let run = self.run(executors, runs, asked.force, served, news);
        let end = run.await?;
        let is_over = matches!(end, RunEnd::Complete | RunEnd::Errors);
        let judged = if is_over && self.config.evaluation.after_run {
            let judged = self.judge(asked.force, interrupt, news).await;
            judged.map(Some)
        } else {
            Ok(None)
        };
        // Judging is a part of what was asked for: a pass is not over before it. Nor is one whose
        // command is told to be given again, though its last pair may have finished.
        let is_judged = match &judged {
            Ok(judged) => judged.is_none_or(|end| end.is_over),
            Err(_) => false,
        };
        if is_over && is_judged {
            self.close_passes(news)?;
        }
        Ok(Executed { end, judged })
    }

    /// Judges the finished pairs of all its runs that have no verdict that stands. After a forced run
    /// (`force`) nothing that earlier evaluations have kept is asked. It judges no pair twice: what its
    /// pass has made has no older verdict.
    pub async fn judge(
        &self,
        force: bool,
        interrupt: &mut Interrupt,
        news: &NewsSender,
    ) -> Result<JudgingEnd> {
        let runs: Vec<RunDir> = self.runs.iter().map(|one| one.run.clone()).collect();
        let verdicts = Verdicts {
            present: Present::for_verdicts(&self.config, &runs).await,
            config: self.config.clone(),
            rules: self.rules.clone(),
            prices: self.prices.clone(),
            force: false,
            alone: false,
            without_cache: force,
            only: self.is_filtered().then(|| self.pairs.clone()),
        };
        verdicts.judge(&runs, interrupt, news).await
    }
}
