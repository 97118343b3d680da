//! `*_traj.json`: what an agent said and saw, read only as far as we need it.

use std::path::Path;

use serde::Deserialize;

use crate::bench::Usage;
use crate::files;

/// Trajectories are read whole up to this size; a longer one counts as unreadable.
const MAX_BYTES: u64 = 512_000_000;

/// An agent's trajectory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trajectory {
    /// The messages, in order.
    pub messages: Vec<Message>,
    /// Tokens of every model response that was kept; `None` when there is none, or one that does not
    /// tell its usage: a part of the tokens is not all of them.
    pub usage: Option<Usage>,
}

/// One message, with the parts that triage reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// `system`, `user`, `assistant`, `tool` or `exit`.
    pub role: String,
    /// The text, where it is text.
    pub content: String,
    /// What a command printed (v2).
    pub raw_output: Option<String>,
    /// A command's return code (v2).
    pub returncode: Option<i64>,
    /// How the agent ended (v2's last message): a status, or an exception's class.
    pub exit_status: Option<String>,
    /// The exception's text, when one ended the agent.
    pub exception: Option<String>,
}

impl Trajectory {
    /// The class and text of the exception that ended the agent, if one did.
    #[must_use]
    pub fn exception(&self) -> Option<(&str, &str)> {
        let last = self.messages.last()?;
        Some((last.exit_status.as_deref()?, last.exception.as_deref()?))
    }

    /// Reads a trajectory from its bytes.
    pub fn parse(bytes: &[u8]) -> serde_json::Result<Self> {
        let file: File = serde_json::from_slice(bytes)?;
        let mut trajectory = Self::default();
        let mut is_whole = true;
        for message in file.messages {
            let extra = message.extra.unwrap_or_default();
            match extra.response.map(|response| response.usage) {
                Some(Some(usage)) => *trajectory.usage.get_or_insert_default() += usage.into(),
                Some(None) => is_whole = false,
                None => {}
            }
            trajectory.messages.push(Message {
                role: message.role.unwrap_or_default(),
                content: match message.content {
                    Some(serde_json::Value::String(text)) => text,
                    _ => String::new(),
                },
                raw_output: extra.raw_output,
                returncode: extra.returncode,
                exit_status: extra.exit_status,
                exception: extra.exception_str,
            });
        }
        trajectory.usage = trajectory.usage.filter(|_| is_whole);
        Ok(trajectory)
    }
}

/// Reads the trajectory at `path`; `None` when there is none that can be read.
#[must_use]
pub fn read(path: &Path) -> Option<Trajectory> {
    let bytes = files::read_up_to(path, MAX_BYTES).ok()??;
    Trajectory::parse(&bytes).ok()
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    messages: Vec<FileMessage>,
}

#[derive(Deserialize)]
struct FileMessage {
    role: Option<String>,
    content: Option<serde_json::Value>,
    extra: Option<Extra>,
}

#[derive(Default, Deserialize)]
struct Extra {
    response: Option<Response>,
    raw_output: Option<String>,
    returncode: Option<i64>,
    exit_status: Option<String>,
    exception_str: Option<String>,
}

#[derive(Deserialize)]
struct Response {
    usage: Option<ResponseUsage>,
}

/// Usage in `OpenAI`'s shape, to which litellm normalises every provider's, or in Cohere's own.
#[derive(Deserialize)]
struct ResponseUsage {
    tokens: Option<CohereTokens>,
    cached_tokens: Option<f64>,
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
}

/// Cohere writes its counts as doubles (`usage.tokens` of its v2 chat).
#[derive(Deserialize)]
struct CohereTokens {
    input_tokens: Option<f64>,
    output_tokens: Option<f64>,
}

#[derive(Deserialize)]
struct PromptDetails {
    cached_tokens: Option<u64>,
}

impl From<ResponseUsage> for Usage {
    fn from(usage: ResponseUsage) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of tokens"
        )]
        let count = |tokens: Option<f64>| tokens.unwrap_or(0.0) as u64;
        if let Some(tokens) = usage.tokens {
            return Self {
                input_tokens: count(tokens.input_tokens),
                output_tokens: count(tokens.output_tokens),
                cached_tokens: count(usage.cached_tokens),
            };
        }
        Self {
            input_tokens: usage.prompt_tokens.unwrap_or(0),
            output_tokens: usage.completion_tokens.unwrap_or(0),
            cached_tokens: usage
                .prompt_tokens_details
                .and_then(|details| details.cached_tokens)
                .unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_summed_over_the_responses() {
        let json = br#"{"messages":[
            {"role":"system","content":"x"},
            {"role":"assistant","content":null,"extra":{"response":{"usage":{"prompt_tokens":10,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}}}},
            {"role":"tool","content":"{}","extra":{"raw_output":"ok","returncode":0}},
            {"role":"assistant","content":"y","extra":{"response":{"usage":{"prompt_tokens":20,"completion_tokens":3,"prompt_tokens_details":null}}}},
            {"role":"assistant","content":"z","extra":{"response":{"usage":{"tokens":{"input_tokens":5.0,"output_tokens":1},"billed_units":{"input_tokens":4}}}}},
            {"role":"exit","content":"boom","extra":{"exit_status":"RateLimitError","exception_str":"boom"}}]}"#;
        let trajectory = Trajectory::parse(json).unwrap();
        let usage = trajectory.usage.unwrap();
        assert_eq!(
            (usage.input_tokens, usage.output_tokens, usage.cached_tokens),
            (35, 6, 4)
        );
        assert_eq!(trajectory.exception(), Some(("RateLimitError", "boom")));
    }
}
