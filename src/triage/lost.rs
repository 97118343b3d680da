//! Results that only look finished: the agent's container was gone before the agent was done.

use std::sync::LazyLock;

use regex::Regex;

use super::{Cause, Diagnosis};
use crate::bench::RuleId;
use crate::store::TrialRecord;
use crate::store::event::Lost;
use crate::store::events::{ContainerFacts, LostContainer, MARKER};
use crate::store::trajectory::{Trajectory, TrajectoryMessage};

/// The daemon's own words for a container that is gone, as a whole output.
///
/// Docker's client prefixes them with `Error response from daemon: `; v1 prints its library's
/// exception. The full id is asked for: no agent prints it by accident.
static DAEMON_WORDS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?x)^\s*(?:Error\ response\ from\ daemon:\ )?
          (?: No\ such\ container:\ [0-9a-f]{64}
            | [Cc]ontainer\ [0-9a-f]{64}\ is\ not\ running
            | Command\ execution\ error:\ 40[49]\ Client\ Error\ for\ http\+docker:\S+\ (?:Not\ Found|Conflict)\ \("
              (?:No\ such\ container:\ [0-9a-f]{64}|[Cc]ontainer\ [0-9a-f]{64}\ is\ not\ running)"\)
            | Cannot\ connect\ to\ the\ Docker\ daemon\ at\ \S+\ Is\ the\ docker\ daemon\ running\?
          )\s*$"#,
    )
    .expect("tested")
});

static FULL_ID: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b[0-9a-f]{64}\b").expect("tested"));

/// The loss of a container that the harness itself knows of, by an id in one of these texts.
pub fn known(text: &str, facts: &ContainerFacts) -> Option<Diagnosis> {
    let (id, container) = FULL_ID
        .find_iter(text)
        .find_map(|id| facts.lost.get_key_value(id.as_str()))?;
    Some(of_fact(id, container))
}

/// The loss of a container of this image while this trial ran.
///
/// For results that hold no id: v2 drops the exception's text when a container goes while it is
/// being set up, v1 when it goes before the patch is read. Two pairs of one task may run at once;
/// so this is asked only about results that are empty.
#[must_use]
pub fn during(record: &TrialRecord, image: &str, facts: &ContainerFacts) -> Option<Diagnosis> {
    let time = |text: &Option<String>| text.as_deref()?.parse::<jiff::civil::DateTime>().ok();
    let (started, ended) = (time(&record.started_at)?, time(&record.ended_at)?);
    let mut lost: Vec<_> = facts.lost.iter().collect();
    lost.sort_by_key(|(_, container)| container.at);
    lost.into_iter()
        .find(|(_, container)| {
            container.image == image && started <= container.at && container.at <= ended
        })
        .map(|(id, container)| of_fact(id, container))
}

/// What a trajectory tells about a container that was lost under the agent.
///
/// `facts` decide when they know the container; without them (a tree that upstream alone wrote)
/// the last two command outputs must be nothing but the daemon's words.
#[must_use]
pub fn in_trajectory(trajectory: &Trajectory, facts: &ContainerFacts) -> Option<Diagnosis> {
    for message in trajectory.messages.iter().rev().take(8) {
        let texts = [
            Some(message.content.as_str()),
            message.raw_output.as_deref(),
        ];
        let mut marked = texts
            .into_iter()
            .flatten()
            .filter(|text| text.contains(MARKER));
        if let Some(diagnosis) = marked.find_map(|text| known(text, facts)) {
            return Some(diagnosis);
        }
    }
    let outputs: Vec<&str> = trajectory
        .messages
        .iter()
        .rev()
        .filter_map(output)
        .take(2)
        .collect();
    let dead = outputs.len() == 2 && outputs.iter().all(|output| DAEMON_WORDS.is_match(output));
    dead.then(|| {
        Diagnosis::new(
            Cause::Infra,
            RuleId::CONTAINER_LOST,
            "trajectory",
            outputs[0],
        )
    })
}

/// Whether a patch is the daemon's words, or ours, instead of a patch.
#[must_use]
pub fn in_patch(patch: &str, facts: &ContainerFacts) -> Option<Diagnosis> {
    if patch.contains(MARKER) {
        return known(patch, facts);
    }
    DAEMON_WORDS
        .is_match(patch)
        .then(|| Diagnosis::new(Cause::Infra, RuleId::CONTAINER_LOST, "patch", patch))
}

fn of_fact(id: &str, LostContainer { lost, .. }: &LostContainer) -> Diagnosis {
    let Lost { reason, detail } = lost;
    let rule = match reason.as_str() {
        "task_timeout" => RuleId::TASK_TIMEOUT,
        "daemon_unreachable" => RuleId::DAEMON_UNREACHABLE,
        "oom" => RuleId::CONTAINER_OOM,
        _ => RuleId::CONTAINER_LOST,
    };
    let text = format!("container {}: {}", &id[..12.min(id.len())], detail);
    Diagnosis::new(Cause::Infra, rule, "docker", &text)
}

/// What a command printed, in either version's form.
fn output(message: &TrajectoryMessage) -> Option<&str> {
    if let Some(raw) = &message.raw_output {
        return Some(raw);
    }
    let (_, rest) = message.content.split_once("<output>")?;
    (message.role == "user").then(|| rest.rsplit_once("</output>").map_or(rest, |(out, _)| out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(output: &str) -> TrajectoryMessage {
        TrajectoryMessage {
            role: "tool".to_owned(),
            raw_output: Some(output.to_owned()),
            ..TrajectoryMessage::default()
        }
    }

    fn trajectory(outputs: &[String]) -> Trajectory {
        Trajectory {
            messages: outputs.iter().map(|output| tool(output)).collect(),
            ..Trajectory::default()
        }
    }

    fn container(reason: &str, at: &str) -> LostContainer {
        LostContainer {
            image: "akhatua/cooperbench-a:task1".to_owned(),
            at: at.parse().unwrap(),
            lost: Lost {
                reason: reason.to_owned(),
                detail: "gone".to_owned(),
            },
        }
    }

    #[test]
    fn an_exception_and_an_absent_daemon_are_the_daemons_words_too() {
        let id = "ab".repeat(32);
        let text = format!(
            "Command execution error: 404 Client Error for http+docker://localhost/v1.41/containers/{id}/json: Not Found (\"No such container: {id}\")"
        );
        assert!(DAEMON_WORDS.is_match(&text), "{text}");
        let away = "Cannot connect to the Docker daemon at unix:///run/docker.sock. Is the docker daemon running?";
        for text in [
            away.to_owned(),
            format!("Error response from daemon: {away}\n"),
        ] {
            assert!(DAEMON_WORDS.is_match(&text), "{text}");
        }
    }

    #[test]
    fn an_empty_result_is_matched_by_its_time_and_image() {
        let json = r#"{"run_id":"x","agent":{"status":"Error","error":""},
            "started_at":"2026-01-01T10:00:00.5","ended_at":"2026-01-01T10:01:00.5"}"#;
        let record = TrialRecord::parse(json.as_bytes()).unwrap();
        let image = "akhatua/cooperbench-a:task1";
        for (at, found) in [
            ("2026-01-01T10:00:30", true),
            ("2026-01-01T10:02:00", false),
        ] {
            let mut facts = ContainerFacts::default();
            facts.lost.insert("cd".repeat(32), container("exited", at));
            assert_eq!(during(&record, image, &facts).is_some(), found, "{at}");
            assert_eq!(during(&record, "another", &facts), None);
        }
    }

    fn gone() -> String {
        format!(
            "Error response from daemon: No such container: {}\n",
            "ab".repeat(32)
        )
    }

    #[test]
    fn a_tail_of_the_daemons_words_is_a_lost_container() {
        let facts = ContainerFacts::default();
        let dead = trajectory(&["ok".to_owned(), gone(), gone()]);
        assert_eq!(
            in_trajectory(&dead, &facts).unwrap().evidence.rule,
            RuleId::CONTAINER_LOST
        );
        assert!(in_patch(&gone(), &facts).is_some());
    }

    #[test]
    fn an_agent_that_prints_such_words_among_others_is_not_believed() {
        let facts = ContainerFacts::default();
        let talk = format!("I saw: {}", gone());
        assert_eq!(
            in_trajectory(&trajectory(&[talk.clone(), talk]), &facts),
            None
        );
        assert_eq!(
            in_trajectory(&trajectory(&[gone(), "ok".to_owned()]), &facts),
            None
        );
        assert_eq!(in_patch("diff --git a/x b/x\n", &facts), None);
    }

    #[test]
    fn the_marker_counts_only_for_a_container_we_know_is_lost() {
        let id = "cd".repeat(32);
        let marked = trajectory(&[format!("{MARKER} {id} task_timeout")]);
        let mut facts = ContainerFacts::default();
        assert_eq!(in_trajectory(&marked, &facts), None);
        facts
            .lost
            .insert(id, container("task_timeout", "2026-01-01T10:00:30"));
        assert_eq!(
            in_trajectory(&marked, &facts).unwrap().evidence.rule,
            RuleId::TASK_TIMEOUT
        );
    }
    #[test]
    fn what_was_lost_has_the_rule_of_its_reason() {
        let id = "cd".repeat(32);
        for (reason, rule) in [
            ("task_timeout", RuleId::TASK_TIMEOUT),
            ("daemon_unreachable", RuleId::DAEMON_UNREACHABLE),
            ("oom", RuleId::CONTAINER_OOM),
            ("exited", RuleId::CONTAINER_LOST),
        ] {
            let mut facts = ContainerFacts::default();
            facts
                .lost
                .insert(id.clone(), container(reason, "2026-01-01T10:00:30"));
            let found = known(&format!("in {id}"), &facts).unwrap();
            assert_eq!(found.evidence.rule, rule);
            assert_eq!(found.evidence.text, "container cdcdcdcdcdcd: gone");
        }
    }

    #[test]
    fn an_output_of_the_first_version_is_a_users_message() {
        let said_by = |role: &str| {
            let message = TrajectoryMessage {
                role: role.to_owned(),
                content: format!("<returncode>1</returncode>\n<output>\n{}</output>", gone()),
                ..TrajectoryMessage::default()
            };
            Trajectory {
                messages: vec![message.clone(), message],
                ..Trajectory::default()
            }
        };
        let facts = ContainerFacts::default();
        assert!(in_trajectory(&said_by("user"), &facts).is_some());
        assert_eq!(in_trajectory(&said_by("assistant"), &facts), None);
    }
}
