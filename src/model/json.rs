//! JSON as endpoints and models write it.

use std::borrow::Cow;

use serde_json::Value;

/// What stands in the place of half a pair.
const REPLACEMENT: &str = "\\ufffd";

/// What some servers begin a text with.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads JSON, also where a text in it was cut within a character. A model that is stopped between
/// the halves of a surrogate pair leaves one, which Python writes and reads, and JSON's grammar
/// does not forbid; such an answer is an answer. So is one with a mark of the byte order, or with
/// Python's numbers that are none.
pub(super) fn read(bytes: &[u8]) -> serde_json::Result<Value> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    serde_json::from_slice(bytes).or_else(|error| {
        let text = String::from_utf8_lossy(bytes);
        let whole = mended(&text);
        let finite = finite(&whole);
        let is_as_it_came = [&text, &whole, &finite]
            .iter()
            .all(|text| matches!(text, Cow::Borrowed(_)));
        if is_as_it_came {
            return Err(error);
        }
        serde_json::from_str(&finite)
    })
}

/// A JSON text in which each number that JSON has none for is null: Python writes `NaN` and
/// `-Infinity`, and reads them, and `1e999`.
fn finite(json: &str) -> Cow<'_, str> {
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
        if is_beyond(&json[at..at + length]) {
            out.push_str(&json[kept..at]);
            out.push_str("null");
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
    use serde_json::json;

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
}
