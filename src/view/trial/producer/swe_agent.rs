//! SWE-agent: upstream keeps each reply's text and what the command printed, not the call itself.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::super::telling::Telling;
use super::super::words::{bounded, text_of};
use super::super::{ActionKind, Turn, TurnAction};
use super::chat;

/// The last fenced block of a reply, in which its command stands without tool calls.
static BLOCK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?s)^(.*)```\w*\n(.*?)\n?```\s*$").expect("tested"));

/// Reads the messages of a trajectory, in order.
pub fn tell(messages: &[Value], telling: &mut Telling) {
    for message in messages {
        let text = text_of(&message["content"]);
        match (message["role"].as_str(), text) {
            (Some("assistant"), Some(text)) => {
                let found = BLOCK.captures(text);
                let (thought, action) = found.map_or_else(
                    || (text, TurnAction::new(ActionKind::Other, "")),
                    |found| {
                        let thought = found.get(1).map_or("", |it| it.as_str());
                        (thought, TurnAction::command(&found[2]))
                    },
                );
                telling.turn(Turn {
                    thought: bounded(thought.trim()),
                    ..Turn::default()
                });
                telling.act(None, action);
            }
            (Some("user"), _) if telling.waiting().is_some() => {
                if let Some(action) = telling.waiting() {
                    action.ended(text.unwrap_or_default(), None);
                }
            }
            _ => chat::tell(std::slice::from_ref(message), telling),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_observation_is_of_the_reply_before_it() {
        let of = |role: &str, content: &str| json!({"role": role, "content": content});
        let mut telling = Telling::default();
        let messages = [
            of("assistant", "I look.\n```\nls\n```"),
            of("user", "nest"),
            of("assistant", "I call a tool."),
            of("user", ""),
        ];
        tell(&messages, &mut telling);
        let turns = telling.end();
        assert_eq!(turns.len(), 2);
        let action = &turns[0].actions[0];
        assert_eq!(
            (action.text.as_str(), action.output.as_deref()),
            ("ls", Some("nest"))
        );
        assert_eq!(
            (
                turns[1].actions[0].kind,
                turns[1].actions[0].output.as_deref()
            ),
            (ActionKind::Other, Some(""))
        );
    }
}
