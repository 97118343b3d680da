//! JSON as we write it, and as others do: endpoints, models, Python and Node.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What stands in the place of half a pair.
const REPLACEMENT: &str = "\\ufffd";

/// What some servers begin a text with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Why one of our own values is always written: numbers that JSON has none for are null.
const OURS: &str = "keys and paths in our values are text";

/// One of our own values in one line.
///
/// # Panics
///
/// Where JSON has no form for it, which is a mistake in the value's type.
#[must_use]
pub fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect(OURS)
}

/// One of our own values in many lines, as files have it that people read.
///
/// # Panics
///
/// As [`line()`].
#[must_use]
pub fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect(OURS)
}

/// Reads JSON, also where a text in it was cut within a character. A model that is stopped between
/// the halves of a surrogate pair leaves one, which Python and Node write and read, and JSON's grammar
/// does not forbid; such an answer is an answer. So is one with a mark of the byte order, or with
/// Python's numbers that are none: these are null.
pub fn of_bytes<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    serde_json::from_slice(bytes).or_else(|error| {
        if error.is_syntax() {
            of_text(&String::from_utf8_lossy(bytes))
        } else {
            Err(error)
        }
    })
}

/// Reads a text of JSON like [`of_bytes`].
pub fn of_text<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    with_text(text).map(|(value, _)| value)
}

/// Reads a text of JSON like [`of_text`], and gives the text with what JSON has not replaced.
pub fn with_text<T: DeserializeOwned>(text: &str) -> serde_json::Result<(T, Cow<'_, str>)> {
    let error = match serde_json::from_str(text) {
        Ok(value) => return Ok((value, Cow::Borrowed(text))),
        Err(error) => error,
    };
    // Nearly all files are read by now: only what failed is looked at again.
    if !error.is_syntax() {
        return Err(error);
    }
    let whole = mended(text);
    let finite = finite(&whole, |_| "null".to_owned());
    if let (Cow::Borrowed(_), Cow::Borrowed(_)) = (&whole, &finite) {
        return Err(error);
    }
    let text = finite.into_owned();
    Ok((serde_json::from_str(&text)?, Cow::Owned(text)))
}

/// A text of JSON in which each number that JSON has none for is another of the same length: what
/// stands elsewhere in it stays in its place.
#[must_use]
pub fn with_numbers(text: &str) -> Cow<'_, str> {
    finite(text, |word| "1".repeat(word.len()))
}

/// A JSON text in which something else is put for each number that JSON has none for: Python writes
/// `NaN` and `-Infinity`, and reads them, and `1e999`.
fn finite(json: &str, put: impl Fn(&str) -> String) -> Cow<'_, str> {
    let mut out = String::new();
    let mut kept = 0;
    let mut at = 0;
    let bytes = json.as_bytes();
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    while let Some(&byte) = bytes.get(at) {
        if byte == b'"' {
            at = end_of_string(bytes, at);
            continue;
        }
        let length = bytes[at..].iter().take_while(|byte| is_part(byte)).count();
        let word = &json[at..at + length];
        if is_beyond(word) {
            out.push_str(&json[kept..at]);
            out.push_str(&put(word));
            kept = at + length;
        }
        at += length.max(1);
        while !json.is_char_boundary(at) {
            at += 1;
        }
    }
    if kept == 0 {
        return Cow::Borrowed(json);
    }
    out.push_str(&json[kept..]);
    Cow::Owned(out)
}

/// Where the string ends that begins here.
fn end_of_string(json: &[u8], begin: usize) -> usize {
    let mut at = begin + 1;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    json.len()
}

/// Whether a word outside of strings is a number to Python, and none to JSON.
fn is_beyond(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let is_infinite = || word.parse::<f64>().is_ok_and(f64::is_infinite);
    matches!(word, "NaN" | "Infinity" | "-Infinity")
        || digits.starts_with(|first: char| first.is_ascii_digit()) && is_infinite()
}

/// A JSON text in which each escape of half a surrogate pair is that of the replacement character.
#[must_use]
pub fn mended(json: &str) -> Cow<'_, str> {
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
    use serde_json::{Value, json};

    use super::*;

    fn read(bytes: &[u8]) -> serde_json::Result<Value> {
        of_bytes(bytes)
    }

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
    fn what_python_reads_is_read() {
        let bytes = [BYTE_ORDER_MARK, b"{\"a\": 1}"].concat();
        assert_eq!(read(&bytes).unwrap(), json!({"a": 1}));
        for (json, expected) in [
            (
                r#"{"a": NaN, "b": [-Infinity,Infinity]}"#,
                json!({"a": null, "b": [null, null]}),
            ),
            ("[1e999,-2.5E+400, 1e30]", json!([null, null, 1e30])),
            (
                r#"{"NaN": "say \"NaN\", or \\", "b": NaN}"#,
                json!({"NaN": "say \"NaN\", or \\", "b": null}),
            ),
            (
                "[NaN, \"\u{20ac} \\ud83d\"]",
                json!([null, "\u{20ac} \u{fffd}"]),
            ),
            ("NaN", Value::Null),
        ] {
            assert_eq!(read(json.as_bytes()).unwrap(), expected, "{json}");
        }
    }

    #[test]
    fn what_is_no_json_stays_none_and_keeps_its_error() {
        for json in [
            "{\"a\": \"\\",
            "\"\\u12",
            "\"\\ud83d",
            "<html>",
            "{\"a\": nan}",
            "\u{20ac}NaNs",
            "\"NaN",
            "\"\\u\u{20ac}\"",
        ] {
            let strict = serde_json::from_str::<Value>(json).unwrap_err();
            let error = read(json.as_bytes()).unwrap_err();
            if !json.contains("d83d") {
                assert_eq!(error.to_string(), strict.to_string());
            }
        }
    }

    #[test]
    fn a_file_that_was_cut_off_is_said_to_be_also_after_half_a_pair() {
        assert!(
            read(br#"{"a": "\ud83d", "b": NaN, "c": "#)
                .unwrap_err()
                .is_eof()
        );
    }

    #[test]
    fn numbers_of_the_same_length_leave_the_rest_in_its_place() {
        let text = r#"{"a": -Infinity, "b": [NaN, 2], "c": "NaN"}"#;
        let numbers = r#"{"a": 111111111, "b": [111, 2], "c": "NaN"}"#;
        assert_eq!(with_numbers(text), numbers);
    }
}
