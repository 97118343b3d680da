//! A whole terminal that is drawn anew in place, and given back as it was.

use std::io::{self, IsTerminal as _, Write as _};

use crate::text::fit::wrapped;
use crate::text::paint::plain;
use crate::text::shown_in_colour;

/// The other screen of a terminal, without a cursor; and back.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l";
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";

/// Begins at the first column of the first line.
const HOME: &str = "\u{1b}[H";
/// Clears the rest of the line, and of the screen.
const REST_OF_LINE: &str = "\u{1b}[K";
const REST: &str = "\u{1b}[J";

/// A terminal's other screen. What was there before is back when it is dropped.
#[derive(Debug)]
pub struct Screen(());

impl Screen {
    /// Takes stdout's terminal; `None` where stdout is none.
    #[must_use]
    pub fn take() -> Option<Self> {
        io::stdout().is_terminal().then(|| {
            raw(ENTER);
            Self(())
        })
    }

    /// Shows a text from the first line on, within the terminal's size. What has no room is told of.
    pub fn show(&self, text: &str) {
        let size = rustix::termios::tcgetwinsize(io::stdout());
        let (columns, rows) = size.map_or((0, 0), |it| (it.ws_col.into(), it.ws_row.into()));
        raw(&frame(text, columns, rows));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        raw(LEAVE);
    }
}

/// What is written to show a text on a screen of this size; of one that has none all of it.
fn frame(text: &str, columns: usize, rows: usize) -> String {
    let text = shown_in_colour(text);
    let text = if columns == 0 {
        text
    } else {
        wrapped(&text, columns)
    };
    let mut lines: Vec<&str> = text.lines().collect();
    let more;
    if rows > 0 && lines.len() > rows {
        more = format!("… {} more lines", lines.len() - (rows - 1));
        lines.truncate(rows - 1);
        lines.push(&more);
    }
    let lines: Vec<String> = lines
        .iter()
        .map(|line| format!("{line}{REST_OF_LINE}"))
        .collect();
    format!("{HOME}{}{REST}", lines.join("\r\n"))
}

/// Writes to stdout at once, without colours where none are wanted.
fn raw(text: &str) {
    let mut stdout = io::stdout().lock();
    let never = anstream::AutoStream::choice(&stdout) == anstream::ColorChoice::Never;
    let text = if never { plain(text) } else { text.to_owned() };
    // A terminal that went away has nothing to be told.
    let _ = stdout.write_all(text.as_bytes());
    let _ = stdout.flush();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::paint::bad;

    #[test]
    fn a_frame_has_the_terminals_lines_and_no_more() {
        let text = "one\ntwo two two\nthree\nfour\n";
        let lines = |frame: String| -> Vec<String> {
            let inner = frame.trim_start_matches(HOME).trim_end_matches(REST);
            let lines = inner.split("\r\n");
            lines
                .map(|line| line.trim_end_matches(REST_OF_LINE).to_owned())
                .collect()
        };
        assert_eq!(
            lines(frame(text, 80, 24)),
            ["one", "two two two", "three", "four"]
        );
        assert_eq!(
            lines(frame(text, 9, 4)),
            ["one", "two two", "  two", "… 2 more lines"]
        );
        assert_eq!(lines(frame(text, 0, 0)).len(), 4);
    }

    #[test]
    fn a_frame_without_colours_still_moves_the_cursor() {
        let frame = frame(&format!("{}\n", bad("x")), 80, 24);
        assert_eq!(plain(&frame), format!("{HOME}x{REST_OF_LINE}{REST}"));
        assert_eq!(plain(LEAVE), LEAVE);
    }
}
