//! The attempts of one run: plan, run, watch, triage, and again for what infrastructure broke.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::breaker::{Breaker, Trip};
use super::events::{Event, Sink};
use super::{Interrupt, Plan, backoff, record};
use crate::bench::image::image_name;
use crate::bench::{Pair, Setting};
use crate::engine::upstream::command::in_hand;
use crate::engine::{AttemptEnd, Batch, Engine, Reporter, Stop};
use crate::error::{Error, Result};
use crate::files;
use crate::model::price::{PriceTable, Total};
use crate::report::survey::Judged;
use crate::report::text::one_line;
use crate::report::{Standing, Survey, Surveyed};
use crate::store::events::{ContainerFacts, History, OpenAttempt};
use crate::store::scan::{POLL, Watch};
use crate::store::{Ledger, RunDir, aside};
use crate::triage::{Cause, Diagnosis, Finding, Rules};

/// What the attempts of a run obey.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Attempts a command makes.
    pub max_attempts: u32,
    /// Pairs at the same time.
    pub concurrency: usize,
    /// The first wait after infrastructure errors.
    pub backoff: Duration,
    /// The longest.
    pub backoff_max: Duration,
    /// Equal errors that trip the breaker.
    pub breaker_trials: usize,
    /// The budget in USD, and what other runs of the experiment have spent of it.
    pub budget: Option<(f64, f64)>,
    /// Begin anew: what stands is set aside first.
    pub force: bool,
    /// Free bytes where the logs are, below which nothing new is begun.
    pub min_free_bytes: u64,
    /// The grace after a first Ctrl-C, to be shown.
    pub grace: Duration,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// Every pair of the plan finished.
    Complete,
    /// Some pairs still end in an error, or have no result.
    Errors,
    /// The world is not fit; what to mend.
    World(String),
    /// The budget is spent.
    Budget,
    /// The user stopped it.
    Interrupted,
}

impl RunEnd {
    /// Its name, as in `events.jsonl`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Errors => "errors",
            Self::World(_) => "world",
            Self::Budget => "budget",
            Self::Interrupted => "interrupted",
        }
    }
}

/// One run with everything its attempts need.
#[derive(Debug)]
pub struct Runner {
    /// The run.
    pub run: RunDir,
    /// Its setting.
    pub setting: Setting,
    /// The pairs, in the subset's order.
    pub pairs: Vec<Pair>,
    /// The policy.
    pub policy: Policy,
    /// The rules.
    pub rules: Rules,
    /// The prices.
    pub prices: PriceTable,
    /// The ledger.
    pub ledger: Ledger,
    /// Where events go.
    pub sink: Sink,
    /// The user's interrupts.
    pub interrupt: Interrupt,
}

/// What is kept while one attempt runs.
struct Running {
    attempt: u32,
    watch: Watch,
    killed_at: Option<SystemTime>,
    breaker: Breaker,
    trip: Option<Trip>,
    budget_spent: bool,
    warned: bool,
    disk_full: Option<String>,
    new_results: usize,
    submitted: usize,
    errors: usize,
    infra: usize,
}

impl Runner {
    /// Runs attempts until nothing is left, or something ends them.
    pub async fn run(&mut self, engine: &Engine) -> Result<RunEnd> {
        let history = History::of_run(&self.run)?;
        self.take_stock(&history)?;
        self.announce()?;
        for nth in 1..=self.policy.max_attempts {
            if self.interrupt.came().stop > Stop::No {
                return Ok(RunEnd::Interrupted);
            }
            let surveyed = self.survey()?;
            let plan = Plan::of(&surveyed, nth == 1);
            if plan.to_run.is_empty() {
                break;
            }
            if self.is_budget_spent() {
                return Ok(RunEnd::Budget);
            }
            self.clear_the_way(&surveyed, &plan)?;
            let attempt = history.last_attempt + nth;
            let (end, running) = self.attempt(engine, &plan, attempt, nth).await?;
            if let Some(end) = self.after(&end, &running, attempt) {
                return Ok(end);
            }
            if running.infra > 0 || end != AttemptEnd::Done {
                self.wait(nth, running.infra).await?;
            }
        }
        let plan = Plan::of(&self.survey()?, false);
        Ok(if plan.to_run.is_empty() && plan.settled.is_empty() {
            RunEnd::Complete
        } else {
            RunEnd::Errors
        })
    }

    /// Brings the ledger up to what stands: results that were there before us, or that were
    /// written after an earlier regatta died; and the trials that died with it.
    fn take_stock(&mut self, history: &History) -> Result<()> {
        let open = history.open.as_ref();
        for surveyed in self.survey()? {
            let Standing::Result(judged) = &surveyed.standing else {
                continue;
            };
            let name = surveyed.pair.to_string();
            let of_open = open.filter(|open| open.pairs.contains(&name));
            let entry = record::of_result(
                &surveyed.pair,
                self.setting,
                of_open.map(|open| open.attempt),
                judged,
            );
            self.ledger.record(entry)?;
            // Also for a trial that is known: we may have been killed between ledger and tag.
            self.with_survey(|survey| survey.tag(surveyed.tree, &surveyed.pair, judged, None))?;
            if self.policy.force {
                let dir = self.run.pair(self.setting.tree(), &surveyed.pair);
                aside::void(&dir, &judged.record.trial)?;
            }
        }
        if let Some(open) = open {
            self.cut_off(open, "regatta itself ended in this attempt")?;
        }
        Ok(())
    }

    fn was_recorded_in(&self, pair: &Pair, attempt: u32) -> bool {
        let mut entries = self.ledger.entries().iter();
        entries.any(|entry| entry.pair == *pair && entry.attempt == Some(attempt))
    }

    fn announce(&self) -> Result<()> {
        let surveyed = self.survey()?;
        let plan = Plan::of(&surveyed, true);
        let submitted = surveyed.iter().filter(|pair| is_submitted(pair)).count();
        self.sink.emit(Event::RunStarted {
            run: self.run.name().clone(),
            setting: self.setting,
            pairs: plan.total(),
            finished: plan.finished.len() + plan.settled.len(),
            submitted,
            to_run: plan.to_run.len(),
            spent: self.total_here(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        });
        Ok(())
    }

    /// Sets aside what must not stand while its pair runs again.
    fn clear_the_way(&self, surveyed: &[Surveyed], plan: &Plan) -> Result<()> {
        for surveyed in surveyed
            .iter()
            .filter(|surveyed| plan.to_run.contains(&surveyed.pair))
        {
            let dir = self.run.pair(self.setting.tree(), &surveyed.pair);
            match &surveyed.standing {
                Standing::Missing => {
                    if dir.eval().exists() {
                        aside::void(&dir, "without-result")?;
                    }
                }
                Standing::Unreadable(why) => {
                    self.sink.emit(Event::Note {
                        text: format!("{} is set aside: {why}", dir.result().display()),
                    });
                    aside::unreadable(&dir)?;
                }
                Standing::Result(judged) => match judged.finding {
                    // Upstream would take it for finished.
                    Finding::OnlyLooksFinished(_) => aside::void(&dir, &judged.record.trial)?,
                    _ => aside::before_rerun(&dir, &judged.record.trial)?,
                },
            }
        }
        Ok(())
    }

    /// One attempt: the engine runs, the store is watched.
    async fn attempt(
        &mut self,
        engine: &Engine,
        plan: &Plan,
        attempt: u32,
        nth: u32,
    ) -> Result<(AttemptEnd, Running)> {
        let tree = self.setting.tree();
        let batch = Batch {
            run: self.run.clone(),
            setting: self.setting,
            attempt,
            pairs: plan.to_run.clone(),
            plan: self.pairs.clone(),
        };
        self.sink.emit(Event::AttemptStarted {
            attempt,
            nth,
            of: self.policy.max_attempts,
            completed: plan.finished.len() + plan.settled.len(),
            remaining: plan.to_run.len(),
            pairs: plan.to_run.iter().map(ToString::to_string).collect(),
            log: self.run.attempt_log(attempt).display().to_string(),
        });
        let mut running = Running {
            attempt,
            watch: Watch::from_now(&self.run, tree, &plan.to_run),
            killed_at: None,
            breaker: Breaker::new(self.policy.breaker_trials, self.policy.concurrency),
            trip: None,
            budget_spent: false,
            warned: false,
            disk_full: None,
            new_results: 0,
            submitted: 0,
            errors: 0,
            infra: 0,
        };
        let sink = self.sink.clone();
        let reporter: Reporter = Arc::new(move |report| sink.emit(report.into()));
        let (stop, stopped) = watch::channel(Stop::No);
        let engine_run = engine.attempt(&batch, stopped, &reporter);
        tokio::pin!(engine_run);
        let mut interrupt = self.interrupt.clone();
        let mut tick = tokio::time::interval(POLL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failed = None;
        let ask = |wanted: Stop| {
            stop.send_if_modified(|stop| {
                let more = wanted > *stop;
                *stop = wanted.max(*stop);
                more
            })
        };
        let ended = loop {
            tokio::select! {
                ended = &mut engine_run => break ended?,
                () = interrupt.changed() => self.pass_on_interrupt(&interrupt, &ask),
                _ = tick.tick(), if failed.is_none() => {
                    match self.look(&mut running, &plan.to_run) {
                        Ok(wanted) => { ask(wanted); }
                        // The store cannot be written: what runs would be lost or paid twice.
                        Err(error) => { failed = Some(error); ask(Stop::Now); }
                    }
                }
            }
        };
        if let Some(error) = failed {
            return Err(error);
        }
        running.killed_at = ended.killed_at;
        let end = ended.how;
        self.look(&mut running, &plan.to_run)?;
        if end != AttemptEnd::Done
            && let Some(open) = History::of_run(&self.run)?.open
        {
            self.cut_off(&open, &in_words(&end))?;
        }
        let now = Plan::of(&self.survey()?, false);
        files::append_line(
            &self.run.attempt_log(attempt),
            &format!(
                "regatta: {} attempt {attempt} ended ({}): {} completed, {} remaining",
                jiff::Timestamp::now(),
                in_words(&end),
                now.finished.len() + now.settled.len(),
                now.to_run.len()
            ),
        )?;
        self.sink.emit(Event::AttemptEnded {
            attempt,
            end: in_words(&end),
            completed: now.finished.len() + now.settled.len(),
            remaining: now.to_run.len(),
            submitted: running.submitted,
            errors: running.errors,
        });
        Ok((end, running))
    }

    fn pass_on_interrupt(&self, interrupt: &Interrupt, ask: &impl Fn(Stop) -> bool) {
        let came = interrupt.came();
        if ask(came.stop) {
            self.sink.emit(match came.stop {
                Stop::Now => Event::StoppingNow,
                _ => Event::Stopping {
                    signal: came.signal.to_owned(),
                    grace_seconds: self.policy.grace.as_secs_f64(),
                },
            });
        }
    }

    /// Looks at the store: new results go to the ledger, get their tags, and are shown. Says
    /// whether the engine should stop.
    fn look(&mut self, running: &mut Running, pairs: &[Pair]) -> Result<Stop> {
        let tree = self.setting.tree();
        for change in running.watch.changed(&self.run, tree, pairs) {
            if self.ledger.has(&change.pair, &change.record.trial) {
                continue;
            }
            let mut judged =
                self.with_survey(|survey| Ok(survey.judge(tree, &change.pair, *change.record)))?;
            if running
                .killed_at
                .is_some_and(|killed_at| change.written > killed_at)
            {
                // Cut off, whatever it says: upstream records a killed command as an empty one.
                judged.finding = Finding::OnlyLooksFinished(Diagnosis::new(
                    Cause::Infra,
                    "cut_off",
                    "regatta",
                    "written after the engine began to be ended",
                ));
            }
            self.take_in(running, &change.pair, &judged)?;
        }
        if let Some((budget, _)) = self.policy.budget
            && !running.budget_spent
            && self.is_budget_spent()
        {
            running.budget_spent = true;
            self.sink.emit(Event::BudgetSpent {
                spent: self.spent(),
                budget,
            });
        }
        if running.disk_full.is_none()
            && let Some(free) = free_bytes(&self.run)
            && free < self.policy.min_free_bytes
        {
            running.disk_full = Some(format!(
                "the disk of {} is nearly full: {} MB are free, {} are wanted (min_free_disk_gb)",
                self.run.path().display(),
                free / 1_000_000,
                self.policy.min_free_bytes / 1_000_000
            ));
        }
        Ok(if running.trip.is_some() {
            Stop::Now
        } else if running.budget_spent || running.disk_full.is_some() {
            Stop::Drain
        } else {
            Stop::No
        })
    }

    fn take_in(&mut self, running: &mut Running, pair: &Pair, judged: &Judged) -> Result<()> {
        let attempt = running.attempt;
        let entry = record::of_result(pair, self.setting, Some(attempt), judged);
        let event = Event::TrialEnded {
            attempt,
            pair: pair.clone(),
            trial: entry.trial.clone(),
            status: entry.status.clone(),
            finished: judged.finding == Finding::Finished,
            void: entry.void,
            diagnosis: entry.diagnosis.clone(),
            cost: entry.cost,
            duration_seconds: entry.duration_seconds,
        };
        if let (Some((budget, _)), None, false) = (self.policy.budget, entry.cost, running.warned) {
            running.warned = true;
            self.sink.emit(Event::Note {
                text: format!("the cost of {pair} is unknown: the budget of ${budget} cannot count it; give prices ([prices])"),
            });
        }
        self.ledger.record(entry)?;
        let tree = self.setting.tree();
        self.with_survey(|survey| survey.tag(tree, pair, judged, Some(attempt)))?;
        running.new_results += 1;
        if judged.finding == Finding::Finished {
            running.submitted += usize::from(judged.record.is_submitted());
        } else {
            running.errors += 1;
        }
        let is_infra = |finding: &Finding| {
            finding
                .diagnosis()
                .is_some_and(|diagnosis| diagnosis.cause == Cause::Infra)
        };
        running.infra += usize::from(is_infra(&judged.finding));
        let text = judged
            .record
            .agents
            .iter()
            .find_map(|agent| agent.error.as_deref());
        let trip = running
            .breaker
            .look(&judged.finding, text.unwrap_or_default());
        self.sink.emit(event);
        if let (None, Some(trip)) = (&running.trip, trip) {
            self.sink.emit(Event::BreakerTripped {
                error: trip.error.clone(),
                text: trip.text.clone(),
                trials: trip.trials,
                advice: self.advice(&trip.error),
            });
            running.trip = Some(trip);
        }
        Ok(())
    }

    fn advice(&self, rule: &str) -> String {
        self.rules.get(rule).map_or_else(
            || "look at the error's text and the attempt's log".to_owned(),
            |rule| rule.advice.clone(),
        )
    }

    /// Records the trials that were running when an attempt was ended: paid, and of unknown cost.
    ///
    /// They are the pairs that the engine had in hand and for whose task it had made more
    /// containers than trials that ended have used.
    fn cut_off(&mut self, open: &OpenAttempt, why: &str) -> Result<()> {
        let attempt = open.attempt;
        let mut free = open.images.clone();
        let (ended, unfinished): (Vec<Pair>, Vec<Pair>) = self
            .pairs
            .iter()
            .filter(|pair| open.pairs.contains(&pair.to_string()))
            .cloned()
            .partition(|pair| self.was_recorded_in(pair, attempt));
        let mut has_used = |pair: &Pair| {
            let count = free.entry(image_name(&pair.task)).or_default();
            let had = *count > 0;
            *count = count.saturating_sub(self.setting.agents());
            had
        };
        for pair in &ended {
            has_used(pair);
        }
        let in_hand = in_hand(&unfinished, self.policy.concurrency);
        for pair in in_hand
            .into_iter()
            .filter(|pair| has_used(pair))
            .collect::<Vec<_>>()
        {
            let entry = record::of_cut_off(&pair, self.setting, attempt, why);
            if self.ledger.record(entry)? {
                let why = why.to_owned();
                self.sink.emit(Event::TrialCutOff { attempt, pair, why });
            }
        }
        Ok(())
    }

    /// Whether the run ends here, after an attempt that ended so.
    fn after(&self, end: &AttemptEnd, running: &Running, attempt: u32) -> Option<RunEnd> {
        if let Some(trip) = &running.trip {
            return Some(RunEnd::World(format!(
                "stopped after {} trial{} ended in `{}`: {}",
                trip.trials,
                if trip.trials == 1 { "" } else { "s" },
                one_line(&trip.error, 200),
                self.advice(&trip.error)
            )));
        }
        if let Some(why) = &running.disk_full {
            return Some(RunEnd::World(why.clone()));
        }
        if self.interrupt.came().stop > Stop::No {
            return Some(RunEnd::Interrupted);
        }
        if running.budget_spent {
            return Some(RunEnd::Budget);
        }
        match end {
            AttemptEnd::DaemonGone(message) => Some(RunEnd::World(format!(
                "the Docker daemon went away: {message}; start it again, the same command goes on"
            ))),
            AttemptEnd::Broke { status, tail, log } if running.new_results == 0 => {
                Some(RunEnd::World(format!(
                    "the engine ended with {status} and no result in attempt {attempt}; its last lines:\n  {}\n(all of them: {})",
                    tail.iter()
                        .map(|line| one_line(line, 200))
                        .collect::<Vec<_>>()
                        .join("\n  "),
                    log.display()
                )))
            }
            AttemptEnd::Done if running.new_results == 0 => Some(RunEnd::World(format!(
                "the engine ended without a single result in attempt {attempt}; what it printed is in {}",
                self.run.attempt_log(attempt).display()
            ))),
            _ => None,
        }
    }

    /// Waits before the next attempt, if there is one and something is left to run.
    async fn wait(&self, nth: u32, infra: usize) -> Result<()> {
        let left = Plan::of(&self.survey()?, false).to_run.len();
        if nth == self.policy.max_attempts || left == 0 {
            return Ok(());
        }
        let pause = backoff::wait(
            self.policy.backoff,
            self.policy.backoff_max,
            nth,
            fastrand::f64(),
        );
        self.sink.emit(Event::BackOff {
            seconds: pause.as_secs_f64(),
            why: format!("{infra} infrastructure errors, {left} pairs left"),
        });
        let mut interrupt = self.interrupt.clone();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = interrupt.changed() => {}
        }
        Ok(())
    }

    fn survey(&self) -> Result<Vec<Surveyed>> {
        let tree = self.setting.tree();
        self.with_survey(|survey| {
            Ok(self
                .pairs
                .iter()
                .map(|pair| survey.pair(tree, pair))
                .collect())
        })
    }

    fn with_survey<T>(&self, ask: impl FnOnce(&Survey<'_>) -> Result<T>) -> Result<T> {
        // The relay's facts are read anew each time: they are on disk before a result is.
        let facts = ContainerFacts::of_run(&self.run)?;
        ask(&Survey {
            run: &self.run,
            ledger: &self.ledger,
            facts: &facts,
            rules: &self.rules,
            prices: &self.prices,
        })
    }

    fn total_here(&self) -> Total {
        let mut total = Total::default();
        for entry in self.ledger.entries() {
            total.add(entry.cost);
        }
        total
    }

    fn spent(&self) -> f64 {
        self.ledger.known_cost() + self.policy.budget.map_or(0.0, |(_, elsewhere)| elsewhere)
    }

    fn is_budget_spent(&self) -> bool {
        self.policy
            .budget
            .is_some_and(|(budget, _)| self.spent() >= budget)
    }
}

fn is_submitted(surveyed: &Surveyed) -> bool {
    match &surveyed.standing {
        Standing::Result(judged) => {
            judged.finding == Finding::Finished && judged.record.is_submitted()
        }
        _ => false,
    }
}

/// Free bytes for us on the disk of a run.
#[must_use]
pub fn free_bytes(run: &RunDir) -> Option<u64> {
    let stat = rustix::fs::statvfs(run.path()).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}

fn in_words(end: &AttemptEnd) -> String {
    match end {
        AttemptEnd::Done => "done".to_owned(),
        AttemptEnd::Broke { status, .. } => format!("the engine broke: {status}"),
        AttemptEnd::Stalled => "stalled: nothing happened for the stall timeout".to_owned(),
        AttemptEnd::DaemonGone(message) => format!("the daemon went away: {message}"),
        AttemptEnd::Stopped => "stopped".to_owned(),
    }
}

/// An error for a run that cannot be resumed as asked.
#[must_use]
pub fn changed_manifest(run: &RunDir, changes: &[String]) -> Error {
    Error::usage(format!(
        "run `{}` was begun as something else:\n  {}",
        run.name(),
        changes.join("\n  ")
    ))
    .hint("take another --name, or --accept-changes to go on with the new ones (the manifest keeps both)")
}
