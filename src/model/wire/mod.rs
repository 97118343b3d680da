//! The wire formats: how a chat call reads at each kind of endpoint.
//!
//! Here is what both have in common, one file has what each does its own way.

mod cohere;
mod extras;
mod finish;
mod openai;

use serde_json::{Map, Value, json};

use super::chat::{Message, Role, Tool, ToolCall};
use super::ids::{self, Ids};
use super::provider::Wire;
use crate::bench::{Usage, told};

pub(super) use extras::{leave_out, named};
pub(super) use finish::{Finish, finish_behind};

/// Parameters that are litellm's own, and those that would ask for a stream, which is not read
/// here.
const NEVER_SENT: [&str; 10] = [
    "api_base",
    "api_key",
    "api_version",
    "custom_llm_provider",
    "drop_params",
    "extra_body",
    "num_retries",
    "stream",
    "stream_options",
    "timeout",
];

impl Wire {
    /// Where a chat call is posted, by litellm's rules: Cohere's base is the whole URL.
    #[must_use]
    pub fn url(self, base: &str) -> String {
        match self {
            Self::OpenAi => openai::url(base),
            Self::CohereV2 => base.to_owned(),
        }
    }

    /// The body of a chat call.
    ///
    /// `model` is sent as it is. `extra` are the user's further parameters by litellm's names;
    /// they stand at the top level, the contents of `extra_body` too, and litellm's own are left
    /// out.
    #[must_use]
    pub fn request(
        self,
        model: &str,
        messages: &[Message],
        tools: &[Tool],
        extra: &Map<String, Value>,
    ) -> Value {
        let mut body = parameters(extra);
        let messages: Value = match self {
            Self::OpenAi => messages.iter().map(openai::message).collect(),
            Self::CohereV2 => {
                cohere::adapt(&mut body);
                messages.iter().map(cohere::message).collect()
            }
        };
        body.insert("model".to_owned(), model.into());
        body.insert("messages".to_owned(), messages);
        if !tools.is_empty() {
            body.insert("tools".to_owned(), tools.iter().map(definition).collect());
        }
        Value::Object(body)
    }

    /// The reply in a response, and the tokens it says it used; or what it lacks for being a chat
    /// response.
    pub fn parse(self, body: &Value) -> Result<(Message, Option<Usage>), String> {
        match self {
            Self::OpenAi => openai::parse(body),
            Self::CohereV2 => cohere::parse(body),
        }
    }

    /// The tokens that a response tells of, whether it is a reply or not.
    pub(super) fn usage(self, body: &Value) -> Option<Usage> {
        let (message, usage) = match self {
            Self::OpenAi => (
                &body["choices"][0]["message"],
                told::of_openai(&body["usage"]),
            ),
            Self::CohereV2 => (&body["message"], told::of_cohere(&body["usage"])),
        };
        let is_empty = text(&message["content"]).is_empty() && calls(message).is_empty();
        usage.filter(|usage| is_empty || usage.output_tokens > 0)
    }

    /// What stands for the message of a response that has none, nor a text in another format's
    /// place.
    pub(super) fn without_message(self, body: &Value) -> Option<(Message, Option<Usage>)> {
        let (said, usage) = match self {
            Self::OpenAi => {
                let choice = &body["choices"][0];
                let places = ["message", "text", "delta"].map(|place| &choice[place]);
                (places, told::of_openai(&body["usage"]))
            }
            Self::CohereV2 => {
                let places = ["message", "text", "delta"].map(|place| &body[place]);
                (places, told::of_cohere(&body["usage"]))
            }
        };
        let is_empty = said.into_iter().all(Value::is_null);
        is_empty.then(|| (Message::text(Role::Assistant, ""), usage))
    }
}

fn parameters(extra: &Map<String, Value>) -> Map<String, Value> {
    let further = extra.get("extra_body").and_then(Value::as_object);
    extra
        .iter()
        .filter(|(name, _)| !NEVER_SENT.contains(&name.as_str()))
        .chain(further.into_iter().flatten())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// A tool, as both formats offer it.
fn definition(tool: &Tool) -> Value {
    json!({"type": "function", "function": {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    }})
}

/// Tool calls, as both formats repeat them.
fn repeated(calls: &[ToolCall]) -> Value {
    calls
        .iter()
        .map(|call| {
            let mut value = json!({"id": call.id, "type": "function", "function": {
                "name": call.name,
                "arguments": call.arguments,
            }});
            extras::add(&mut value, &call.extras);
            value
        })
        .collect()
}

/// The tool calls of a reply's message: a list, one alone, or the one function of the older form. One
/// that names no tool stays, without a name: the model did call, and can be told.
fn calls(message: &Value) -> Vec<ToolCall> {
    let older = &message["function_call"];
    let list = match &message["tool_calls"] {
        Value::Array(list) if !list.is_empty() => list.as_slice(),
        Value::Object(one) if !one.is_empty() => std::slice::from_ref(&message["tool_calls"]),
        _ if older.is_object() => std::slice::from_ref(older),
        _ => &[],
    };
    let mut calls: Vec<ToolCall> = list
        .iter()
        .enumerate()
        .map(|(at, call)| one_call(at + 1, call))
        .collect();
    Ids::default().make_distinct(&mut calls);
    calls
}

fn one_call(nth: usize, call: &Value) -> ToolCall {
    // Some servers write name and arguments beside the id, and not inside.
    let inside = [&call["function"], &call["custom"]];
    let function = inside.into_iter().find(|it| it.is_object()).unwrap_or(call);
    let names = [&function["name"], &call["name"], &call["function"]];
    let given = extras::ARGUMENTS.map(|name| &function[name]);
    let id = call["id"].as_str().filter(|id| !id.trim().is_empty());
    ToolCall {
        id: id.map_or_else(|| ids::made_up(nth), str::to_owned),
        name: names
            .into_iter()
            .find_map(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        arguments: match given.into_iter().find(|it| !it.is_null()) {
            Some(Value::String(text)) => text.clone(),
            None => "{}".to_owned(),
            // Some servers answer with the object that the string should hold.
            Some(other) => other.to_string(),
        },
        extras: extras::of_call(call),
    }
}

/// The content of a message: the parts that it came in, where these have more than text.
fn content(message: &Message) -> Value {
    let Some(came) = message.extras.get(extras::CONTENT) else {
        return json!(message.content);
    };
    if text(came) == message.content {
        return came.clone();
    }
    // The reply had no text of its own, and was given one.
    let mut parts = came.as_array().cloned().unwrap_or_default();
    parts.push(json!({"type": "text", "text": message.content}));
    Value::Array(parts)
}

/// The usage of a reply, if it was told: one that says something was written with tokens.
fn answered(reply: &Message, usage: Option<Usage>) -> Option<Usage> {
    let is_empty = reply.content.is_empty() && reply.tool_calls.is_empty();
    usage.filter(|usage| is_empty || usage.output_tokens > 0)
}

/// The text of a content: none, a string, or parts of which some have text.
pub fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A conversation with a tool call and its result.
    pub(super) fn conversation() -> Vec<Message> {
        let say = Message::text;
        vec![
            say(Role::System, "You write code."),
            say(Role::User, "List the files."),
            Message {
                tool_calls: vec![ToolCall {
                    id: "bash_1".to_owned(),
                    name: "bash".to_owned(),
                    arguments: r#"{"command":"ls"}"#.to_owned(),
                    extras: Map::new(),
                }],
                ..say(Role::Assistant, "I look first.")
            },
            Message {
                tool_call_id: Some("bash_1".to_owned()),
                ..say(Role::Tool, "a.py")
            },
        ]
    }

    fn extra(json: Value) -> Map<String, Value> {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn litellms_own_parameters_stay_here_and_the_others_are_sent() {
        let extra = extra(json!({
            "temperature": 0.5, "drop_params": true, "api_key": "sk-123", "stream": true,
            "extra_body": {"return_token_ids": true},
        }));
        let body = Wire::OpenAi.request("gpt-4o", &[], &[], &extra);
        assert_eq!(
            body,
            json!({
                "model": "gpt-4o", "messages": [], "temperature": 0.5, "return_token_ids": true,
            })
        );
    }

    #[test]
    fn a_users_parameter_does_not_replace_the_conversation() {
        let extra = extra(json!({"model": "other", "messages": "none"}));
        let body = Wire::CohereV2.request("command-a-03-2025", &conversation(), &[], &extra);
        assert_eq!(body["model"], "command-a-03-2025");
        assert_eq!(body["messages"].as_array().unwrap().len(), 4);
    }

    #[test]
    fn tools_are_offered_alike_in_both_formats() {
        let tool = Tool {
            name: "bash".to_owned(),
            description: "Runs a command".to_owned(),
            parameters: json!({"type": "object", "properties": {}}),
        };
        for wire in [Wire::OpenAi, Wire::CohereV2] {
            let body = wire.request("m", &[], std::slice::from_ref(&tool), &Map::new());
            assert_eq!(
                body["tools"],
                json!([{"type": "function", "function": {
                    "name": "bash",
                    "description": "Runs a command",
                    "parameters": {"type": "object", "properties": {}},
                }}])
            );
        }
    }

    #[test]
    fn what_servers_do_to_tool_calls_is_mended_where_it_can_be() {
        let odd = json!([
            {"function": {"name": "bash", "arguments": {"command": "ls"}}},
            {"id": "", "function": {"name": "submit"}},
            {"id": " ", "function": {"name": "submit"}},
            {"id": 0, "function": {"name": "submit"}},
        ]);
        let mended = calls(&json!({"tool_calls": odd}));
        assert_eq!(mended[0].id, "call00001");
        assert_eq!(mended[0].arguments, r#"{"command":"ls"}"#);
        assert_eq!(mended[1].id, "call00002");
        assert_eq!(mended[1].arguments, "{}");
        assert_eq!(mended[2].id, "call00003");
        assert_eq!(mended[3].id, "call00004");
        for none in [json!(null), json!([]), json!({}), json!("bash")] {
            assert!(calls(&json!({"tool_calls": none})).is_empty(), "{none}");
        }
    }

    #[test]
    fn a_call_is_found_in_every_place_and_repeated_in_its_own() {
        let function = json!({"name": "bash", "arguments": "{}"});
        for message in [
            json!({"tool_calls": [{"id": "x", "function": function}]}),
            json!({"tool_calls": {"id": "x", "function": function}}),
            json!({"tool_calls": [{"id": "x", "name": "bash", "arguments": {}}]}),
            json!({"tool_calls": [{"id": "x", "type": "custom", "custom": {"name": "bash", "input": "{}"}}]}),
            json!({"tool_calls": [{"id": "x", "function": "bash", "parameters": {}}]}),
            json!({"function_call": {"id": "x", "name": "bash", "arguments": "{}"}}),
            json!({"tool_calls": [], "function_call": {"id": "x", "name": "bash"}}),
        ] {
            assert_eq!(
                repeated(&calls(&message)),
                json!([{"id": "x", "type": "function", "function": function}]),
                "{message}"
            );
        }
        for nameless in [
            json!(null),
            json!({"id": "x", "function": {"name": null, "arguments": "{}"}}),
            json!({"id": "x", "function": {}}),
            json!({"type": "custom"}),
        ] {
            let calls = calls(&json!({"tool_calls": [nameless]}));
            assert_eq!((calls.len(), calls[0].name.as_str()), (1, ""));
        }
    }
}
