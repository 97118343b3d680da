//! Fields of an `eval.json` that help to tell of a verdict: one of another shape is not there.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::ApplyStatus;

/// Like [`text`].
pub fn apply_status<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ApplyStatus>, D::Error> {
    Ok(ApplyStatus::deserialize(Value::deserialize(from)?).ok())
}

/// Like [`text`].
pub fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    Ok(Value::deserialize(from)?.as_i64())
}

/// A text; what is none is nobody's reason to call the file unreadable.
pub fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(value.as_str().map(str::to_owned))
}
