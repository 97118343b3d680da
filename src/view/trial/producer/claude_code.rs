//! Claude Code: the session that it keeps, or the stream that it prints. An event a line; a reply comes
//! in several, one for each of its blocks.

use serde_json::Value;

use super::super::telling::Telling;
use super::super::words::{bounded, seconds, text_of};
use super::super::{MarkKind, Turn, TurnAction};
use super::claude_tool;

/// Events of the program's own bookkeeping: what the agent is told of it stands elsewhere again.
const BOOKKEEPING: [&str; 9] = [
    "last-prompt",
    "queue-operation",
    "summary",
    "file-history-snapshot",
    "rate_limit_event",
    "stream_event",
    "tool_progress",
    "ai-title",
    "mode",
];

/// Lists of what the program offers, thousands of characters each: they are named.
const LISTS: [&str; 4] = [
    "skill_listing",
    "agent_listing_delta",
    "deferred_tools_delta",
    "mcp_instructions_delta",
];

/// Events of the stream about the program, and not about what the agent is told.
const OF_SYSTEM: [&str; 8] = [
    "init",
    "thinking_tokens",
    "task_started",
    "task_notification",
    "task_updated",
    "task_progress",
    "background_tasks_changed",
    "status",
];

/// Reads events, in order.
#[derive(Debug, Default)]
pub struct Claude {
    /// The id of the reply whose blocks come.
    reply: Option<String>,
    /// Whether the events are a sub-agent's.
    is_sub: bool,
}

impl Claude {
    /// Takes in one event. Says whether it is one of this program's.
    pub fn take_in(&mut self, event: &Value, telling: &mut Telling) -> bool {
        let Some(kind) = event["type"].as_str() else {
            return false;
        };
        let at = seconds(&event["timestamp"]);
        match kind {
            "assistant" if event["message"].is_object() => self.reply(event, at, telling),
            "user" if event["message"].is_object() => told(event, at, telling),
            "attachment" => attachment(&event["attachment"], at, telling),
            "system" => system(event, at, telling),
            "result" => result(event, at, telling),
            kind if BOOKKEEPING.contains(&kind) => {}
            _ => return false,
        }
        true
    }

    fn reply(&mut self, event: &Value, at: Option<f64>, telling: &mut Telling) {
        let message = &event["message"];
        let id = text_of(&message["id"]).map(str::to_owned);
        if id.is_none() || id != self.reply || telling.last().is_none() {
            self.note_sub_agent(event, at, telling);
            telling.turn(Turn {
                at,
                ..Turn::default()
            });
            self.reply = id;
        }
        if let Some(turn) = telling.last() {
            count(turn, &message["usage"]);
        }
        if let Some(text) = message["content"].as_str() {
            think(telling, text);
        }
        for block in message["content"].as_array().into_iter().flatten() {
            match block["type"].as_str() {
                Some("text") => think(telling, block["text"].as_str().unwrap_or_default()),
                // What the provider keeps to itself comes empty.
                Some("thinking") => think(telling, block["thinking"].as_str().unwrap_or_default()),
                Some("redacted_thinking") => {}
                Some("tool_use") => {
                    let name = block["name"].as_str().unwrap_or_default();
                    let made = claude_tool::action(name, &block["input"]);
                    telling.act(block["id"].as_str(), TurnAction { at, ..made });
                }
                _ => raw_block(telling, block),
            }
        }
    }

    /// Says where a sub-agent's turns begin and end.
    fn note_sub_agent(&mut self, event: &Value, at: Option<f64>, telling: &mut Telling) {
        let is_sub = event["isSidechain"] == true || event["parent_tool_use_id"].is_string();
        if is_sub != self.is_sub {
            let text = if is_sub {
                "[what follows is a sub-agent's]"
            } else {
                "[the agent goes on]"
            };
            telling.mark(MarkKind::Notice, text, at);
            self.is_sub = is_sub;
        }
    }
}

fn told(event: &Value, at: Option<f64>, telling: &mut Telling) {
    let content = &event["message"]["content"];
    let kind = if event["isCompactSummary"] == true {
        MarkKind::Compaction
    } else if event["isMeta"] == true || telling.is_told_the_task() {
        MarkKind::Notice
    } else {
        MarkKind::User
    };
    if let Some(text) = content.as_str() {
        telling.mark(kind, text, at);
    }
    for block in content.as_array().into_iter().flatten() {
        match block["type"].as_str() {
            Some("text") => telling.mark(kind, block["text"].as_str().unwrap_or_default(), at),
            Some("tool_result") => seen(block, at, telling),
            _ => raw_block(telling, block),
        }
    }
}

fn think(telling: &mut Telling, text: &str) {
    let text = text.trim();
    if let Some(turn) = telling.last().filter(|_| !text.is_empty()) {
        if !turn.thought.is_empty() {
            turn.thought.push_str("\n\n");
        }
        turn.thought.push_str(&bounded(text));
    }
}

/// A block of an unknown kind stays with its turn.
fn raw_block(telling: &mut Telling, block: &Value) {
    let text = bounded(&block.to_string());
    match telling.last() {
        Some(turn) => match &mut turn.raw {
            Some(raw) => *raw = format!("{raw}\n{text}"),
            None => turn.raw = Some(text),
        },
        None => telling.raw(&text),
    }
}

/// The tokens of a reply: each of its events tells them, the last one all.
fn count(turn: &mut Turn, usage: &Value) {
    let tokens = |name: &str| usage[name].as_u64();
    let parts = [
        "input_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
    ];
    if tokens(parts[0]).is_some() {
        let counts = parts.iter().filter_map(|name| tokens(name));
        turn.tokens_in = Some(counts.fold(0, u64::saturating_add));
        turn.tokens_cached = tokens(parts[1]);
        turn.tokens_out = tokens("output_tokens");
    }
}

/// What a tool gave back.
fn seen(block: &Value, at: Option<f64>, telling: &mut Telling) {
    let output = claude_tool::output(&block["content"]);
    let id = block["tool_use_id"].as_str().unwrap_or_default();
    let Some(action) = telling.call(id) else {
        telling.raw(&block.to_string());
        return;
    };
    action.ended(&output, at);
    action.failed = block["is_error"].as_bool();
    let code = output
        .strip_prefix("Exit code ")
        .filter(|_| action.failed == Some(true));
    action.code = code.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
}

fn attachment(attachment: &Value, at: Option<f64>, telling: &mut Telling) {
    let kind = attachment["type"].as_str().unwrap_or_default();
    let written = attachment.to_string();
    let is_list = LISTS.contains(&kind);
    let is_empty = attachment["content"].as_array().is_some_and(Vec::is_empty);
    if is_list {
        let text = format!("[{kind}: {} bytes, not shown]", written.len());
        telling.mark(MarkKind::Notice, &text, at);
    } else if !is_empty {
        let parts = ["prompt", "content", "snippet"].map(|name| text_of(&attachment[name]));
        let text = parts.into_iter().flatten().next();
        let file = text_of(&attachment["filename"]).unwrap_or_default();
        let text = text.map_or(written.clone(), |text| format!("[{kind}] {file}\n{text}"));
        telling.mark(MarkKind::Notice, &text, at);
    }
}

fn system(event: &Value, at: Option<f64>, telling: &mut Telling) {
    let kind = event["subtype"].as_str().unwrap_or_default();
    match kind {
        "compact_boundary" => {
            let text = text_of(&event["content"]).unwrap_or("Conversation compacted");
            telling.mark(MarkKind::Compaction, text, at);
        }
        "api_retry" => {
            let why = event["error"].as_str().unwrap_or("a call failed");
            let status = event["error_status"].as_u64();
            let status = status
                .map(|status| format!(" ({status})"))
                .unwrap_or_default();
            let wait = event["retry_delay_ms"].as_f64().unwrap_or_default() / 1000.0;
            let text = format!("[a call failed: {why}{status}; tried again after {wait:.1} s]");
            telling.mark(MarkKind::Notice, &text, at);
        }
        kind if OF_SYSTEM.contains(&kind) => {}
        _ => {
            let text = text_of(&event["content"]).map(str::to_owned);
            telling.mark(
                MarkKind::Notice,
                &text.unwrap_or_else(|| event.to_string()),
                at,
            );
        }
    }
}

/// The stream's last event. Its text repeats the last reply, unless it is an error's.
fn result(event: &Value, at: Option<f64>, telling: &mut Telling) {
    let subtype = event["subtype"].as_str().unwrap_or("success");
    if event["is_error"] == true || subtype != "success" {
        let said = text_of(&event["result"]).unwrap_or(subtype);
        telling.mark(MarkKind::End, said, at);
    }
}

/// Reads the messages of a trajectory that upstream made of a session: texts alone.
pub fn tell_flat(messages: &[Value], telling: &mut Telling) {
    for message in messages {
        let Some(text) = message["content"].as_str() else {
            telling.raw(&message.to_string());
            continue;
        };
        match message["role"].as_str() {
            Some("assistant") => flat_reply(text, telling),
            Some("user") => flat_told(text, telling),
            Some("system") => telling.mark(MarkKind::System, text, None),
            _ => telling.raw(&message.to_string()),
        }
    }
}

fn flat_reply(text: &str, telling: &mut Telling) {
    let call = text.strip_prefix("[tool_use ");
    let Some((name, input)) = call.and_then(|call| call.split_once("] ")) else {
        // A thought that the provider keeps to itself.
        if !text.trim().is_empty() {
            let thought = bounded(text.strip_prefix("[thinking] ").unwrap_or(text));
            telling.turn(Turn {
                thought,
                ..Turn::default()
            });
        }
        return;
    };
    match crate::json::of_text::<Value>(input) {
        Ok(input) => telling.act(None, claude_tool::action(name, &input)),
        Err(_) => telling.raw(text),
    }
}

fn flat_told(text: &str, telling: &mut Telling) {
    match text
        .strip_prefix("[tool_result] ")
        .or_else(|| text.strip_prefix("[tool_result]"))
    {
        Some(output) => match telling.waiting() {
            Some(action) => action.ended(output, None),
            None => telling.mark(MarkKind::Notice, output, None),
        },
        None if telling.is_told_the_task() => telling.mark(MarkKind::Notice, text, None),
        None => telling.mark(MarkKind::User, text, None),
    }
}

#[cfg(test)]
mod tests;
