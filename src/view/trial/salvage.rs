//! JSON that ends too early, or is broken in its middle: what of it can be read. Pure.

use std::borrow::Cow;

use serde_json::Value;

use crate::json;

/// The messages of a trajectory, and what was wrong with the file.
#[derive(Debug, Default, PartialEq)]
pub struct Salvaged {
    /// The messages, as far as they can be read.
    pub messages: Vec<Value>,
    /// What is beside them: empty where the file cannot be read whole.
    pub head: Value,
    /// What is wrong, in the words that complete "FILE …".
    pub wrong: Option<String>,
}

/// Reads a trajectory: an object with `messages`, or these alone.
pub fn trajectory(bytes: &[u8]) -> Salvaged {
    let text = String::from_utf8_lossy(bytes);
    let is_replaced = matches!(text, Cow::Owned(_))
        .then(|| "has bytes that are no text; each is shown as \u{fffd}".to_owned());
    let error = match json::of_bytes::<Value>(bytes) {
        Ok(Value::Array(messages)) => {
            return Salvaged {
                messages,
                head: Value::Null,
                wrong: is_replaced,
            };
        }
        Ok(mut head) => {
            let Some(Value::Array(messages)) = head.get_mut("messages").map(Value::take) else {
                return Salvaged {
                    wrong: Some("has no list of messages".to_owned()),
                    messages: vec![head],
                    head: Value::Null,
                };
            };
            return Salvaged {
                messages,
                head,
                wrong: is_replaced,
            };
        }
        Err(error) => error,
    };
    let messages = items(&text);
    let how = if error.is_eof() {
        "ends too early"
    } else {
        "is no JSON"
    };
    let count = messages.len();
    Salvaged {
        wrong: Some(format!(
            "{how} ({error}); {count} of its messages can be read"
        )),
        messages,
        head: Value::Null,
    }
}

/// The whole items of the first list of messages in a text.
fn items(text: &str) -> Vec<Value> {
    let begin = match text.find("\"messages\"") {
        Some(at) => text[at..].find('[').map(|found| at + found),
        None => Some(0).filter(|_| text.trim_start().starts_with('[')),
    };
    let Some(begin) = begin.and_then(|at| text[at..].find('[').map(|found| at + found + 1)) else {
        return Vec::new();
    };
    let mended = json::mended(&text[begin..]);
    let (mut rest, mut found) = (mended.as_ref(), Vec::new());
    loop {
        let mut items = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let Some(Ok(item)) = items.next() else {
            return found;
        };
        found.push(item);
        rest = rest[items.byte_offset()..].trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_there_of_a_cut_file_is_read() {
        let whole = r#"{"repo": "roof", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}"#;
        let read = trajectory(whole.as_bytes());
        assert_eq!(
            (read.messages.len(), read.head["repo"].as_str(), read.wrong),
            (2, Some("roof"), None)
        );
        for (cut, count) in [
            (whole.len() - 1, 2),
            (whole.len() - 5, 1),
            (40, 0),
            (3, 0),
            (0, 0),
        ] {
            let read = trajectory(&whole.as_bytes()[..cut]);
            assert_eq!(read.messages.len(), count, "{cut}");
            assert!(read.wrong.unwrap().contains("ends too early"), "{cut}");
        }
    }

    #[test]
    fn what_is_no_trajectory_is_told_and_kept() {
        let read = trajectory(b"<html>");
        assert!(read.messages.is_empty() && read.wrong.unwrap().starts_with("is no JSON"));
        let read = trajectory(br#"{"beam": 1}"#);
        assert_eq!(read.messages, [json!({"beam": 1})]);
        let read = trajectory(b"[\"caf\xc3\"]");
        assert!(read.wrong.unwrap().contains("no text"));
        assert_eq!(read.messages, ["caf\u{fffd}"]);
    }
}
