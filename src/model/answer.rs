//! What a response says: a reply, or one of the things that come with status 200 and are none.

use serde_json::Value;

use super::chat::Message;
use super::provider::Wire;
use super::refusal::{self, CONTENT_POLICY, CONTEXT_WINDOW, FAILED_TOOL_CALL, MALFORMED};
use super::wire::{Finish, finish_behind};
use crate::bench::{RuleId, Usage};
use crate::json;

/// A usable reply, read from a response in either wire format.
#[derive(Debug)]
pub(super) struct ModelAnswer {
    pub message: Message,
    pub usage: Option<Usage>,
    /// Whether it ends where the endpoint's limit of output was, and not where the model wanted to.
    pub is_cut: bool,
}

/// Why a response, though its status is a success, holds no usable reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoReply {
    /// No chat response, or a generation that failed.
    Failed {
        why: String,
        /// The triage rule it falls under.
        rule: RuleId,
    },
    /// An error, which other endpoints put into the status.
    Refused {
        /// The status that its code stands for; 200 where it has none.
        status: u16,
    },
}

impl ModelAnswer {
    /// Reads the JSON of a response whose status is a success.
    pub fn of(wire: Wire, body: &Value) -> Result<Self, NoReply> {
        let failed = |why: String, rule| NoReply::Failed { why, rule };
        let error = refusal::error_of(body);
        let finish = wire.finish(body);
        let ends = || finish.into_iter().chain(finish_behind(body));
        let (mut message, usage) = match (wire.parse(body), error) {
            (Ok(read), _) => read,
            (Err(_), Some(error)) => return Err(refused(error, body)),
            // Its end says more than that nothing came.
            (Err(why), None) => ends()
                .any(|(finish, _)| finish != Finish::Whole)
                .then(|| wire.without_message(body))
                .flatten()
                .ok_or_else(|| failed(why, MALFORMED))?,
        };
        let is_silent = message.content.trim().is_empty() && message.tool_calls.is_empty();
        // What a proxy calls a stop may be none, where nothing came.
        let behind = finish_behind(body).filter(|_| is_silent || finish.is_none());
        for (finish, word) in finish.into_iter().chain(behind) {
            let named = |what: &str| format!("{what} (finish_reason {word})");
            match finish {
                Finish::Failed => {
                    return Err(error.map_or_else(
                        || failed(named("its generation failed"), MALFORMED),
                        |error| refused(error, body),
                    ));
                }
                Finish::Filtered => {
                    return Err(failed(
                        named("a content filter took the reply away"),
                        CONTENT_POLICY,
                    ));
                }
                Finish::BrokenCall => {
                    return Err(failed(
                        named("the model's tool call could not be read there"),
                        FAILED_TOOL_CALL,
                    ));
                }
                Finish::Whole if is_silent && ends_in_calls(word) => {
                    return Err(failed(
                        named("the model's tool calls are missing in it"),
                        FAILED_TOOL_CALL,
                    ));
                }
                Finish::WindowFull if is_silent => {
                    return Err(failed(named("the model's window is full"), CONTEXT_WINDOW));
                }
                Finish::Whole | Finish::Cut | Finish::WindowFull => {}
            }
        }
        // What came beside an error is the half of a reply; calls that can be read are whole.
        if let Some(error) = error.filter(|error| is_the_generations(error, body))
            && message.tool_calls.is_empty()
        {
            return Err(refused(error, body));
        }
        let is_cut = finish
            .or(behind)
            .is_some_and(|(finish, _)| matches!(finish, Finish::Cut | Finish::WindowFull));
        // A model that only thinks has said nothing either, but it has been at work.
        let was_at_work = usage.map_or(is_cut, |usage| usage.output_tokens > 0) || thinks(body);
        if is_silent && !was_at_work {
            return Err(match error {
                Some(error) => refused(error, body),
                None => failed("it is empty, and no tokens were used".to_owned(), MALFORMED),
            });
        }
        for call in &mut message.tool_calls {
            if let std::borrow::Cow::Owned(mended) = json::mended(&call.arguments) {
                call.arguments = mended;
            }
        }
        Ok(Self {
            message,
            usage,
            is_cut,
        })
    }
}

fn refused(error: &Value, body: &Value) -> NoReply {
    NoReply::Refused {
        status: refusal::code_of(error, body).unwrap_or(200),
    }
}

/// Whether an error stands where that of a generation does, and says something.
fn is_the_generations(error: &Value, body: &Value) -> bool {
    let says = |value: &Value| match value {
        Value::String(text) => !text.trim().is_empty(),
        Value::Number(code) => !matches!(code.as_u64(), Some(0 | 200)),
        Value::Array(_) | Value::Object(_) | Value::Bool(true) => true,
        Value::Null | Value::Bool(false) => false,
    };
    let says = match error {
        Value::Object(fields) => fields.values().any(says),
        other => says(other),
    };
    let places = [&body["error"], &body["choices"][0]["error"]];
    says && places.contains(&error)
}

/// Whether a generation is said to end in tool calls.
fn ends_in_calls(word: &str) -> bool {
    let word = word.to_lowercase();
    word.starts_with("tool_") || word == "function_call"
}

/// Whether a response holds the model's thoughts, by the names that servers have for them.
fn thinks(body: &Value) -> bool {
    let message = if body["message"].is_object() {
        &body["message"]
    } else {
        &body["choices"][0]["message"]
    };
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
    let names = [
        "reasoning_content",
        "reasoning",
        "thinking",
        "reasoning_text",
    ];
    names.iter().any(|name| is_text(&message[name]))
        || message["content"]
            .as_array()
            .is_some_and(|parts| parts.iter().any(|part| is_text(&part["thinking"])))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn openai(choice: &Value) -> Result<ModelAnswer, NoReply> {
        ModelAnswer::of(Wire::OpenAi, &json!({"choices": [choice]}))
    }

    fn rule(answer: Result<ModelAnswer, NoReply>) -> RuleId {
        match answer.unwrap_err() {
            NoReply::Failed { rule, .. } => rule,
            other @ NoReply::Refused { .. } => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_generation_that_failed_is_no_reply_whatever_came_of_it() {
        let message = json!({"role": "assistant", "content": "I will now"});
        let failed = rule(openai(
            &json!({"finish_reason": "error", "message": message}),
        ));
        assert_eq!(failed, MALFORMED);
        let body = json!({"finish_reason": "TIMEOUT", "usage": null,
            "message": {"role": "assistant", "content": []}});
        let NoReply::Failed { why, .. } = ModelAnswer::of(Wire::CohereV2, &body).unwrap_err()
        else {
            panic!();
        };
        assert_eq!(why, "its generation failed (finish_reason TIMEOUT)");
    }

    #[test]
    fn an_empty_answer_is_a_reply_only_where_the_model_was_at_work() {
        let message = json!({"role": "assistant", "content": ""});
        let silent = json!({"finish_reason": "stop", "message": message});
        assert_eq!(rule(openai(&silent)), MALFORMED);
        let with = |tokens: u64| json!({"choices": [silent], "usage": {"prompt_tokens": 9, "completion_tokens": tokens}});
        assert!(ModelAnswer::of(Wire::OpenAi, &with(0)).is_err());
        assert!(ModelAnswer::of(Wire::OpenAi, &with(7)).is_ok());
        let message = json!({"role": "assistant", "content": null, "reasoning_content": "Hm."});
        assert!(openai(&json!({"finish_reason": "stop", "message": message})).is_ok());
        let message = json!({"content": [{"type": "thinking", "thinking": "Hm."}]});
        let body = json!({"finish_reason": "COMPLETE", "message": message});
        assert!(ModelAnswer::of(Wire::CohereV2, &body).is_ok());
    }

    #[test]
    fn the_word_of_the_provider_behind_a_proxy_counts_where_nothing_came() {
        let choice = |text: &str| {
            json!({"finish_reason": "stop", "message": {"content": text},
                "provider_specific_fields": {"native_finish_reason": "MALFORMED_FUNCTION_CALL"}})
        };
        assert_eq!(rule(openai(&choice(""))), FAILED_TOOL_CALL);
        assert!(openai(&choice("Here it is.")).is_ok());
        // Without a word of the proxy's, it is the only one.
        let choice = |word: &str| {
            json!({"finish_reason": null, "native_finish_reason": word,
                "message": {"content": "Now I"}})
        };
        assert_eq!(rule(openai(&choice("network_error"))), MALFORMED);
        assert!(openai(&choice("MAX_TOKENS")).unwrap().is_cut);
        assert!(openai(&choice("STOP")).is_ok());
    }

    #[test]
    fn calls_that_are_said_to_be_there_and_are_not_were_not_read() {
        let choice = |text: &str| json!({"finish_reason": "tool_calls", "message": {"content": text, "tool_calls": []}});
        assert_eq!(rule(openai(&choice(""))), FAILED_TOOL_CALL);
        assert!(openai(&choice("I look at it.")).is_ok());
    }

    #[test]
    fn what_was_cut_is_a_reply_that_says_so() {
        let choice = json!({"finish_reason": "length", "message": {"content": "I look at"}});
        assert!(openai(&choice).unwrap().is_cut);
        let choice = json!({"finish_reason": "model_length", "message": {"content": ""}});
        assert_eq!(rule(openai(&choice)), CONTEXT_WINDOW);
    }

    #[test]
    fn an_end_without_a_message_has_its_words_meaning() {
        for choice in [json!({}), json!({"message": null})] {
            for (word, expected) in [
                ("content_filter", CONTENT_POLICY),
                ("model_length", CONTEXT_WINDOW),
                ("MALFORMED_FUNCTION_CALL", FAILED_TOOL_CALL),
                // Whose fault it is that nothing came, this end does not say.
                ("tool_calls", MALFORMED),
                ("abort", MALFORMED),
                ("stop", MALFORMED),
            ] {
                let mut choice = choice.clone();
                choice["finish_reason"] = json!(word);
                assert_eq!(rule(openai(&choice)), expected, "{word}");
            }
            let mut choice = choice.clone();
            choice["finish_reason"] = json!("length");
            assert!(openai(&choice).unwrap().is_cut);
            let with = |tokens: u64| json!({"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": tokens}});
            assert_eq!(rule(ModelAnswer::of(Wire::OpenAi, &with(0))), MALFORMED);
            let said = ModelAnswer::of(Wire::OpenAi, &with(64)).unwrap();
            assert_eq!(said.usage.map(|usage| usage.output_tokens), Some(64));
        }
        for (word, expected) in [
            ("ERROR_TOXIC", CONTENT_POLICY),
            ("ERROR_LIMIT", CONTEXT_WINDOW),
            ("ERROR", MALFORMED),
        ] {
            let body = json!({"finish_reason": word, "message": null});
            assert_eq!(
                rule(ModelAnswer::of(Wire::CohereV2, &body)),
                expected,
                "{word}"
            );
        }
        // What has its text elsewhere is another format's.
        for place in ["text", "delta"] {
            let choice = json!({"finish_reason": "length", place: "So I"});
            assert_eq!(rule(openai(&choice)), MALFORMED);
        }
    }

    #[test]
    fn an_error_in_a_200_has_its_codes_meaning() {
        let status = |body: Value| match ModelAnswer::of(Wire::OpenAi, &body).unwrap_err() {
            NoReply::Refused { status } => status,
            other @ NoReply::Failed { .. } => panic!("{other:?}"),
        };
        assert_eq!(
            status(json!({"error": {"code": 429, "message": "slow"}})),
            429
        );
        assert_eq!(
            status(json!({"error": {"message": "busy"}, "choices": null})),
            200
        );
        let choice = json!({"finish_reason": "error", "message": {"content": ""},
            "error": {"code": 502, "message": "the provider went away"}});
        assert_eq!(status(json!({"choices": [choice]})), 502);
    }

    #[test]
    fn half_a_reply_beside_an_error_is_none() {
        let error = json!({"code": 502, "message": "The line to the provider broke"});
        for finish in [json!(null), json!("stop"), json!("length")] {
            let choice = json!({"finish_reason": finish, "message": {"content": "Now I"}});
            let mut inside = choice.clone();
            inside["error"] = error.clone();
            for body in [
                json!({"choices": [choice], "error": error, "usage": null}),
                json!({"choices": [inside]}),
            ] {
                let said = ModelAnswer::of(Wire::OpenAi, &body).unwrap_err();
                assert_eq!(said, NoReply::Refused { status: 502 }, "{body}");
            }
        }
        // A call that came whole is one, and a field that says nothing is no error.
        let call = json!({"id": "c", "function": {"name": "bash", "arguments": "{}"}});
        let calls = json!({"message": {"content": null, "tool_calls": [call]}});
        let body = json!({"choices": [calls], "error": error});
        assert!(ModelAnswer::of(Wire::OpenAi, &body).is_ok());
        let reply = json!({"message": {"content": "Hi."}});
        for beside in [
            json!({"error": null}),
            json!({"error": {"code": 0, "message": ""}}),
            json!({"errors": [], "detail": "cached", "message": "OK"}),
        ] {
            let mut body = beside.clone();
            body["choices"] = json!([reply]);
            assert!(ModelAnswer::of(Wire::OpenAi, &body).is_ok(), "{body}");
        }
    }

    #[test]
    fn half_a_character_in_arguments_is_mended() {
        let call = json!({"id": "c", "function": {"name": "bash",
            "arguments": r#"{"command": "echo \ud83d"}"#}});
        let said = openai(&json!({"message": {"content": null, "tool_calls": [call]}})).unwrap();
        assert_eq!(
            said.message.tool_calls[0].arguments,
            r#"{"command": "echo \ufffd"}"#
        );
    }
    #[test]
    fn a_full_window_is_an_error_only_where_nothing_was_said() {
        let choice = |text: &str| json!({"finish_reason": "model_length", "message": {"role": "assistant", "content": text}});
        assert_eq!(rule(openai(&choice(""))), CONTEXT_WINDOW);
        assert!(openai(&choice("Here it is.")).is_ok());
    }
}
