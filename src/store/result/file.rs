//! The file as it stands, whoever wrote it, and what is believed of it.

use std::fmt::Write as _;

use indexmap::IndexMap;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::status::{self, OfAll};
use super::tag::OURS;
use super::{AgentRecord, ERROR, TeamMetrics, TrialRecord, lenient, moment};
use crate::bench::setting::Tree;
use crate::bench::{believable_cost, believable_seconds};
use crate::json;
use crate::store::manifest::digest;
use crate::store::tokens::AgentTokens;
use crate::text::natural;

/// The file as upstream's versions write it; every field may be missing but the agents.
#[derive(Deserialize)]
pub(super) struct File {
    #[serde(default, deserialize_with = "lenient::text")]
    run_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    run_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    agent_framework: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    model: Option<String>,
    setting: Option<Value>,
    messages_sent: Option<Value>,
    #[serde(default, deserialize_with = "lenient::text")]
    started_at: Option<String>,
    #[serde(default, deserialize_with = "lenient::text")]
    ended_at: Option<String>,
    duration_seconds: Option<Value>,
    #[serde(default, deserialize_with = "lenient::text")]
    status: Option<String>,
    error: Option<Value>,
    metrics: Option<Value>,
    agent: Option<Value>,
    #[serde(default, deserialize_with = "agents")]
    agents: Vec<(String, FileAgent)>,
    cost: Option<Value>,
    total_cost: Option<Value>,
    #[serde(default, deserialize_with = "lenient::flag")]
    infra_error: Option<bool>,
    regatta: Option<Value>,
}

#[derive(Default)]
pub(super) struct FileAgent {
    feature_id: Option<u64>,
    status: Option<String>,
    cost: Option<Value>,
    steps: Option<Value>,
    error: Option<String>,
    usage_unknown: Option<bool>,
    waited_seconds: Option<f64>,
    tokens: AgentTokens,
}

/// The most model calls that an agent can make: one a second for a year is more.
const MOST_STEPS: u64 = 10_000_000;

/// A cost as it is written, if it can be one.
fn usd(value: Option<&Value>) -> Option<f64> {
    believable_cost(value?.as_f64()?)
}

/// Whether the cost of a whole trial says more than those of its agents do. Where one of them is
/// none that is believed, the whole is not either.
fn is_more<'a>(whole: f64, agents: impl Iterator<Item = &'a FileAgent>) -> bool {
    let (mut known, mut is_given, mut is_whole) = (0.0, false, true);
    for agent in agents {
        let cost = usd(agent.cost.as_ref());
        if agent.cost.is_some() && cost.is_none() {
            return false;
        }
        is_given |= cost.is_some();
        is_whole &= cost.is_some_and(|cost| cost > 0.0);
        known += cost.unwrap_or_default();
    }
    // Sums of the same numbers may differ in the last digit.
    !is_given || !is_whole && whole > known + 1e-9
}

impl FileAgent {
    /// Reads an agent. By hand, since serde's `flatten` costs more than the rest of the file.
    pub(super) fn of(agent: &Value) -> std::result::Result<Self, String> {
        let Value::Object(fields) = agent else {
            return Err("it has another shape: an agent of it is no object".to_owned());
        };
        let field = |key| fields.get(key).filter(|value| !value.is_null());
        Ok(Self {
            feature_id: field("feature_id").and_then(lenient::to_number),
            status: field("status").and_then(lenient::to_text),
            cost: field("cost").cloned(),
            steps: field("steps").cloned(),
            error: field("error").and_then(lenient::to_error),
            usage_unknown: field("usage_unknown").and_then(Value::as_bool),
            waited_seconds: field("rate_limited_seconds").and_then(Value::as_f64),
            tokens: AgentTokens::of(fields),
        })
    }

    fn into_record(
        self,
        id: String,
        framework: Option<&str>,
        of_all: OfAll,
    ) -> std::result::Result<AgentRecord, String> {
        let Some((status, error)) = status::read(self.status, self.error, of_all) else {
            return Err(format!("its agent `{id}` has no status"));
        };
        let cost = usd(self.cost.as_ref());
        let steps = self.steps.and_then(|steps| steps.as_u64());
        let steps = steps.filter(|steps| *steps <= MOST_STEPS);
        // Only our own engine says whether it knows.
        let usage = match self.usage_unknown {
            Some(true) => None,
            Some(false) => self.tokens.read(),
            None => {
                let may_have_none = cost == Some(0.0) && (status == ERROR || steps == Some(0));
                self.tokens.read_of(framework, may_have_none)
            }
        };
        Ok(AgentRecord {
            id,
            feature: self.feature_id,
            status,
            cost,
            steps,
            error,
            usage_unknown: self.usage_unknown == Some(true),
            waited_seconds: self.waited_seconds.and_then(believable_seconds),
            usage,
        })
    }
}

/// The id of a trial to which its file gives none: a digest of what the file says, so that another
/// result has another, and without our tag, which comes and goes.
fn unnamed(text: &str) -> String {
    let keys: IndexMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
    let mut said = String::new();
    for (key, value) in &keys {
        if !OURS.contains(&key.as_str()) {
            let _ = writeln!(said, "{key}: {value}");
        }
    }
    format!("unnamed-{}", &digest(said.as_bytes())[..8])
}

impl File {
    /// The agent of a result that has only one, and the framework's name where that is all that its
    /// `agent` says. A hand-made file may have what is said of an agent beside it.
    fn alone(
        &self,
        text: &str,
    ) -> std::result::Result<(Option<FileAgent>, Option<String>), String> {
        match &self.agent {
            None | Some(Value::Null) => Ok((None, None)),
            Some(Value::String(name)) if !self.agents.is_empty() => Ok((None, Some(name.clone()))),
            Some(Value::String(name)) => {
                let whole: Value = json::of_text(text)
                    .map_err(|error| format!("it has another shape: {error}"))?;
                Ok((Some(FileAgent::of(&whole)?), Some(name.clone())))
            }
            Some(agent) => Ok((Some(FileAgent::of(agent)?), None)),
        }
    }

    /// How long it took: as the file says, or from its beginning to its end.
    fn seconds(&self) -> Option<f64> {
        let said = self.duration_seconds.as_ref();
        let said = said.and_then(|seconds| believable_seconds(seconds.as_f64()?));
        said.or_else(|| {
            let started = moment(self.started_at.as_deref()?)?;
            let ended = moment(self.ended_at.as_deref()?)?;
            believable_seconds(ended.duration_since(started).as_secs_f64())
        })
    }

    pub(super) fn into_record(self, text: &str) -> std::result::Result<TrialRecord, String> {
        let (alone, named) = self.alone(text)?;
        let duration_seconds = self.seconds();
        let framework = self.agent_framework.or(named);
        let error = self.error.as_ref().and_then(lenient::to_error);
        let all = match alone {
            Some(agent) => vec![("solo".to_owned(), agent)],
            None => self.agents,
        };
        if all.is_empty() {
            return Err("it has neither `agent` nor `agents` (a legacy shape)".to_owned());
        }
        let whole_cost = usd(self.cost.or(self.total_cost).as_ref())
            .filter(|whole| is_more(*whole, all.iter().map(|(_, agent)| agent)));
        let is_error = |(_, agent): &(String, FileAgent)| agent.status.as_deref() == Some(ERROR);
        let is_upstreams_error = all.iter().any(is_error);
        let name = framework.as_deref();
        let of_all = OfAll {
            status: self.status.as_deref(),
            error: error.as_deref(),
        };
        let mut agents = all
            .into_iter()
            .map(|(id, agent)| agent.into_record(id, name, of_all))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        // Upstream writes the agents in the order in which they finished.
        agents.sort_by(|a, b| natural(&a.id, &b.id));
        let setting = self.setting.as_ref().and_then(Value::as_str);
        let sent = self.messages_sent.and_then(|count| count.as_u64());
        // Upstream does not note what a team's agents send.
        let messages_sent = sent.filter(|count| *count > 0 || setting != Some(Tree::Team.name()));
        let named = [self.run_id, self.started_at.clone()];
        let trial = named.into_iter().flatten().find(|id| !id.is_empty());
        Ok(TrialRecord {
            trial: trial.unwrap_or_else(|| unnamed(text)),
            run_name: self.run_name,
            agent_framework: framework,
            model: self.model,
            setting: setting.map(str::to_owned),
            messages_sent,
            team: self.metrics.as_ref().and_then(TeamMetrics::of),
            started_at: self.started_at,
            ended_at: self.ended_at,
            duration_seconds,
            whole_cost,
            is_upstreams_error,
            agents,
            infra_error: self.infra_error.unwrap_or_default(),
            // A tag of another version's shape is ours to rewrite, not a reason to refuse.
            tag: self
                .regatta
                .and_then(|tag| serde_json::from_value(tag).ok()),
        })
    }
}

/// The agents by id. In a list they have one of their own, or that of their place.
fn agents<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(String, FileAgent)>, D::Error> {
    let named: Vec<(String, Value)> = match Value::deserialize(from)? {
        Value::Null => Vec::new(),
        Value::Object(agents) => agents.into_iter().collect(),
        Value::Array(agents) => {
            let is_alone = agents.len() == 1;
            let named = agents.into_iter().enumerate();
            named
                .map(|(place, agent)| (id_of(&agent, place, is_alone), agent))
                .collect()
        }
        _ => {
            return Err(D::Error::custom(
                "its `agents` are neither a map nor a list",
            ));
        }
    };
    let read = named.into_iter().map(|(id, agent)| {
        let agent = FileAgent::of(&agent).map_err(D::Error::custom)?;
        Ok((id, agent))
    });
    read.collect()
}

fn id_of(agent: &Value, place: usize, is_alone: bool) -> String {
    let own = [&agent["agent_id"], &agent["id"]];
    match own.into_iter().find_map(Value::as_str) {
        Some(id) if !id.is_empty() => id.to_owned(),
        _ if is_alone => "solo".to_owned(),
        _ => format!("agent{}", place + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_taken_from_one_place_only() {
        let zero = r#"{"agent":{"status":"Error","cost":0,"steps":3},"total_cost":1.50}"#;
        let record = TrialRecord::parse(zero.as_bytes()).unwrap();
        // A zero may be a cost that nobody knows.
        assert_eq!(
            (record.agents[0].cost, record.whole_cost),
            (Some(0.0), Some(1.5))
        );
        let costs = |agents: &str| {
            let json = format!(r#"{{"status":"Submitted","agents":{agents},"total_cost":2.5}}"#);
            TrialRecord::parse(json.as_bytes()).unwrap().whole_cost
        };
        assert_eq!(costs(r#"[{"cost":1.5},{"cost":0.5}]"#), None);
        assert_eq!(costs(r#"[{"cost":2.5},{"cost":0}]"#), None);
        assert_eq!(costs(r#"[{"cost":1},{"cost":0}]"#), Some(2.5));
        assert_eq!(costs(r#"[{"cost":1},{"cost":null}]"#), Some(2.5));
        assert_eq!(costs(r#"[{"cost":0},{"cost":-1}]"#), None);
        let bare = r#"{"run_id":"x","agent":{"status":"Submitted"},"cost":0.5,"total_cost":0.5}"#;
        let record = TrialRecord::parse(bare.as_bytes()).unwrap();
        assert_eq!(
            (record.agents[0].cost, record.whole_cost),
            (None, Some(0.5))
        );
    }

    #[test]
    fn what_is_no_result_says_why() {
        for (bytes, why) in [
            (&b""[..], "it is empty"),
            (br#"{"run_id": "x", "agent"#, "it is truncated"),
            (b"<html>", "it is not JSON"),
            (b"\xff\xfe", "it is not UTF-8"),
            (br#"{"run_id":"x","status":"done"}"#, "legacy shape"),
            (br#"{"run_id":"x","agent":{"cost":1}}"#, "has no status"),
            (br#"{"run_id":"x","agents":[{"cost":1}]}"#, "has no status"),
            (br#"{"run_id":"x","agents":"two"}"#, "another shape"),
            (b"[1]", "another shape"),
        ] {
            let error = TrialRecord::parse(bytes).unwrap_err();
            assert!(error.contains(why), "{error} / {why}");
        }
    }

    /// What other programs and people write is a result, as far as it can be understood.
    #[test]
    fn fields_of_another_shape_are_read_or_unknown() {
        let error = |error: &str| {
            let json = format!(r#"{{"run_id":"x","agent":{{"status":"Error","error":{error}}}}}"#);
            TrialRecord::parse(json.as_bytes()).unwrap().agents[0]
                .error
                .clone()
        };
        for (given, wanted) in [
            (
                r#"{"type":"overloaded","message":"come back"}"#,
                "come back",
            ),
            (
                r#"{"type":"APIError","message":"gone away"}"#,
                "APIError: gone away",
            ),
            (r#"{"code":7}"#, r#"{"code":7}"#),
            (r#"["gone"]"#, r#"["gone"]"#),
        ] {
            assert_eq!(error(given).as_deref(), Some(wanted), "{given}");
        }
        assert_eq!(error("null"), None);
        let odd = r#"{"run_id":17,"run_name":null,"started_at":1764300000,"infra_error":null,
            "model":["m"],"agent":{"status":"Submitted","feature_id":"3","usage_unknown":0}}"#;
        let record = TrialRecord::parse(odd.as_bytes()).unwrap();
        assert_eq!(record.trial, "17");
        assert_eq!(record.started_at.as_deref(), Some("1764300000"));
        assert_eq!((record.infra_error, record.model), (false, None));
        assert_eq!(record.agents[0].feature, Some(3));
    }

    #[test]
    fn a_time_that_the_file_does_not_say_is_that_between_its_ends() {
        for (times, wanted) in [
            (
                r#""started_at":"2026-02-03T10:00:00","ended_at":"2026-02-03T10:01:30.5""#,
                Some(90.5),
            ),
            (
                r#""started_at":"2026-02-03T10:00:00Z","ended_at":"2026-02-03T10:00:20Z","duration_seconds":5"#,
                Some(5.0),
            ),
            (
                r#""started_at":"2026-02-03T10:00:00Z","ended_at":"2026-02-03T09:00:00Z""#,
                None,
            ),
            (r#""started_at":"2026-02-03T10:00:00""#, None),
        ] {
            let json = format!(r#"{{{times},"agent":{{"status":"Submitted"}}}}"#);
            let record = TrialRecord::parse(json.as_bytes()).unwrap();
            assert_eq!(record.duration_seconds, wanted, "{times}");
        }
    }

    #[test]
    fn agents_may_be_a_list_and_have_their_status_and_cost_together() {
        let ids = |json: &str| {
            let record = TrialRecord::parse(json.as_bytes()).unwrap();
            let agents = record.agents.iter();
            let told: Vec<_> = agents
                .map(|it| format!("{} {}", it.id, it.status))
                .collect();
            (told.join(", "), record.whole_cost)
        };
        for (json, wanted) in [
            (
                r#"{"agents":[{"status":"Submitted"},{"status":"Error"}]}"#,
                ("agent1 Submitted, agent2 Error", None),
            ),
            (
                r#"{"agents":[{"agent_id":"agent2","status":"Error"},{"id":"agent1","status":"Submitted"}]}"#,
                ("agent1 Submitted, agent2 Error", None),
            ),
            (
                r#"{"agents":[{"status":"Submitted","cost":1}],"cost":1}"#,
                ("solo Submitted", None),
            ),
            (
                r#"{"agent":"codex","status":"Submitted","cost":0.75,
                    "agents":{"agent1":{"feature_id":2},"agent2":{"status":"Error"}}}"#,
                ("agent1 Submitted, agent2 Error", Some(0.75)),
            ),
        ] {
            let (told, cost) = ids(json);
            assert_eq!((told.as_str(), cost), wanted, "{json}");
        }
    }

    #[test]
    fn numbers_that_no_trial_has_are_unknown_and_the_rest_is_read() {
        for cost in ["-1", "9.2e16", "1e308", "\"1\"", "[]", "true"] {
            let json = format!(
                r#"{{"run_id":"x","agent":{{"status":"Submitted","cost":{cost},"steps":3}},"total_cost":{cost},"duration_seconds":{cost}}}"#
            );
            let record = TrialRecord::parse(json.as_bytes()).unwrap();
            assert_eq!(record.agents[0].cost, None, "{cost}");
            assert_eq!(record.whole_cost, None, "{cost}");
            assert_eq!(record.duration_seconds, None, "{cost}");
            assert_eq!(record.agents[0].steps, Some(3), "{cost}");
        }
        let steps = |steps: &str| {
            let json =
                format!(r#"{{"run_id":"x","agent":{{"status":"Submitted","steps":{steps}}}}}"#);
            TrialRecord::parse(json.as_bytes()).unwrap().agents[0].steps
        };
        assert_eq!(steps("7"), Some(7));
        for mad in ["18446744073709551615", "-1", "1.5", "\"7\""] {
            assert_eq!(steps(mad), None, "{mad}");
        }
    }

    #[test]
    fn tokens_that_no_trial_has_are_unknown() {
        let usage = |tokens: &str| {
            let json = format!(
                r#"{{"run_id":"x","agent":{{"status":"Submitted","usage_unknown":false,
                    "input_tokens":{tokens},"output_tokens":1}}}}"#
            );
            TrialRecord::parse(json.as_bytes()).unwrap().agents[0].usage
        };
        assert_eq!(usage("5").map(|usage| usage.input_tokens), Some(5));
        for mad in [
            "18446744073709551615",
            "18446744073709551616",
            "-1",
            "0.5",
            "null",
        ] {
            assert_eq!(usage(mad), None, "{mad}");
        }
    }

    #[test]
    fn an_agent_has_calls_of_unknown_usage_only_where_its_result_says_so() {
        for (told, is_unknown) in [
            (r#","usage_unknown":true"#, true),
            (r#","usage_unknown":false"#, false),
            ("", false),
        ] {
            let json = format!(r#"{{"run_id":"x","agent":{{"status":"Submitted"{told}}}}}"#);
            let record = TrialRecord::parse(json.as_bytes()).unwrap();
            assert_eq!(record.agents[0].usage_unknown, is_unknown, "{told}");
        }
    }
}
