//! Fields of a `result.json` that other programs write in shapes of their own: what is not
//! understood there is not known, and nobody's reason to call the file unreadable.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::file::FileAgent;

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

/// The agents by id. In a list they have one of their own, or that of their place.
pub fn agents<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(String, FileAgent)>, D::Error> {
    let named: Vec<(String, Value)> = match Value::deserialize(from)? {
        Value::Null => Vec::new(),
        Value::Object(agents) => agents.into_iter().collect(),
        Value::Array(agents) => {
            let is_alone = agents.len() == 1;
            let named = agents.into_iter().enumerate();
            named
                .map(|(place, agent)| (id_of(&agent, place, is_alone), agent))
                .collect()
        }
        _ => {
            return Err(D::Error::custom(
                "its `agents` are neither a map nor a list",
            ));
        }
    };
    let read = named.into_iter().map(|(id, agent)| {
        let agent = FileAgent::of(&agent).map_err(D::Error::custom)?;
        Ok((id, agent))
    });
    read.collect()
}

fn id_of(agent: &Value, place: usize, is_alone: bool) -> String {
    let own = [&agent["agent_id"], &agent["id"]];
    match own.into_iter().find_map(Value::as_str) {
        Some(id) if !id.is_empty() => id.to_owned(),
        _ if is_alone => "solo".to_owned(),
        _ => format!("agent{}", place + 1),
    }
}
