//! Messages in the writings in which they are sent and read.

use serde_json::json;

use super::*;
use crate::view::trial::Mark;

fn lane(id: &str, turns: Vec<Turn>) -> AgentLane {
    AgentLane {
        id: id.to_owned(),
        producer: Producer::ClaudeCode,
        turns,
        ..AgentLane::default()
    }
}

fn ran(command: &str, output: &str, at: f64) -> Turn {
    let mut action = TurnAction::command(command);
    action.at = Some(at);
    action.ended(output, Some(at + 1.0));
    Turn {
        at: Some(at),
        actions: vec![action],
        ..Turn::default()
    }
}

fn told(text: &str) -> Turn {
    Turn {
        marks: vec![Mark {
            kind: MarkKind::Delivered,
            text: text.to_owned(),
            at: None,
        }],
        ..Turn::default()
    }
}

fn sent(from: &str, to: &str, text: &str, at: Option<f64>) -> TrialMessage {
    listed(&json!({"from": from, "to": to, "message": text, "timestamp": at})).unwrap()
}

const BASE: f64 = 1_700_000_000.0;

#[test]
fn a_message_is_found_in_a_shells_quotes_and_in_json() {
    let text = "I take \"roof\";\nyou – the nest.";
    let shown = json!([{"from": "agent1", "content": text}]).to_string();
    let agents = [
        lane(
            "agent1",
            vec![
                ran("ls", "nest", BASE),
                ran(
                    "coop-send agent2 \"I take \\\"roof\\\";\nyou – the nest.\"",
                    "",
                    BASE + 10.0,
                ),
            ],
        ),
        lane(
            "agent2",
            vec![
                ran("coop-recv", "[]", BASE),
                ran("coop-recv", &shown, BASE + 20.0),
            ],
        ),
    ];
    let linked = link(
        &agents,
        vec![sent("agent1", "agent2", text, Some(BASE + 10.5))],
    );
    assert_eq!(linked[0].sent_turn, Some(TurnPlace(0, 1)));
    assert_eq!(linked[0].read_turn, Some(TurnPlace(1, 1)));
    assert!(!linked[0].is_unread);
    // By its time alone, where the command has it in another form.
    let other = link(
        &agents,
        vec![sent("agent1", "agent2", "type: PROPOSE", Some(BASE + 10.5))],
    );
    assert_eq!(
        (other[0].sent_turn, other[0].is_unread),
        (Some(TurnPlace(0, 1)), true)
    );
}

#[test]
fn the_same_words_twice_are_two_messages() {
    let agents = [
        lane(
            "agent1",
            vec![
                ran("send_message agent2 ok", "", BASE),
                ran("send_message agent2 'ok'", "", BASE + 5.0),
            ],
        ),
        lane(
            "agent2",
            vec![
                told("[Message from agent3]: ok"),
                told("[Message from agent1]: ok"),
            ],
        ),
    ];
    let linked = link(
        &agents,
        vec![
            sent("agent1", "agent2", "ok", None),
            sent("agent1", "agent2", "ok", None),
        ],
    );
    let places: Vec<_> = linked
        .iter()
        .map(|it| (it.sent_turn, it.read_turn, it.is_unread))
        .collect();
    assert_eq!(
        places,
        [
            (Some(TurnPlace(0, 0)), Some(TurnPlace(1, 1)), false),
            (Some(TurnPlace(0, 1)), None, true)
        ]
    );
    assert_eq!(linked[1].sent_at, Some(BASE + 6.0));
}

#[test]
fn what_no_file_lists_is_taken_from_the_commands() {
    let agents = [
        lane(
            "agent1",
            vec![
                ran("coop-broadcast 'to all'", "", BASE),
                ran(
                    "send_message agent2 'late'",
                    "Your message was NOT delivered",
                    BASE + 5.0,
                ),
            ],
        ),
        lane("agent2", Vec::new()),
        lane("agent3", Vec::new()),
    ];
    let found = by_commands(&agents);
    let to: Vec<_> = found
        .iter()
        .map(|it| (it.to.as_str(), it.text.as_str()))
        .collect();
    assert_eq!(to, [("agent2", "to all"), ("agent3", "to all")]);
    // Nobody knows whether an agent without turns has read it.
    assert!(
        link(&agents, found)
            .iter()
            .all(|it| it.read_turn.is_none() && !it.is_unread)
    );
}

#[test]
fn what_is_no_message_is_none() {
    assert_eq!(listed(&json!({"from": "agent1"})), None);
    assert_eq!(listed(&json!("x")), None);
    let other =
        listed(&json!({"from": "agent1", "to": "agent2", "content": "x", "timestamp": null}));
    assert_eq!(other.unwrap().text, "x");
}
