//! `/v1/chat/completions`, as `OpenAI` and the many servers after its example speak it.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat>.

use serde_json::{Value, json};

use super::{answered, calls, content, extras, repeated, text};
use crate::bench::{Usage, told};
use crate::model::chat::{Message, Role};

const PATH: &str = "/chat/completions";

pub(super) fn url(base: &str) -> String {
    let base = base.trim_end_matches('/');
    if base.ends_with(PATH) {
        base.to_owned()
    } else {
        format!("{base}{PATH}")
    }
}

pub(super) fn message(message: &Message) -> Value {
    let mut value = json!({"role": message.role, "content": content(message)});
    if !message.tool_calls.is_empty() {
        value["tool_calls"] = repeated(&message.tool_calls);
        // Some servers refuse an empty text beside tool calls; null is what they answer themselves.
        if value["content"] == "" {
            value["content"] = Value::Null;
        }
    }
    if let Some(id) = &message.tool_call_id {
        value["tool_call_id"] = json!(id);
    }
    extras::add(&mut value, &message.extras);
    value
}

pub(super) fn parse(body: &Value) -> Result<(Message, Option<Usage>), String> {
    let choices = body["choices"].as_array().ok_or("it has no choices")?;
    let choice = choices.first().ok_or("its list of choices is empty")?;
    let message = &choice["message"];
    if !message.is_object() {
        return Err("its first choice has no message".to_owned());
    }
    let message = Message {
        role: Role::Assistant,
        content: text(&message["content"]),
        tool_calls: calls(message),
        tool_call_id: None,
        extras: extras::of_message(message),
    };
    let usage = answered(&message, told::of_openai(&body["usage"]));
    Ok((message, usage))
}

#[cfg(test)]
mod tests {
    use super::super::tests::conversation;
    use super::*;

    #[test]
    fn the_path_is_added_once() {
        for base in [
            "https://api.openai.com/v1",
            "https://api.openai.com/v1/",
            "https://api.openai.com/v1/chat/completions",
        ] {
            assert_eq!(url(base), "https://api.openai.com/v1/chat/completions");
        }
    }

    #[test]
    fn a_conversation_is_sent_with_its_tool_calls_and_results() {
        let sent: Vec<Value> = conversation().iter().map(message).collect();
        assert_eq!(
            sent,
            [
                json!({"role": "system", "content": "You write code."}),
                json!({"role": "user", "content": "List the files."}),
                json!({"role": "assistant", "content": "I look first.", "tool_calls": [
                    {"id": "bash_1", "type": "function",
                     "function": {"name": "bash", "arguments": "{\"command\":\"ls\"}"}},
                ]}),
                json!({"role": "tool", "tool_call_id": "bash_1", "content": "a.py"}),
            ]
        );
    }

    #[test]
    fn a_reply_that_only_calls_tools_goes_back_with_null_content() {
        let mut call = conversation().remove(2);
        call.content.clear();
        assert_eq!(message(&call)["content"], Value::Null);
    }

    #[test]
    fn a_response_with_a_tool_call_is_read() {
        let body = json!({
            "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG", "object": "chat.completion",
            "created": 1_741_570_283, "model": "gpt-4o-2024-08-06",
            "choices": [{
                "index": 0,
                "message": {
                    "role": "assistant", "content": null, "refusal": null, "annotations": [],
                    "tool_calls": [{
                        "id": "call_abc123", "type": "function",
                        "function": {"name": "bash", "arguments": "{\n\"command\": \"ls\"\n}"},
                    }],
                },
                "logprobs": null, "finish_reason": "tool_calls",
            }],
            "usage": {
                "prompt_tokens": 1182, "completion_tokens": 17, "total_tokens": 1199,
                "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
            },
            "service_tier": "default", "system_fingerprint": "fp_fc9f1d7035",
        });
        let (message, usage) = parse(&body).unwrap();
        assert_eq!(message.content, "");
        assert_eq!(message.tool_calls[0].id, "call_abc123");
        assert_eq!(message.tool_calls[0].name, "bash");
        assert_eq!(message.tool_calls[0].arguments, "{\n\"command\": \"ls\"\n}");
        let expected = Usage {
            input_tokens: 1182,
            output_tokens: 17,
            cached_tokens: 1024,
            ..Usage::default()
        };
        assert_eq!(usage, Some(expected));
    }

    #[test]
    fn content_may_be_parts_and_usage_may_be_missing() {
        let body = json!({"choices": [{"message": {"role": "assistant", "content": [
            {"type": "text", "text": "Hello, "}, {"type": "text", "text": "world"},
        ]}}]});
        let (message, usage) = parse(&body).unwrap();
        assert_eq!(message.content, "Hello, world");
        assert_eq!(usage, None);
    }

    #[test]
    fn what_is_no_chat_response_is_refused_with_its_reason() {
        let refused = |body: Value| parse(&body).unwrap_err();
        assert_eq!(refused(json!({"error": "busy"})), "it has no choices");
        assert_eq!(
            refused(json!({"choices": []})),
            "its list of choices is empty"
        );
        assert_eq!(
            refused(json!({"choices": [{"text": "Hi"}]})),
            "its first choice has no message"
        );
    }
}
