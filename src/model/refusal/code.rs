//! The HTTP status that an error's code stands for. Pure.

use serde_json::Value;

use super::{error_of, first};

/// The keys under which errors, and what is beside them, have their codes.
const NAMES: [&str; 11] = [
    "code",
    "status",
    "status_code",
    "statusCode",
    "http_code",
    "error_code",
    "errorCode",
    // Apigee's.
    "errorcode",
    "http_status",
    "type",
    // AWS's.
    "__type",
];

/// The status that an error's code stands for.
pub(in crate::model) fn code_of(error: &Value, body: &Value) -> Option<u16> {
    let is_minimax = std::ptr::eq(error, &raw const body["base_resp"]);
    if is_minimax && let Some(status) = of_minimax(&first(error)["status_code"]) {
        return Some(status);
    }
    if body["error_msg"].is_string()
        && let Some(status) = of_baidu(&body["error_code"])
    {
        return Some(status);
    }
    let codes = codes(error, body);
    let by_number = codes.iter().find_map(|code| number(code, body));
    by_number.or_else(|| codes.iter().find_map(|code| word(code)))
}

/// The status behind one that blames the request although the error in it says that it was not to
/// blame: gateways hand on a limit or a failure as a 400 or a 403.
///
/// A word that only says whose error it is (`upstream_error`) says nothing of what it is.
pub(super) fn behind(status: u16, body: &str) -> Option<u16> {
    const OF_OTHERS: [&str; 3] = ["api", "upstream", "provider"];
    if ![400, 403].contains(&status) {
        return None;
    }
    let body: Value = serde_json::from_str(body).ok()?;
    let codes = codes(error_of(&body)?, &body);
    let passes = |code: u16| passes(code, status);
    let told = codes
        .iter()
        .find_map(|code| number(code, &body))
        .or_else(|| {
            let named = codes.iter().filter(|code| {
                let name = code.as_str().map(name).unwrap_or_default();
                !OF_OTHERS.contains(&name.as_str())
            });
            named
                .filter_map(|code| word(code))
                .find(|code| passes(*code))
        })?;
    passes(told).then_some(told)
}

/// Whether a code outweighs the status it comes with: a refused key is no failure of a server, whatever
/// numbers are beside it.
const fn passes(code: u16, status: u16) -> bool {
    code == 429 || status != 403 && matches!(code, 408 | 500..=599)
}

/// All codes of an error, and those beside it.
fn codes<'a>(error: &'a Value, body: &'a Value) -> Vec<&'a Value> {
    let (error, body) = (first(error), first(body));
    let told = [error, &error["error"], &error["detail"], body];
    let inside = told
        .into_iter()
        .flat_map(|value| NAMES.map(|name| &value[name]));
    // Where an error is a word, that is its code.
    std::iter::once(error).chain(inside).collect()
}

fn number(code: &Value, body: &Value) -> Option<u16> {
    let number = match code {
        Value::Number(number) => number.as_u64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let status = match number {
        400..=599 => number,
        // FastChat's begin with the status.
        40_000..=59_999 if body["object"] == "error" => number / 100,
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

/// The statuses that Baidu's own numbers stand for.
fn of_baidu(code: &Value) -> Option<u16> {
    Some(match code.as_u64()? {
        1 | 336_000 => 500,
        2 | 336_100 => 503,
        4 | 17 | 18 => 429,
        6 => 403,
        110 | 111 => 401,
        _ => return None,
    })
}

/// A code's name as words are compared: without what it is a member of, in small letters with lines
/// between, and without saying that it is an error.
fn name(code: &str) -> String {
    let last = code.trim().rsplit(['#', '.']).next().unwrap_or_default();
    let mut name = String::new();
    let mut before = ' ';
    for c in last.chars() {
        if c.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit()) {
            name.push('_');
        }
        name.extend(c.to_lowercase());
        before = c;
    }
    let name = name.replace([' ', '-'], "_");
    let ends = ["error", "exception"];
    let short = ends.iter().find_map(|end| name.strip_suffix(end));
    short.unwrap_or(&name).trim_end_matches('_').to_owned()
}

/// The names that providers have for what others say by a status.
fn word(code: &Value) -> Option<u16> {
    Some(match name(code.as_str()?).as_str() {
        "authentication" | "invalid_api_key" | "unauthorized" | "unauthenticated" | "auth" => 401,
        "billing" | "payment_required" | "insufficient_balance" | "insufficient_credits" => 402,
        "permission" | "permission_denied" | "forbidden" | "access_denied" => 403,
        "not_found" | "model_not_found" | "notfound" => 404,
        "rate_limit"
        | "rate_limit_exceeded"
        | "rate_limit_reached"
        | "rate_limited"
        | "too_many_requests"
        | "throttling"
        | "throttled"
        | "quota_violation"
        | "spike_arrest_violation"
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
    use serde_json::json;

    use super::*;

    #[test]
    fn a_limit_or_a_failure_behind_a_400_is_found() {
        for (body, status) in [
            (json!({"error": {"code": 429, "message": "x"}}), Some(429)),
            (
                json!({"error": {"type": "server_error", "code": "500"}}),
                Some(500),
            ),
            (json!({"error": {"type": "rate_limit_error"}}), Some(429)),
            (
                json!({"type": "error", "error": {"type": "overloaded_error"}}),
                Some(503),
            ),
            (
                json!({"__type": "ThrottlingException", "message": "x"}),
                Some(429),
            ),
            (
                json!({"error": {"message": "x", "type": "server_error"}}),
                Some(500),
            ),
            // Whose it is, and not what.
            (
                json!({"error": {"message": "x", "type": "upstream_error"}}),
                None,
            ),
            (
                json!({"error": {"message": "x", "type": "api_error", "code": null}}),
                None,
            ),
            (
                json!({"error": {"type": "rate_limit_error", "code": 400}}),
                None,
            ),
            (json!({"error": {"type": "invalid_request_error"}}), None),
            (json!({"error": "The prompt is too long"}), None),
        ] {
            assert_eq!(behind(400, &body.to_string()), status, "{body}");
            assert_eq!(behind(422, &body.to_string()), None);
        }
        assert_eq!(behind(400, "<html>"), None);
    }

    #[test]
    fn a_refused_key_stays_one_whatever_numbers_are_beside_it() {
        for body in [
            r#"{"code":50001,"message":"token is invalid"}"#,
            r#"{"status":500,"message":"Forbidden"}"#,
            r#"{"error":{"message":"no access to the model","type":"server_error"}}"#,
        ] {
            assert_eq!(behind(403, body), None, "{body}");
        }
        assert_eq!(
            behind(403, r#"{"error":{"code":429,"message":"slow"}}"#),
            Some(429)
        );
        let of_fastchat = r#"{"object":"error","message":"busy","code":50002}"#;
        assert_eq!(behind(400, of_fastchat), Some(500));
    }
    #[test]
    fn providers_own_numbers_and_words_stand_for_statuses() {
        for (number, minimax, baidu) in [
            (1, None, Some(500)),
            (2, None, Some(503)),
            (4, None, Some(429)),
            (6, None, Some(403)),
            (110, None, Some(401)),
            (336_000, None, Some(500)),
            (336_100, None, Some(503)),
            (1000, Some(500), None),
            (1001, Some(408), None),
            (1002, Some(429), None),
            (1004, Some(401), None),
            (1008, Some(402), None),
            (1013, Some(500), None),
        ] {
            assert_eq!(of_minimax(&json!(number)), minimax, "{number}");
            assert_eq!(of_baidu(&json!(number)), baidu, "{number}");
        }
        for (said, status) in [
            ("AuthenticationError", Some(401)),
            ("insufficient_balance", Some(402)),
            ("billing_error", Some(402)),
            ("permission_error", Some(403)),
            ("PERMISSION_DENIED", Some(403)),
            ("not_found_error", Some(404)),
            ("NotFoundError", Some(404)),
            ("DEADLINE_EXCEEDED", Some(504)),
            ("TimeoutError", Some(504)),
            ("context_length_exceeded", None),
        ] {
            assert_eq!(word(&json!(said)), status, "{said}");
        }
    }
}
