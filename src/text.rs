//! Text for people, from what is not theirs.

use std::fmt::Write as _;

/// Text as one line of at most `limit` characters; control characters become spaces, so that an
/// error's text cannot drive the terminal.
#[must_use]
pub fn one_line(text: &str, limit: usize) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let clean = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    if clean.chars().count() <= limit {
        return clean;
    }
    let cut: String = clean.chars().take(limit - 1).collect();
    format!("{cut}…")
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
