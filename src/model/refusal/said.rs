//! What an endpoint itself says in a refusal, without what it quotes of the request.
//!
//! A refusal may hold the whole conversation, and a conversation may be about anything: an agent
//! that works on a client of models talks of context lengths and keys.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::text::searched;

/// The fields in which endpoints quote what they were sent, or what their model wrote.
const QUOTED: [&str; 10] = [
    "body",
    "failed_generation",
    "flagged_input",
    "input",
    "inputs",
    "messages",
    "prompt",
    "raw_output",
    "request",
    "request_body",
];

/// How deep JSON within texts within JSON is read: a proxy of a proxy of a provider.
const DEEPEST: usize = 6;

/// The beginning of a quotation in a text that is not JSON: a Python dictionary, or litellm's.
static QUOTATION: LazyLock<Regex> = LazyLock::new(|| {
    let fields = QUOTED.join("|");
    Regex::new(&format!(
        r#"(?s)(['"](?:{fields})['"]): *['"\[{{].*|\bReceived Messages=.*"#
    ))
    .expect("tested")
});

/// What a refusal says: texts and codes, a line each.
pub(super) fn by_the_endpoint(text: &str) -> Cow<'_, str> {
    let searchable = searched(text);
    if let Some(said) = of_json(text, 0) {
        return Cow::Owned(searched(&said).into_owned());
    }
    // The field's name stays: that there is one may say something.
    if QUOTATION.is_match(&searchable) {
        return Cow::Owned(QUOTATION.replace(&searchable, "$1").into_owned());
    }
    searchable
}

/// The texts of the JSON that a text holds, with what stands before and after it.
fn of_json(text: &str, depth: usize) -> Option<String> {
    let begin = text.find(['{', '['])?;
    let mut stream = serde_json::Deserializer::from_str(&text[begin..]).into_iter::<Value>();
    let value = stream
        .next()?
        .ok()
        .filter(|value| value.is_object() || holds_objects(value))?;
    let end = begin + stream.byte_offset();
    let mut said = text[..begin].to_owned();
    collect(&value, depth, &mut said);
    said.push('\n');
    said.push_str(&text[end..]);
    Some(said)
}

fn holds_objects(value: &Value) -> bool {
    value
        .as_array()
        .is_some_and(|list| list.iter().any(Value::is_object))
}

fn collect(value: &Value, depth: usize, said: &mut String) {
    match value {
        Value::String(text) => {
            said.push('\n');
            let inner = (depth < DEEPEST)
                .then(|| of_json(text, depth + 1))
                .flatten();
            said.push_str(inner.as_deref().unwrap_or(text));
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, depth, said)),
        Value::Object(fields) => {
            for (name, value) in fields {
                if QUOTED.contains(&name.as_str()) {
                    said.push('\n');
                    said.push_str(name);
                } else {
                    collect(value, depth, said);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_quoted_of_the_request_is_left_out() {
        let quoted = "the maximum context length is 5";
        for text in [
            json!({"detail": [{"msg": "Field required", "input": {"content": quoted}}]})
                .to_string(),
            format!(
                "APIError: x - {}",
                json!({"error": "no", "failed_generation": quoted})
            ),
            format!(
                "Error code: 422 - {{'detail': [{{'msg': 'no', 'input': {{'content': '{quoted}'}}}}]}}"
            ),
            format!("BadRequestError: no\nReceived Messages=[{{'content': '{quoted}'}}]"),
        ] {
            let said = by_the_endpoint(&text);
            assert!(!said.contains("maximum"), "{text}: {said}");
        }
    }

    #[test]
    fn texts_within_texts_are_read() {
        let inner = json!({"error": {"code": "deep", "message": "within"}}).to_string();
        let body = json!({"error": {"message": "outer", "metadata": {"raw": inner}}});
        let text = format!("prefix - {body} suffix");
        let said = by_the_endpoint(&text);
        for word in ["prefix", "outer", "deep", "within", "suffix"] {
            assert!(said.contains(word), "{word}: {said}");
        }
    }

    #[test]
    fn a_text_without_json_is_itself() {
        for text in ["", "plain", "a [list] of {words}", "{\"torn\": \"js"] {
            assert_eq!(by_the_endpoint(text), text);
        }
    }
}
