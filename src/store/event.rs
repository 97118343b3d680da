//! What happens in a run. Engines and the runner make events, `events.jsonl` keeps them, the terminal
//! shows them, and the next attempt reads them back: all as one type.

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::{Deserialize, Deserializer, Serialize};

use super::Diagnosis;
use super::wheel::{Hand, TurnedSetting};
use crate::bench::{Pair, RunName, Setting, Spending, Total};

/// A line of `events.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line<E = Event> {
    /// When it was written.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: E,
}

/// What happened.
///
/// Fields with a default are not in the lines of every version, or are read by nobody: they may be
/// anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
        #[serde(default)]
        spent: Total,
        version: String,
    },
    AttemptStarted {
        attempt: u32,
        #[serde(default, deserialize_with = "anything")]
        nth: u32,
        #[serde(default, deserialize_with = "anything")]
        of: u32,
        #[serde(default, deserialize_with = "anything")]
        completed: usize,
        #[serde(default, deserialize_with = "anything")]
        remaining: usize,
        #[serde(with = "as_texts")]
        pairs: Vec<Pair>,
        #[serde(default, deserialize_with = "anything")]
        log: String,
    },
    /// A trial began. An engine that says so says it of every trial.
    TrialStarted {
        #[serde(with = "as_text")]
        pair: Pair,
    },
    /// A worker of the run's executor is there: it runs trials on another machine.
    WorkerStarted {
        /// Its id, as claims have it.
        worker: String,
        node: String,
        /// The job that it is of the cluster, where it is one.
        #[serde(default)]
        job: Option<String>,
        /// How many pairs it runs at once.
        at_once: usize,
    },
    /// A worker runs no more trials.
    WorkerEnded {
        worker: String,
        node: String,
        /// Why, where that was not its end in good order.
        #[serde(default)]
        why: Option<String>,
    },
    /// A trial that began is a worker's.
    TrialPlaced {
        #[serde(with = "as_text")]
        pair: Pair,
        worker: String,
    },
    /// A trial is lost with the worker that ran it: it is booked as cut off by this rule.
    TrialLost {
        #[serde(with = "as_text")]
        pair: Pair,
        rule: String,
        why: String,
    },
    /// An agent of a running trial had an answer of the model, or may have been billed for one: all
    /// that it spent so far.
    Spent {
        #[serde(with = "as_text")]
        pair: Pair,
        trial: String,
        agent: String,
        #[serde(flatten)]
        spending: Spending,
        /// Whether its trial was ended, so that it makes no further call and none is under way.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ended: bool,
    },
    /// A call of the model failed and is tried again: of each cause the first in a while.
    CallRetried {
        rule: String,
        text: String,
        tries: u32,
    },
    /// The pace of calls to the model changed.
    Pace {
        limit: usize,
        why: String,
    },
    /// A container was made for a task.
    ContainerCreated {
        #[serde(default, deserialize_with = "anything")]
        container: String,
        image: String,
        /// Not of every container, and not in lines of earlier versions.
        #[serde(
            default,
            deserialize_with = "anything",
            skip_serializing_if = "Option::is_none"
        )]
        name: Option<String>,
    },
    /// What ran in a container since its last such event.
    CommandsSeen {
        container: String,
        /// All that began in it so far.
        commands: u64,
        /// How the last of them begins, where that is known.
        #[serde(default, deserialize_with = "anything")]
        last: Option<String>,
    },
    /// The engine ended a container.
    ContainerEnded {
        container: String,
        #[serde(default, deserialize_with = "anything")]
        commands: u64,
    },
    /// A container could not be made.
    ContainerRefused {
        name: String,
        message: String,
    },
    /// A container was gone when its agent needed it.
    ContainerLost {
        container: String,
        #[serde(flatten)]
        lost: Lost,
        /// Not in lines of earlier versions.
        local_at: Option<DateTime>,
    },
    /// The sandbox's daemon does not answer.
    DaemonUnreachable {
        message: String,
    },
    TrialEnded {
        attempt: u32,
        #[serde(with = "as_text")]
        pair: Pair,
        trial: String,
        status: String,
        finished: bool,
        void: bool,
        diagnosis: Option<Diagnosis>,
        cost: Option<f64>,
        #[serde(default)]
        usage_unknown: bool,
        duration_seconds: Option<f64>,
    },
    TrialCutOff {
        attempt: u32,
        #[serde(with = "as_text")]
        pair: Pair,
        why: String,
        cost: Option<f64>,
        #[serde(default)]
        usage_unknown: bool,
    },
    AttemptEnded {
        attempt: u32,
        #[serde(default, deserialize_with = "anything")]
        end: String,
        #[serde(default, deserialize_with = "anything")]
        completed: usize,
        #[serde(default, deserialize_with = "anything")]
        remaining: usize,
        #[serde(default, deserialize_with = "anything")]
        submitted: usize,
        #[serde(default, deserialize_with = "anything")]
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
        #[serde(default, deserialize_with = "anything")]
        seconds: f64,
        #[serde(default, deserialize_with = "anything")]
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
    /// Somebody had nothing new begun for now.
    Paused {
        #[serde(flatten)]
        by: Hand,
    },
    /// Somebody had pairs begun again.
    Resumed {
        #[serde(flatten)]
        by: Hand,
    },
    /// Somebody had the trials of these pairs ended; without any, the whole run.
    Cancelled {
        #[serde(flatten)]
        by: Hand,
        #[serde(with = "as_texts")]
        pairs: Vec<Pair>,
    },
    /// Somebody changed settings.
    Set {
        #[serde(flatten)]
        by: Hand,
        changes: Vec<TurnedSetting>,
    },
    /// Something the user should know.
    Note {
        text: String,
    },
    RunEnded {
        run: RunName,
        end: String,
    },
}

/// Why a container was gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// `task_timeout`, `stopped`, `oom`, `exited` or `daemon_unreachable`.
    pub reason: String,
    /// The daemon's words, or ours.
    pub detail: String,
}

impl Event {
    /// Something the user should know.
    #[must_use]
    pub const fn note(text: String) -> Self {
        Self::Note { text }
    }

    /// A container is found to be gone now.
    #[must_use]
    pub fn container_lost(container: String, lost: Lost) -> Self {
        Self::ContainerLost {
            container,
            lost,
            // Results have such times: whoever reads them may live in another zone.
            local_at: Some(jiff::Zoned::now().datetime()),
        }
    }
}

/// What an event of a kind that is read can do without. It is in memory by now, as every event with
/// a tag is, so nothing is left unread where it is something else.
#[expect(clippy::unnecessary_wraps, reason = "serde wants a result")]
fn anything<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Ok(T::deserialize(from).unwrap_or_default())
}

/// A pair as events have it: `<repo>/<task id>/f<i>_f<j>`.
mod as_text {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::bench::Pair;

    pub(super) fn serialize<S: Serializer>(pair: &Pair, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(pair)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Pair, D::Error> {
        let text = String::deserialize(from)?;
        Pair::of_text(&text).ok_or_else(|| D::Error::custom("it is no pair"))
    }
}

/// Pairs as events have them. A text that is no pair's is left out: the others still are.
mod as_texts {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::bench::Pair;

    pub(super) fn serialize<S: Serializer>(pairs: &[Pair], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(pairs.iter().map(ToString::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Pair>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        Ok(texts
            .iter()
            .filter_map(|text| Pair::of_text(text))
            .collect())
    }
}
