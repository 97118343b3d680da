//! Answers of a scripted endpoint that are answers by their form only.

use serde_json::{Value, json};

/// An answer that is one by its form only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    NoUsage,
    NoChoices,
    BadArguments,
    UnknownTool,
    Failed,
    Silent,
    Cut,
    KillsGuest,
    Huge,
}

impl Lie {
    /// Every lie by its word in fault files.
    pub const ALL: [(&'static str, Self); 9] = [
        ("no-usage", Self::NoUsage),
        ("no-choices", Self::NoChoices),
        ("bad-arguments", Self::BadArguments),
        ("unknown-tool", Self::UnknownTool),
        ("failed", Self::Failed),
        ("silent", Self::Silent),
        ("cut", Self::Cut),
        ("kills-guest", Self::KillsGuest),
        ("huge", Self::Huge),
    ];

    /// The length of a huge answer, in bytes.
    const HUGE: usize = 10_000_000;

    /// The JSON text of a true answer, in either format, made into this lie.
    pub fn told(self, mut answer: Value) -> String {
        let message = if answer.get("choices").is_some() {
            "/choices/0/message"
        } else {
            "/message"
        };
        let call = format!("{message}/tool_calls/0/function");
        match self {
            Self::NoUsage => answer["usage"] = Value::Null,
            Self::NoChoices => {
                answer["choices"] = json!([]);
                answer["message"] = Value::Null;
            }
            Self::BadArguments | Self::Cut => {
                if let Some(call) = answer.pointer_mut(&call) {
                    call["arguments"] = json!("{\"command\": \"ls");
                }
                if matches!(self, Self::Cut) {
                    end(&mut answer, "length", "MAX_TOKENS");
                }
            }
            Self::Failed | Self::Silent => {
                if let Some(said) = answer.pointer_mut(message) {
                    *said = json!({"role": "assistant", "content": ""});
                }
                answer["usage"] = Value::Null;
                match self {
                    Self::Failed => end(&mut answer, "error", "TIMEOUT"),
                    _ => end(&mut answer, "stop", "COMPLETE"),
                }
            }
            Self::KillsGuest => {
                if let Some(call) = answer.pointer_mut(&call) {
                    let command = json!({"command": "kill -9 $PPID; sleep 1000"});
                    call["arguments"] = json!(command.to_string());
                }
            }
            Self::UnknownTool => {
                if let Some(call) = answer.pointer_mut(&call) {
                    call["name"] = json!("python");
                }
            }
            Self::Huge => answer["padding"] = json!("x".repeat(Self::HUGE)),
        }
        answer.to_string()
    }
}

/// Gives an answer another end: `OpenAI`'s word for it and Cohere's.
fn end(answer: &mut Value, openais: &str, coheres: &str) {
    match answer.pointer_mut("/choices/0/finish_reason") {
        Some(finish) => *finish = json!(openais),
        None => answer["finish_reason"] = json!(coheres),
    }
}
