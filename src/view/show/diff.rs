//! Patches in the colours of a diff.

use std::fmt::Write as _;

use super::fold::Fold;
use super::head::size;
use super::lanes::label;
use crate::text::paint::{bad, good, strong};
use crate::view::trial::Trial;

/// A line of a diff in its colour. Its sign says the same.
pub fn coloured(line: &str) -> String {
    let is_head = ["diff ", "--- ", "+++ ", "@@"]
        .iter()
        .any(|with| line.starts_with(with));
    match line.chars().next() {
        _ if is_head => strong(line),
        Some('+') => good(line),
        Some('-') => bad(line),
        _ => line.to_owned(),
    }
}

/// Each agent's patch, whole: `read` gives its text, or why there is none.
#[must_use]
pub fn patches(
    trial: &Trial,
    fold: Fold,
    read: impl Fn(&std::path::Path) -> Result<String, String>,
) -> String {
    let whole = Fold {
        is_full: true,
        ..fold
    };
    let mut out = String::new();
    for (place, lane) in trial.agents.iter().enumerate() {
        let Some(patch) = &lane.patch else {
            let _ = writeln!(out, "\n{}  has no patch", label(trial, place));
            continue;
        };
        let place_of = crate::text::one_line(&patch.path.display().to_string(), 1_000);
        let _ = writeln!(
            out,
            "\n{}  {place_of}, {}",
            label(trial, place),
            size(patch.bytes)
        );
        match read(&patch.path) {
            Ok(text) => out.push_str(&whole.painted(&text, "", 0, 0, coloured)),
            Err(why) => {
                let _ = writeln!(out, "  {}", crate::text::one_line(&why, 1_000));
            }
        }
    }
    out
}
