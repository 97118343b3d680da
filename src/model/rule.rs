//! The triage rule that a failed call falls under.

use super::chat::ChatError;

/// What endpoints write when a conversation is longer than the model's context window, in lower
/// case; the triage rule `context_window_text` knows the same refusals.
const TOO_LONG: [&str; 10] = [
    "context_length",
    "context length",
    "context limit",
    "context size",
    "context window",
    "input is too long",
    "input tokens exceed",
    "maximum number of tokens",
    "prompt is too long",
    "too many tokens",
];

impl ChatError {
    /// The id of the triage rule that it falls under, as `src/triage/rules.toml` has it.
    #[must_use]
    pub fn rule(&self) -> &str {
        match self {
            Self::Unreachable { .. } => "connection",
            Self::TimedOut { .. } => "timeout",
            Self::Malformed { .. } => "malformed_response",
            Self::Status { status, body, .. } => of_status(*status, body),
            Self::Replay { .. } => "replay",
            Self::Recorded { rule, .. } => rule,
            Self::Tape { .. } => "host_io",
        }
    }
}

fn of_status(status: u16, body: &str) -> &'static str {
    match status {
        300..=399 => "redirect",
        400 | 422 if speaks_of_length(body) => "context_window",
        401 => "authentication",
        402 => "payment_required",
        403 => "permission_denied",
        404 => "unknown_model",
        408 => "timeout",
        413 => "request_too_large",
        429 => "rate_limit",
        503 | 529 => "overloaded",
        500..=599 => "server_error",
        _ => "bad_request",
    }
}

fn speaks_of_length(body: &str) -> bool {
    let body = body.to_lowercase();
    TOO_LONG.iter().any(|phrase| body.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16, body: &str) -> ChatError {
        ChatError::Status {
            url: "http://localhost/v1/chat/completions".to_owned(),
            status,
            body: body.to_owned(),
            tries: 1,
        }
    }

    #[test]
    fn every_failure_falls_under_a_rule_that_there_is() {
        let failures = [
            ChatError::Unreachable {
                url: String::new(),
                why: String::new(),
                tries: 1,
            },
            ChatError::TimedOut {
                url: String::new(),
                seconds: 1,
                tries: 1,
            },
            ChatError::Malformed {
                url: String::new(),
                why: String::new(),
                body: String::new(),
                tries: 1,
            },
            ChatError::Tape {
                path: String::new(),
                why: String::new(),
            },
            status(422, "too many tokens: total number of tokens"),
        ];
        let statuses = [
            301, 400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529,
        ];
        let rules = include_str!("../triage/rules.toml");
        for failure in failures
            .into_iter()
            .chain(statuses.map(|number| status(number, "")))
        {
            let line = format!("id = \"{}\"", failure.rule());
            assert!(rules.lines().any(|other| other == line), "{line}");
        }
    }

    #[test]
    fn a_request_that_is_too_long_is_the_agents_and_any_other_bad_one_a_settings() {
        for body in [
            r#"{"message":"too many tokens: total number of tokens in the prompt cannot exceed 256000"}"#,
            r#"{"error":{"message":"This model's maximum context length is 128000 tokens."}}"#,
        ] {
            assert_eq!(status(400, body).rule(), "context_window");
            assert_eq!(status(500, body).rule(), "server_error");
        }
        let other = r#"{"error":{"message":"Unrecognized request argument supplied: k"}}"#;
        assert_eq!(status(400, other).rule(), "bad_request");
    }

    #[test]
    fn a_recorded_failure_keeps_its_rule() {
        let error = ChatError::Recorded {
            rule: "authentication".to_owned(),
            error: "401".to_owned(),
        };
        assert_eq!(error.rule(), "authentication");
        assert_eq!(error.to_string(), "401");
    }
}
