//! Where what is asked differs from what was recorded.

use std::collections::BTreeSet;

use serde_json::Value;

/// How much of a differing value an error shows, in characters.
const EXCERPT: usize = 120;

/// A value as it would be read back: a float may change its last bit on the way.
pub fn as_written(value: &Value) -> Value {
    serde_json::from_str(&value.to_string()).unwrap_or_default()
}

/// The first difference between two values, with its JSON pointer (RFC 6901).
pub fn difference(live: &Value, recorded: &Value) -> Option<String> {
    differs_at("", Some(live), Some(recorded))
}

fn differs_at(at: &str, live: Option<&Value>, recorded: Option<&Value>) -> Option<String> {
    match (live, recorded) {
        (Some(Value::Object(live)), Some(Value::Object(recorded))) => {
            let keys: BTreeSet<&String> = live.keys().chain(recorded.keys()).collect();
            keys.into_iter().find_map(|key| {
                let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                differs_at(&at, live.get(key), recorded.get(key))
            })
        }
        (Some(Value::Array(live)), Some(Value::Array(recorded))) => {
            (0..live.len().max(recorded.len())).find_map(|n| {
                let at = format!("{at}/{n}");
                differs_at(&at, live.get(n), recorded.get(n))
            })
        }
        _ if live == recorded => None,
        _ => Some(sentence(at, live, recorded)),
    }
}

fn sentence(at: &str, live: Option<&Value>, recorded: Option<&Value>) -> String {
    let [live, recorded] =
        [live, recorded].map(|value| value.map_or_else(|| "missing".to_owned(), Value::to_string));
    let alike = live
        .chars()
        .zip(recorded.chars())
        .take_while(|(one, other)| one == other)
        .count();
    // Long texts often differ late; what is shown must reach there.
    let from = if alike < EXCERPT {
        0
    } else {
        alike - EXCERPT / 2
    };
    let (live, recorded) = (excerpt(&live, from), excerpt(&recorded, from));
    format!("{at} is {live} here and {recorded} in the recording")
}

fn excerpt(text: &str, from: usize) -> String {
    let before = if from > 0 { "…" } else { "" };
    let mut rest = text.chars().skip(from);
    let shown: String = rest.by_ref().take(EXCERPT).collect();
    let after = if rest.next().is_some() { "…" } else { "" };
    format!("{before}{shown}{after}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_shown_where_they_are() {
        assert_eq!(
            difference(&json!({"a": [1, 2.5]}), &json!({"a": [1, 2.5]})),
            None
        );
        assert_eq!(
            difference(&json!({"a/b": [1]}), &json!({"a/b": [1, {}]})).unwrap(),
            "/a~1b/1 is missing here and {} in the recording"
        );
        let long = |end: &str| json!(format!("{}{end}", "x".repeat(500)));
        let told = difference(&long("1"), &long("2")).unwrap();
        assert!(told.contains("x1\" here"), "{told}");
        assert!(told.contains("x2\" in the recording"), "{told}");
    }
}
