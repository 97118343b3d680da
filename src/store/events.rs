//! `events.jsonl`: what happened, one object a line, for people, scripts and later triage.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Ledger, RunDir};
use crate::bench::{Pair, Spending};
use crate::error::Result;
use crate::files;

/// A line has about 300 bytes. A trial has some, and of the native engine one for each answer: a pass
/// over all 652 pairs with two agents and a hundred answers each has 40 MB. It is read line by line.
const MAX_BYTES: u64 = 1_000_000_000;

/// Appends one event, with the time, to the run's events.
pub fn append(run: &RunDir, event: &impl Serialize) -> Result<()> {
    #[derive(Serialize)]
    struct Line<'a, E> {
        at: jiff::Timestamp,
        #[serde(flatten)]
        event: &'a E,
    }
    let line = Line {
        at: jiff::Timestamp::now(),
        event,
    };
    // Not synced, unlike the ledger: a thousand agents begin at once, and what is lost when the
    // machine itself goes down is a few lines of history.
    files::append_line_unsynced(
        &run.events(),
        &serde_json::to_string(&line).unwrap_or_default(),
    )
}

/// What the relay answers in a dead container's place, before the container's full id.
///
/// See `engine::upstream::relay`: the agent's loop ends on it instead of spending paid steps
/// on a container that is gone.
pub const MARKER: &str = "regatta-lost-container";

/// What the Docker relay saw happen to containers: the harness's own knowledge, kept for triage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ContainerFacts {
    /// Containers that were gone when the agent needed them, by full id.
    pub lost: HashMap<String, LostContainer>,
    /// The daemon's words when it refused to make a container, by the container's name.
    pub refused: HashMap<String, String>,
    /// The images of containers.
    images: HashMap<String, String>,
    /// How many bytes of the events were read.
    read: u64,
}

/// A container that was gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostContainer {
    /// Its image.
    pub image: String,
    /// When that was noticed, in local time, as results give theirs.
    pub at: jiff::civil::DateTime,
    /// Why.
    pub lost: Lost,
}

/// Why a container was gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// `task_timeout`, `stopped`, `oom`, `exited` or `daemon_unreachable`.
    pub reason: String,
    /// The daemon's words, or ours.
    pub detail: String,
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Known {
    ContainerCreated {
        container: String,
        image: String,
    },
    ContainerLost {
        at: jiff::Timestamp,
        container: String,
        #[serde(flatten)]
        lost: Lost,
        local_at: Option<jiff::civil::DateTime>,
    },
    ContainerRefused {
        name: String,
        message: String,
    },
    #[serde(other)]
    Other,
}

impl ContainerFacts {
    /// The facts that the run's events hold.
    pub fn of_run(run: &RunDir) -> Result<Self> {
        let mut facts = Self::default();
        facts.catch_up(run)?;
        Ok(facts)
    }

    /// Takes in what was written since the last time.
    pub fn catch_up(&mut self, run: &RunDir) -> Result<()> {
        // A line that is being written is read when it is whole.
        let read = self.read;
        self.read = files::read_lines(&run.events(), read, MAX_BYTES, |line, is_whole| {
            if !is_whole {
                return;
            }
            match serde_json::from_slice(line) {
                Ok(Known::ContainerCreated { container, image }) => {
                    self.images.insert(container, image);
                }
                Ok(Known::ContainerLost {
                    at,
                    container,
                    lost,
                    local_at,
                }) => {
                    let image = self.images.get(&container).cloned().unwrap_or_default();
                    // Earlier versions wrote no local time: then it is this machine's.
                    let here = || at.to_zoned(jiff::tz::TimeZone::system()).datetime();
                    let at = local_at.unwrap_or_else(here);
                    self.lost
                        .insert(container, LostContainer { image, at, lost });
                }
                Ok(Known::ContainerRefused { name, message }) => {
                    self.refused.insert(name, message);
                }
                Ok(Known::Other) | Err(_) => {}
            }
        })?;
        Ok(())
    }
}

/// An attempt that was begun, and of whose end nothing is known.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenAttempt {
    /// Its number in the run.
    pub attempt: u32,
    /// The pairs it was to run.
    pub pairs: Vec<String>,
    /// The containers it made so far, by image.
    pub images: HashMap<String, usize>,
    /// The pairs that it began, where the engine says so.
    pub started: Vec<String>,
    /// What its trials had spent when they were last heard of, by pair, trial and agent.
    pub spent: HashMap<(String, String, String), Spending>,
}

impl OpenAttempt {
    /// What the trials of a pair had spent, those that the ledger has left out; `None` when nothing
    /// was heard of any.
    #[must_use]
    pub fn spent_on(&self, pair: &Pair, ledger: &Ledger) -> Option<Spending> {
        let name = pair.to_string();
        let of_pair = self
            .spent
            .iter()
            .filter(|((of, trial, _), _)| *of == name && !ledger.has(pair, trial));
        of_pair.fold(None, |sum, (_, spending)| {
            let mut sum = sum.unwrap_or_default();
            sum += *spending;
            Some(sum)
        })
    }

    /// The trial of a pair that was heard of last, where any was.
    #[must_use]
    pub fn trial_of(&self, pair: &Pair) -> Option<&str> {
        let name = pair.to_string();
        let mut trials = self.spent.keys().filter(|(of, _, _)| *of == name);
        trials.next().map(|(_, trial, _)| trial.as_str())
    }
}

/// What the events say of earlier attempts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The number of the last attempt; 0 when there was none.
    pub last_attempt: u32,
    /// The last attempt, when regatta died in it.
    pub open: Option<OpenAttempt>,
    /// Until when the last attempt's limit is waited for, where no attempt was begun since.
    pub waits_until: Option<jiff::Timestamp>,
}

#[derive(Deserialize)]
#[serde(tag = "event")]
enum Attempt {
    #[serde(rename = "attempt_started")]
    Started { attempt: u32, pairs: Vec<String> },
    #[serde(rename = "container_created")]
    Created { image: String },
    #[serde(rename = "trial_started")]
    Trial { pair: String },
    #[serde(rename = "spent")]
    Spent {
        pair: String,
        trial: String,
        agent: String,
        #[serde(flatten)]
        spending: Spending,
    },
    #[serde(rename = "attempt_ended")]
    Ended { attempt: u32 },
    #[serde(rename = "waiting_for_reset")]
    Waiting { until: jiff::Timestamp },
    #[serde(other)]
    Other,
}

impl History {
    /// The history of a run.
    pub fn of_run(run: &RunDir) -> Result<Self> {
        let mut history = Self::default();
        files::read_lines(
            &run.events(),
            0,
            MAX_BYTES,
            |line, _| match serde_json::from_slice(line) {
                Ok(Attempt::Started { attempt, pairs }) => {
                    history.last_attempt = history.last_attempt.max(attempt);
                    history.waits_until = None;
                    history.open = Some(OpenAttempt {
                        attempt,
                        pairs,
                        images: HashMap::new(),
                        started: Vec::new(),
                        spent: HashMap::new(),
                    });
                }
                Ok(Attempt::Waiting { until }) => history.waits_until = Some(until),
                Ok(Attempt::Ended { attempt }) => {
                    history.open.take_if(|open| open.attempt == attempt);
                }
                Ok(Attempt::Trial { pair }) => {
                    if let Some(open) = &mut history.open {
                        open.started.push(pair);
                    }
                }
                Ok(Attempt::Spent {
                    pair,
                    trial,
                    agent,
                    spending,
                }) => {
                    if let Some(open) = &mut history.open {
                        open.spent.insert((pair, trial, agent), spending);
                    }
                }
                Ok(Attempt::Created { image }) => {
                    if let Some(open) = &mut history.open {
                        *open.images.entry(image).or_default() += 1;
                    }
                }
                Ok(Attempt::Other) | Err(_) => {}
            },
        )?;
        Ok(history)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::LogTree;

    /// Results have local times of the machine that made them, which need not be this one's.
    #[test]
    fn the_time_of_a_loss_is_local_where_it_happened() {
        let root = tempfile::tempdir().unwrap();
        let run = LogTree::at(root.path()).run(&"r".parse().unwrap());
        let lost = |container: &str, more: &str| {
            format!(
                r#"{{"at":"2026-03-01T12:00:00Z","event":"container_lost","container":"{container}","reason":"oom","detail":"gone"{more}}}"#
            )
        };
        let lines = [
            lost("told", r#","local_at":"2026-03-01T23:15:00.5""#),
            lost("untold", ""),
        ];
        files::create_dir(&run.own()).unwrap();
        files::append_line_unsynced(&run.events(), &lines.join("\n")).unwrap();
        let facts = ContainerFacts::of_run(&run).unwrap();
        let at = |container: &str| facts.lost[container].at;
        assert_eq!(at("told"), "2026-03-01T23:15:00.5".parse().unwrap());
        let noon: jiff::Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let here = noon.to_zoned(jiff::tz::TimeZone::system()).datetime();
        assert_eq!(at("untold"), here);
    }
}
