//! Events: where running and reporting meet.

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::mpsc::UnboundedSender;

use crate::bench::{Pair, RunName, Setting, Spending};
use crate::engine::Report;
use crate::model::price::Total;
use crate::store::events::Lost;
use crate::store::{RunDir, events};
use crate::triage::Diagnosis;

/// What happened, as `events.jsonl` keeps it and the terminal shows it.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "the names are the file's; docs/reference/files.md describes them"
)]
pub enum Event {
    RunStarted {
        run: RunName,
        setting: Setting,
        pairs: usize,
        finished: usize,
        submitted: usize,
        to_run: usize,
        spent: Total,
        version: String,
    },
    AttemptStarted {
        attempt: u32,
        nth: u32,
        of: u32,
        completed: usize,
        remaining: usize,
        pairs: Vec<String>,
        log: String,
    },
    TrialStarted {
        #[serde(serialize_with = "as_text")]
        pair: Pair,
    },
    Spent {
        #[serde(serialize_with = "as_text")]
        pair: Pair,
        trial: String,
        agent: String,
        #[serde(flatten)]
        spending: Spending,
    },
    Pace {
        limit: usize,
        why: String,
    },
    ContainerCreated {
        container: String,
        image: String,
    },
    ContainerRefused {
        name: String,
        message: String,
    },
    ContainerLost {
        container: String,
        #[serde(flatten)]
        lost: Lost,
        local_at: jiff::civil::DateTime,
    },
    DaemonUnreachable {
        message: String,
    },
    TrialEnded {
        attempt: u32,
        #[serde(serialize_with = "as_text")]
        pair: Pair,
        trial: String,
        status: String,
        finished: bool,
        void: bool,
        diagnosis: Option<Diagnosis>,
        cost: Option<f64>,
        usage_unknown: bool,
        duration_seconds: Option<f64>,
    },
    TrialCutOff {
        attempt: u32,
        #[serde(serialize_with = "as_text")]
        pair: Pair,
        why: String,
        cost: Option<f64>,
        usage_unknown: bool,
    },
    AttemptEnded {
        attempt: u32,
        end: String,
        completed: usize,
        remaining: usize,
        submitted: usize,
        errors: usize,
    },
    BackOff {
        seconds: f64,
        why: String,
    },
    LimitMet {
        rule: String,
        text: String,
        resets_at: Timestamp,
    },
    WaitingForReset {
        until: Timestamp,
        seconds: f64,
        why: String,
    },
    BreakerTripped {
        error: String,
        text: String,
        trials: usize,
        advice: String,
    },
    BudgetSpent {
        spent: f64,
        budget: f64,
    },
    Stopping {
        signal: String,
        grace_seconds: f64,
    },
    StoppingNow,
    Note {
        text: String,
    },
    RunEnded {
        run: RunName,
        end: String,
    },
}

fn as_text<S: serde::Serializer>(pair: &Pair, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(pair)
}

impl From<Report> for Event {
    fn from(report: Report) -> Self {
        match report {
            Report::TrialStarted { pair } => Self::TrialStarted { pair },
            Report::Spent {
                pair,
                trial,
                agent,
                spending,
            } => Self::Spent {
                pair,
                trial,
                agent,
                spending,
            },
            Report::Pace { limit, why } => Self::Pace { limit, why },
            Report::ContainerCreated { container, image } => {
                Self::ContainerCreated { container, image }
            }
            Report::ContainerRefused { name, message } => Self::ContainerRefused { name, message },
            Report::ContainerLost { container, lost } => Self::ContainerLost {
                container,
                lost,
                // Results have such times: whoever reads them may live in another zone.
                local_at: jiff::Zoned::now().datetime(),
            },
            Report::DaemonUnreachable { message } => Self::DaemonUnreachable { message },
            Report::Note(text) => Self::Note { text },
        }
    }
}

/// Where events go: to the run's file first, then to whoever shows them.
#[derive(Clone, Debug)]
pub struct Sink {
    run: RunDir,
    observer: UnboundedSender<Event>,
}

impl Sink {
    /// A sink for one run.
    #[must_use]
    pub const fn new(run: RunDir, observer: UnboundedSender<Event>) -> Self {
        Self { run, observer }
    }

    /// Records an event.
    ///
    /// An event that cannot be written (a full disk) must not end a run whose results are whole:
    /// it is shown all the same, with a note that the file lacks it.
    pub fn emit(&self, event: Event) {
        if let Err(error) = events::append(&self.run, &event) {
            let _ = self.observer.send(Event::Note {
                text: format!("an event was not recorded: {error}"),
            });
        }
        // Nobody listens when the terminal's side is gone; the file has it.
        let _ = self.observer.send(event);
    }
}
