//! Takes secrets out of a page's data.

use serde_json::Value;

use crate::view::PageMask;

/// Hides what a mask knows in every text of a value.
pub fn hide_in(value: &mut Value, mask: &PageMask) {
    match value {
        Value::String(text) => mask.hide_in(text),
        Value::Array(values) => values.iter_mut().for_each(|value| hide_in(value, mask)),
        Value::Object(values) => values.values_mut().for_each(|value| hide_in(value, mask)),
        _ => {}
    }
}
