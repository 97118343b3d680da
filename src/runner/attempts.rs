//! The attempts of one run: plan, run, and again for what infrastructure broke.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::watch;

use super::lost::Losses;
use super::one_run::Runner;
use super::watching::RunningAttempt;
use super::{Event, Plan, RunEnd};
use crate::bench::{Pair, RuleId};
use crate::engine::{AttemptEnd, Batch, EndedAttempt, Reporter, Stop};
use crate::error::Result;
use crate::executor::Executor;
use crate::files;
use crate::model::price::Total;
use crate::store::events::History;
use crate::store::result::parse_harness_error;
use crate::store::scan::POLL;
use crate::store::{AgentRecord, LedgerEntry};
use crate::survey::spent::spent;
use crate::survey::{Standing, Survey, Surveyed};
use crate::text::{by_number, one_line, plural};

/// What the system says when a disk is full (`strerror(ENOSPC)`), as Python prints it.
const NO_SPACE: &str = "No space left on device";

impl Runner {
    /// Runs attempts until nothing is left, or something ends them.
    pub async fn run(&mut self, executor: &impl Executor) -> Result<RunEnd> {
        let history = History::of_run(&self.run)?;
        let going_on = executor.going_on();
        self.take_stock(&history, &going_on)?;
        // What these had spent is told again in the attempt that takes them over.
        let open = history.open.as_ref();
        let carried = open.map(|open| open.spent_events(&going_on).collect());
        self.announce()?;
        self.take_the_wheel(executor.obeys_within());
        let carried = carried.unwrap_or_default();
        let end = self.make_attempts(executor, history.last_attempt, carried);
        let end = end.await;
        self.wheel.leave();
        end
    }

    async fn make_attempts(
        &mut self,
        executor: &impl Executor,
        last: u32,
        mut carried: Vec<Event>,
    ) -> Result<RunEnd> {
        let (mut made, mut nth, mut losses) = (0, 1, Losses::default());
        while nth <= self.policy.max_attempts {
            self.obey();
            if self.interrupt.came().stop > Stop::No {
                return Ok(RunEnd::Interrupted);
            }
            let surveyed = self.survey()?;
            let is_first = made == 0;
            let mut plan = Plan::of(&surveyed, is_first, &self.pass);
            self.leave_out_cancelled(&mut plan);
            if !plan.to_run.is_empty() && self.wheel.is_paused() {
                self.while_paused().await;
                continue;
            }
            if is_first {
                self.tell_of_pass(&surveyed, &plan);
            }
            if plan.to_run.is_empty() {
                break;
            }
            if self.is_budget_spent() {
                return Ok(RunEnd::Budget);
            }
            self.clear_the_way(&surveyed, &plan)?;
            made += 1;
            let attempt = last + made;
            let carried = std::mem::take(&mut carried);
            let ended = self.attempt(executor, &plan, (attempt, nth), carried);
            let (end, running) = ended.await?;
            let is_last = nth == self.policy.max_attempts;
            if let Some(end) = self.after(&end, &running, attempt, is_last) {
                // What ran may have been all there was.
                if end == RunEnd::Interrupted && self.is_complete()? {
                    return Ok(RunEnd::Complete);
                }
                return Ok(end);
            }
            if let Some(limit) = &running.limit {
                // What a limit ended is no try of the pairs, unless nothing ever comes of it.
                let has_progress = running.finished > 0;
                nth += u32::from(!has_progress);
                let is_last = is_last && !has_progress;
                if let Some(end) = self.wait_for_reset(limit, is_last).await? {
                    return Ok(end);
                }
                continue;
            }
            if end == AttemptEnd::Stopped && running.trip.is_none() {
                // It was paused, or its budget was spent and is larger now: no try of the pairs.
                continue;
            }
            if self.has_only_refused_images()? {
                break;
            }
            let is_free = losses.are_all_that_failed(&end, &running);
            if running.infra > 0 || !running.lost.is_empty() || end != AttemptEnd::Done {
                let count = running.infra + running.lost.len();
                // After one that does not count there is always another.
                let nth = if is_free { 0 } else { nth };
                self.wait(nth, count, running.paced_until).await?;
            }
            nth += u32::from(!is_free);
        }
        Ok(if self.is_complete()? {
            RunEnd::Complete
        } else {
            RunEnd::Errors
        })
    }

    fn is_complete(&self) -> Result<bool> {
        let plan = Plan::of(&self.survey()?, false, &self.pass);
        Ok(plan.to_run.is_empty() && plan.settled.is_empty())
    }

    /// The pairs whose sandbox ended in an earlier trial while a command ran, nobody knows why.
    fn ended_before(&self, plan: &Plan) -> Vec<Pair> {
        let ended = |agent: &AgentRecord| {
            let error = agent.error.as_deref().and_then(parse_harness_error);
            error.is_some_and(|(rule, _)| rule == RuleId::SANDBOX_ENDED)
        };
        // Trials that came to a result are another story: only those since the last one count.
        let is_open = |entry: &&LedgerEntry| entry.void || entry.diagnosis.is_some();
        let has_ended = |pair: &&Pair| {
            let entries = self.ledger.entries().iter().rev();
            let mut since = entries
                .filter(|entry| entry.pair == **pair)
                .take_while(is_open);
            since.any(|entry| entry.agents.iter().any(ended))
        };
        plan.to_run.iter().filter(has_ended).cloned().collect()
    }

    /// One attempt: its batch is executed, the store is watched.
    async fn attempt(
        &mut self,
        executor: &impl Executor,
        plan: &Plan,
        (attempt, nth): (u32, u32),
        carried: Vec<Event>,
    ) -> Result<(AttemptEnd, RunningAttempt)> {
        let batch = Batch {
            run: self.run.clone(),
            setting: self.setting,
            attempt,
            pairs: plan.to_run.clone(),
            ended_before: self.ended_before(plan),
            plan: self.plan.clone(),
            home: None,
        };
        // What only mending the set-up changes is not done, though this command leaves it.
        let now = Plan::of(&self.survey()?, true, &self.pass);
        self.wheel.begin_attempt(&plan.to_run);
        self.sink.emit(Event::AttemptStarted {
            attempt,
            nth,
            of: self.policy.max_attempts,
            completed: now.finished.len() + now.settled.len(),
            remaining: plan.to_run.len(),
            pairs: plan.to_run.clone(),
            log: self.run.attempt_log(attempt).display().to_string(),
        });
        let mut running = RunningAttempt::begin(self, attempt, &plan.to_run);
        for event in carried {
            running.underway.note(&event);
            self.sink.emit(event);
        }
        let ended = self.execute(executor, &batch, &mut running).await?;
        // What was asked last may be why it goes on.
        self.obey();
        running.killed_at = ended.killed_at;
        running.has_cancelled = self.wheel.has_cancelled(self.run.name(), &plan.to_run);
        let end = ended.how;
        self.look(&mut running, &plan.to_run)?;
        self.book_ended(&mut running)?;
        self.settle(&end)?;
        self.tell_of_end(&end, &running)?;
        Ok((end, running))
    }

    /// Executes a batch, and watches the store meanwhile.
    async fn execute(
        &mut self,
        executor: &impl Executor,
        batch: &Batch,
        running: &mut RunningAttempt,
    ) -> Result<EndedAttempt> {
        let sink = self.sink.clone();
        let underway = Arc::clone(&running.underway);
        let booked = Arc::clone(&underway);
        let (wheel, mut turned) = (self.wheel.clone(), self.wheel.turned());
        let reporter: Reporter = Arc::new(move |event| {
            booked.note(&event);
            wheel.note(&event);
            let is_loss = matches!(event, Event::TrialLost { .. });
            sink.emit(event);
            if is_loss {
                // It is booked from the events.
                booked.changed.notify_one();
            }
        });
        let (orders, obeyed) = watch::channel(self.orders(Stop::No));
        let executed = executor.attempt(batch, obeyed, &reporter);
        tokio::pin!(executed);
        let mut interrupt = self.interrupt.clone();
        let mut tick = tokio::time::interval(POLL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failed = None;
        let ask = |wanted: Stop| {
            orders.send_if_modified(|orders| {
                let more = wanted > orders.stop;
                orders.stop = wanted.max(orders.stop);
                more
            })
        };
        let ended = loop {
            let looked = tokio::select! {
                ended = &mut executed => break ended?,
                () = interrupt.changed() => {
                    self.pass_on_interrupt(&interrupt, &ask);
                    continue;
                }
                Ok(()) = turned.changed() => {
                    self.obey();
                    running.breaker.take(self.policy.breaker_trials, self.policy.concurrency);
                    orders.send_modify(|orders| *orders = self.orders(orders.stop));
                    Ok(self.count(running))
                }
                () = underway.changed.notified() => {
                    self.book_ended(running).map(|()| self.count(running))
                }
                _ = tick.tick(), if failed.is_none() => self.look(running, &batch.pairs),
            };
            match looked {
                Ok(wanted) => {
                    ask(wanted);
                }
                // The store cannot be written: what runs would be lost or paid twice.
                Err(error) => {
                    failed = failed.or(Some(error));
                    ask(Stop::Now);
                }
            }
        };
        failed.map_or(Ok(ended), Err)
    }

    /// Books the trials that an attempt which ended so has left without a result.
    fn settle(&mut self, end: &AttemptEnd) -> Result<()> {
        let Some(open) = History::of_run(&self.run)?.open else {
            return Ok(());
        };
        match end {
            // A trial that the engine had begun and that left nothing was paid all the same.
            AttemptEnd::Done if open.named().is_empty() => Ok(()),
            AttemptEnd::Done => self.cut_off(&open, "it left no result"),
            _ => self.cut_off(&open, &in_words(end)),
        }
    }

    /// Says how an attempt ended: in its log, and as an event.
    fn tell_of_end(&self, end: &AttemptEnd, running: &RunningAttempt) -> Result<()> {
        let attempt = running.attempt;
        // What only mending the set-up changes is not done, though this command leaves it.
        let now = Plan::of(&self.survey()?, true, &self.pass);
        let end = self.why_it_ended(end, running);
        files::append_line(
            &self.run.attempt_log(attempt),
            &format!(
                "regatta: {} attempt {attempt} ended ({}): {} completed, {} remaining",
                jiff::Timestamp::now(),
                end,
                now.finished.len() + now.settled.len(),
                now.to_run.len()
            ),
        )?;
        self.sink.emit(Event::AttemptEnded {
            attempt,
            end,
            completed: now.finished.len() + now.settled.len(),
            remaining: now.to_run.len(),
            submitted: running.submitted,
            errors: running.errors,
        });
        Ok(())
    }

    /// How an attempt ended, and if it was stopped, what stopped it.
    fn why_it_ended(&self, end: &AttemptEnd, running: &RunningAttempt) -> String {
        let mut words = in_words(end);
        if *end != AttemptEnd::Stopped {
            return words;
        }
        let came = self.interrupt.came();
        if let Some(trip) = &running.trip {
            let trials = plural(trip.trials, "trial");
            words = format!("{words}: {trials} ended in `{}`", one_line(&trip.error, 60));
        } else if running.disk_full.is_some() {
            words.push_str(": the disk is nearly full");
        } else if came.stop > Stop::No {
            words = format!("{words} by {}", came.signal);
        } else if running.limit.is_some() {
            words.push_str(": a limit is reached");
        } else if running.budget_spent {
            words.push_str(": the budget is spent");
        } else {
            words.push_str(": paused");
        }
        words
    }

    /// Whether the run ends here, after an attempt that ended so.
    fn after(
        &self,
        end: &AttemptEnd,
        running: &RunningAttempt,
        attempt: u32,
        is_last: bool,
    ) -> Option<RunEnd> {
        // A row of limits that don't say when they reset is backed off from while there are attempts.
        let trip = running.trip.as_ref();
        if let Some(trip) = trip.filter(|trip| is_last || !trip.passes) {
            return Some(RunEnd::World(format!(
                "stopped after {} ended in `{}`: {}",
                plural(trip.trials, "trial"),
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
        // It may be larger by now.
        if running.budget_spent && self.is_budget_spent() {
            return Some(RunEnd::Budget);
        }
        match end {
            AttemptEnd::DaemonGone(message) => Some(RunEnd::World(format!(
                "the Docker daemon went away: {message}; start it again, the same command goes on"
            ))),
            AttemptEnd::Broke { tail, .. } if tail.iter().any(|line| line.contains(NO_SPACE)) => {
                Some(RunEnd::World(format!(
                    "the disk is full: the engine could not write under {}; free some space",
                    self.run.path().display()
                )))
            }
            // With results it broke on the way, and the next attempt runs what is left.
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
            AttemptEnd::Done if running.has_left_nothing() => Some(RunEnd::World(format!(
                "the engine ended without a single result in attempt {attempt}; what it printed is in {}",
                self.run.attempt_log(attempt).display()
            ))),
            _ => None,
        }
    }

    /// Whether all that is left to run wants images that the registry refused: a later attempt gets
    /// none either, so that there is nothing to wait for. Says so.
    fn has_only_refused_images(&self) -> Result<bool> {
        let surveyed = self.survey()?;
        let left = self.left(&surveyed);
        let is_refused = |one: &Surveyed| match &one.standing {
            Standing::Result(judged) => {
                let diagnosis = judged.finding.diagnosis();
                diagnosis.is_some_and(|it| it.evidence.rule == RuleId::IMAGE_REFUSED)
            }
            Standing::Missing | Standing::Unreadable(_) => false,
        };
        let mut of_left = surveyed.iter().filter(|one| left.contains(&one.pair));
        let has_only_those = !left.is_empty() && of_left.all(is_refused);
        if has_only_those {
            self.sink.emit(Event::note(format!(
                "the registry does not give the images of the {} that {} left: no further attempt is made",
                plural(left.len(), "pair"),
                by_number(left.len(), "is", "are"),
            )));
        }
        Ok(has_only_those)
    }

    pub(super) fn survey(&self) -> Result<Vec<Surveyed>> {
        self.survey_of(&self.pairs)
    }

    pub(super) fn survey_of(&self, pairs: &[Pair]) -> Result<Vec<Surveyed>> {
        let tree = self.setting.tree();
        self.with_survey(|survey| Ok(pairs.iter().map(|pair| survey.pair(tree, pair)).collect()))
    }

    pub(super) fn with_survey<T>(&self, ask: impl FnOnce(&Survey<'_>) -> Result<T>) -> Result<T> {
        // The relay's facts are on disk before a result is: what is new of them is read each time.
        let mut facts = self.facts.borrow_mut();
        facts.catch_up(&self.run)?;
        ask(&Survey {
            run: &self.run,
            ledger: &self.ledger,
            facts: &facts,
            rules: &self.rules,
            prices: &self.prices,
            reasons: None,
        })
    }

    pub(super) fn total_here(&self) -> Total {
        spent(self.ledger.entries().iter(), &[]).total
    }

    pub(super) fn spent(&self) -> f64 {
        self.total_here().usd + self.policy.elsewhere
    }

    pub(super) fn is_budget_spent(&self) -> bool {
        self.policy
            .budget
            .is_some_and(|budget| self.spent() >= budget)
    }

    pub(super) fn advice(&self, rule: &str) -> String {
        self.rules.get(rule).map_or_else(
            || "look at the error's text and the attempt's log".to_owned(),
            |rule| rule.advice.clone(),
        )
    }
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
