//! Lines below all others that change while something goes on.

use std::fmt::Write as _;

/// Lines at the end of what a terminal shows, drawn anew when another line is printed above them.
///
/// The cursor stays at their beginning. So clearing them needs no count of lines, which nobody knows
/// after a terminal was made narrower and has broken them.
#[derive(Debug, Default)]
pub struct Panel {
    lines: Vec<String>,
}

impl Panel {
    /// What is written to show other lines; none clears what is there.
    pub fn show(&mut self, lines: Vec<String>) -> String {
        if lines == self.lines {
            return String::new();
        }
        let was_empty = self.lines.is_empty();
        self.lines = lines;
        self.frame("", was_empty)
    }

    /// What is written to print a line or more above the lines.
    pub fn above(&self, text: &str) -> String {
        self.frame(&format!("{text}\n"), self.lines.is_empty())
    }

    fn frame(&self, above: &str, was_empty: bool) -> String {
        let mut out = String::new();
        if !was_empty {
            // A terminal writes what is typed, Ctrl-C among it, where the cursor is.
            out.push_str("\r\u{1b}[J");
        }
        out.push_str(above);
        out.push_str(&self.lines.join("\n"));
        if !self.lines.is_empty() {
            out.push('\r');
        }
        if self.lines.len() > 1 {
            let _ = write!(out, "\u{1b}[{}A", self.lines.len() - 1);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_stays_at_the_beginning_and_what_was_there_is_cleared() {
        let mut panel = Panel::default();
        assert_eq!(panel.above("one"), "one\n");
        let lines = || vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(panel.show(lines()), "a\nb\r\u{1b}[1A");
        assert_eq!(panel.above("two"), "\r\u{1b}[Jtwo\na\nb\r\u{1b}[1A");
        assert_eq!(panel.show(lines()), "");
        assert_eq!(panel.show(Vec::new()), "\r\u{1b}[J");
        assert_eq!(panel.show(Vec::new()), "");
    }
}
