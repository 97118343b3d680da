//! One small chat call with a tool, to see whether a model answers before pairs are spent on it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{MAX_BODY, http};
use super::endpoint::{Endpoint, Failure};
use super::provider::{Wire, sent_name};
use crate::secret::{Mask, Secret, masked_url};

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_mins(1);

/// How the model answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Whether it called the tool, as an agent's every step needs.
    pub called_tool: bool,
    /// How long it took.
    pub took: Duration,
}

/// Why it did not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// Nothing answered there.
    #[error("nothing answers at {url}: {why}")]
    Unreachable {
        /// The endpoint.
        url: String,
        /// The connection's error.
        why: String,
    },
    /// It answered with an HTTP error.
    #[error("{url} answered {status}: {body}")]
    Refused {
        /// The endpoint.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The body's beginning.
        body: String,
    },
    /// It answered something that is no chat response.
    #[error("{url} answered 200, but no chat response: {body}")]
    NoChat {
        /// The endpoint.
        url: String,
        /// The body's beginning.
        body: String,
    },
}

/// Asks the model to call a tool once, at this endpoint and with this key only: no redirect is
/// followed.
///
/// `model` is litellm's name; the provider's prefix is not sent.
pub async fn probe(
    wire: Wire,
    model: &str,
    base: &str,
    key: Option<&Secret>,
) -> Result<Answer, ProbeError> {
    let url = wire.url(base);
    let endpoint = Endpoint {
        http: http(base).map_err(|error| ProbeError::Unreachable {
            url: masked_url(&url),
            why: error.to_string(),
        })?,
        url,
        key: key.cloned(),
        mask: Mask::of(key),
        timeout: TIMEOUT,
        max_body: MAX_BODY,
    };
    let shown = endpoint.hide(&masked_url(&endpoint.url));
    let begun = Instant::now();
    let answer = match endpoint.post(&question(sent_name(model))).await {
        Ok(answer) => answer,
        Err(failure) => return Err(error(failure, shown)),
    };
    match wire.parse(&answer) {
        Ok((message, _)) => Ok(Answer {
            called_tool: !message.tool_calls.is_empty(),
            took: begun.elapsed(),
        }),
        Err(_) => Err(ProbeError::NoChat {
            url: shown,
            body: endpoint.excerpt(answer.to_string().as_bytes()),
        }),
    }
}

fn error(failure: Failure, url: String) -> ProbeError {
    match failure {
        Failure::Unreachable { why, .. } => ProbeError::Unreachable { url, why },
        Failure::TimedOut => ProbeError::Unreachable {
            url,
            why: format!("no answer within {} s", TIMEOUT.as_secs()),
        },
        Failure::Status { status, body, .. } => ProbeError::Refused { url, status, body },
        Failure::Malformed { body, .. } => ProbeError::NoChat { url, body },
    }
}

fn question(model: &str) -> Value {
    json!({
        "model": model,
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Call the bash tool with the command: true"}],
        "tools": [{"type": "function", "function": {
            "name": "bash",
            "description": "Runs a command",
            "parameters": {
                "type": "object",
                "properties": {"command": {"type": "string"}},
                "required": ["command"],
            },
        }}],
    })
}
