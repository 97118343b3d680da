//! What a reply carries beside its text and its calls: reasoning, signatures and the like, by names
//! of the endpoint's own. It is not looked into, and goes back as it came.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Message;

/// The extra that holds a content in the parts that it came in.
pub(super) const CONTENT: &str = "content";

/// The extra of a call that holds what else its function has.
const FUNCTION: &str = "function";

/// The names under which a call's arguments come.
pub(super) const ARGUMENTS: [&str; 3] = ["arguments", "parameters", "input"];

/// The extras of a reply's message.
pub(super) fn of_message(message: &Value) -> Map<String, Value> {
    // A function's call of the older form is one that nothing would answer.
    let known = [
        "role",
        CONTENT,
        "tool_calls",
        "tool_call_id",
        "function_call",
    ];
    let mut extras = beside(message, &known);
    if has_more_than_text(&message[CONTENT]) {
        extras.insert(CONTENT.to_owned(), message[CONTENT].clone());
    }
    extras
}

/// The extras of a tool call.
pub(super) fn of_call(call: &Value) -> Map<String, Value> {
    let mut extras = if call[FUNCTION].is_object() {
        beside(call, &["id", "type", FUNCTION])
    } else {
        // What its function would have stands beside.
        let known = ["id", "type", FUNCTION, "custom", "name"];
        beside(call, &[&known[..], &ARGUMENTS].concat())
    };
    let function = beside(&call[FUNCTION], &["name", "arguments"]);
    if !function.is_empty() {
        extras.insert(FUNCTION.to_owned(), Value::Object(function));
    }
    extras
}

/// Adds extras to what is sent; what stands there already stays.
pub(super) fn add(value: &mut Value, extras: &Map<String, Value>) {
    for (name, extra) in extras {
        match (value.get_mut(name), extra) {
            (None, extra) => value[name] = extra.clone(),
            (Some(inner @ Value::Object(_)), Value::Object(extra)) => add(inner, extra),
            (Some(_), _) => {}
        }
    }
}

/// Those extras of a conversation that a text names.
pub fn named(messages: &[Message], text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for message in messages {
        collect(&message.extras, &mut names);
        for call in &message.tool_calls {
            collect(&call.extras, &mut names);
        }
    }
    names.retain(|name| is_named(text, name));
    names.into_iter().map(str::to_owned).collect()
}

/// A conversation without the extras of these names.
pub fn leave_out(messages: &[Message], names: &BTreeSet<String>) -> Vec<Message> {
    let mut messages = messages.to_vec();
    for message in &mut messages {
        strip(&mut message.extras, names);
        for call in &mut message.tool_calls {
            strip(&mut call.extras, names);
        }
    }
    messages
}

/// The names that extras go by: their own, those of a function's, and the types of a content's parts.
fn collect<'a>(extras: &'a Map<String, Value>, names: &mut BTreeSet<&'a str>) {
    for (name, extra) in extras {
        if let Value::Object(inner) = extra
            && name == FUNCTION
        {
            collect(inner, names);
            continue;
        }
        names.insert(name);
        if name == CONTENT {
            let parts = extra.as_array().into_iter().flatten();
            let types = parts.filter_map(|part| part["type"].as_str());
            names.extend(types.filter(|kind| *kind != "text"));
        }
    }
}

fn strip(extras: &mut Map<String, Value>, names: &BTreeSet<String>) {
    extras.retain(|name, _| !names.contains(name));
    if let Some(Value::Object(inner)) = extras.get_mut(FUNCTION) {
        strip(inner, names);
    }
    if let Some(Value::Array(parts)) = extras.get_mut(CONTENT) {
        let is_left_out = |part: &Value| part["type"].as_str().is_some_and(|it| names.contains(it));
        let came = parts.len();
        parts.retain(|part| !is_left_out(part));
        if parts.len() < came && !has_more_than_text(&extras[CONTENT]) {
            extras.remove(CONTENT);
        }
    }
    extras.retain(|_, extra| !is_empty(extra));
}

/// The fields of an object, but for these and for those that say nothing.
fn beside(object: &Value, known: &[&str]) -> Map<String, Value> {
    let fields = object.as_object().into_iter().flatten();
    fields
        .filter(|(name, value)| !known.contains(&name.as_str()) && !is_empty(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Whether a value says nothing: null, an empty text, a list or an object of nothing else.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.iter().all(is_empty),
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether a content has parts that its text alone does not tell.
fn has_more_than_text(content: &Value) -> bool {
    let is_plain = |part: &Value| {
        part["text"].is_string()
            && part["type"].as_str().is_none_or(|kind| kind == "text")
            && beside(part, &["type", "text"]).is_empty()
    };
    let parts = content.as_array().map(Vec::as_slice).unwrap_or_default();
    !parts.iter().all(|part| is_plain(part) || is_empty(part))
}

/// Whether a text names a field, also as validators in other languages spell it
/// (`reasoningContent`).
fn is_named(text: &str, name: &str) -> bool {
    has_word(text, name) || name.contains('_') && has_word(text, &camel(name))
}

fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let mut spelled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut rest = part.chars();
        spelled.extend(rest.next().map(|c| c.to_ascii_uppercase()));
        spelled.push_str(rest.as_str());
    }
    spelled
}

/// Whether a text has a word of its own: `reasoning` is not in `reasoning_content`.
fn has_word(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Wire, tests::conversation};
    use super::*;

    /// The reply in a response, as the next request has it.
    fn sent_back(wire: Wire, reply: &Value) -> Value {
        let (message, _) = wire.parse(&response(wire, reply)).unwrap();
        let mut body = wire.request("m", &[message], &[], &Map::new());
        body["messages"][0].take()
    }

    fn response(wire: Wire, reply: &Value) -> Value {
        match wire {
            Wire::OpenAi => json!({"choices": [{"message": reply}]}),
            Wire::CohereV2 => json!({"message": reply}),
        }
    }

    #[test]
    fn what_came_beside_text_and_calls_goes_back_and_what_is_empty_does_not() {
        let came = json!({
            "role": "assistant", "content": "I list them.", "refusal": null, "annotations": [],
            "audio": {}, "function_call": {"name": "old", "arguments": "{}"}, "provider_specific_fields": {"refusal": null, "notes": [""]},
            "reasoning_content": "They ask for files.",
            "reasoning_details": [{"type": "encrypted", "data": "9f3c", "index": 0}],
            "tool_calls": [{
                "id": "q1", "type": "function", "index": 0,
                "function": {"name": "bash", "arguments": "{}", "signed": "c2ln", "note": ""},
                "extra_content": {"vendor": {"signature": "YQ=="}},
            }],
        });
        let expected = json!({
            "role": "assistant", "content": "I list them.",
            "reasoning_content": "They ask for files.",
            "reasoning_details": [{"type": "encrypted", "data": "9f3c", "index": 0}],
            "tool_calls": [{
                "id": "q1", "type": "function", "index": 0,
                "function": {"name": "bash", "arguments": "{}", "signed": "c2ln"},
                "extra_content": {"vendor": {"signature": "YQ=="}},
            }],
        });
        assert_eq!(sent_back(Wire::OpenAi, &came), expected);
        let mut expected = expected;
        let said = expected["content"].take();
        expected.as_object_mut().unwrap().remove("content");
        expected["tool_plan"] = said;
        assert_eq!(sent_back(Wire::CohereV2, &came), expected);
    }

    #[test]
    fn parts_that_are_more_than_text_go_back_as_they_came() {
        let parts = json!([
            {"type": "thinking", "thinking": "They ask for files."},
            {"type": "text", "text": "I list them."},
        ]);
        let call = json!([{"id": "q1", "type": "function",
            "function": {"name": "bash", "arguments": "{}"}}]);
        for wire in [Wire::OpenAi, Wire::CohereV2] {
            for calls in [Value::Null, call.clone()] {
                let came = json!({"role": "assistant", "content": parts, "tool_calls": calls});
                let sent = sent_back(wire, &came);
                assert_eq!(sent["content"], parts, "{wire:?} {calls}");
                assert_eq!(sent["tool_calls"], calls);
                assert!(sent.get("tool_plan").is_none());
            }
        }
        let plain = json!({"role": "assistant", "content": [{"type": "text", "text": "Hi."}]});
        for wire in [Wire::OpenAi, Wire::CohereV2] {
            assert_eq!(sent_back(wire, &plain)["content"], "Hi.");
        }
    }

    #[test]
    fn a_plan_and_thoughts_and_citations_of_coheres_go_back() {
        let came = json!({
            "role": "assistant", "tool_plan": "First the files.",
            "content": [{"type": "thinking", "thinking": "Hm."}],
            "tool_calls": [{"id": "q1", "type": "function",
                "function": {"name": "bash", "arguments": "{}"}}],
            "citations": [{"start": 0, "end": 2, "text": "Hm"}],
        });
        assert_eq!(sent_back(Wire::CohereV2, &came), came);
        let mut beside = came;
        beside["content"] = json!("Both.");
        assert_eq!(sent_back(Wire::CohereV2, &beside), beside);
    }

    #[test]
    fn a_reply_of_thoughts_alone_that_was_given_a_text_has_both() {
        let thoughts = json!([{"type": "thinking", "thinking": "Hm."}]);
        let reply = json!({"role": "assistant", "content": thoughts});
        for wire in [Wire::OpenAi, Wire::CohereV2] {
            let (mut message, _) = wire.parse(&response(wire, &reply)).unwrap();
            message.content = "(nothing)".to_owned();
            let body = wire.request("m", &[message], &[], &Map::new());
            assert_eq!(
                body["messages"][0]["content"],
                json!([{"type": "thinking", "thinking": "Hm."},
                    {"type": "text", "text": "(nothing)"}])
            );
        }
    }

    #[test]
    fn extras_are_found_in_a_refusal_and_left_out() {
        let reply = json!({
            "role": "assistant", "reasoning": "Hm.", "reasoning_content": "Hm.",
            "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Hi."}],
            "tool_calls": [{"id": "q1", "type": "function", "index": 0,
                "function": {"name": "bash", "arguments": "{}", "signed": "c2ln"}}],
        });
        let (message, _) = Wire::OpenAi.parse(&response(Wire::OpenAi, &reply)).unwrap();
        let mut messages = conversation();
        messages.push(message);
        let of = |text: &str| named(&messages, text).into_iter().collect::<Vec<_>>();
        assert_eq!(
            of("body.messages.4.reasoning_content: Extra inputs"),
            ["reasoning_content"]
        );
        assert_eq!(of("Unknown field 'reasoning'"), ["reasoning"]);
        assert_eq!(of("Unknown key: reasoningContent"), ["reasoning_content"]);
        assert_eq!(
            of("messages[4].tool_calls[0].function.signed: unknown"),
            ["signed"]
        );
        assert_eq!(of("message 4 has a `thinking` part"), ["thinking"]);
        // One that takes texts only gets the text.
        assert_eq!(of("messages[4].content: not a string"), ["content"]);
        assert_eq!(of("role, tool_calls, name, arguments, function"), [""; 0]);

        let all = named(
            &messages,
            "reasoning reasoning_content signed thinking index",
        );
        let without = leave_out(&messages, &all);
        let body = Wire::OpenAi.request("m", &without, &[], &Map::new());
        assert_eq!(
            body["messages"][4],
            json!({"role": "assistant", "content": "Hi.", "tool_calls": [
                {"id": "q1", "type": "function", "function": {"name": "bash", "arguments": "{}"}},
            ]})
        );
    }
}
