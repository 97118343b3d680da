//! Cohere's v2 chat.
//!
//! Source: <https://docs.cohere.com/v2/reference/chat>.

use serde_json::{Map, Value, json};

use super::{answered, calls, content, extras, repeated, text};
use crate::bench::{Usage, told};
use crate::model::chat::{Message, Role};

/// litellm's parameters that have another name here (its `cohere/chat/v2_transformation.py`).
const RENAMED: [(&str, &str); 3] = [
    ("max_completion_tokens", "max_tokens"),
    ("stop", "stop_sequences"),
    ("top_p", "p"),
];

/// Makes a request's parameters Cohere's.
pub(super) fn adapt(parameters: &mut Map<String, Value>) {
    for (litellms, coheres) in RENAMED {
        if let Some(value) = parameters.remove(litellms) {
            parameters.insert(coheres.to_owned(), value);
        }
    }
    // The reference calls it required.
    parameters.insert("stream".to_owned(), Value::Bool(false));
}

pub(super) fn message(message: &Message) -> Value {
    let mut value = if message.tool_calls.is_empty() {
        json!({"role": message.role, "content": content(message)})
    } else {
        calling(message)
    };
    if let Some(id) = &message.tool_call_id {
        value["tool_call_id"] = json!(id);
    }
    extras::add(&mut value, &message.extras);
    value
}

/// A reply with tool calls. Its text is called the plan, and stands in the place of the content.
fn calling(message: &Message) -> Value {
    let mut value = json!({"role": message.role, "tool_calls": repeated(&message.tool_calls)});
    let came = message.extras.get(extras::CONTENT);
    if !message.content.is_empty() && came.map(text).as_deref() != Some(&message.content) {
        value["tool_plan"] = json!(message.content);
    }
    value
}

pub(super) fn parse(body: &Value) -> Result<(Message, Option<Usage>), String> {
    let message = &body["message"];
    // A generation that failed comes with status 200.
    if body["finish_reason"] == "ERROR" {
        return Err("its generation failed (finish_reason ERROR)".to_owned());
    }
    // An error's `message` is a text.
    if !message.is_object() {
        return Err("it has no message".to_owned());
    }
    let tool_calls = calls(message);
    let said = text(&message["content"]);
    // A plan whose calls are missing is all that was said, or else no more than a repetition.
    let plan = message["tool_plan"]
        .as_str()
        .filter(|plan| !plan.is_empty() && (!tool_calls.is_empty() || said.trim().is_empty()));
    let mut extras = extras::of_message(message);
    extras.remove("tool_plan");
    if plan.is_some() && !said.is_empty() {
        // A text beside the plan has no other place.
        extras.insert(extras::CONTENT.to_owned(), message["content"].clone());
    }
    let message = Message {
        role: Role::Assistant,
        content: plan.map_or(said, str::to_owned),
        tool_calls,
        tool_call_id: None,
        extras,
    };
    let usage = answered(&message, told::of_cohere(&body["usage"]));
    Ok((message, usage))
}

#[cfg(test)]
mod tests {
    use super::super::tests::conversation;
    use super::*;

    #[test]
    fn a_conversation_is_sent_with_the_plan_in_the_place_of_the_text() {
        let sent: Vec<Value> = conversation().iter().map(message).collect();
        assert_eq!(
            sent,
            [
                json!({"role": "system", "content": "You write code."}),
                json!({"role": "user", "content": "List the files."}),
                json!({"role": "assistant", "tool_plan": "I look first.", "tool_calls": [
                    {"id": "bash_1", "type": "function",
                     "function": {"name": "bash", "arguments": "{\"command\":\"ls\"}"}},
                ]}),
                json!({"role": "tool", "tool_call_id": "bash_1", "content": "a.py"}),
            ]
        );
    }

    #[test]
    fn litellms_names_of_parameters_become_coheres() {
        let given = json!({"top_p": 0.9, "stop": ["END"], "temperature": 0.3, "k": 10});
        let mut parameters: Map<String, Value> = serde_json::from_value(given).unwrap();
        adapt(&mut parameters);
        assert_eq!(
            Value::Object(parameters),
            json!({
                "p": 0.9, "stop_sequences": ["END"], "temperature": 0.3, "k": 10, "stream": false,
            })
        );
    }

    #[test]
    fn a_response_with_a_tool_call_is_read_with_its_plan() {
        let body = json!({
            "id": "5a50480a-cf52-46f0-af01-53d18539bd31", "finish_reason": "TOOL_CALL",
            "message": {
                "role": "assistant",
                "tool_plan": "I will list the files.",
                "tool_calls": [{
                    "id": "bash_zwy75ekkpqmc", "type": "function",
                    "function": {"name": "bash", "arguments": "{\"command\":\"ls -la\"}"},
                }],
            },
            "usage": {
                "billed_units": {"input_tokens": 19, "output_tokens": 21},
                "tokens": {"input_tokens": 908, "output_tokens": 54},
                "cached_tokens": 512,
            },
        });
        let (message, usage) = parse(&body).unwrap();
        assert_eq!(message.content, "I will list the files.");
        assert_eq!(message.tool_calls[0].id, "bash_zwy75ekkpqmc");
        assert_eq!(message.tool_calls[0].arguments, "{\"command\":\"ls -la\"}");
        let expected = Usage {
            input_tokens: 908,
            output_tokens: 54,
            cached_tokens: 512,
            ..Usage::default()
        };
        assert_eq!(usage, Some(expected));
    }

    #[test]
    fn a_response_of_text_is_read_and_billed_units_stand_in_for_tokens() {
        let body = json!({
            "id": "c14c80c3-18eb-4519-9460-6c92edd8cfb4", "finish_reason": "COMPLETE",
            "message": {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm."},
                {"type": "text", "text": "LLMs are "}, {"type": "text", "text": "models."},
            ]},
            "usage": {"billed_units": {"input_tokens": 5, "output_tokens": 418}},
        });
        let (message, usage) = parse(&body).unwrap();
        assert_eq!(message.content, "LLMs are models.");
        assert!(message.tool_calls.is_empty());
        assert_eq!(usage.map(|usage| usage.output_tokens), Some(418));
    }

    #[test]
    fn a_plan_without_calls_is_the_text_where_there_is_no_other() {
        for (content, said) in [
            (Value::Null, "First I look."),
            (json!([]), "First I look."),
            (json!([{"type": "text", "text": "Done."}]), "Done."),
        ] {
            let body = json!({"finish_reason": "COMPLETE",
                "message": {"role": "assistant", "tool_plan": "First I look.", "content": content}});
            let (reply, _) = parse(&body).unwrap();
            assert_eq!(reply.content, said);
            assert_eq!(
                message(&reply),
                json!({"role": "assistant", "content": said})
            );
        }
    }

    #[test]
    fn an_error_with_a_message_is_no_chat_response() {
        let body = json!({"id": "x", "message": "invalid api token"});
        assert_eq!(parse(&body).unwrap_err(), "it has no message");
    }
}
