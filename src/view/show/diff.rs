//! Patches in the colours of a diff.

use std::fmt::Write as _;

use super::fold::{Fold, coloured};
use super::head::size;
use super::lanes::label;
use crate::view::trial::Trial;

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
