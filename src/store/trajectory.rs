//! `*_traj.json`: what an agent said and saw, read only as far as we need it.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::framework::Framework;
use super::stream::blocks;
use super::words::{Author, KnownText};
use crate::bench::{Usage, told};
use crate::files;
use crate::json;

/// Trajectories are read whole up to this size; a longer one counts as unreadable.
const MAX_BYTES: u64 = 512_000_000;

/// What triage and costs need of an agent's trajectory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trajectory {
    /// The messages in the file's order, as far as they can be read.
    pub messages: Vec<TrajectoryMessage>,
    /// Tokens of every model response that was kept; `None` when there is none, or one that does not
    /// tell its usage: a part of the tokens is not all of them.
    pub usage: Option<Usage>,
    /// Whether there is a model response that does not tell its usage.
    pub is_untold: bool,
}

/// One message, with the parts that triage reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrajectoryMessage {
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

impl TrajectoryMessage {
    fn is_assistants(&self) -> bool {
        self.role == "assistant"
    }
}

impl Trajectory {
    /// The class and text of the exception that ended the agent, if one did.
    #[must_use]
    pub fn exception(&self) -> Option<(&str, &str)> {
        let last = self.messages.last()?;
        Some((last.exit_status.as_deref()?, last.exception.as_deref()?))
    }

    /// What it says last, of an agent whose status says that it ended in an error: the exception
    /// that ended it, or its last message, which may be the agent's own.
    #[must_use]
    pub fn last_words(&self, file: &str) -> Option<KnownText> {
        if let Some((class, text)) = self.exception() {
            let text = if text.trim().is_empty() { class } else { text };
            let source = format!("{file} (exception)");
            return Some(KnownText::new(source, text, Author::Harness));
        }
        // SWE-agent ends with what its submission printed, or with nothing.
        let is_more = |message: &&TrajectoryMessage| {
            let text = message.content.trim();
            let is_none = text.is_empty() || text.ends_with("Exited (autosubmitted)");
            message.role == "assistant" || !is_none
        };
        let last = self.messages.iter().rev().find(is_more)?;
        let text = last.content.trim();
        (last.role == "assistant" && !text.is_empty())
            .then(|| KnownText::new(format!("{file} (last message)"), text, Author::Agent))
    }

    /// Whether the model answered before the end: an agent's last message may be its program's, about
    /// what ended it.
    #[must_use]
    pub fn spoke(&self) -> bool {
        let before = self
            .messages
            .split_last()
            .map_or(&[][..], |(_, before)| before);
        before.iter().any(TrajectoryMessage::is_assistants)
    }

    /// Whether the model answered at all, as far as that is known of a framework's trajectories.
    #[must_use]
    pub fn has_answer(&self, framework: Framework) -> bool {
        self.spoke()
            || !framework.may_speak_last()
                && self.messages.iter().any(TrajectoryMessage::is_assistants)
    }

    /// Whether it begins and the model says nothing in it. Of messages that have no author nothing
    /// is known.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        self.messages.iter().any(|message| !message.role.is_empty())
            && !self.messages.iter().any(TrajectoryMessage::is_assistants)
    }

    /// Reads a trajectory from its bytes.
    pub fn parse(bytes: &[u8]) -> serde_json::Result<Self> {
        // Some write the messages alone.
        let messages = if bytes.trim_ascii_start().starts_with(b"[") {
            json::of_bytes(bytes)?
        } else {
            json::of_bytes::<File>(bytes)?.messages
        };
        let mut trajectory = Self::default();
        for message in messages {
            let extra = message.extra.unwrap_or_default();
            if let Some(response) = extra.response {
                let is_empty = message.content.as_ref().is_none_or(|text| text == "");
                let told = response.usage.as_ref().and_then(told::of_either);
                match told.filter(|usage| is_empty || usage.output_tokens > 0) {
                    Some(usage) => *trajectory.usage.get_or_insert_default() += usage,
                    None => trajectory.is_untold = true,
                }
            }
            let role = message.role;
            trajectory.messages.push(TrajectoryMessage {
                role: role.unwrap_or_else(|| {
                    of_event(message.event_type.as_deref(), message.event.as_ref()).to_owned()
                }),
                content: match message.content {
                    Some(Value::String(text)) => text,
                    Some(content) => blocks(&content),
                    None => String::new(),
                },
                raw_output: extra.raw_output,
                returncode: extra.returncode,
                exit_status: extra.exit_status,
                exception: extra.exception_str,
            });
        }
        let usage = trajectory.usage.filter(|_| !trajectory.is_untold);
        trajectory.usage = usage.and_then(Usage::believable);
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
    /// `OpenHands`' events have a type and a text in place of a role and a content.
    event_type: Option<String>,
    event: Option<Value>,
    content: Option<Value>,
    extra: Option<Extra>,
}

/// The role of what `OpenHands` writes as an event; none of what is nobody's message.
fn of_event(kind: Option<&str>, event: Option<&Value>) -> &'static str {
    let shown = event.and_then(Value::as_str).unwrap_or_default();
    match kind {
        Some("ActionEvent") => "assistant",
        Some("MessageEvent") if shown.starts_with("MessageEvent (agent)") => "assistant",
        Some("MessageEvent") => "user",
        Some("SystemPromptEvent") => "system",
        _ => "",
    }
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
    usage: Option<Value>,
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

    #[test]
    fn words_in_blocks_and_messages_alone_are_read() {
        let said = r#"[{"role":"user","content":[{"type":"text","text":"Add it."}]},
            {"role":"assistant","content":[{"type":"text","text":"One."},{"type":"tool_use","id":"t"},{"type":"text","text":"Two."}]}]"#;
        for json in [said.to_owned(), format!(r#"{{"messages":{said}}}"#)] {
            let trajectory = Trajectory::parse(json.as_bytes()).unwrap();
            let last = trajectory.last_words("f").unwrap();
            assert_eq!(last.text, "One.\nTwo.");
        }
    }

    #[test]
    fn counts_that_no_call_has_make_the_usage_unknown_and_leave_the_rest() {
        for count in [
            "18446744073709551615",
            "18446744073709551616",
            "-1",
            "1.5",
            "\"7\"",
            "null",
            "1e300",
        ] {
            let json = format!(
                r#"{{"messages":[{{"role":"assistant","content":"x","extra":{{"response":{{"usage":
                {{"prompt_tokens":{count},"completion_tokens":2}}}}}}}}]}}"#
            );
            let trajectory = Trajectory::parse(json.as_bytes()).unwrap();
            assert_eq!(trajectory.usage, None, "{count}");
            assert_eq!(trajectory.messages[0].content, "x");
        }
    }
}
