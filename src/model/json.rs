//! JSON as endpoints and models write it.

use std::borrow::Cow;

use serde_json::Value;

/// What stands in the place of half a pair.
const REPLACEMENT: &str = "\\ufffd";

/// Reads JSON, also where a text in it was cut within a character. A model that is stopped between
/// the halves of a surrogate pair leaves one, which Python writes and reads, and JSON's grammar
/// does not forbid; such an answer is an answer.
pub(super) fn read(bytes: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(bytes).or_else(|error| {
        let text = String::from_utf8_lossy(bytes);
        match (mended(&text), &text) {
            (Cow::Borrowed(_), Cow::Borrowed(_)) => Err(error),
            (text, _) => serde_json::from_str(&text),
        }
    })
}

/// A JSON text in which each escape of half a surrogate pair is that of the replacement character.
pub(super) fn mended(json: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut kept = 0;
    let mut at = 0;
    while let Some(found) = json[at..].find('\\') {
        at += found;
        let unit = unit(json, at);
        let width = match unit {
            Some(0xd800..=0xdbff) if matches!(self::unit(json, at + 6), Some(0xdc00..=0xdfff)) => {
                12
            }
            Some(0xd800..=0xdfff) => {
                out.push_str(&json[kept..at]);
                out.push_str(REPLACEMENT);
                kept = at + 6;
                6
            }
            Some(_) => 6,
            // The backslash, and whatever it escapes.
            None => 1 + json[at + 1..].chars().next().map_or(0, char::len_utf8),
        };
        at += width;
    }
    if kept == 0 {
        return Cow::Borrowed(json);
    }
    out.push_str(&json[kept..]);
    Cow::Owned(out)
}

/// The code unit that an escape at this place stands for.
fn unit(json: &str, at: usize) -> Option<u32> {
    let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_pair_is_replaced_and_a_whole_one_is_not() {
        for (json, text) in [
            (r#""a \ud83d b""#, "a \u{fffd} b"),
            (r#""\ude00""#, "\u{fffd}"),
            (r#""\ud83d\ude00\ud83d""#, "\u{1f600}\u{fffd}"),
            (r#""\ud83d\n\u00e9""#, "\u{fffd}\n\u{e9}"),
            (r#""\\ud83d""#, "\\ud83d"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
        ] {
            assert_eq!(read(json.as_bytes()).unwrap(), text, "{json}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(read(b"\"caf\xc3\"").unwrap(), "caf\u{fffd}");
    }

    #[test]
    fn what_is_no_json_stays_none_and_keeps_its_error() {
        for json in [
            "{\"a\": \"\\",
            "\"\\u12",
            "\"\\ud83d",
            "<html>",
            "\"\\u\u{20ac}\"",
        ] {
            let strict = serde_json::from_str::<Value>(json).unwrap_err();
            let error = read(json.as_bytes()).unwrap_err();
            if !json.contains("d83d") {
                assert_eq!(error.to_string(), strict.to_string());
            }
        }
    }
}
