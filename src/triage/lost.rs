//! Results that only look finished: the agent's container was gone before the agent was done.

use std::sync::LazyLock;

use regex::Regex;

use super::{Cause, Diagnosis};
use crate::store::events::{ContainerFacts, Lost, MARKER};
use crate::store::trajectory::{Message, Trajectory};

/// The daemon's own words for a container that is gone, as a whole output.
///
/// Docker's client prefixes them with `Error response from daemon: `. The full id is asked for:
/// no agent prints it by accident.
static DAEMON_WORDS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)^\s*(?:Error\ response\ from\ daemon:\ )?
          (?: No\ such\ container:\ [0-9a-f]{64}
            | [Cc]ontainer\ [0-9a-f]{64}\ is\ not\ running
            | Cannot\ connect\ to\ the\ Docker\ daemon\ at\ \S+\ Is\ the\ docker\ daemon\ running\?
          )\s*$",
    )
    .expect("tested")
});

static FULL_ID: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b[0-9a-f]{64}\b").expect("tested"));

/// The loss of a container that the harness itself knows of, by an id in one of these texts.
pub fn known<'a>(text: &str, facts: &'a ContainerFacts) -> Option<(&'a str, &'a Lost)> {
    FULL_ID
        .find_iter(text)
        .find_map(|id| facts.lost.get_key_value(id.as_str()))
        .map(|(id, lost)| (id.as_str(), lost))
}

/// What a trajectory tells about a container that was lost under the agent.
///
/// `facts` decide when they know the container; without them (a tree that upstream alone wrote)
/// the last two command outputs must be nothing but the daemon's words.
#[must_use]
pub fn in_trajectory(trajectory: &Trajectory, facts: &ContainerFacts) -> Option<Diagnosis> {
    for message in trajectory.messages.iter().rev().take(8) {
        let texts = [Some(message.content.as_str()), message.raw_output.as_deref()];
        for text in texts.into_iter().flatten().filter(|text| text.contains(MARKER)) {
            if let Some((id, lost)) = known(text, facts) {
                return Some(of_fact(id, lost));
            }
        }
    }
    let outputs: Vec<&str> = trajectory.messages.iter().rev().filter_map(output).take(2).collect();
    let dead = outputs.len() == 2 && outputs.iter().all(|output| DAEMON_WORDS.is_match(output));
    dead.then(|| Diagnosis::new(Cause::Infra, "container_lost", "trajectory", outputs[0]))
}

/// Whether a patch is the daemon's words instead of a patch.
#[must_use]
pub fn in_patch(patch: &str) -> Option<Diagnosis> {
    DAEMON_WORDS
        .is_match(patch)
        .then(|| Diagnosis::new(Cause::Infra, "container_lost", "patch", patch))
}

/// The diagnosis for a container whose loss the harness recorded.
#[must_use]
pub fn of_fact(id: &str, lost: &Lost) -> Diagnosis {
    let rule = match lost.reason.as_str() {
        "task_timeout" | "daemon_unreachable" | "stopped" => lost.reason.as_str(),
        "oom" => "container_oom",
        _ => "container_lost",
    };
    let text = format!("container {}: {}", &id[..12.min(id.len())], lost.detail);
    Diagnosis::new(Cause::Infra, rule, "docker", &text)
}

/// What a command printed, in either version's form.
fn output(message: &Message) -> Option<&str> {
    if let Some(raw) = &message.raw_output {
        return Some(raw);
    }
    let (_, rest) = message.content.split_once("<output>")?;
    (message.role == "user").then(|| rest.rsplit_once("</output>").map_or(rest, |(out, _)| out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(output: &str) -> Message {
        Message {
            role: "tool".to_owned(),
            raw_output: Some(output.to_owned()),
            ..Message::default()
        }
    }

    fn trajectory(outputs: &[String]) -> Trajectory {
        Trajectory {
            messages: outputs.iter().map(|output| tool(output)).collect(),
            usage: None,
        }
    }

    fn gone() -> String {
        format!("Error response from daemon: No such container: {}\n", "ab".repeat(32))
    }

    #[test]
    fn a_tail_of_the_daemons_words_is_a_lost_container() {
        let facts = ContainerFacts::default();
        let dead = trajectory(&["ok".to_owned(), gone(), gone()]);
        assert_eq!(in_trajectory(&dead, &facts).unwrap().evidence.rule, "container_lost");
        assert!(in_patch(&gone()).is_some());
    }

    #[test]
    fn an_agent_that_prints_such_words_among_others_is_not_believed() {
        let facts = ContainerFacts::default();
        let talk = format!("I saw: {}", gone());
        assert_eq!(in_trajectory(&trajectory(&[talk.clone(), talk]), &facts), None);
        assert_eq!(in_trajectory(&trajectory(&[gone(), "ok".to_owned()]), &facts), None);
        assert_eq!(in_patch("diff --git a/x b/x\n"), None);
    }

    #[test]
    fn the_marker_counts_only_for_a_container_we_know_is_lost() {
        let id = "cd".repeat(32);
        let marked = trajectory(&[format!("{MARKER} {id} task_timeout")]);
        let mut facts = ContainerFacts::default();
        assert_eq!(in_trajectory(&marked, &facts), None);
        let lost = Lost {
            reason: "task_timeout".to_owned(),
            detail: "older than 600 s".to_owned(),
        };
        facts.lost.insert(id, lost);
        assert_eq!(in_trajectory(&marked, &facts).unwrap().evidence.rule, "task_timeout");
    }
}
