//! `result.json`: reading it whatever wrote it, and adding our tag to it.

mod file;
mod lenient;
#[cfg(test)]
pub mod made;
mod status;
mod tag;
mod team;

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::diagnosis::{Cause, Evidence};
use super::moment::Moment;
use crate::bench::{RuleId, Usage};
use crate::files;
use crate::json;
use file::File;

pub(super) use lenient::{text as text_or_number, to_error as error_text};
pub use tag::write_tag;
pub use team::TeamMetrics;

/// No real `result.json` comes near this; a larger one is not read.
pub const MAX_BYTES: u64 = 16_000_000;

/// What stands at a pair's `result.json`.
#[derive(Clone, Debug)]
pub enum ResultFile {
    /// There is no such file: the trial has not ended, or never began.
    Missing,
    /// A file that is no result, and why, in one clause.
    Unreadable(String),
    /// A result, as far as it can be understood.
    Read(Box<TrialRecord>),
}

/// One trial as its `result.json` tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialRecord {
    /// Upstream's `run_id`, unique per trial; the start time where a file has none, and a digest of
    /// the file where it has neither.
    pub trial: String,
    /// The run's name when it was made.
    pub run_name: Option<String>,
    /// The agent framework, by upstream's name or our own ([`FRAMEWORK`]).
    pub agent_framework: Option<String>,
    /// The model's name, as the engine was given it.
    pub model: Option<String>,
    /// The setting in the file's own word: upstream's are `solo`, `coop` and `team`.
    pub setting: Option<String>,
    /// Messages that the agents sent each other; `None` where nothing counted them.
    pub messages_sent: Option<u64>,
    /// How a team worked together, where its task list tells.
    pub team: Option<TeamMetrics>,
    /// Local time without a zone, as upstream writes it.
    pub started_at: Option<String>,
    /// Local time without a zone.
    pub ended_at: Option<String>,
    /// Wall-clock seconds: those that the file says, or from its beginning to its end.
    pub duration_seconds: Option<f64>,
    /// The agents, by id: `solo`, or `agent1`, `agent2` and as many as there are.
    pub agents: Vec<AgentRecord>,
    /// A cost that the file gives for the whole trial, in USD, where the agents' are not all of it.
    pub whole_cost: Option<f64>,
    /// Whether an agent's status is upstream's word for an error: then its resume runs the pair again.
    pub is_upstreams_error: bool,
    /// Our own mark: infrastructure broke this trial.
    pub infra_error: bool,
    /// Our own tag; `None` where there is none, or one of a shape that this version does not read.
    pub tag: Option<Tag>,
}

/// One agent of a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentRecord {
    /// Which agent it is: `solo`, `agent1`, `agent2`, …
    pub id: String,
    /// The feature it worked on; a solo agent works on all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<u64>,
    /// How it ended, in upstream's word.
    pub status: String,
    /// What it cost in USD, as written; 0 may mean that the price is unknown.
    pub cost: Option<f64>,
    /// How many model calls it made; `None` where that is no number that an agent can reach.
    pub steps: Option<u64>,
    /// The error's text, when it ended in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether it made calls of unknown usage, beside those that its cost and tokens tell of.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub usage_unknown: bool,
    /// How long it waited for rate limits and overloads, in seconds; only our own engine tells.
    #[serde(skip)]
    pub waited_seconds: Option<f64>,
    /// Its tokens, where the result tells them. mini-swe-agent's does not, nor one that knows them in
    /// part: of these the trajectory tells.
    #[serde(skip)]
    pub usage: Option<Usage>,
}

/// What we add to a result under the key `regatta`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tag {
    /// Whose failure it was.
    pub cause: Cause,
    /// What the cause rests on.
    pub evidence: Evidence,
    /// The attempt that made the trial, when we ran it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The id of the trial that it was written for.
    pub trial: String,
    /// The version of regatta that wrote the tag.
    pub version: String,
}

/// The status that upstream gives an agent whose loop raised an exception.
pub const ERROR: &str = "Error";

/// The status of an agent of our own engine whose trial's time was up.
pub const TIME_LIMIT: &str = "TimeLimitExceeded";

impl TrialRecord {
    /// Whether any agent ended in an error.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.agents.iter().any(|agent| agent.status == ERROR)
    }

    /// When it ended; results have local times without a zone.
    #[must_use]
    pub fn ended(&self) -> Option<Timestamp> {
        moment(self.ended_at.as_deref()?)
    }

    /// Whether every agent's status is `Submitted`.
    #[must_use]
    pub fn is_submitted(&self) -> bool {
        self.agents.iter().all(|agent| agent.status == "Submitted")
    }

    /// The statuses in one word: the only one, or all of them joined.
    #[must_use]
    pub fn status(&self) -> String {
        let mut statuses: Vec<&str> = self.agents.iter().map(|a| a.status.as_str()).collect();
        statuses.dedup();
        statuses.join("+")
    }

    /// Reads a result from its bytes; the error is the reason it is none.
    pub fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        if bytes.is_empty() {
            return Err("it is empty".to_owned());
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| format!("it is not UTF-8 (byte {})", error.valid_up_to()))?;
        let (file, text) =
            json::with_text::<File>(text).map_err(|error| match error.classify() {
                serde_json::error::Category::Eof => "it is truncated".to_owned(),
                serde_json::error::Category::Data => format!("it has another shape: {error}"),
                _ => format!("it is not JSON: {error}"),
            })?;
        file.into_record(&text)
    }
}

/// A time as results have it.
fn moment(text: &str) -> Option<Timestamp> {
    Moment::read(text)?.timestamp()
}

/// The `agent_framework` of our own engine's results.
pub const FRAMEWORK: &str = "regatta";

/// The beginning of an error that our own engine recorded, before the rule's id.
const HARNESS: &str = "regatta/";

/// An error of our own engine, which knows the triage rule that it falls under.
#[must_use]
pub fn harness_error(rule: &RuleId, text: &str) -> String {
    format!("{HARNESS}{rule}: {text}")
}

/// The rule and the text of an error that [`harness_error`] wrote.
#[must_use]
pub fn parse_harness_error(error: &str) -> Option<(RuleId, &str)> {
    let (rule, text) = error.strip_prefix(HARNESS)?.split_once(": ")?;
    Some((rule.into(), text))
}

/// Reads the result at `path`.
#[must_use]
pub fn read(path: &Path) -> ResultFile {
    match files::read_up_to(path, MAX_BYTES) {
        Ok(None) => ResultFile::Missing,
        Err(error) => ResultFile::Unreadable(error.to_string()),
        Ok(Some(bytes)) => match TrialRecord::parse(&bytes) {
            Ok(record) => ResultFile::Read(Box::new(record)),
            Err(why) => ResultFile::Unreadable(why),
        },
    }
}

/// The id of the trial whose result is at `path`; none without a result that can be read.
#[must_use]
pub fn trial(path: &Path) -> Option<String> {
    match read(path) {
        ResultFile::Read(record) => Some(record.trial),
        ResultFile::Missing | ResultFile::Unreadable(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(json: &str) -> TrialRecord {
        TrialRecord::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn a_pair_submitted_when_both_agents_did_and_its_status_names_each() {
        for (statuses, is_submitted, is_error, status) in [
            (["Submitted", "Submitted"], true, false, "Submitted"),
            (
                ["Submitted", "LimitsExceeded"],
                false,
                false,
                "Submitted+LimitsExceeded",
            ),
            (["Error", "Submitted"], false, true, "Error+Submitted"),
        ] {
            let [one, two] = statuses;
            let record = read_text(&format!(
                r#"{{"agents":{{"agent1":{{"status":"{one}"}},"agent2":{{"status":"{two}"}}}}}}"#
            ));
            assert_eq!(record.is_submitted(), is_submitted, "{statuses:?}");
            assert_eq!(record.is_error(), is_error, "{statuses:?}");
            assert_eq!(record.is_upstreams_error, is_error, "{statuses:?}");
            assert_eq!(record.status(), status);
        }
    }

    #[test]
    fn the_time_of_its_end_is_that_of_the_file() {
        let ended = |field: &str| {
            let record = read_text(&format!(r#"{{"agent":{{"status":"Error"}}{field}}}"#));
            record.ended().map(|at| at.to_string())
        };
        let told = ended(r#","ended_at":"2026-01-01T10:00:00Z""#);
        assert_eq!(told.as_deref(), Some("2026-01-01T10:00:00Z"));
        assert_eq!(ended(""), None);
    }

    #[test]
    fn an_error_of_our_own_engine_names_its_rule() {
        let error = harness_error(&RuleId::IMAGE_PULL, "no such image: x");
        assert_eq!(error, "regatta/image_pull: no such image: x");
        let read = parse_harness_error(&error);
        assert_eq!(read, Some((RuleId::IMAGE_PULL, "no such image: x")));
        assert_eq!(parse_harness_error("ValueError: x"), None);
    }

    #[test]
    fn a_result_without_an_id_has_one_of_what_it_says_whatever_its_tag() {
        let id = |steps: u64, more: &str| {
            let agent = format!(r#"{{"status":"Error","steps":{steps}}}"#);
            read_text(&format!(r#"{{"agent":{agent}{more}}}"#)).trial
        };
        assert!(id(1, "").starts_with("unnamed-"), "{}", id(1, ""));
        assert_eq!(id(1, ""), id(1, r#","infra_error":true,"regatta":{}"#));
        assert_ne!(id(1, ""), id(2, ""));
        assert_eq!(id(1, r#","run_id":"1a2b""#), "1a2b");
    }

    #[test]
    fn agents_have_the_id_that_they_are_given_or_that_of_their_place() {
        let ids = |json: &str| {
            let agents = read_text(json).agents;
            agents.into_iter().map(|it| it.id).collect::<Vec<_>>()
        };
        let of = |one: &str| {
            ids(&format!(
                r#"{{"status":"Submitted","agents":[{{"id":"{one}"}},{{}}]}}"#
            ))
        };
        assert_eq!(of("a"), ["a", "agent2"]);
        assert_eq!(of(""), ["agent1", "agent2"]);
        let alone = r#"{"agents":null,"agent":{"status":"Submitted"}}"#;
        assert_eq!(ids(alone), ["solo"]);
        // A framework's name in the agent's place; the file is the agent then.
        let named = read_text(r#"{"agent":"mini_swe_agent","status":"Submitted","cost":0.5}"#);
        assert_eq!(named.agents[0].cost, Some(0.5));
        assert_eq!(named.agent_framework.as_deref(), Some("mini_swe_agent"));
    }

    #[test]
    fn that_a_team_sent_nothing_is_not_believed() {
        let sent = |setting: &str, count: u64| {
            let json = format!(
                r#"{{"setting":"{setting}","messages_sent":{count},"agent":{{"status":"Submitted"}}}}"#
            );
            read_text(&json).messages_sent
        };
        assert_eq!((sent("coop", 0), sent("coop", 2)), (Some(0), Some(2)));
        assert_eq!((sent("team", 0), sent("team", 2)), (None, Some(2)));
    }

    #[test]
    fn zeros_are_no_tokens_where_nothing_was_called() {
        let used = |fields: &str| {
            let agent = format!(r#"{{"input_tokens":0,"output_tokens":0,{fields}}}"#);
            let json = format!(r#"{{"agent_framework":"claude_code","agent":{agent}}}"#);
            read_text(&json).agents[0].usage
        };
        let none = Some(Usage::default());
        assert_eq!(used(r#""status":"Error","cost":0,"steps":2"#), none);
        assert_eq!(used(r#""status":"Submitted","cost":0,"steps":0"#), none);
        assert_eq!(used(r#""status":"Submitted","cost":0,"steps":2"#), None);
        assert_eq!(used(r#""status":"Error","cost":0.5,"steps":2"#), None);
        assert_eq!(used(r#""status":"Error","steps":0"#), None);
    }

    #[test]
    fn an_error_is_there_when_anything_is_and_its_class_is_told_once() {
        let error = |error: &str| {
            let agent = format!(r#"{{"status":"Error","error":{error}}}"#);
            read_text(&format!(r#"{{"agent":{agent}}}"#)).agents[0]
                .error
                .clone()
        };
        for nothing in ["null", "false", "{}", "[]"] {
            assert_eq!(error(nothing), None, "{nothing}");
        }
        for (written, told) in [
            (r#"["no"]"#, r#"["no"]"#),
            (r#"{"type":"KeyError","message":"'x'"}"#, "KeyError: 'x'"),
            (
                r#"{"type":"KeyError","message":"KeyError: 'x'"}"#,
                "KeyError: 'x'",
            ),
        ] {
            assert_eq!(error(written).as_deref(), Some(told));
        }
    }

    #[test]
    fn the_trial_at_a_path_is_that_of_a_result_that_can_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("result.json");
        assert_eq!(trial(&path), None);
        for (json, id) in [
            (
                r#"{"run_id":"mole","agent":{"status":"Submitted"}}"#,
                Some("mole"),
            ),
            ("[1]", None),
        ] {
            crate::files::write_atomic(&path, json.as_bytes()).unwrap();
            assert_eq!(trial(&path).as_deref(), id, "{json}");
        }
    }
}
