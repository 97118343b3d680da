//! What the events tell of a run's last command: when it began and ended, what its trials do, and
//! what it waits for.

mod container;
mod hold;
#[cfg(test)]
mod tests;
mod workers;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::event::Event;
use super::wheel::Hand;
use crate::bench::{Pair, Spending};
pub use container::{LiveContainer, LiveContainers};
pub use hold::Hold;
pub use workers::{LiveWorker, LiveWorkers};

/// The last command of a run, by its events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live {
    /// When it came to this run; `None` where none ever did.
    pub begun_at: Option<Timestamp>,
    /// How it left the run, in the event's word; `None` while it is there, or where it died.
    pub end: Option<String>,
    /// When anything was heard of the run.
    pub last_at: Option<Timestamp>,
    /// How far its attempt is; `None` before the first and after each.
    pub attempt: Option<Progress>,
    /// The trials that it began and that have not ended, where the engine tells.
    pub trials: BTreeMap<Pair, LiveTrial>,
    /// The containers that it made and that have not ended, where the engine does not tell of
    /// trials.
    pub containers: LiveContainers,
    /// The workers that are there, where its trials run on other machines.
    pub workers: LiveWorkers,
    /// Why nothing new is begun.
    pub hold: Option<Hold>,
    /// Since when it is paused, and by whom.
    pub paused: Option<(Timestamp, Hand)>,
    /// The pace of calls to the model, while it is lowered.
    pub pace: Option<Slowed>,
    /// What it said last, with the time, where no trial began or ended since.
    pub note: Option<(Timestamp, String)>,
}

/// How far an attempt is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// When it began.
    pub begun_at: Timestamp,
    /// How many pairs it was to run.
    pub pairs: usize,
    /// How many of them this command runs no more: their trial finished, or ended in an error that
    /// another trial would not change.
    pub done: usize,
    /// When the last of these ended.
    pub done_at: Timestamp,
    /// How many trials ended otherwise, whose pairs the next attempt runs.
    pub failed: usize,
    /// Whether this command makes no attempt after it.
    pub is_last: bool,
}

impl Progress {
    /// How many of its pairs are not done, in this attempt or a later one.
    #[must_use]
    pub const fn left(&self) -> usize {
        let ended = if self.is_last {
            self.done + self.failed
        } else {
            self.done
        };
        self.pairs.saturating_sub(ended)
    }
}

/// A pace that is lowered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slowed {
    /// Since when.
    pub at: Timestamp,
    /// How many calls may run at once.
    pub limit: usize,
    /// Why.
    pub why: String,
}

/// A trial that runs.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveTrial {
    /// When it began.
    pub begun_at: Timestamp,
    /// When it was heard of last.
    pub last_at: Timestamp,
    /// What its agents had of the model.
    pub answers: AnswersSoFar,
}

/// By agent: how many answers of the model it had, and all that it spent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnswersSoFar(BTreeMap<String, (usize, Spending)>);

impl AnswersSoFar {
    /// One more for an agent, which has spent so much by now.
    pub fn heard(&mut self, agent: &str, spending: Spending) {
        let (answers, spent) = self.0.entry(agent.to_owned()).or_default();
        *answers += 1;
        *spent = spending;
    }

    /// What the agents spent so far, together; `None` before the first answer.
    #[must_use]
    pub fn spent(&self) -> Option<Spending> {
        let each = self.0.values().map(|(_, spending)| *spending);
        each.reduce(|mut sum, spending| {
            sum += spending;
            sum
        })
    }

    /// The answers that each agent had: `step 12`, or of two agents `step 12+9`; `None` before the
    /// first.
    #[must_use]
    pub fn steps(&self) -> Option<String> {
        let steps: Vec<String> = self.0.values().map(|it| it.0.to_string()).collect();
        (!steps.is_empty()).then(|| format!("step {}", steps.join("+")))
    }
}

impl Live {
    pub(super) fn take_in(&mut self, at: Timestamp, event: &Event) {
        self.last_at = Some(at);
        self.workers.take_in(event);
        match event {
            Event::RunStarted { .. } => {
                *self = Self {
                    begun_at: Some(at),
                    last_at: Some(at),
                    ..Self::default()
                };
            }
            Event::AttemptStarted { nth, of, pairs, .. } => {
                self.rest();
                self.attempt = Some(Progress {
                    begun_at: at,
                    pairs: pairs.len(),
                    done: 0,
                    done_at: at,
                    failed: 0,
                    is_last: nth == of,
                });
            }
            Event::AttemptEnded { .. } => self.rest(),
            Event::RunEnded { end, .. } => {
                self.rest();
                self.paused = None;
                self.end = Some(end.clone());
            }
            Event::Pace { limit, why } => {
                // One is told of when the pace goes down, and when it is as at the beginning again.
                let is_back = self
                    .pace
                    .as_ref()
                    .is_some_and(|before| *limit > before.limit);
                let why = why.clone();
                let slowed = Slowed {
                    at,
                    limit: *limit,
                    why,
                };
                self.pace = (!is_back).then_some(slowed);
            }
            Event::Paused { by } => self.paused = Some((at, by.clone())),
            Event::Resumed { .. } => self.paused = None,
            Event::Note { text } => self.note = Some((at, text.clone())),
            Event::BackOff { .. }
            | Event::WaitingForReset { .. }
            | Event::LimitMet { .. }
            | Event::BudgetSpent { .. }
            | Event::BreakerTripped { .. }
            | Event::Stopping { .. }
            | Event::StoppingNow => self.hold = Hold::of(at, event),
            event => self.of_trial(at, event),
        }
    }

    /// No trial runs any more.
    fn rest(&mut self) {
        self.trials.clear();
        self.containers = LiveContainers::default();
        (self.attempt, self.hold, self.pace, self.note) = (None, None, None, None);
    }

    fn of_trial(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::TrialStarted { pair } => {
                let trial = LiveTrial {
                    begun_at: at,
                    last_at: at,
                    answers: AnswersSoFar::default(),
                };
                self.trials.insert(pair.clone(), trial);
                self.note = None;
            }
            Event::Spent {
                pair,
                agent,
                spending,
                ..
            } => {
                if let Some(trial) = self.trials.get_mut(pair) {
                    trial.last_at = at;
                    trial.answers.heard(agent, *spending);
                }
            }
            Event::TrialEnded {
                pair,
                finished,
                diagnosis,
                ..
            } => {
                let cause = diagnosis.as_ref().map(|diagnosis| diagnosis.cause);
                let is_done = *finished || cause.is_some_and(|cause| !cause.passes());
                self.ended(at, pair, is_done);
            }
            Event::TrialCutOff { pair, .. } => self.ended(at, pair, false),
            // Of an engine that names its trials these are the trials' own.
            event if self.trials.is_empty() => self.containers.take_in(at, event),
            _ => {}
        }
    }

    fn ended(&mut self, at: Timestamp, pair: &Pair, is_done: bool) {
        self.trials.remove(pair);
        self.note = None;
        if let Some(attempt) = &mut self.attempt {
            if is_done {
                attempt.done += 1;
                attempt.done_at = at;
            } else {
                attempt.failed += 1;
            }
        }
    }
}
