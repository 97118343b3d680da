//! The runs of an experiment, one after the other, wherever their attempts are executed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{OnceCell, watch};

use super::arms::PlannedArm;
use super::news::{News, NewsSender};
use super::pins::Keeper;
use super::planned::{Experiment, OpenRun};
use super::refusal::FirstRefusal;
use super::served::ServedWheel;
use crate::bench::Pair;
use crate::config::{ExecutorKind, gb_in_bytes};
use crate::engine::{Batch, EndedAttempt, EngineOptions, Orders, Reporter, Stop};
use crate::error::{Kind, Result};
use crate::executor::{Cluster, Executor, Here};
use crate::runner::{Event, Plan, Policy, RunEnd, Runner, Sink, Wheel};
use crate::store::{Ledger, Pass, restore};
use crate::text::plural;

/// What readies the executor of each run.
pub trait Executors {
    /// The executor of one run, e.g. [`Here`].
    type One: Executor;

    /// Readies the executor of a run; what the user should know goes to the run's events. An error
    /// of the world ends the experiment there, with what ran kept.
    fn ready(
        &self,
        experiment: &Experiment,
        run: &OpenRun,
        events: &Sink,
    ) -> impl Future<Output = Result<Self::One>>;
}

/// Where the configuration of each arm says.
#[derive(Clone, Copy, Debug)]
pub struct AsConfigured;

/// One of the executors that there are.
#[derive(Debug)]
pub enum AnyExecutor {
    /// This machine, in this process.
    Here(Box<Here>),
    /// Workers on a cluster.
    Cluster(Box<Cluster>),
}

impl Executor for AnyExecutor {
    async fn attempt(
        &self,
        batch: &Batch,
        orders: watch::Receiver<Orders>,
        events: &Reporter,
    ) -> Result<EndedAttempt> {
        match self {
            Self::Here(here) => here.attempt(batch, orders, events).await,
            Self::Cluster(cluster) => cluster.attempt(batch, orders, events).await,
        }
    }

    fn obeys_within(&self) -> bool {
        match self {
            Self::Here(here) => here.obeys_within(),
            Self::Cluster(cluster) => cluster.obeys_within(),
        }
    }

    fn going_on(&self) -> BTreeSet<Pair> {
        match self {
            Self::Here(here) => here.going_on(),
            Self::Cluster(cluster) => cluster.going_on(),
        }
    }
}

impl Executors for AsConfigured {
    type One = AnyExecutor;

    async fn ready(
        &self,
        experiment: &Experiment,
        run: &OpenRun,
        events: &Sink,
    ) -> Result<AnyExecutor> {
        let arm = run.arm();
        let rules = &experiment.rules;
        if let (ExecutorKind::Slurm, EngineOptions::Native(options)) =
            (arm.config.executor.executor, &arm.options)
        {
            let sink = events.clone();
            let events: Reporter = Arc::new(move |event| sink.emit(event));
            let run = run.run();
            let ready = Cluster::ready(&arm.config, options, run, arm.setting, &events);
            return Ok(AnyExecutor::Cluster(Box::new(ready.await?)));
        }
        let here = Here::ready(&arm.config, &arm.options, rules, arm.setting).await?;
        if let Some(url) = here.private_redis() {
            events.emit(Event::Note {
                text: format!("a private Redis serves {} at {url}", run.run().name()),
            });
        }
        Ok(AnyExecutor::Here(Box::new(here)))
    }
}

impl Experiment {
    /// Runs the runs in order; stops at the first that the world, the budget or the user ends.
    pub async fn run(
        &self,
        executors: &impl Executors,
        runs: Vec<OpenRun>,
        force: bool,
        served: ServedWheel,
        news: &NewsSender,
    ) -> Result<RunEnd> {
        let (wheel, interrupt) = (served.wheel(), served.wheel().interrupt());
        for note in &self.notes {
            news.warn(note);
        }
        self.tell_of_filter(news);
        let mut worst = RunEnd::Complete;
        for open in &runs {
            open.manifest.write(open.run())?;
            if let Some(warning) = &open.warning {
                news.warn(warning);
            }
        }
        for open in &runs {
            restore::finish(open.run())?;
        }
        let passes = self.passes_in_force(force)?;
        let outlook = self.outlook(&passes)?;
        if force && outlook.is_spent() {
            // A pass that can do nothing is not begun.
            return Ok(RunEnd::Budget);
        }
        self.begin_passes(&runs, &passes, force, news)?;
        // What is known of what each run has cost so far, in USD.
        let asked = outlook.runs.iter();
        let mut spent: HashMap<_, _> = asked.map(|one| (one.run.clone(), one.spent.usd)).collect();
        let beside = outlook.elsewhere.usd;
        news.tell(News::Begun(outlook));
        let (observer, events) = tokio::sync::mpsc::unbounded_channel();
        let passed_on = tokio::spawn(pass_on(events, news.clone()));
        let mut failure = None;
        for (open, pass) in runs.iter().zip(passes) {
            // Nothing is said of a run that does not begin.
            if interrupt.came().stop > Stop::No {
                worst = RunEnd::Interrupted;
                break;
            }
            // The runs of an experiment share one budget.
            let others = spent.iter().filter(|(name, _)| *name != open.run().name());
            let elsewhere = beside + others.map(|(_, usd)| usd).sum::<f64>();
            let work = self.watched(executors, open, (pass, elsewhere), &observer, wheel);
            let ended = work.await;
            let now = self.spent_on(&open.planned).map(|usd| {
                spent.insert(open.run().name().clone(), usd);
            });
            let ended = now.and(ended);
            match ended {
                Ok(RunEnd::Complete) => {}
                Ok(RunEnd::Errors) => worst = RunEnd::Errors,
                Ok(end) => {
                    worst = end;
                    break;
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        // Nobody listens there when the locks are let go of.
        drop(served);
        drop(observer);
        // It ends with the channel.
        let _ = passed_on.await;
        failure.map_or(Ok(worst), Err)
    }

    /// Begins the passes that are forced; without `--force` says which results it would still replace.
    fn begin_passes(
        &self,
        runs: &[OpenRun],
        passes: &[Pass],
        force: bool,
        news: &NewsSender,
    ) -> Result<()> {
        if !force {
            for one in &self.runs {
                if let Some(held) = self.held(one)? {
                    news.note(held);
                }
            }
            return Ok(());
        }
        // All of them before anything is set aside in any: killed at any moment, the same command
        // goes on with what it had begun.
        for (open, pass) in runs.iter().zip(passes) {
            pass.write(&open.run().pass())?;
        }
        Ok(())
    }

    /// Runs one run, with all that is noted of it while it goes on.
    async fn watched(
        &self,
        executors: &impl Executors,
        open: &OpenRun,
        pass: (Pass, f64),
        observer: &UnboundedSender<Event>,
        wheel: &Wheel,
    ) -> Result<RunEnd> {
        let (arm, run) = (open.arm(), open.run());
        let refusal = FirstRefusal::new(self.rules.clone(), &arm.options);
        let keeper = Keeper::begin(
            run.clone(),
            &self.pairs,
            &arm.config,
            refusal,
            observer.clone(),
        );
        let sink = Sink::new(run, keeper.observer());
        let ended = self.run_one(executors, open, pass, sink, wheel).await;
        keeper.end().await;
        ended
    }

    async fn run_one(
        &self,
        executors: &impl Executors,
        open: &OpenRun,
        (pass, elsewhere): (Pass, f64),
        sink: Sink,
        wheel: &Wheel,
    ) -> Result<RunEnd> {
        let (arm, run) = (open.arm(), open.run());
        let executor = WhenNeeded::new(|| executors.ready(self, open, &sink));
        let plan = Plan::of(&self.survey(&open.planned)?, true, &pass);
        if !plan.to_run.is_empty() {
            match executor.get().await {
                Ok(_) => {}
                Err(error) if error.kind() == Kind::World => {
                    return Ok(RunEnd::World(format!(
                        "{error}; {}",
                        error.hints().join("; ")
                    )));
                }
                Err(error) => return Err(error),
            }
        }
        let mut runner = Runner {
            run: run.clone(),
            setting: arm.setting,
            plan: self.all.clone(),
            pairs: self.pairs.clone(),
            policy: policy(arm, elsewhere),
            rules: self.rules.clone(),
            prices: arm.prices.clone(),
            ledger: Ledger::open(run)?,
            sink: sink.clone(),
            interrupt: wheel.interrupt().clone(),
            pass,
            facts: std::cell::RefCell::default(),
            wheel: wheel.clone(),
        };
        let end = runner.run(&executor).await?;
        sink.emit(Event::RunEnded {
            run: run.name().clone(),
            end: end.name().to_owned(),
        });
        Ok(end)
    }

    fn tell_of_filter(&self, news: &NewsSender) {
        if self.is_filtered() {
            news.note(format!(
                "asked for: {} of the {} of `{}`",
                self.pairs.len(),
                plural(self.all.len(), "pair"),
                self.subset
            ));
        }
    }
}

/// An executor that is readied when it is first needed: a run with nothing left to do needs none.
struct WhenNeeded<R, E> {
    ready: R,
    executor: OnceCell<E>,
}

impl<R: Fn() -> F, F: Future<Output = Result<E>>, E> WhenNeeded<R, E> {
    fn new(ready: R) -> Self {
        Self {
            ready,
            executor: OnceCell::new(),
        }
    }

    async fn get(&self) -> Result<&E> {
        self.executor.get_or_try_init(&self.ready).await
    }
}

impl<R: Fn() -> F, F: Future<Output = Result<E>>, E: Executor> Executor for WhenNeeded<R, E> {
    async fn attempt(
        &self,
        batch: &Batch,
        orders: watch::Receiver<Orders>,
        events: &Reporter,
    ) -> Result<EndedAttempt> {
        self.get().await?.attempt(batch, orders, events).await
    }

    fn obeys_within(&self) -> bool {
        // One that nothing is left for is asked nothing.
        self.executor.get().is_none_or(Executor::obeys_within)
    }

    fn going_on(&self) -> BTreeSet<Pair> {
        let executor = self.executor.get();
        executor.map(Executor::going_on).unwrap_or_default()
    }
}

/// What bounds the attempts of an arm's run, where so many USD are spent in the experiment's others.
fn policy(arm: &PlannedArm, elsewhere: f64) -> Policy {
    let config = &arm.config;
    Policy {
        max_attempts: config.attempts.max_attempts,
        concurrency: at_once(arm),
        backoff: config.attempts.backoff,
        backoff_max: config.attempts.backoff_max,
        max_wait: config.attempts.max_wait,
        breaker_trials: config.breaker.breaker_trials,
        budget: config.limits.budget,
        elsewhere,
        min_free_bytes: gb_in_bytes(config.limits.min_free_disk_gb),
        grace: config.limits.grace,
    }
}

/// How many pairs of an arm run at the same time, wherever they run.
fn at_once(arm: &PlannedArm) -> usize {
    let executor = &arm.config.executor;
    let workers = match executor.executor {
        ExecutorKind::Here => 1,
        ExecutorKind::Slurm => executor.most_workers(),
    };
    arm.options.concurrency().saturating_mul(workers)
}

/// Tells the events of runs as news, until no more can come.
async fn pass_on(mut events: UnboundedReceiver<Event>, news: NewsSender) {
    while let Some(event) = events.recv().await {
        news.tell(News::Run(event));
    }
}
