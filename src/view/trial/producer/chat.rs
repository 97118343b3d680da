//! Messages with a role, as chat endpoints have them: what mini-swe-agent, our own engine and most
//! others write.

use serde_json::Value;

use super::super::telling::Telling;
use super::super::words::{bounded, seconds, text_of};
use super::super::{ActionKind, MarkKind, Turn, TurnAction};
use super::fenced;
use crate::bench::{Usage, believable_cost, told};
use crate::store::stream::blocks;

/// Reads the messages of a trajectory, in order.
pub fn tell(messages: &[Value], telling: &mut Telling) {
    for message in messages {
        take_in(message, telling);
    }
}

fn take_in(message: &Value, telling: &mut Telling) {
    let extra = &message["extra"];
    let at = seconds(&extra["timestamp"]).or_else(|| seconds(&message["timestamp"]));
    let content = content_of(&message["content"]);
    match message["role"].as_str() {
        Some("system" | "developer") => telling.mark(MarkKind::System, &content, at),
        Some("assistant") if extra["summary"] == true => summary(message, &content, at, telling),
        Some("assistant") => reply(message, &content, at, telling),
        Some("tool") => observed(message, &content, at, telling),
        Some("user") if is_result(extra) => observed(message, &content, at, telling),
        Some("user") => telling.mark(said_by_user(&content, telling), &content, at),
        Some("exit") => end(message, &content, at, telling),
        _ => match message.as_str() {
            Some(text) => telling.raw(text),
            None => telling.raw(&message.to_string()),
        },
    }
}

/// A content in blocks as its texts, and as JSON where it has others.
fn content_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(all) if all.iter().all(|block| block["text"].is_string()) => blocks(content),
        other => other.to_string(),
    }
}

/// Whether a user's message is what a command printed.
fn is_result(extra: &Value) -> bool {
    extra["raw_output"].is_string() || extra["returncode"].is_i64()
}

/// What a text in the user's name is. The first is the task.
pub fn said_by_user(text: &str, telling: &Telling) -> MarkKind {
    if text.starts_with("[Message from ") {
        MarkKind::Delivered
    } else if telling.is_told_the_task() {
        MarkKind::Notice
    } else {
        MarkKind::User
    }
}

/// A reply's tokens, cost and wait.
fn counted(message: &Value) -> Turn {
    let extra = &message["extra"];
    let usage = [&extra["response"]["usage"], &message["usage"]];
    let usage: Option<Usage> = usage.into_iter().find_map(told::of_either);
    let waited = extra["rate_limited_seconds"].as_f64();
    Turn {
        tokens_in: usage.map(|it| it.input_tokens),
        tokens_out: usage.map(|it| it.output_tokens),
        tokens_cached: usage.map(|it| it.cached_tokens),
        cost: extra["cost"].as_f64().and_then(believable_cost),
        waited: waited.filter(|seconds| *seconds > 0.0),
        ..Turn::default()
    }
}

fn summary(message: &Value, content: &str, at: Option<f64>, telling: &mut Telling) {
    telling.mark(MarkKind::Compaction, content, at);
    if let Some(why) = text_of(&message["extra"]["exception_info"]) {
        telling.mark(
            MarkKind::Notice,
            &format!("The summary is not used: {why}"),
            at,
        );
    }
    telling.turn(Turn {
        at,
        ..counted(message)
    });
}

fn reply(message: &Value, content: &str, at: Option<f64>, telling: &mut Telling) {
    let raw = &message["extra"]["response"]["choices"][0]["message"];
    let thoughts = [
        &message["reasoning_content"],
        &message["reasoning"],
        &raw["reasoning_content"],
        &raw["reasoning"],
    ];
    let thought = thoughts.into_iter().find_map(text_of);
    let thought = [thought.unwrap_or_default().trim(), content.trim()];
    let thought: Vec<&str> = thought
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
    telling.turn(Turn {
        at,
        thought: bounded(&thought.join("\n\n")),
        ..counted(message)
    });
    let calls = message["tool_calls"].as_array();
    for call in calls.into_iter().flatten() {
        let action = TurnAction {
            at,
            ..of_call(&call["function"])
        };
        telling.act(call["id"].as_str(), action);
    }
    let is_called = calls.is_some_and(|calls| !calls.is_empty());
    let actions = message["extra"]["actions"].as_array();
    for action in actions.into_iter().flatten().filter(|_| !is_called) {
        let made = text_of(&action["command"]).map_or_else(
            || TurnAction::new(ActionKind::Other, action.to_string()),
            TurnAction::command,
        );
        let id = action["tool_call_id"].as_str();
        telling.act(id, TurnAction { at, ..made });
    }
}

/// A function that is called with arguments as JSON.
fn of_call(function: &Value) -> TurnAction {
    let name = function["name"].as_str().unwrap_or_default();
    let arguments = match &function["arguments"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let read: Value = crate::json::of_text(&arguments).unwrap_or_default();
    let made = match text_of(&read["command"]) {
        Some(command) if read.as_object().is_some_and(|fields| fields.len() == 1) => {
            TurnAction::command(command)
        }
        _ if name == "send_message" => TurnAction::new(ActionKind::Message, arguments),
        _ if name == "submit" => TurnAction::new(ActionKind::Submit, arguments),
        _ => TurnAction::new(ActionKind::Other, arguments),
    };
    TurnAction {
        tool: Some(name.to_owned()),
        ..made
    }
}

/// What a command printed: in fields beside the text that the model was shown, or within it.
fn observed(message: &Value, content: &str, at: Option<f64>, telling: &mut Telling) {
    let extra = &message["extra"];
    let shown: Value = crate::json::of_text(content).unwrap_or_default();
    let field = |name: &str| extra[name].as_str().or_else(|| shown[name].as_str());
    let code = extra["returncode"]
        .as_i64()
        .or(shown["returncode"].as_i64());
    let whole = field("raw_output").or_else(|| shown["output"].as_str());
    let mut output = whole.map_or_else(|| content.to_owned(), str::to_owned);
    if let Some(why) = field("exception_info").filter(|why| !why.trim().is_empty()) {
        if !output.is_empty() && !output.ends_with('\n') {
            output.push('\n');
        }
        output.push_str(why);
    }
    fenced::ensure_action(telling);
    let id = message["tool_call_id"].as_str();
    let known = id.is_some_and(|id| telling.call(id).is_some());
    let since = telling.last().and_then(fenced::end_of_last);
    let action = match id.filter(|_| known) {
        Some(id) => telling.call(id),
        None => telling.waiting(),
    };
    let Some(action) = action else {
        telling.mark(MarkKind::Notice, content, at);
        return;
    };
    // The commands of one reply run one after the other.
    action.at = since.or(action.at);
    action.ended(&output, at);
    action.code = code;
}

fn end(message: &Value, content: &str, at: Option<f64>, telling: &mut Telling) {
    let extra = &message["extra"];
    let status = text_of(&extra["exit_status"]).unwrap_or_default();
    let why = text_of(&extra["exception_str"]).unwrap_or(content);
    let text = if why.trim() == status || status.is_empty() {
        why.to_owned()
    } else if why.trim().is_empty() {
        status.to_owned()
    } else {
        format!("{status}: {why}")
    };
    telling.mark(MarkKind::End, &text, at);
}
