//! One small chat call with a tool, to see whether a model answers before pairs are spent on it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::provider::{Provider, Wire};
use crate::secret::{Secret, masked_url};

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

/// Asks the model to call a tool once.
///
/// `model` is litellm's name; the provider's prefix is not sent. `api_base` replaces the
/// provider's endpoint, by litellm's rules.
pub async fn probe(
    provider: &Provider,
    wire: Wire,
    model: &str,
    api_base: Option<&str>,
    key: Option<&Secret>,
) -> Result<Answer, ProbeError> {
    let base = api_base.unwrap_or(provider.endpoint);
    let url = match wire {
        Wire::OpenAi => format!("{}/chat/completions", base.trim_end_matches('/')),
        Wire::CohereV2 => base.to_owned(),
    };
    let name = model.split_once('/').map_or(model, |(_, name)| name);
    let shown = masked_url(&url);
    let unreachable = |error: &reqwest::Error| {
        let mut why = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            why = inner.to_string();
            source = inner.source();
        }
        ProbeError::Unreachable {
            url: shown.clone(),
            why,
        }
    };
    let client = reqwest::Client::builder()
        .timeout(Duration::from_mins(1))
        .build()
        .map_err(|error| unreachable(&error))?;
    let mut request = client.post(&url).json(&question(name));
    if let Some(key) = key {
        request = request.bearer_auth(key.expose());
    }
    let begun = Instant::now();
    let response = request.send().await.map_err(|error| unreachable(&error))?;
    let status = response.status().as_u16();
    let body = response.text().await.map_err(|error| unreachable(&error))?;
    let excerpt: String = body.chars().take(300).collect();
    if !(200..300).contains(&status) {
        return Err(ProbeError::Refused {
            url: shown,
            status,
            body: excerpt,
        });
    }
    let message = serde_json::from_str::<Value>(&body)
        .ok()
        .and_then(|answer| match wire {
            Wire::OpenAi => answer.pointer("/choices/0/message").cloned(),
            Wire::CohereV2 => answer.get("message").cloned(),
        });
    let Some(message) = message else {
        return Err(ProbeError::NoChat {
            url: shown,
            body: excerpt,
        });
    };
    let calls = message.get("tool_calls").and_then(Value::as_array);
    Ok(Answer {
        called_tool: calls.is_some_and(|calls| !calls.is_empty()),
        took: begun.elapsed(),
    })
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
