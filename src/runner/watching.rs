//! While an attempt runs: the store is watched, and new results are taken in.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;

use super::breaker::{Breaker, Trip};
use super::limit::Limit;
use super::spending::Underway;
use super::{Event, Interrupt, Runner, record};
use crate::bench::{Pair, RuleId};
use crate::engine::Stop;
use crate::error::Result;
use crate::store::scan::ResultsWatch;
use crate::store::{LedgerEntry, RunDir};
use crate::survey::Judged;
use crate::triage::{Cause, Diagnosis, Finding};

/// What is kept while one attempt runs.
pub(super) struct RunningAttempt {
    pub attempt: u32,
    pub watch: ResultsWatch,
    pub killed_at: Option<SystemTime>,
    pub breaker: Breaker,
    pub trip: Option<Trip>,
    /// The limit of the account that was met, if it says when it resets.
    pub limit: Option<Limit>,
    /// When the last of the rate limits that trials ended in lets through again.
    pub paced_until: Option<Timestamp>,
    pub budget_spent: bool,
    pub warned: bool,
    pub disk_full: Option<String>,
    pub new_results: usize,
    pub finished: usize,
    pub submitted: usize,
    pub errors: usize,
    pub infra: usize,
    /// The pairs whose trial is lost with the worker that ran it.
    pub lost: BTreeSet<Pair>,
    /// What its trials have spent so far.
    pub underway: Arc<Underway>,
    /// Whether pairs of it were cancelled.
    pub has_cancelled: bool,
}

impl RunningAttempt {
    /// What is known when an attempt begins.
    pub fn begin(runner: &Runner, attempt: u32, pairs: &[Pair]) -> Self {
        Self {
            attempt,
            watch: ResultsWatch::from_now(&runner.run, runner.setting.tree(), pairs),
            killed_at: None,
            breaker: Breaker::new(runner.policy.breaker_trials, runner.policy.concurrency),
            trip: None,
            limit: None,
            paced_until: None,
            budget_spent: false,
            warned: false,
            disk_full: None,
            new_results: 0,
            finished: 0,
            submitted: 0,
            errors: 0,
            infra: 0,
            lost: BTreeSet::new(),
            underway: Arc::default(),
            has_cancelled: false,
        }
    }

    /// Whether nothing came of it, and nobody but the engine is to blame.
    pub fn has_left_nothing(&self) -> bool {
        self.new_results == 0 && !self.has_cancelled && self.lost.is_empty()
    }

    /// Whether the engine should stop.
    fn wanted(&self) -> Stop {
        if self.trip.as_ref().is_some_and(|trip| !trip.passes) {
            Stop::Now
        } else if self.budget_spent
            || self.disk_full.is_some()
            || self.limit.is_some()
            || self.trip.is_some()
        {
            Stop::Drain
        } else {
            Stop::No
        }
    }
}

impl Runner {
    pub(super) fn pass_on_interrupt(&self, interrupt: &Interrupt, ask: &impl Fn(Stop) -> bool) {
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
    pub(super) fn look(&mut self, running: &mut RunningAttempt, pairs: &[Pair]) -> Result<Stop> {
        let tree = self.setting.tree();
        let mut fresh = Vec::new();
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
                    RuleId::CUT_OFF,
                    "regatta",
                    "written after the engine began to be ended",
                ));
            }
            let attempt = Some(running.attempt);
            let entry = record::of_result(&change.pair, self.setting, attempt, &judged);
            fresh.push((change.pair, judged, entry));
        }
        let entries = fresh.iter().map(|(_, _, entry)| entry.clone()).collect();
        self.ledger.record_all(entries)?;
        for (pair, judged, entry) in fresh {
            self.take_in(running, &pair, &judged, &entry)?;
        }
        self.count(running);
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
        Ok(running.wanted())
    }

    /// Counts what is spent, by trials that run too; says whether the engine should stop.
    pub(super) fn count(&self, running: &mut RunningAttempt) -> Stop {
        let spent = self.spent() + running.underway.known_cost(&self.ledger);
        self.wheel.spent(spent);
        if let Some(budget) = self.policy.budget
            && !running.budget_spent
            && spent >= budget
        {
            running.budget_spent = true;
            self.sink.emit(Event::BudgetSpent { spent, budget });
        }
        running.wanted()
    }

    /// Tags, counts and shows a trial that is in the ledger.
    fn take_in(
        &self,
        running: &mut RunningAttempt,
        pair: &Pair,
        judged: &Judged,
        entry: &LedgerEntry,
    ) -> Result<()> {
        let attempt = running.attempt;
        let event = Event::TrialEnded {
            attempt,
            pair: pair.clone(),
            trial: entry.trial.clone(),
            status: entry.status.clone(),
            finished: judged.finding == Finding::Finished,
            void: entry.void,
            diagnosis: entry.diagnosis.clone(),
            cost: entry.cost,
            usage_unknown: entry.usage_unknown,
            duration_seconds: entry.duration_seconds,
        };
        if let (Some(budget), None, false) = (self.policy.budget, entry.cost, running.warned) {
            running.warned = true;
            self.sink.emit(Event::Note {
                text: format!("the cost of {pair} is unknown: the budget of ${budget} cannot count it; give prices ([prices])"),
            });
        }
        let tree = self.setting.tree();
        self.with_survey(|survey| survey.tag(tree, pair, judged, Some(attempt)))?;
        running.new_results += 1;
        if judged.finding == Finding::Finished {
            running.finished += 1;
            running.submitted += usize::from(judged.record.is_submitted());
        } else {
            running.errors += 1;
        }
        let diagnosis = judged.finding.diagnosis();
        running.infra += usize::from(diagnosis.is_some_and(|it| it.cause.passes()));
        running.paced_until = running
            .paced_until
            .max(diagnosis.and_then(|it| it.resets_at));
        let trip = running
            .breaker
            .look(&judged.finding, judged.error_text().unwrap_or_default());
        self.wheel.note(&event);
        self.sink.emit(event);
        if let Some(limit) = diagnosis.and_then(|it| Limit::of(it, Timestamp::now())) {
            if running.limit.is_none() {
                self.sink.emit(limit.event());
            }
            running.limit = Some(limit.later(running.limit.take()));
        }
        // Trials that were under way when a limit with its time was met say nothing new.
        let trip = trip.filter(|trip| !(trip.passes && running.limit.is_some()));
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
}

/// Free bytes for us on the disk of a run.
fn free_bytes(run: &RunDir) -> Option<u64> {
    let stat = rustix::fs::statvfs(run.path()).ok()?;
    // `f_bfree` would count what is reserved for root.
    Some(stat.f_bavail * stat.f_frsize)
}
