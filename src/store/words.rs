//! Texts that may say why an agent ended, and who wrote them.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::json;

/// Who wrote a text: the less an agent can imitate it, the earlier it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Author {
    /// The harness: an exception that it caught, a file of its own.
    Harness,
    /// The agent's program, in a field in which the model has no say.
    Client,
    /// The agent, or its program where an agent could have written it.
    Agent,
}

/// A text with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownText {
    /// Where it stands, e.g. `agent2_stream.jsonl (result)`.
    pub source: String,
    /// The words themselves, as they stand there.
    pub text: String,
    /// The HTTP status that the agent's program recorded with it.
    pub status: Option<u16>,
    /// Whose words they are: what an agent could have written is believed last.
    pub author: Author,
}

/// The status that programs write before their provider's words, in the forms of Claude Code,
/// Codex and the providers' own libraries.
static STATUS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)^\s*(?:Failed\ to\ authenticate\.\ )?
          (?: API\ Error:\ (?:Repeated\ )?([45]\d\d)\b
            | API\ Error:\ Request\ rejected\ \(([45]\d\d)\)
            | API\ Error\ \(([45]\d\d)\b
            | unexpected\ status\ ([45]\d\d)\b
            | exceeded\ retry\ limit,\ last\ status:\ ([45]\d\d)\b
            | Error\ code:\ ([45]\d\d)\ -
          )",
    )
    .expect("tested")
});

impl KnownText {
    /// A text of which its first words tell the status, where they do.
    #[must_use]
    pub fn new(source: impl Into<String>, text: impl Into<String>, author: Author) -> Self {
        let text = text.into();
        // What the providers' libraries raised in the harness has rules of its own, by class and phrase.
        let is_raised = author == Author::Harness && text.trim_start().starts_with("Error code:");
        let status = (!is_raised).then(|| status_of(&text)).flatten();
        Self {
            source: source.into(),
            text,
            status,
            author,
        }
    }
}

fn status_of(text: &str) -> Option<u16> {
    let Some(found) = STATUS.captures(text) else {
        return in_event(text);
    };
    let number = found.iter().skip(1).flatten().next()?;
    number.as_str().parse().ok()
}

/// The status of an error event that is a text whole, as Codex hands on its provider's.
fn in_event(text: &str) -> Option<u16> {
    let text = text.trim();
    let event: Value = (text.starts_with('{')).then(|| json::of_text(text).ok())??;
    (event["type"] == "error")
        .then(|| status(&event["status"]))
        .flatten()
}

/// An HTTP status that means an error, as a number or as its digits.
pub(super) fn status(value: &Value) -> Option<u16> {
    let number = match value {
        Value::String(digits) => digits.trim().parse().ok()?,
        _ => u16::try_from(value.as_u64()?).ok()?,
    };
    (400..600).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_where_a_program_writes_it_and_nowhere_else() {
        for (text, status) in [
            ("API Error: 529 Overloaded. Try again", Some(529)),
            ("API Error: Repeated 529 Overloaded errors", Some(529)),
            ("API Error: Request rejected (429) · busy", Some(429)),
            ("Failed to authenticate. API Error: 401 no", Some(401)),
            (
                "unexpected status 403 Forbidden: no, url: https://a.b",
                Some(403),
            ),
            (
                "exceeded retry limit, last status: 429 Too Many Requests",
                Some(429),
            ),
            ("Error code: 400 - {'error': {}}", Some(400)),
            ("API Error (503 upstream gone) · Retrying", Some(503)),
            (
                r#"{"type":"error","status":401,"error":{"message":"none"}}"#,
                Some(401),
            ),
            (r#"{"type":"tool","status":401}"#, None),
            ("The API Error: 401 came from my own server", None),
            ("API Error: 12 of 401 tests fail", None),
        ] {
            assert_eq!(
                KnownText::new("x", text, Author::Client).status,
                status,
                "{text}"
            );
        }
        let raised = KnownText::new("x", "Error code: 400 - {}", Author::Harness);
        assert_eq!(raised.status, None);
    }
}
