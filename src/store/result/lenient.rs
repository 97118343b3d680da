//! Fields of a `result.json` that other programs write in shapes of their own: what is not
//! understood there is not known, and nobody's reason to call the file unreadable.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// A text; an id or a time may be a number.
pub fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(text) => Some(text),
        other => to_text(&other),
    })
}

/// The same of a value.
pub fn to_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Yes or no; what is neither is not known.
pub fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    Ok(Value::deserialize(from)?.as_bool())
}

/// A number, be it quoted.
pub fn to_number(value: &Value) -> Option<u64> {
    let quoted = || value.as_str()?.parse().ok();
    value.as_u64().or_else(quoted)
}

/// An error's text, in whatever shape: what is there says that there was one.
pub fn to_error(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Object(fields) if fields.is_empty() => None,
        Value::Array(errors) if errors.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Object(fields) => Some(message(fields)),
        value => Some(value.to_string()),
    }
}

/// An error that was written as an object: its message, after its class as Python prints them.
fn message(fields: &Map<String, Value>) -> String {
    let text = |key: &str| fields.get(key)?.as_str().filter(|text| !text.is_empty());
    let Some(message) = text("message") else {
        return Value::Object(fields.clone()).to_string();
    };
    let is_class = |name: &&str| name.ends_with("Error") || name.ends_with("Exception");
    match text("type").filter(is_class) {
        Some(class) if !message.contains(class) => format!("{class}: {message}"),
        _ => message.to_owned(),
    }
}
