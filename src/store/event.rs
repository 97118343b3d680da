//! What happens in a run. Engines and the runner make events, `events.jsonl` keeps them, the terminal
//! shows them, and the next attempt reads them back: all as one type.

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::{Deserialize, Deserializer, Serialize};

use super::Diagnosis;
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
    /// An agent of a running trial had an answer of the model, or may have been billed for one: all
    /// that it spent so far.
    Spent {
        #[serde(with = "as_text")]
        pair: Pair,
        trial: String,
        agent: String,
        #[serde(flatten)]
        spending: Spending,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::RuleId;
    use crate::bench::{TaskKey, Usage};
    use crate::json;
    use crate::store::Cause;

    /// What a version wrote for [`one_of_each`] that had a type to write with and others to read with.
    const RECORDED: &str = include_str!("../../tests/data/every-event.jsonl");

    fn run() -> RunName {
        "gull-coop-comm".parse().unwrap()
    }

    fn pair() -> Pair {
        Pair::new(TaskKey::new("gull_task", 7), 12, 3)
    }

    fn reset() -> Timestamp {
        "2026-11-28T12:00:00.25Z".parse().unwrap()
    }

    fn spent(agent: &str, spending: Spending) -> Event {
        Event::Spent {
            pair: pair(),
            trial: "0badcafe".to_owned(),
            agent: agent.to_owned(),
            spending,
        }
    }

    fn of_beginnings() -> Vec<Event> {
        let spending = Spending {
            cost: Some(0.1 + 0.2),
            usage: Usage {
                input_tokens: 1000,
                output_tokens: 20,
                cached_tokens: 300,
                cache_write_tokens: 4,
                reasoning_tokens: 5,
            },
            usage_unknown: true,
        };
        vec![
            Event::RunStarted {
                run: run(),
                setting: Setting::CoopComm,
                pairs: 30,
                finished: 4,
                submitted: 3,
                to_run: 26,
                spent: Total {
                    usd: 12.0,
                    unknown: 1,
                },
                version: "0.1.0".to_owned(),
            },
            Event::AttemptStarted {
                attempt: 2,
                nth: 1,
                of: 3,
                completed: 4,
                remaining: 26,
                pairs: vec![pair(), Pair::new(TaskKey::new("gull_task", 8), 1, 2)],
                log: "logs/gull-coop-comm/regatta/attempt-2.log".to_owned(),
            },
            Event::TrialStarted { pair: pair() },
            spent("agent1", spending),
            spent("agent2", Spending::default()),
            Event::Pace {
                limit: 4,
                why: "a rate limit".to_owned(),
            },
        ]
    }

    fn of_containers() -> Vec<Event> {
        vec![
            Event::ContainerCreated {
                container: "c0ffee".to_owned(),
                image: "akhatua/cooperbench-gull:task7".to_owned(),
            },
            Event::ContainerRefused {
                name: String::new(),
                message: "no such image: x".to_owned(),
            },
            Event::ContainerLost {
                container: "c0ffee".to_owned(),
                lost: Lost {
                    reason: "oom".to_owned(),
                    detail: "killed by the kernel for its memory".to_owned(),
                },
                local_at: Some("2026-11-28T23:15:00.5".parse().unwrap()),
            },
            Event::DaemonUnreachable {
                message: "connection refused".to_owned(),
            },
        ]
    }

    fn ended(
        diagnosis: Option<Diagnosis>,
        cost: Option<f64>,
        duration_seconds: Option<f64>,
    ) -> Event {
        Event::TrialEnded {
            attempt: 2,
            pair: pair(),
            trial: "0badcafe".to_owned(),
            status: "Submitted+Error".to_owned(),
            finished: diagnosis.is_none(),
            void: cost.is_none(),
            diagnosis,
            cost,
            usage_unknown: cost.is_none(),
            duration_seconds,
        }
    }

    fn cut_off(cost: Option<f64>) -> Event {
        Event::TrialCutOff {
            attempt: 2,
            pair: pair(),
            why: "stopped".to_owned(),
            cost,
            usage_unknown: true,
        }
    }

    fn of_trials() -> Vec<Event> {
        let text = "429: \"slow\ndown\" \u{1b}[1m…";
        let diagnosis = Diagnosis::new(
            Cause::Infra,
            RuleId::of("rate_limited"),
            "agents.agent1.error",
            text,
        );
        let limited = Diagnosis {
            resets_at: Some(reset()),
            ..Diagnosis::new(
                Cause::Limit,
                RuleId::of("quota"),
                "agent.error",
                "out of quota",
            )
        };
        vec![
            ended(Some(diagnosis), None, None),
            ended(Some(limited), Some(1e-9), Some(81.5)),
            ended(None, Some(1.0), Some(1e21)),
            cut_off(Some(0.0105)),
            cut_off(None),
        ]
    }

    fn of_ends() -> Vec<Event> {
        vec![
            Event::AttemptEnded {
                attempt: 2,
                end: "done".to_owned(),
                completed: 28,
                remaining: 2,
                submitted: 24,
                errors: 2,
            },
            Event::BackOff {
                seconds: 30.0,
                why: "2 infrastructure errors, 2 pairs left".to_owned(),
            },
            Event::LimitMet {
                rule: "quota".to_owned(),
                text: "out of quota".to_owned(),
                resets_at: reset(),
            },
            Event::WaitingForReset {
                until: reset(),
                seconds: 61.25,
                why: "out of quota".to_owned(),
            },
            Event::BreakerTripped {
                error: "key_refused".to_owned(),
                text: "401".to_owned(),
                trials: 5,
                advice: "give another key".to_owned(),
            },
            Event::BudgetSpent {
                spent: 10.25,
                budget: 10.0,
            },
            Event::Stopping {
                signal: "Ctrl-C".to_owned(),
                grace_seconds: 20.0,
            },
            Event::StoppingNow,
            Event::note("containers may be left".to_owned()),
            Event::RunEnded {
                run: run(),
                end: "complete".to_owned(),
            },
        ]
    }

    fn one_of_each() -> Vec<Event> {
        [of_beginnings(), of_containers(), of_trials(), of_ends()].concat()
    }

    /// The names are the file's: another name here would be another one there.
    #[test]
    fn every_event_is_written_as_it_always_was_and_read_back() {
        let events = one_of_each();
        assert_eq!(RECORDED.lines().count(), events.len());
        for (recorded, event) in RECORDED.lines().zip(events) {
            let at = "2026-11-28T12:00:00Z".parse().unwrap();
            let line = Line { at, event: &event };
            assert_eq!(json::line(&line), recorded);
            assert_eq!(serde_json::from_str::<Event>(recorded).unwrap(), event);
            let line = Line { at, event };
            assert_eq!(serde_json::from_str::<Line>(recorded).unwrap(), line);
        }
    }

    #[test]
    fn every_event_and_field_is_on_the_page() {
        const PAGE: &str = include_str!("../../docs/reference/files.md");
        for line in RECORDED.lines() {
            let fields: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(line).unwrap();
            let kind = fields["event"].as_str().unwrap();
            assert!(PAGE.contains(&format!("\n| `{kind}` |")), "{kind}");
            for field in fields.keys() {
                assert!(PAGE.contains(&format!("`{field}`")), "{kind}: {field}");
            }
        }
    }
}
