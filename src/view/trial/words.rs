//! Texts and times as trajectories have them.

use serde_json::Value;

use crate::store::Moment;

/// The longest text that is kept whole, in bytes. Of a longer one beginning and end are.
const LONGEST: usize = 1_000_000;

/// A text, or beginning and end of a very long one, with how much is left out.
pub fn bounded(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(LONGEST / 2);
    let tail = text.ceil_char_boundary(text.len() - LONGEST / 2);
    format!(
        "{}\n[… {} bytes are left out here; the file has them …]\n{}",
        &text[..head],
        tail - head,
        &text[tail..]
    )
}

/// A time in seconds since 1970.
pub fn seconds(value: &Value) -> Option<f64> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let at = Moment::read(&text)?.timestamp()?;
    Some(at.as_duration().as_secs_f64())
}

/// A text that a field has; none where it has none, or an empty one.
pub fn text_of(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.trim().is_empty())
}
