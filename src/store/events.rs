//! `events.jsonl`: what happened, one object a line, for people, scripts and later triage.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::Deserialize;

use super::event::{Event, Line, Lost};
use super::live::Live;
use super::{Ledger, RunDir};
use crate::bench::{Pair, Spending};
use crate::error::Result;
use crate::files;
use crate::json;

/// A line has about 300 bytes. A trial has some, and of the native engine one for each answer: a pass
/// over all 652 pairs with two agents and a hundred answers each has 40 MB. It is read line by line.
const MAX_BYTES: u64 = 1_000_000_000;

/// Appends one event, with the time, to a run's events.
pub fn append(events: &files::Appender, event: &Event) -> Result<()> {
    let at = Timestamp::now();
    // Not synced, unlike the ledger: a thousand agents begin at once, and what is lost when the
    // machine itself goes down is a few lines of history.
    events.line(&json::line(&Line { at, event }))
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
    pub at: DateTime,
    /// Why.
    pub lost: Lost,
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
        let read = self.read;
        self.read = files::read_lines(&run.events(), read, MAX_BYTES, |line, is_whole| {
            // A line that is being written is read when it is whole.
            if is_whole && is_of_container(line) {
                self.take_in(line);
            }
        })?;
        Ok(())
    }

    fn take_in(&mut self, line: &[u8]) {
        match serde_json::from_slice(line) {
            Ok(Event::ContainerCreated {
                container, image, ..
            }) => {
                self.images.insert(container, image);
            }
            Ok(Event::ContainerLost {
                container,
                lost,
                local_at,
            }) => {
                // Earlier versions wrote no local time: then it is this machine's.
                let Some(at) = local_at.or_else(|| written_at(line)) else {
                    return;
                };
                let image = self.images.get(&container).cloned().unwrap_or_default();
                self.lost
                    .insert(container, LostContainer { image, at, lost });
            }
            Ok(Event::ContainerRefused { name, message }) => {
                self.refused.insert(name, message);
            }
            Ok(_) | Err(_) => {}
        }
    }
}

/// Whether a line is an event of a container, which few are: of the native engine nearly all are
/// of an answer, and are read no further than that.
fn is_of_container(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(borrow)]
        event: Cow<'a, str>,
    }
    let kind = serde_json::from_slice::<Kind<'_>>(line);
    kind.is_ok_and(|kind| kind.event.starts_with("container_"))
}

/// When a line was written, in this machine's time.
fn written_at(line: &[u8]) -> Option<DateTime> {
    let line: Line = serde_json::from_slice(line).ok()?;
    Some(line.at.to_zoned(jiff::tz::TimeZone::system()).datetime())
}

/// An attempt that was begun, and of whose end nothing is known.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenAttempt {
    /// Its number in the run.
    pub attempt: u32,
    /// The pairs it was to run.
    pub pairs: Vec<Pair>,
    /// The containers it made so far, by image.
    pub images: HashMap<String, usize>,
    /// The pairs that it began, where the engine says so.
    pub started: Vec<Pair>,
    /// What its trials had spent when they were last heard of, by pair, trial and agent.
    pub spent: HashMap<(Pair, String, String), Spending>,
    /// Those of them that were ended with no call under way which is not in their spending.
    pub ended: HashSet<(Pair, String, String)>,
    /// The pairs whose trial is lost with the worker that ran it: the rule's name, and why.
    pub lost: HashMap<Pair, (String, String)>,
}

impl OpenAttempt {
    fn take_in(&mut self, event: Event) {
        match event {
            Event::TrialStarted { pair } => self.started.push(pair),
            Event::Spent {
                pair,
                trial,
                agent,
                spending,
                ended,
            } => {
                let spender = (pair, trial, agent);
                if ended {
                    self.ended.insert(spender.clone());
                }
                self.spent.insert(spender, spending);
            }
            Event::TrialLost { pair, rule, why } => {
                self.lost.insert(pair, (rule, why));
            }
            Event::ContainerCreated { image, .. } => {
                *self.images.entry(image).or_default() += 1;
            }
            _ => {}
        }
    }

    /// The pairs whose trials the engine named: all that it began, if it names any.
    #[must_use]
    pub fn named(&self) -> HashSet<&Pair> {
        // Of a trial that an earlier attempt began, only the spending may be told in this one.
        let spenders = self.spent.keys().map(|(pair, _, _)| pair);
        self.started
            .iter()
            .chain(spenders)
            .chain(self.lost.keys())
            .collect()
    }

    /// All that is known of what these pairs' trials had spent, as events.
    pub fn spent_events<'a>(&'a self, pairs: &'a BTreeSet<Pair>) -> impl Iterator<Item = Event> {
        let of_pairs = self
            .spent
            .iter()
            .filter(|((pair, _, _), _)| pairs.contains(pair));
        of_pairs.map(|(spender, spending)| {
            let (pair, trial, agent) = spender.clone();
            Event::Spent {
                pair,
                trial,
                agent,
                spending: *spending,
                ended: self.ended.contains(spender),
            }
        })
    }

    /// What the trials of a pair had spent, those that the ledger has left out; `None` when nothing
    /// was heard of any.
    #[must_use]
    pub fn spent_on(&self, pair: &Pair, ledger: &Ledger) -> Option<Spending> {
        let of_pair = self
            .spent
            .iter()
            .filter(|((of, trial, _), _)| of == pair && !ledger.has(pair, trial));
        of_pair.fold(None, |sum, (_, spending)| {
            let mut sum = sum.unwrap_or_default();
            sum += *spending;
            Some(sum)
        })
    }

    /// Whether so many agents of a pair's trial were heard of when it was ended, with nothing unknown:
    /// then no call of it can be billed that is not counted.
    #[must_use]
    pub fn is_all_known(&self, pair: &Pair, ledger: &Ledger, agents: usize) -> bool {
        let of_pair = self
            .spent
            .iter()
            .filter(|((of, trial, _), _)| of == pair && !ledger.has(pair, trial));
        let (known, others): (Vec<_>, Vec<_>) = of_pair.partition(|(spender, spending)| {
            self.ended.contains(*spender) && !spending.usage_unknown
        });
        known.len() == agents && others.is_empty()
    }

    /// The trial of a pair that was heard of last, where any was.
    #[must_use]
    pub fn trial_of(&self, pair: &Pair) -> Option<&str> {
        let mut trials = self.spent.keys().filter(|(of, _, _)| of == pair);
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
}

/// Goes through the events of a run, in order. A kind that a later version writes is passed over.
pub fn each(run: &RunDir, mut take: impl FnMut(&Line)) -> Result<()> {
    files::read_lines(&run.events(), 0, MAX_BYTES, |line, _| {
        if let Ok(line) = serde_json::from_slice(line) {
            take(&line);
        }
    })?;
    Ok(())
}

impl History {
    /// The history of a run.
    pub fn of_run(run: &RunDir) -> Result<Self> {
        let mut history = Self::default();
        files::read_lines(&run.events(), 0, MAX_BYTES, |line, _| {
            // A kind that a later version writes is none of ours.
            if let Ok(event) = serde_json::from_slice(line) {
                history.take_in(event);
            }
        })?;
        Ok(history)
    }

    fn take_in(&mut self, event: Event) {
        match event {
            Event::AttemptStarted { attempt, pairs, .. } => {
                self.last_attempt = self.last_attempt.max(attempt);
                self.open = Some(OpenAttempt {
                    attempt,
                    pairs,
                    images: HashMap::new(),
                    started: Vec::new(),
                    spent: HashMap::new(),
                    ended: HashSet::new(),
                    lost: HashMap::new(),
                });
            }
            Event::AttemptEnded { attempt, .. } => {
                self.open.take_if(|open| open.attempt == attempt);
            }
            event => {
                if let Some(open) = &mut self.open {
                    open.take_in(event);
                }
            }
        }
    }
}

/// What a run's events tell, from one reading: so nothing in it is newer than the rest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunEvents {
    /// What happened to containers.
    pub facts: ContainerFacts,
    /// The attempts so far.
    pub history: History,
    /// The last command.
    pub live: Live,
}

impl RunEvents {
    /// Reads the events of a run; nothing where it has none.
    pub fn of_run(run: &RunDir) -> Result<Self> {
        let mut told = Self::default();
        let read = files::read_lines(&run.events(), 0, MAX_BYTES, |line, is_whole| {
            if is_whole && is_of_container(line) {
                told.facts.take_in(line);
            }
            // A kind that a later version writes is none of ours.
            match serde_json::from_slice(line) {
                Ok(Line { at, event }) => {
                    told.live.take_in(at, &event);
                    told.history.take_in(event);
                }
                // Without its time it is still an event.
                Err(_) => {
                    if let Ok(event) = serde_json::from_slice(line) {
                        told.history.take_in(event);
                    }
                }
            }
        })?;
        told.facts.read = read;
        Ok(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{TaskKey, Usage};
    use crate::store::LogTree;

    /// A run with such events.
    fn run_of(lines: &[&str]) -> (tempfile::TempDir, RunDir) {
        let root = tempfile::tempdir().unwrap();
        let run = LogTree::at(root.path()).run(&"r".parse().unwrap());
        files::create_dir(&run.own()).unwrap();
        files::write_atomic(&run.events(), lines.join("\n").as_bytes()).unwrap();
        (root, run)
    }

    /// Results have local times of the machine that made them, which need not be this one's.
    #[test]
    fn the_time_of_a_loss_is_local_where_it_happened() {
        let lost = |container: &str, more: &str| {
            format!(
                r#"{{"at":"2026-03-01T12:00:00Z","event":"container_lost","container":"{container}","reason":"oom","detail":"gone"{more}}}"#
            )
        };
        let told = lost("told", r#","local_at":"2026-03-01T23:15:00.5""#);
        let (_root, run) = run_of(&[&told, &lost("untold", ""), ""]);
        let facts = ContainerFacts::of_run(&run).unwrap();
        let at = |container: &str| facts.lost[container].at;
        assert_eq!(at("told"), "2026-03-01T23:15:00.5".parse().unwrap());
        let noon: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let here = noon.to_zoned(jiff::tz::TimeZone::system()).datetime();
        assert_eq!(at("untold"), here);
    }

    #[test]
    fn every_event_of_a_container_is_looked_at() {
        let lines = include_str!("../../tests/data/every-event.jsonl").lines();
        let looked_at = lines.filter(|line| is_of_container(line.as_bytes()));
        let events: Vec<Event> = looked_at
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let [
            Event::ContainerCreated { .. },
            Event::ContainerRefused { .. },
            Event::ContainerLost { .. },
            Event::ContainerCreated { .. },
            Event::ContainerEnded { .. },
        ] = events.as_slice()
        else {
            panic!("{events:?}");
        };
    }

    #[test]
    fn a_line_need_have_no_more_than_what_is_read_of_it() {
        let (_root, run) = run_of(&[
            r#"{"event":"attempt_started","attempt":4,"pairs":["r_task/1/f1_f2","no pair"],"nth":"one","of":-1,"log":7}"#,
            r#"{"event":"container_created","container":7,"image":"i"}"#,
            r#"{"event":"trial_started","pair":"r_task/1/f1_f2","more":[1]}"#,
            r#"{"event":"trial_started"}"#,
            r#"{"event":"spent","pair":"r_task/1/f1_f2","trial":"t","agent":"solo","input_tokens":1,"output_tokens":2}"#,
            r#"{"event":"attempt_started","attempt":"5","pairs":[]}"#,
            r#"{"event":"attempt_ended","attempt":3,"completed":null}"#,
            r#"{"event":"a_later_kind","attempt":9,"pairs":[]}"#,
            r#"{"event":"waiting_for_reset","until":"2026-03-01T12:00:00Z","seconds":"many"}"#,
            r#"{"event":7}"#,
            "no JSON",
            "",
            r#"{"event":"attempt_ended","attempt":4"#,
        ]);
        let pair = Pair::new(TaskKey::new("r_task", 1), 1, 2);
        let spending = Spending {
            usage: Usage {
                input_tokens: 1,
                output_tokens: 2,
                ..Usage::default()
            },
            ..Spending::default()
        };
        let open = OpenAttempt {
            attempt: 4,
            pairs: vec![pair.clone()],
            images: HashMap::from([("i".to_owned(), 1)]),
            started: vec![pair.clone()],
            spent: HashMap::from([((pair, "t".to_owned(), "solo".to_owned()), spending)]),
            ended: HashSet::new(),
            lost: HashMap::new(),
        };
        let history = History {
            last_attempt: 4,
            open: Some(open),
        };
        assert_eq!(History::of_run(&run).unwrap(), history);
        assert_eq!(RunEvents::of_run(&run).unwrap().history, history);
    }

    #[test]
    fn one_reading_tells_all_that_each_alone_does() {
        let every = include_str!("../../tests/data/every-event.jsonl");
        let (_root, run) = run_of(&[every.trim_end(), r#"{"at":"2026-03-01T12:00:00Z","ev"#]);
        let told = RunEvents::of_run(&run).unwrap();
        assert_eq!(told.history, History::of_run(&run).unwrap());
        assert_eq!(told.facts, ContainerFacts::of_run(&run).unwrap());
        assert_eq!(told.live.end.as_deref(), Some("complete"));
    }
}
