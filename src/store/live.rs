//! What the events tell of a run's last command: when it began and ended, and what its trials do.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::RunDir;
use super::event::{Event, Line};
use super::events::MAX_BYTES;
use crate::bench::{Pair, Spending};
use crate::error::Result;
use crate::files;

/// The last command of a run, by its events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live {
    /// When it came to this run; `None` where none ever did.
    pub begun_at: Option<Timestamp>,
    /// How it left the run, in the event's word; `None` while it is there, or where it died.
    pub end: Option<String>,
    /// When anything was heard of the run.
    pub last_at: Option<Timestamp>,
    /// How many trials it has ended, whatever came of them.
    pub ended: usize,
    /// The trials that it began and that have not ended, where the engine tells.
    pub trials: BTreeMap<Pair, LiveTrial>,
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
    /// What the run's events tell.
    pub fn of_run(run: &RunDir) -> Result<Self> {
        let mut live = Self::default();
        files::read_lines(&run.events(), 0, MAX_BYTES, |line, _| {
            // A kind that a later version writes is none of ours.
            if let Ok(Line { at, event }) = serde_json::from_slice(line) {
                live.take_in(at, event);
            }
        })?;
        Ok(live)
    }

    fn take_in(&mut self, at: Timestamp, event: Event) {
        self.last_at = Some(at);
        match event {
            Event::RunStarted { .. } => {
                *self = Self {
                    begun_at: Some(at),
                    last_at: Some(at),
                    ..Self::default()
                };
            }
            Event::AttemptStarted { .. } | Event::AttemptEnded { .. } => self.trials.clear(),
            Event::TrialStarted { pair } => {
                let trial = LiveTrial {
                    begun_at: at,
                    last_at: at,
                    answers: AnswersSoFar::default(),
                };
                self.trials.insert(pair, trial);
            }
            Event::Spent {
                pair,
                agent,
                spending,
                ..
            } => {
                if let Some(trial) = self.trials.get_mut(&pair) {
                    trial.last_at = at;
                    trial.answers.heard(&agent, spending);
                }
            }
            Event::TrialEnded { pair, .. } | Event::TrialCutOff { pair, .. } => {
                self.trials.remove(&pair);
                self.ended += 1;
            }
            Event::RunEnded { end, .. } => {
                self.trials.clear();
                self.end = Some(end);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::LogTree;

    const STARTED: &str = r#""event":"run_started","run":"r","setting":"coop-comm","pairs":2,"finished":0,"submitted":0,"to_run":2,"version":"0.1.0""#;
    const ATTEMPT: &str =
        r#""event":"attempt_started","attempt":1,"pairs":["a_task/1/f1_f2","a_task/1/f1_f3"]"#;

    /// A run whose events are these, a second each.
    fn live(events: &[String]) -> Live {
        let root = tempfile::tempdir().unwrap();
        let run = LogTree::at(root.path()).run(&"r".parse().unwrap());
        files::create_dir(&run.own()).unwrap();
        let lines = events.iter().enumerate().map(|(second, event)| {
            let second = format!("{second:02}");
            format!(r#"{{"at":"2026-03-01T12:00:{second}Z",{event}}}"#)
        });
        let text = lines.collect::<Vec<_>>().join("\n") + "\n";
        files::write_atomic(&run.events(), text.as_bytes()).unwrap();
        Live::of_run(&run).unwrap()
    }

    fn of_pair(event: &str, more: &str) -> String {
        format!(r#""event":"{event}","pair":"a_task/1/f1_f2"{more}"#)
    }

    fn spent(agent: &str, cost: f64) -> String {
        let usage = r#""input_tokens":1,"output_tokens":1,"cached_tokens":0,"cache_write_tokens":0,"reasoning_tokens":0"#;
        of_pair(
            "spent",
            &format!(r#","trial":"t","agent":"{agent}","cost":{cost},{usage}"#),
        )
    }

    #[test]
    fn a_trial_that_runs_is_told_by_what_its_agents_had() {
        let live = live(&[
            STARTED.to_owned(),
            ATTEMPT.to_owned(),
            of_pair("trial_started", ""),
            spent("agent1", 0.25),
            spent("agent1", 0.5),
            spent("agent2", 1.0),
        ]);
        let at =
            |second: i8| -> Timestamp { format!("2026-03-01T12:00:{second:02}Z").parse().unwrap() };
        assert_eq!((live.begun_at, live.end), (Some(at(0)), None));
        let [trial] = live.trials.values().collect::<Vec<_>>()[..] else {
            panic!("{:?}", live.trials);
        };
        assert_eq!((trial.begun_at, trial.last_at), (at(2), at(5)));
        let spent = trial.answers.spent().unwrap();
        let steps = trial.answers.steps();
        assert_eq!(
            (steps.as_deref(), spent.cost),
            (Some("step 2+1"), Some(1.5))
        );
    }

    #[test]
    fn what_has_ended_runs_no_more_and_the_next_command_begins_anew() {
        let cut_off = of_pair("trial_cut_off", r#","attempt":1,"why":"x","cost":null"#);
        let ended = r#""event":"run_ended","run":"r","end":"interrupted""#.to_owned();
        let mut events = vec![
            STARTED.to_owned(),
            ATTEMPT.to_owned(),
            of_pair("trial_started", ""),
            cut_off,
            spent("agent1", 0.5),
            ended,
        ];
        let live_then = live(&events);
        assert!(live_then.trials.is_empty());
        assert_eq!(live_then.ended, 1);
        assert_eq!(live_then.end.as_deref(), Some("interrupted"));
        events.push(STARTED.to_owned());
        let live_now = live(&events);
        assert_eq!((live_now.ended, &live_now.end), (0, &None));
        assert!(live_now.begun_at > live_then.begun_at);
    }
}
