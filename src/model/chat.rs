//! One chat call, whatever the wire format: what is asked, what comes back, how it can fail.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::bench::{RuleId, Usage};
use crate::text::plural;

/// Who says a message; written in lowercase (`system`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The harness, in the system prompt.
    System,
    /// The task, the harness, another agent.
    User,
    /// The model, in a reply.
    Assistant,
    /// A tool, in the result of a call.
    Tool,
}

/// A message of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it: only the model calls tools, only a tool answers a call.
    pub role: Role,
    /// Its text; empty for a reply that only calls tools.
    pub content: String,
    /// The tools that a reply calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// The call that a tool's result answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// What else came with a reply, such as its reasoning, by the endpoint's own names: it goes back
    /// as it came, since some endpoints refuse a conversation without it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extras: Map<String, Value>,
}

/// A call of a tool, as the model wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Its id, which the result names.
    pub id: String,
    /// The name of the tool, as the model gave it: there may be no such tool.
    pub name: String,
    /// The arguments: JSON, if the model kept to it.
    pub arguments: String,
    /// What else came with it, such as a signature; see [`Message::extras`].
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extras: Map<String, Value>,
}

impl Message {
    /// A message of text alone.
    #[must_use]
    pub fn text(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
            tool_calls: Vec::new(),
            tool_call_id: None,
            extras: Map::new(),
        }
    }

    /// About how long it is as it is sent, in bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        let of_extras = |extras: &Map<String, Value>| {
            let lengths = extras.values().map(|value| value.to_string().len());
            lengths.sum::<usize>()
        };
        let calls = self.tool_calls.iter();
        let calls: usize = calls
            .map(|call| call.arguments.len() + of_extras(&call.extras))
            .sum();
        self.content.len() + calls + of_extras(&self.extras)
    }
}

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// The name by which the model calls it.
    pub name: String,
    /// What it does, in words for the model.
    pub description: String,
    /// The JSON schema of its arguments.
    pub parameters: Value,
}

/// What the model said in answer to one call, and what the call took.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The reply as a message.
    pub message: Message,
    /// The tokens it used; `None` when the endpoint does not say.
    pub usage: Option<Usage>,
    /// What it cost in USD; `None` when the price or the usage is not known.
    pub cost: Option<f64>,
    /// The whole JSON body of the endpoint's response, as it came.
    pub raw: Value,
    /// Time lost to the endpoint before this reply: waiting for the shared pace, and in pauses that it
    /// asked for or after which it had too much to do. Other retries count as working time.
    pub rate_limited: Duration,
    /// Whether earlier tries may have been billed as well, with tokens that are not known: answers
    /// that were none, or that came too late.
    pub discarded: bool,
    /// Whether it ends where the limit of output is, and not where the model wanted to.
    pub is_cut: bool,
    /// The extras that this call was the first to go without, because the endpoint refused them.
    pub left_out: Vec<String>,
}

impl ChatError {
    /// Whether the call that failed, or an earlier try of it, may be billed all the same, with tokens
    /// that are not known.
    #[must_use]
    pub const fn may_be_billed(&self) -> bool {
        matches!(
            self,
            Self::TimedOut { .. }
                | Self::Malformed {
                    may_be_billed: true,
                    ..
                }
                | Self::Unreachable {
                    may_be_billed: true,
                    ..
                }
                | Self::Status {
                    may_be_billed: true,
                    ..
                }
                | Self::Recorded {
                    may_be_billed: true,
                    ..
                }
        )
    }
}

fn answered(status: u16, in_200: bool) -> String {
    match (status, in_200) {
        (_, false) => status.to_string(),
        // The error has no code of its own.
        (200, true) => "200 with an error".to_owned(),
        (_, true) => format!("200 with an error that is a {status}"),
    }
}

fn tried(tries: u32) -> String {
    format!("tried {}", plural(tries, "time"))
}

/// Why a call failed for good.
///
/// [`ChatError::rule`] names the triage rule that it falls under.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// Nothing answers, or the connection broke, to the last try.
    #[error("{url}: {why} ({})", tried(*.tries))]
    Unreachable {
        /// The endpoint's URL, without a password or the key.
        url: String,
        /// The innermost cause that the HTTP client gives.
        why: String,
        /// How often it was tried.
        tries: u32,
        /// Whether it, or an earlier try, may be billed.
        may_be_billed: bool,
    },
    /// The endpoint took longer than a call may.
    #[error("{url} did not answer within {seconds} s ({})", tried(*.tries))]
    TimedOut {
        /// The endpoint's URL, without a password or the key.
        url: String,
        /// The time limit of one try.
        seconds: u64,
        /// How often it was tried.
        tries: u32,
    },
    /// An HTTP error: one that retrying does not mend, or one that stayed.
    #[error("{url} answered {} ({}): {body}", answered(*.status, *.in_200), tried(*.tries))]
    Status {
        /// The endpoint's URL, without a password or the key.
        url: String,
        /// The HTTP status. For an error in a 200 it is what the error's code stands for, or 200.
        status: u16,
        /// The body's beginning and end.
        body: String,
        /// What of the whole body may name the fields of the request that it refuses.
        refusing: String,
        /// How often it was tried.
        tries: u32,
        /// The triage rule that status and body come to.
        rule: RuleId,
        /// Whether the error was in the body of a 200.
        in_200: bool,
        /// Whether the call may be billed all the same.
        may_be_billed: bool,
    },
    /// The endpoint answered something that is no chat response, to the last try.
    #[error("{url} answered what is no chat response: {why} ({}): {body}", tried(*.tries))]
    Malformed {
        /// The endpoint's URL, without a password or the key.
        url: String,
        /// What is wrong with it.
        why: String,
        /// The body's beginning and end.
        body: String,
        /// How often it was tried.
        tries: u32,
        /// The triage rule it falls under.
        rule: RuleId,
        /// Whether it, or an earlier try, may be billed with tokens that are not known.
        may_be_billed: bool,
    },
    /// A replay does not go on as the recording does.
    #[error("replay of {tape}, exchange {exchange}: {difference}")]
    Replay {
        /// The path of the recording's file.
        tape: String,
        /// Which exchange of the recording differs, from 1.
        exchange: usize,
        /// What is different there, in words.
        difference: String,
    },
    /// A call that failed for good when it was recorded, and so does in the replay.
    #[error("{error}")]
    Recorded {
        /// The rule it fell under.
        rule: RuleId,
        /// The error's text, as it was recorded.
        error: String,
        /// Whether the call may be billed.
        may_be_billed: bool,
    },
    /// The recording cannot be kept: the call may have been answered and paid for.
    #[error("cannot go on recording: {why}")]
    Tape {
        /// The path of the recording's file.
        path: String,
        /// The error, which names the file.
        why: String,
    },
}
