//! Rows as lines of JSON, with the keys in the order of the columns.

use super::Row;
use crate::json;
use crate::text::shown_json;

/// A row, in one line. What is hidden is written as escapes.
#[must_use]
pub fn line(row: &Row) -> String {
    let mut line = shown_json(&json::line(row));
    line.push('\n');
    line
}
