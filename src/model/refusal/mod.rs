//! What a refusal means: by the endpoint's words, then by its status. Pure.
//!
//! The words are here once, for the native engine's calls and for triage, which meets the same texts
//! inside litellm's.

mod broken;
mod code;
mod family;
mod said;
mod status;
mod words;

use serde_json::{Value, json};

use crate::bench::RuleId;

pub(super) use code::code_of;
pub use said::are_of_the_endpoint;
pub(super) use said::{
    by_the_endpoint, that_may_refuse_fields, that_refuses_fields, that_refuses_marked_fields,
};
pub(super) use status::ROUTE_LOST;
pub use words::RefusalWords;

/// The triage rule of a conversation that is longer than the model's window.
pub(super) const CONTEXT_WINDOW: RuleId = RuleId::CONTEXT_WINDOW;
/// That of a content filter.
pub(super) const CONTENT_POLICY: RuleId = RuleId::CONTENT_POLICY;
/// That of a tool call which the endpoint could not read although its own model wrote it.
pub const FAILED_TOOL_CALL: RuleId = RuleId::FAILED_TOOL_CALL;
/// That of a response which is no reply.
pub(super) const MALFORMED: RuleId = RuleId::MALFORMED_RESPONSE;
/// That of an endpoint's pace.
pub(super) const RATE_LIMIT: RuleId = RuleId::RATE_LIMIT;
/// That of an endpoint without room.
pub(super) const OVERLOADED: RuleId = RuleId::OVERLOADED;
pub(super) const BAD_REQUEST: RuleId = RuleId::BAD_REQUEST;

/// The triage rule of a refusal with this status and body.
pub(super) fn rule_of(status: u16, body: &str) -> RuleId {
    let said = said::by_the_endpoint(body);
    of_said(code::behind(status, body).unwrap_or(status), &said)
}

fn of_said(status: u16, said: &str) -> RuleId {
    RefusalWords::read_at(status)
        .iter()
        .find(|words| words.are_in_said(said))
        .map_or_else(|| status::rule_of(status), |words| words.rule())
}

/// The rule of the same refusal where the endpoint answered the same settings before, if it is
/// another one.
pub(super) fn later_of(status: u16, body: &str) -> Option<RuleId> {
    if code::behind(status, body).is_some() {
        return None;
    }
    let said = said::by_the_endpoint(body);
    status::later(status, &of_said(status, &said), body, &said)
}

/// What a rule means for a request before which the endpoint answered none of its conversation: all
/// of it is the harness's and the task's, so that it says nothing about the agent.
#[must_use]
pub fn at_first(rule: &RuleId) -> Option<RuleId> {
    const TOO_LONG: [RuleId; 3] = [
        CONTEXT_WINDOW,
        RuleId::CONTEXT_WINDOW_TEXT,
        RuleId::REQUEST_TOO_LARGE,
    ];
    if TOO_LONG.contains(rule) {
        Some(RuleId::FIRST_PROMPT_TOO_LONG)
    } else if [CONTENT_POLICY, RuleId::CONTENT_POLICY_CLASS].contains(rule) {
        Some(RuleId::FIRST_PROMPT_FILTERED)
    } else {
        None
    }
}

/// What a rule means for a request after others of its conversation, with the same settings, were
/// answered: what is new in it is the conversation.
#[must_use]
pub fn later(rule: &RuleId) -> Option<RuleId> {
    let is_bad = [BAD_REQUEST, RuleId::BAD_REQUEST_TEXT].contains(rule);
    is_bad.then_some(RuleId::CONVERSATION_REFUSED)
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
        &body["fault"],
    ]
    .into_iter()
    .find(is_there)
    .or_else(|| {
        let failed = &body["base_resp"];
        (failed["status_code"].as_i64().unwrap_or(0) != 0).then_some(failed)
    })
    .or_else(|| {
        let is_told = body["msg"].is_string() && says_that_it_failed(body);
        let is_error = is_error || is_told || has_a_code_of_failure(body);
        (is_error || body["message"].is_string()).then_some(body)
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

/// Whether it does by a code that names itself one of an error: Baidu's, Lambda's, a gateway's.
fn has_a_code_of_failure(body: &Value) -> bool {
    let is_failure = |code: &Value| match code {
        Value::Number(number) => number.as_i64() != Some(0),
        Value::String(code) => !["", "0"].contains(&code.trim()),
        _ => false,
    };
    let texts = ["error_msg", "errorMessage", "error_message", "errorMsg"];
    let is_told = texts.iter().any(|name| body[*name].is_string());
    let codes = ["error_code", "errorCode"];
    is_told && codes.iter().any(|name| is_failure(&body[*name])) || is_wrapped(body)
}

/// Whether it is another response with its status, in an envelope.
fn is_wrapped(body: &Value) -> bool {
    let failed = body["statusCode"].as_u64().is_some_and(|code| code >= 400);
    failed && body["body"].is_string()
}

/// What a response that holds an error says beside what its model wrote, which may be about anything.
pub(super) fn beside_the_reply(body: &Value) -> Value {
    let mut said = body.clone();
    if let Value::Object(fields) = &mut said {
        fields.remove("choices");
        // What a request's body would be elsewhere is the response's.
        if is_wrapped(body)
            && let Some(inner) = fields.remove("body")
        {
            fields.insert("wrapped".to_owned(), inner);
        }
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
            assert_eq!(rule_of(502, &said), RuleId::SERVER_ERROR, "{body}");
            assert_eq!(rule_of(200, &said), MALFORMED, "{body}");
            assert!(began(&body), "{body}");
        }
        let body = json!({"choices": [{"message": {"content": ""},
            "error": {"message": "Invalid API key"}}]});
        assert_eq!(
            rule_of(200, &beside_the_reply(&body).to_string()),
            RuleId::AUTHENTICATION
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
            // Five digits are a status and more in `FastChat`'s shape only.
            (json!({"message": "x", "code": 40303}), None),
            (
                json!({"base_resp": {"status_code": 1000, "status_msg": "x"}}),
                Some(500),
            ),
            (
                json!({"base_resp": {"status_code": 1013, "status_msg": "x"}}),
                Some(500),
            ),
            (
                json!({"base_resp": {"status_code": 1001, "status_msg": "x"}}),
                Some(408),
            ),
            (json!({"object": "error"}), None),
            (json!({"code": 7, "msg": "x"}), None),
            (json!({"code": "7", "msg": "x"}), None),
            (json!({"success": false, "msg": "x"}), None),
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
            (json!({"error_code": 110, "error_msg": "no"}), Some(401)),
            (json!({"error_code": 18, "error_msg": "qps"}), Some(429)),
            (json!({"error_code": 336_003, "error_msg": "no"}), None),
            (json!({"statusCode": 401, "message": "x"}), Some(401)),
            (json!({"statusCode": 429, "body": "{}"}), Some(429)),
            (json!({"errorCode": "401", "errorMessage": "x"}), Some(401)),
            (
                json!({"fault": {"faultstring": "x", "detail": {"errorcode": "oauth.v2.InvalidApiKey"}}}),
                Some(401),
            ),
            (
                json!({"fault": {"detail": {"errorcode": "policies.ratelimit.SpikeArrestViolation"}}}),
                Some(429),
            ),
            (json!({"error": "rate_limit_exceeded"}), Some(429)),
            (json!({"error": "Internal Server Error"}), Some(500)),
            (
                json!({"__type": "com.quay#ThrottlingException", "message": "x"}),
                Some(429),
            ),
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
            json!({"choices": [], "error": ""}),
            json!({"code": 0, "msg": "ok"}),
            json!({"message": {"content": []}, "error": {}}),
            json!({"base_resp": {"status_code": 0}}),
            json!({"code": 200, "msg": "ok", "success": true, "choices": []}),
            json!({"error_code": 0, "error_msg": "", "choices": []}),
            json!({"statusCode": 200, "body": "{}"}),
        ] {
            assert_eq!(error_of(&body), None, "{body}");
        }
    }
    #[test]
    fn a_reply_began_where_any_part_of_it_is_there() {
        for (message, wanted) in [
            (json!({"content": "I"}), true),
            (json!({"content": [{"type": "text", "text": "I"}]}), true),
            (json!({"content": null, "tool_calls": [{}]}), true),
            (json!({"content": "", "tool_calls": []}), false),
            (json!({"content": []}), false),
        ] {
            assert_eq!(began(&json!({"message": message})), wanted, "{message}");
        }
    }

    #[test]
    fn what_a_refusal_means_depends_on_what_was_answered_before() {
        for rule in [
            CONTEXT_WINDOW,
            RuleId::CONTEXT_WINDOW_TEXT,
            RuleId::REQUEST_TOO_LARGE,
        ] {
            assert_eq!(at_first(&rule), Some(RuleId::FIRST_PROMPT_TOO_LONG));
            assert_eq!(later(&rule), None);
        }
        for rule in [CONTENT_POLICY, RuleId::CONTENT_POLICY_CLASS] {
            assert_eq!(at_first(&rule), Some(RuleId::FIRST_PROMPT_FILTERED));
        }
        for rule in [BAD_REQUEST, RuleId::BAD_REQUEST_TEXT] {
            assert_eq!(at_first(&rule), None);
            assert_eq!(later(&rule), Some(RuleId::CONVERSATION_REFUSED));
        }
    }
}
