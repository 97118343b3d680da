//! Codex: an event a line. Work comes in items, a turn of ours begins with what the model says.

use serde_json::Value;

use super::super::telling::Telling;
use super::super::words::{bounded, text_of};
use super::super::{ActionKind, MarkKind, Turn, TurnAction};

/// Events that say nothing by themselves: what an item came to is told when it ends.
const SILENT: [&str; 4] = [
    "thread.started",
    "turn.started",
    "item.updated",
    "session.created",
];

/// Reads events, in order.
#[derive(Debug, Default)]
pub struct Codex {
    /// Whether the model said something that no action follows yet.
    is_fresh: bool,
    /// Items that began and have not ended, in order.
    open: Vec<Value>,
}

impl Codex {
    /// Takes in one event. Says whether it is one of this program's.
    pub fn take_in(&mut self, event: &Value, telling: &mut Telling) -> bool {
        match event["type"].as_str() {
            Some("item.started") => self.open.push(event["item"].clone()),
            Some("item.completed") => {
                let item = &event["item"];
                self.open.retain(|open| open["id"] != item["id"]);
                self.item(item, telling);
            }
            Some("turn.completed") => completed(&event["usage"], telling),
            Some("turn.failed") => ended(event, telling),
            Some("error") => {
                let text = text_of(&event["message"]);
                let text = text.map_or_else(|| event.to_string(), str::to_owned);
                telling.mark(MarkKind::Notice, &text, None);
            }
            Some(kind) if SILENT.contains(&kind) => {}
            _ => return false,
        }
        true
    }

    /// Shows what had not ended when the program did.
    pub fn end(mut self, telling: &mut Telling) {
        for item in std::mem::take(&mut self.open) {
            self.item(&item, telling);
        }
    }

    fn item(&mut self, item: &Value, telling: &mut Telling) {
        let kind = [&item["type"], &item["item_type"], &item["details"]["type"]];
        let kind = kind.into_iter().find_map(Value::as_str).unwrap_or_default();
        let text = text_of(&item["text"]).unwrap_or_default();
        let action = match kind {
            "agent_message" | "assistant_message" | "reasoning" => {
                return self.think(text, telling);
            }
            "error" => {
                let text = text_of(&item["message"]).unwrap_or(text);
                return telling.mark(MarkKind::Notice, text, None);
            }
            "command_execution" => command(item),
            "file_change" => TurnAction::new(ActionKind::Edit, changes(item)),
            "mcp_tool_call" | "web_search" | "todo_list" | "collab_tool_call" => other(kind, item),
            _ => return telling.raw(&item.to_string()),
        };
        self.is_fresh = false;
        telling.act(None, action);
    }

    fn think(&mut self, text: &str, telling: &mut Telling) {
        match telling.last().filter(|_| self.is_fresh) {
            Some(turn) => {
                turn.thought.push_str("\n\n");
                turn.thought.push_str(&bounded(text));
            }
            None => telling.turn(Turn {
                thought: bounded(text),
                ..Turn::default()
            }),
        }
        self.is_fresh = true;
    }
}

fn command(item: &Value) -> TurnAction {
    let mut action = TurnAction::command(item["command"].as_str().unwrap_or_default());
    if let Some(output) = item["aggregated_output"].as_str() {
        action.ended(output, None);
    }
    action.code = item["exit_code"].as_i64();
    action.failed = (item["status"] == "failed").then_some(true);
    action
}

/// Which files an item changes, and how.
fn changes(item: &Value) -> String {
    let changes = item["changes"].as_array().into_iter().flatten();
    let line = |change: &Value| {
        let word = |name: &str| change[name].as_str().unwrap_or("?").to_owned();
        format!("{} {}", word("kind"), word("path"))
    };
    changes.map(line).collect::<Vec<_>>().join("\n")
}

fn other(kind: &str, item: &Value) -> TurnAction {
    let text = match kind {
        "web_search" => text_of(&item["query"]).map(str::to_owned),
        "mcp_tool_call" => Some(item["arguments"].to_string()).filter(|text| text != "null"),
        _ => None,
    };
    let mut action = TurnAction::new(ActionKind::Other, text.unwrap_or_else(|| item.to_string()));
    let name = text_of(&item["tool"]).map_or(kind, |tool| tool);
    action.tool = Some(name.to_owned());
    if !item["result"].is_null() {
        action.ended(&item["result"].to_string(), None);
    }
    action.failed = (item["status"] == "failed").then_some(true);
    action
}

/// The tokens of what Codex calls a turn, which is all of ours since the last ones.
fn completed(usage: &Value, telling: &mut Telling) {
    if let Some(turn) = telling.last() {
        turn.tokens_in = usage["input_tokens"].as_u64();
        turn.tokens_out = usage["output_tokens"].as_u64();
        turn.tokens_cached = usage["cached_input_tokens"].as_u64();
    }
}

fn ended(event: &Value, telling: &mut Telling) {
    let text = text_of(&event["error"]["message"]).or_else(|| text_of(&event["error"]));
    let text = text.map_or_else(|| event.to_string(), str::to_owned);
    telling.mark(MarkKind::End, &text, None);
}

/// Reads the messages of a trajectory that upstream made of the events: texts alone.
pub fn tell_flat(messages: &[Value], telling: &mut Telling) {
    let mut codex = Codex::default();
    for message in messages {
        let (Some("assistant"), Some(text)) =
            (message["role"].as_str(), message["content"].as_str())
        else {
            telling.raw(&message.to_string());
            continue;
        };
        if let Some(command) = text.strip_prefix("[command] ") {
            let (command, rest) = command.split_once('\n').unwrap_or((command, ""));
            let mut action = TurnAction::command(command);
            let (output, exit) = rest.rsplit_once("[exit ").unwrap_or((rest, ""));
            action.ended(output, None);
            action.code = exit.trim_end_matches(']').parse().ok();
            codex.is_fresh = false;
            telling.act(None, action);
        } else {
            codex.think(text.strip_prefix("[reasoning] ").unwrap_or(text), telling);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn work_follows_what_the_model_says() {
        let item = |kind: &str, mut item: Value| {
            item["type"] = json!(kind);
            json!({"type": "item.completed", "item": item})
        };
        let events = [
            json!({"type": "thread.started"}),
            item("reasoning", json!({"text": "A roof."})),
            item("agent_message", json!({"text": "I look."})),
            item(
                "command_execution",
                json!({"command": "ls", "aggregated_output": "nest", "exit_code": 0}),
            ),
            item(
                "file_change",
                json!({"changes": [{"path": "roof", "kind": "add"}]}),
            ),
            item("agent_message", json!({"text": "Mended."})),
            item("hologram", json!({"beam": 1})),
            json!({"type": "item.started", "item": {"id": "i9", "type": "command_execution", "command": "sleep 9"}}),
            json!({"type": "turn.completed", "usage": {"input_tokens": 9, "output_tokens": 2, "cached_input_tokens": 4}}),
            json!({"type": "turn.failed", "error": {"message": "no more today"}}),
        ];
        let (mut codex, mut telling) = (Codex::default(), Telling::default());
        for event in &events {
            assert!(codex.take_in(event, &mut telling), "{event}");
        }
        codex.end(&mut telling);
        let turns = telling.end();
        assert_eq!(turns[0].thought, "A roof.\n\nI look.");
        let [list, change] = &turns[0].actions[..] else {
            panic!("{turns:?}")
        };
        assert_eq!((list.output.as_deref(), list.code), (Some("nest"), Some(0)));
        assert_eq!(
            (change.kind, change.text.as_str()),
            (ActionKind::Edit, "add roof")
        );
        assert_eq!(turns[1].thought, "Mended.");
        assert_eq!(
            (turns[2].tokens_in, turns[2].raw.is_some()),
            (Some(9), true)
        );
        assert_eq!(turns[3].marks[0].kind, MarkKind::End);
        assert_eq!(turns[3].actions[0].output, None);
    }

    #[test]
    fn texts_alone_are_read_too() {
        let of = |content: &str| json!({"role": "assistant", "content": content});
        let mut telling = Telling::default();
        let said = [
            "[reasoning] A roof.",
            "[command] ls\nnone\n[exit 2]",
            "Mended.",
        ]
        .map(of);
        tell_flat(&said, &mut telling);
        let turns = telling.end();
        assert_eq!(turns.len(), 2);
        let action = &turns[0].actions[0];
        assert_eq!(
            (action.text.as_str(), action.output.as_deref(), action.code),
            ("ls", Some("none\n"), Some(2))
        );
    }
}
