//! What a refusal means: by the endpoint's words, then by its status. Pure.
//!
//! The words are here once, for the native engine's calls and for triage, which meets the same texts
//! inside litellm's.

mod said;
mod status;
mod words;

use serde_json::{Value, json};

pub use said::are_of_the_endpoint;
pub(super) use said::{by_the_endpoint, that_may_refuse_fields};
pub(super) use status::ROUTE_LOST;
pub use words::Words;

/// The triage rule of a conversation that is longer than the model's window.
pub(super) const CONTEXT_WINDOW: &str = "context_window";
/// That of a content filter.
pub(super) const CONTENT_POLICY: &str = "content_policy";
/// That of a tool call which the endpoint could not read although its own model wrote it.
pub const FAILED_TOOL_CALL: &str = "failed_tool_call";
/// That of a response which is no reply.
pub(super) const MALFORMED: &str = "malformed_response";
pub(super) const BAD_REQUEST: &str = "bad_request";

/// The triage rule of a refusal with this status and body.
pub(super) fn rule_of(status: u16, body: &str) -> &'static str {
    of_said(status, &said::by_the_endpoint(body))
}

fn of_said(status: u16, said: &str) -> &'static str {
    Words::read_at(status)
        .iter()
        .find(|words| words.are_in_said(said))
        .map_or_else(|| status::rule_of(status), |words| words.rule())
}

/// The rule of the same refusal where the endpoint answered the same settings before, if it is
/// another one.
pub(super) fn later_of(status: u16, body: &str) -> Option<&'static str> {
    let said = said::by_the_endpoint(body);
    status::later(status, of_said(status, &said), body, &said)
}

/// What a rule means for a request before which the endpoint answered none of its conversation: all
/// of it is the harness's and the task's, so that it says nothing about the agent.
#[must_use]
pub fn at_first(rule: &str) -> Option<&'static str> {
    match rule {
        "context_window" | "context_window_text" | "request_too_large" => {
            Some("first_prompt_too_long")
        }
        "content_policy" | "content_policy_class" => Some("first_prompt_filtered"),
        _ => None,
    }
}

/// What a rule means for a request after others of its conversation, with the same settings, were
/// answered: what is new in it is the conversation.
#[must_use]
pub fn later(rule: &str) -> Option<&'static str> {
    matches!(rule, "bad_request" | "bad_request_text").then_some("conversation_refused")
}

/// The error in a response that is none, in one of the shapes that endpoints have for it.
pub(super) fn error_of(body: &Value) -> Option<&Value> {
    let is_there = |value: &&Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    };
    let body = first(body);
    let is_error = body["object"] == "error" || body["type"] == "error";
    [
        &body["error"],
        &body["choices"][0]["error"],
        &body["choices"][0]["message"]["error"],
        &body["errors"],
        &body["detail"],
    ]
    .into_iter()
    .find(is_there)
    .or_else(|| {
        let failed = &body["base_resp"];
        (failed["status_code"].as_i64().unwrap_or(0) != 0).then_some(failed)
    })
    .or_else(|| {
        let is_told = body["msg"].is_string() && says_that_it_failed(body);
        (is_error || is_told || body["message"].is_string()).then_some(body)
    })
}

/// A list's first element: some put their one error into a list.
fn first(value: &Value) -> &Value {
    value.get(0).unwrap_or(value)
}

/// Whether a response whose code is not HTTP's says that it is none.
fn says_that_it_failed(body: &Value) -> bool {
    let code = match &body["code"] {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    body["success"] == false || code.is_some_and(|code| ![0, 200].contains(&code))
}

/// What a response that holds an error says beside what its model wrote, which may be about anything.
pub(super) fn beside_the_reply(body: &Value) -> Value {
    let mut said = body.clone();
    if let Value::Object(fields) = &mut said {
        fields.remove("choices");
        if fields.get("message").is_some_and(Value::is_object) {
            fields.remove("message");
        }
    }
    let inside = [
        &body["choices"][0]["error"],
        &body["choices"][0]["message"]["error"],
        &body["message"]["error"],
    ];
    json!({"response": said, "inside": inside})
}

/// Whether part of a reply came with an error: it was generated, and may be billed.
pub(super) fn began(body: &Value) -> bool {
    let is_there = |value: &Value| match value {
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => false,
    };
    let names = ["content", "reasoning_content", "reasoning", "tool_calls"];
    [&body["choices"][0]["message"], &body["message"]]
        .into_iter()
        .any(|message| names.iter().any(|name| is_there(&message[*name])))
}

/// The HTTP status that an error's code stands for.
pub(super) fn code_of(error: &Value, body: &Value) -> Option<u16> {
    let names = ["code", "status", "status_code", "http_code", "type"];
    let is_minimax = std::ptr::eq(error, &raw const body["base_resp"]);
    let (error, body) = (first(error), first(body));
    if is_minimax && let Some(status) = of_minimax(&error["status_code"]) {
        return Some(status);
    }
    let told = [error, &error["error"], body];
    let codes = || {
        told.iter()
            .flat_map(|value| names.iter().map(|name| &value[*name]))
    };
    codes().find_map(number).or_else(|| codes().find_map(word))
}

fn number(code: &Value) -> Option<u16> {
    let number = match code {
        Value::Number(number) => number.as_u64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let status = match number {
        400..=599 => number,
        // FastChat's begin with the status.
        40_000..=59_999 => number / 100,
        _ => return None,
    };
    u16::try_from(status).ok()
}

/// The statuses that `MiniMax`'s own numbers stand for; others number otherwise.
fn of_minimax(code: &Value) -> Option<u16> {
    Some(match code.as_u64()? {
        1000 | 1013 => 500,
        1001 => 408,
        1002 => 429,
        1004 => 401,
        1008 => 402,
        _ => return None,
    })
}

/// The names that providers have for what others say by a status.
fn word(code: &Value) -> Option<u16> {
    let word = code.as_str()?.to_lowercase().replace([' ', '-'], "_");
    let word = word.strip_suffix("error").unwrap_or(&word);
    let word = word.trim_end_matches('_');
    Some(match word {
        "authentication" | "invalid_api_key" | "unauthorized" | "unauthenticated" | "auth" => 401,
        "billing" | "payment_required" | "insufficient_balance" | "insufficient_credits" => 402,
        "permission" | "permission_denied" | "forbidden" | "access_denied" => 403,
        "not_found" | "model_not_found" | "notfound" => 404,
        "rate_limit"
        | "rate_limit_exceeded"
        | "rate_limited"
        | "too_many_requests"
        | "resource_exhausted"
        | "insufficient_quota" => 429,
        "overloaded" | "unavailable" | "service_unavailable" => 503,
        "timeout" | "deadline_exceeded" | "gateway_timeout" => 504,
        "api" | "server" | "internal" | "internal_server" | "internalserver" | "bad_gateway"
        | "upstream" | "provider" => 500,
        "invalid_request" | "invalid_argument" | "badrequest" | "bad_request" | "validation" => 400,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_model_wrote_before_an_error_says_nothing_of_it() {
        let wrote = "It raises AuthenticationError: invalid api key; the maximum context length is";
        let message = json!({"content": wrote});
        for body in [
            json!({"choices": [{"message": message, "finish_reason": "error"}],
                "error": {"message": "The upstream hung up"}}),
            json!({"choices": [{"message": message, "error": {"message": "It hung up"}}]}),
            json!({"message": message, "error": "The upstream hung up"}),
        ] {
            let said = beside_the_reply(&body).to_string();
            assert_eq!(rule_of(502, &said), "server_error", "{body}");
            assert_eq!(rule_of(200, &said), MALFORMED, "{body}");
            assert!(began(&body), "{body}");
        }
        let body = json!({"choices": [{"message": {"content": ""},
            "error": {"message": "Invalid API key"}}]});
        assert_eq!(
            rule_of(200, &beside_the_reply(&body).to_string()),
            "authentication"
        );
        assert!(!began(&body));
    }

    #[test]
    fn an_error_is_found_in_every_shape_with_its_code() {
        for (body, code) in [
            (json!({"error": {"code": "429"}}), Some(429)),
            (
                json!({"error": {"type": "authentication_error"}}),
                Some(401),
            ),
            (json!({"error": "out of memory"}), None),
            (json!({"error": "busy", "code": 503}), Some(503)),
            (
                json!({"object": "error", "message": "x", "code": 40303}),
                Some(403),
            ),
            (
                json!({"object": "error", "message": "x", "type": "BadRequestError"}),
                Some(400),
            ),
            (
                json!({"type": "error", "error": {"type": "overloaded_error"}}),
                Some(503),
            ),
            (
                json!({"base_resp": {"status_code": 1008, "status_msg": "x"}}),
                Some(402),
            ),
            (json!({"message": "invalid api token"}), None),
            (json!({"error": {"code": "1002", "message": "x"}}), None),
            (
                json!({"code": 403, "msg": "x", "success": false}),
                Some(403),
            ),
            (json!([{"error": {"code": 400, "message": "x"}}]), Some(400)),
            (
                json!({"errors": [{"code": 429, "message": "x"}]}),
                Some(429),
            ),
            (json!({"choices": [{"error": {"code": 502}}]}), Some(502)),
            (
                json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}),
                Some(429),
            ),
        ] {
            let error = error_of(&body).unwrap_or_else(|| panic!("{body}"));
            assert_eq!(code_of(error, &body), code, "{body}");
        }
        for body in [
            json!({"choices": [], "error": null}),
            json!({"message": {"content": []}, "error": {}}),
            json!({"base_resp": {"status_code": 0}}),
            json!({"code": 200, "msg": "ok", "success": true, "choices": []}),
        ] {
            assert_eq!(error_of(&body), None, "{body}");
        }
    }
}
