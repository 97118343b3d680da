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
const QUOTED: [&str; 17] = [
    "actual",
    "body",
    "ctx",
    "failed_generation",
    "flagged_input",
    "given",
    "input",
    "input_value",
    "inputs",
    "instance",
    "messages",
    "prompt",
    "raw_output",
    "received",
    "request",
    "request_body",
    "value",
];

/// How deep JSON within texts within JSON is read: a proxy of a proxy of a provider.
const DEEPEST: usize = 6;

/// The beginning of a quotation in a text that is not JSON: a Python dictionary, litellm's, of the
/// conversation or of a reply that it could not use, or a sentence's. Of one word (`Invalid value:
/// 'exit'`) nothing can be believed.
static QUOTATION: LazyLock<Regex> = LazyLock::new(|| {
    let fields = QUOTED.join("|");
    Regex::new(&format!(
        r#"(?s)(['"](?:{fields})['"]): *['"\[{{].*|\bReceived Messages=.*|\bGot=\{{'(?:candidates|choices)'.*|\b((?:input_)?value|received|instance|actual|given|got|input)\b *(?:[:=]|is|was)? *(?:['"`][^'"`\s]*\s.*|[\[{{] *['"{{].*)"#
    ))
    .expect("tested")
});

/// What is found not to be valid, shown whole before a validator says why: jsonschema's sentences
/// begin with it.
static INSTANCE: LazyLock<Regex> = LazyLock::new(|| {
    let verdicts = "is not (?:valid|of type|one of|allowed)|does not match|is too (?:long|short)|should not be|was unexpected";
    Regex::new(&format!(
        r#"(?s)(\A|\n| - |: )(\[? *\{{ *['"].*[\]}}]|\[? *['"][^'"\s]*\s.*['"] *\]?) ({verdicts})\b"#
    ))
    .expect("tested")
});

/// The name of a field in it.
static FIELD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"['"](\w+)['"] ?:"#).expect("tested"));

/// What a refusal says: texts and codes, a line each.
pub(in crate::model) fn by_the_endpoint(text: &str) -> Cow<'_, str> {
    let searchable = searched(text);
    if let Some(said) = of_json(text, 0) {
        return Cow::Owned(searched(&said).into_owned());
    }
    if let Cow::Owned(said) = unquoted(&searchable) {
        return Cow::Owned(said);
    }
    searchable
}

/// Whether words that a text holds are also in what it does not quote of the request.
#[must_use]
pub fn are_of_the_endpoint(text: &str, is_in: impl Fn(&str) -> bool) -> bool {
    is_in(&unquoted(text)) || is_in(&by_the_endpoint(text))
}

/// Where a text or an item of it demands a field rather than refuses it.
static DEMAND: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:missing|required|must (?:also )?(?:be (?:passed|provided|included|present|sent|given)|contain|have|include))\b",
    )
    .expect("tested")
});

/// Where such words demand nothing.
static NO_DEMAND: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)(?:\b(?:not|never|no longer)|n't) (?:be )?(?:\w+ )?(?:required|missing)\b|\bmissing (?:in|from) (?:the )?(?:\w+ )?(?:schema|model|definition|type)\b|\bmust (?:contain|have|include) only\b",
    )
    .expect("tested")
});

/// The names that would be taken, in a text that refuses another.
static TAKEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?is)\bexpected (?:one of|either)\b.*|\b(?:accepted|supported|valid) (?:fields|properties|keys|parameters)\b.*",
    )
    .expect("tested")
});

/// Where a text refuses a field, and does not only name it.
static REFUSES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\bun(?:known|supported|expected|recogni[sz]ed|permitted)\b|\bnot (?:\w+ )?(?:permitted|allowed|supported|accepted|recogni[sz]ed|known|valid|expected)\b|\bextra(?:_forbidden)?\b|\b(?:forbidden|invalid|disallowed)\b|\badditional propert|\b(?:must|should) not\b|\bcannot (?:be|contain|include)\b|\bdoes(?: not|n't) (?:support|accept|exist|allow)",
    )
    .expect("tested")
});

/// Where a text marks a name as a field's: in quotes, in a path, by calling it one, or by its lines.
static MARKED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"['"`][\w.\[\]]+['"`]|\bmessages?[.\[]|\b[a-z]+_[a-z_]+\b|(?i)\b(?:fields?|keys?|propert(?:y|ies)|parameters?|arguments?|inputs?)\b"#,
    )
    .expect("tested")
});

/// The sentences and items of a text.
static PIECES: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\n|;\s|\.\s|[}\])] *, *[{\[(]").expect("tested"));

/// Where a sentence that refuses one field may go on to demand another.
static CLAUSES: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r", (?:and |but )?| (?:and|but) ").expect("tested"));

/// What a whole refusal says that may name the fields it does not take, and not those it wants.
pub(in super::super) fn that_may_refuse_fields(text: &str) -> String {
    let mut said = String::new();
    match serde_json::from_str::<Value>(text) {
        Ok(value) => gather(&value, 0, &mut said),
        Err(_) => said.push_str(&with_names(text)),
    }
    let mut pieces = Vec::new();
    for piece in PIECES.split(&said) {
        let piece = TAKEN.replace(piece, "");
        if !demands(&piece) {
            pieces.push(piece.into_owned());
        } else if REFUSES.is_match(&piece) {
            let clauses = CLAUSES.split(&piece).filter(|clause| !demands(clause));
            pieces.extend(clauses.map(str::to_owned));
        }
    }
    pieces.join("\n")
}

/// The part of it that says of what it names that it is refused: where the refusal may be for
/// something else.
pub(in super::super) fn that_refuses_fields(text: &str) -> String {
    let said = that_may_refuse_fields(text);
    let pieces = said.lines().filter(|piece| REFUSES.is_match(piece));
    pieces.collect::<Vec<_>>().join("\n")
}

/// The same of what is no validator's: a server that failed may speak of reasoning, too, and there a
/// name counts only where it is marked as a field's.
pub(in super::super) fn that_refuses_marked_fields(text: &str) -> String {
    let said = that_refuses_fields(text);
    let pieces = said.lines().filter(|piece| MARKED.is_match(piece));
    pieces.collect::<Vec<_>>().join("\n")
}

fn demands(piece: &str) -> bool {
    DEMAND.is_match(&NO_DEMAND.replace_all(piece, ""))
}

/// Names and texts of what a refusal says, but for what it quotes and for errors of a field's absence.
fn gather(value: &Value, depth: usize, said: &mut String) {
    let is_demand = |field: &str| value[field].as_str().is_some_and(demands);
    match value {
        Value::String(text) => {
            said.push('\n');
            match serde_json::from_str::<Value>(text) {
                Ok(inner) if depth < DEEPEST && !inner.is_string() => {
                    gather(&inner, depth + 1, said);
                }
                _ => said.push_str(&with_names(text)),
            }
        }
        Value::Array(list) => list.iter().for_each(|value| gather(value, depth, said)),
        Value::Object(_) if value["loc"].is_array() && (is_demand("msg") || is_demand("type")) => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                said.push('\n');
                said.push_str(name);
                if !QUOTED.contains(&name.as_str()) {
                    gather(value, depth, said);
                }
            }
        }
        _ => {}
    }
}

/// A text that is not JSON, up to where it quotes the request.
fn unquoted(text: &str) -> Cow<'_, str> {
    match INSTANCE.replace(text, "$1$3") {
        // The field's name stays: that there is one may say something.
        Cow::Borrowed(text) => QUOTATION.replace(text, "$1$2"),
        Cow::Owned(text) => Cow::Owned(QUOTATION.replace(&text, "$1$2").into_owned()),
    }
}

/// The same with the names of a message that is shown whole as not valid: one of them may be why.
fn with_names(text: &str) -> Cow<'_, str> {
    let Some(shown) = INSTANCE.captures(text) else {
        return unquoted(text);
    };
    let names = FIELD
        .captures_iter(&shown[2])
        .map(|field| field[1].to_owned());
    let names = names.collect::<Vec<_>>().join(" ");
    Cow::Owned(format!("{} {names}", unquoted(text)))
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
    if !text[end..].trim().is_empty() && INSTANCE.is_match(text) {
        return None;
    }
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
            said.push_str(&inner.map_or_else(|| unquoted(text), Cow::Owned));
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
            // Pydantic's errors as Python prints them, within JSON.
            json!({"object": "error", "message": format!(
                "[{{'type': 'extra_forbidden', 'msg': 'no', 'input': {{'content': '{quoted}'}}}}]"
            )})
            .to_string(),
            format!("[{{'type': 'value_error', 'ctx': {{'error': ValueError('{quoted}')}}}}]"),
            format!("BadRequestError: no\nReceived Messages=[{{'content': '{quoted}'}}]"),
            format!("Extra inputs are not permitted, field: 'messages[2].k', value: '{quoted}'"),
            format!("no [type=extra_forbidden, input_value={{'k': '{quoted}'}}, input_type=dict]"),
            format!("messages[3].content: expected string, got '{quoted}'"),
            format!(
                "{{'role': 'assistant', 'k': '{quoted}'}} is not valid under any of the given schemas - 'messages.2'"
            ),
            format!("OpenAIException - [{{'k': '{quoted}'}}] is not of type 'string'"),
            format!("{} is not valid", json!({"k": quoted})),
            json!({"message": format!("'{quoted}' is too long")}).to_string(),
            json!({"message": format!("{} is not valid", json!({"k": quoted}))}).to_string(),
            json!({"details": [{"path": "k", "value": quoted}]}).to_string(),
            json!({"details": [{"path": "k", "received": quoted, "code": "no"}]}).to_string(),
        ] {
            let said = by_the_endpoint(&text);
            assert!(!said.contains("maximum"), "{text}: {said}");
        }
    }

    #[test]
    fn a_field_is_refused_where_it_is_named_and_neither_quoted_nor_demanded() {
        let error = |loc: &str, msg: &str, quoted: &str| json!({"loc": ["body", loc], "msg": msg, "input": {"content": quoted}});
        let extra = "Extra inputs are not permitted";
        let names = Regex::new(r"\bk\b").unwrap();
        let others: Vec<Value> = vec![error("name", "Field required", &"x".repeat(600)); 4];
        let in_the_middle = [others.clone(), vec![error("k", extra, "")], others].concat();
        for (text, is_refused) in [
            (json!({"detail": in_the_middle}).to_string(), true),
            (json!({"errors": {"k": ["is unknown"]}}).to_string(), true),
            (json!({"message": json!({"k": "no"}).to_string()}).to_string(), true),
            (
                json!({"message": "[{'loc': ('k',), 'msg': 'extra'}, {'loc': ('n',), 'msg': 'Field required'}]"})
                    .to_string(),
                true,
            ),
            ("k is not known".to_owned(), true),
            ("messages[2]: unknown field `k`, expected one of the required fields `a`, `b`".to_owned(), true),
            ("messages[2]: unknown field `a`, expected one of `k`, `b`".to_owned(), false),
            ("k is not required here and must not be sent".to_owned(), true),
            ("a message must have only role and content; k is not allowed".to_owned(), true),
            ("Field k missing in schema AssistantMessage".to_owned(), true),
            ("unexpected property 'k', 'content' is required".to_owned(), true),
            ("unexpected property 'a', and k is required".to_owned(), false),
            ("missing required field: k".to_owned(), false),
            (
                json!({"message": "{'role': 'assistant', 'k': 'x'} is not valid under any of the given schemas - 'messages.2'"})
                    .to_string(),
                true,
            ),
            (json!({"detail": [error("tier", extra, "k")]}).to_string(), false),
            (json!({"detail": [error("k", "Field required", "")]}).to_string(), false),
            (
                json!({"message": "The `k` of a message must be passed back to us."}).to_string(),
                false,
            ),
        ] {
            let said = that_may_refuse_fields(&text);
            assert_eq!(names.is_match(&said), is_refused, "{text:.200}: {said}");
        }
    }

    #[test]
    fn a_value_of_one_word_is_no_quotation() {
        let text = "Invalid value: 'exit'. Supported values are: 'user' and 'tool'";
        assert_eq!(by_the_endpoint(text), text);
        let text = "max_tokens: got '-3', and the maximum context length is 5";
        assert_eq!(by_the_endpoint(text), text);
    }

    #[test]
    fn what_names_a_field_is_told_from_what_refuses_it() {
        for (text, refuses) in [
            ("got an unexpected keyword argument 'k'", true),
            ("messages.2: Unsupported field k", true),
            (
                "k should not be there, value: 'the prompt is too long'",
                true,
            ),
            ("k and all: the prompt is too long", false),
            ("The prompt is too long. It has k. It is not valid", false),
        ] {
            assert_eq!(that_refuses_fields(text).contains('k'), refuses, "{text}");
        }
    }

    #[test]
    fn a_server_that_failed_refuses_only_what_it_marks_as_a_field() {
        for (text, refuses) in [
            ("got an unexpected keyword argument 'reasoning'", true),
            ("reasoning_content is not allowed", true),
            ("Unsupported field reasoning", true),
            ("Unexpected error in reasoning parser", false),
            ("unexpected end of stream in reasoning", false),
            ("Your plan does not support reasoning models", false),
            ("invalid capacity for reasoning requests", false),
        ] {
            let said = that_refuses_marked_fields(text);
            assert_eq!(said.contains("reasoning"), refuses, "{text}");
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
    fn what_stands_after_a_quotation_is_still_said() {
        for text in [
            r#"400 - {"input": "the maximum", "msg": "no such field"} (request 7)"#,
            r#"400 - [{"input": "the maximum", "msg": "no such field"}] (request 7)"#,
        ] {
            let said = by_the_endpoint(text);
            for word in ["400", "no such field", "(request 7)"] {
                assert!(said.contains(word), "{word}: {said}");
            }
            assert!(!said.contains("maximum"), "{said}");
        }
    }

    #[test]
    fn texts_are_read_six_deep_and_stand_as_they_are_below() {
        let within = |texts: usize| {
            let deepest = json!({"k": "is unknown"}).to_string();
            (0..texts).fold(deepest, |text, _| json!({"error": text}).to_string())
        };
        for (texts, is_read) in [(0, true), (1, true), (6, true), (7, false)] {
            let text = within(texts);
            for said in [
                by_the_endpoint(&text).into_owned(),
                that_may_refuse_fields(&text),
            ] {
                assert!(said.contains("is unknown"), "{said}");
                assert_eq!(!said.contains(r#"{"k":"#), is_read, "{texts}: {said}");
            }
        }
        // A text in quotation marks is no JSON within it.
        let text = json!({"message": "\"k\" is unknown", "more": "\"k\""}).to_string();
        assert!(that_may_refuse_fields(&text).ends_with("\n\"k\""));
    }

    #[test]
    fn a_text_without_json_is_itself() {
        for text in ["", "plain", "a [list] of {words}", "{\"torn\": \"js"] {
            assert_eq!(by_the_endpoint(text), text);
        }
    }
    #[test]
    fn what_the_endpoint_says_is_read_as_it_stands_and_as_its_texts() {
        let text = r#"{"error":{"message":"no","code":"invalid_api_key"}}"#;
        assert!(are_of_the_endpoint(text, |text| text.contains(r#""code":"#)));
        assert!(!are_of_the_endpoint(text, |text| text.contains("quota")));
    }
}
