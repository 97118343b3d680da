//! The runs of an experiment, one after the other, wherever their attempts are executed.

use tokio::sync::mpsc::UnboundedReceiver;

use super::news::{News, NewsSender};
use super::outlook::{Outlook, RunOutlook};
use super::pins::Keeper;
use super::planned::{Experiment, OpenRun};
use super::refusal::FirstRefusal;
use crate::engine::Stop;
use crate::error::{Kind, Result};
use crate::executor::{Executor, Here};
use crate::runner::{Event, Interrupt, Plan, Policy, RunEnd, Runner, Sink};
use crate::store::{Ledger, Pass, RunDir, restore};
use crate::survey::{Standing, Surveyed};
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

/// Every attempt on this machine, in this process.
#[derive(Clone, Copy, Debug)]
pub struct OnThisMachine;

impl Executors for OnThisMachine {
    type One = Here;

    async fn ready(&self, experiment: &Experiment, run: &OpenRun, events: &Sink) -> Result<Here> {
        let Experiment {
            config,
            options,
            rules,
            ..
        } = experiment;
        let here = Here::ready(config, options, rules, run.setting).await?;
        if let Some(url) = here.private_redis() {
            events.emit(Event::Note {
                text: format!("a private Redis serves {} at {url}", run.run.name()),
            });
        }
        Ok(here)
    }
}

impl Experiment {
    /// Runs the settings in order; stops at the first that the world, the budget or the user ends.
    pub async fn run(
        &self,
        executors: &impl Executors,
        runs: Vec<OpenRun>,
        force: bool,
        interrupt: &Interrupt,
        news: &NewsSender,
    ) -> Result<RunEnd> {
        for note in &self.notes {
            news.warn(note);
        }
        self.tell_of_filter(news);
        let mut worst = RunEnd::Complete;
        for open in &runs {
            open.manifest.write(&open.run)?;
            if let Some(warning) = &open.warning {
                news.warn(warning);
            }
        }
        for open in &runs {
            restore::finish(&open.run)?;
        }
        // All of them before anything is set aside in any: killed at any moment, the same command
        // goes on with what it had begun.
        let passes = self.passes_in_force(force)?;
        if force {
            // A pass that can do nothing is not begun.
            if self.is_spent_before(&passes)? {
                return Ok(RunEnd::Budget);
            }
            for (open, pass) in runs.iter().zip(&passes) {
                pass.write(&open.run.pass())?;
            }
        } else {
            for (setting, run) in &self.runs {
                if let Some(held) = self.held(*setting, run)? {
                    news.note(held);
                }
            }
        }
        news.tell(News::Begun(self.outlook(&passes)?));
        let (observer, events) = tokio::sync::mpsc::unbounded_channel();
        let passed_on = tokio::spawn(pass_on(events, news.clone()));
        let mut failure = None;
        for (open, pass) in runs.iter().zip(passes) {
            // Nothing is said of a run that does not begin.
            if interrupt.came().stop > Stop::No {
                worst = RunEnd::Interrupted;
                break;
            }
            let refusal = FirstRefusal::new(self.rules.clone(), &self.options);
            let keeper = Keeper::begin(
                open.run.clone(),
                &self.pairs,
                &self.config,
                refusal,
                observer.clone(),
            );
            let sink = Sink::new(&open.run, keeper.observer());
            let ended = self.run_one(executors, open, pass, sink, interrupt).await;
            keeper.end().await;
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
        drop(observer);
        // It ends with the channel.
        let _ = passed_on.await;
        failure.map_or(Ok(worst), Err)
    }

    /// What stands now, where the runs are run with these passes.
    fn outlook(&self, passes: &[Pass]) -> Result<Outlook> {
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

    async fn run_one(
        &self,
        executors: &impl Executors,
        open: &OpenRun,
        pass: Pass,
        sink: Sink,
        interrupt: &Interrupt,
    ) -> Result<RunEnd> {
        let executor = match executors.ready(self, open, &sink).await {
            Ok(executor) => executor,
            Err(error) if error.kind() == Kind::World => {
                return Ok(RunEnd::World(format!(
                    "{error}; {}",
                    error.hints().join("; ")
                )));
            }
            Err(error) => return Err(error),
        };
        let mut runner = Runner {
            run: open.run.clone(),
            setting: open.setting,
            plan: self.all.clone(),
            pairs: self.pairs.clone(),
            policy: self.policy(&open.run)?,
            rules: self.rules.clone(),
            prices: self.prices.clone(),
            ledger: Ledger::open(&open.run)?,
            sink: sink.clone(),
            interrupt: interrupt.clone(),
            pass,
            facts: std::cell::RefCell::default(),
        };
        let end = runner.run(&executor).await?;
        sink.emit(Event::RunEnded {
            run: open.run.name().clone(),
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

    fn policy(&self, run: &RunDir) -> Result<Policy> {
        // The runs of an experiment share one budget.
        let mut elsewhere = 0.0;
        for (setting, other) in self
            .runs
            .iter()
            .filter(|(_, other)| other.name() != run.name())
        {
            elsewhere += self.spent_on(*setting, other)?;
        }
        let config = &self.config;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of GB"
        )]
        let min_free_bytes = (config.limits.min_free_disk_gb * 1e9) as u64;
        Ok(Policy {
            max_attempts: config.attempts.max_attempts,
            concurrency: self.options.concurrency(),
            backoff: config.attempts.backoff,
            backoff_max: config.attempts.backoff_max,
            max_wait: config.attempts.max_wait,
            breaker_trials: config.breaker.breaker_trials,
            budget: config.limits.budget.map(|budget| (budget, elsewhere)),
            min_free_bytes,
            grace: config.limits.grace,
        })
    }
}

/// Tells the events of runs as news, until no more can come.
async fn pass_on(mut events: UnboundedReceiver<Event>, news: NewsSender) {
    while let Some(event) = events.recv().await {
        news.tell(News::Run(event));
    }
}
