//! Long texts folded to their beginning and end, within a width.

use std::fmt::Write as _;

use crate::text::fit::cut;
use crate::text::paint::{bad, faint, good, plain, strong};
use crate::text::{plural, shown};

/// The longest line where there is no terminal, in columns: a parser's error may be a megabyte.
const WIDEST: usize = 500;

/// How much of a text is shown.
#[derive(Clone, Copy, Debug)]
pub struct Fold {
    /// Whether all of it is.
    pub is_full: bool,
    /// How many columns there are, on a terminal.
    pub columns: Option<usize>,
}

impl Fold {
    /// The lines of a text, each behind `indent`: at most so many at its beginning and at its end, and
    /// how many more there are between. Nothing hidden is left in them.
    #[must_use]
    pub fn lines(self, text: &str, indent: &str, head: usize, tail: usize) -> String {
        self.painted(text, indent, head, tail, str::to_owned)
    }

    /// The same, with each line in a colour.
    #[must_use]
    pub fn painted(
        self,
        text: &str,
        indent: &str,
        head: usize,
        tail: usize,
        paint: impl Fn(&str) -> String,
    ) -> String {
        let text = text.trim_end();
        if text.is_empty() {
            return String::new();
        }
        let all: Vec<&str> = text.lines().collect();
        let room = self
            .columns
            .unwrap_or(WIDEST)
            .saturating_sub(indent.chars().count());
        let line = |line: &&str| {
            let clean = self.clean(line, room);
            format!("{indent}{}\n", paint(&clean))
        };
        // To fold one line away would take one to say so.
        if self.is_full || all.len() <= head + tail + 1 {
            return all.iter().map(line).collect();
        }
        let more = plural(all.len() - head - tail, "more line");
        let mut out: String = all[..head].iter().map(line).collect();
        let _ = writeln!(out, "{indent}{}", faint(format!("… {more}")));
        out.extend(all[all.len() - tail..].iter().map(line));
        out
    }

    /// A line without what is hidden in it, and within the width where texts are folded.
    fn clean(self, line: &str, room: usize) -> String {
        if self.is_full {
            return shown(&plain(line)).replace('\t', "    ");
        }
        // A tab has no width of its own, and a line may be of megabytes.
        let most = room.saturating_mul(4);
        let begin: String = line.chars().take(most).collect();
        let is_cut = begin.len() < line.len();
        let clean = shown(&plain(&begin)).replace('\t', "    ");
        cut(&if is_cut { clean + "…" } else { clean }, room)
    }
}

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
