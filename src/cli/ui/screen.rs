//! A whole terminal that is drawn anew in place, and given back as it was.

use std::io::{self, IsTerminal as _};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::text::fit::{cut, wrapped};
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

/// Whether the other screen is there: whoever ends or stops the process gives it back.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// A terminal's other screen. What was there before is back when it is dropped, and where the process
/// ends by a panic.
#[derive(Debug)]
pub struct Screen(());

impl Screen {
    /// Takes stdout's terminal, at the first text that it shows; `None` where stdout is none, or one
    /// whose cursor cannot be moved.
    #[must_use]
    pub fn take() -> Option<Self> {
        static ONCE: Once = Once::new();
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if is_dumb || !io::stdout().is_terminal() {
            return None;
        }
        ONCE.call_once(|| {
            let hook = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panicked| {
                give_back();
                hook(panicked);
            }));
        });
        Some(Self(()))
    }

    /// Shows a text from the first line on, within the terminal's size. What has no room is told of.
    /// A program in the background leaves the terminal to the one that has it.
    pub fn show(&self, text: &str) {
        let has = rustix::termios::tcgetpgrp(io::stdout());
        if has.is_ok_and(|group| group != rustix::process::getpgrp()) {
            return;
        }
        let size = rustix::termios::tcgetwinsize(io::stdout());
        let (columns, rows) = size.map_or((0, 0), |it| (it.ws_col.into(), it.ws_row.into()));
        if !IS_TAKEN.swap(true, Ordering::Relaxed) {
            raw(ENTER);
        }
        raw(&frame(text, columns, rows));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back as it was, if it is taken. The next text takes it again.
pub fn give_back() {
    if IS_TAKEN.swap(false, Ordering::Relaxed) {
        raw(LEAVE);
    }
}

/// What is written to show a text on a screen of this size; of one that has none all of it.
fn frame(text: &str, columns: usize, rows: usize) -> String {
    let text = shown_in_colour(text);
    // A line that fills the last column loses it to what clears the rest of the line.
    let width = match columns {
        0 => usize::MAX,
        columns => columns.saturating_sub(1).max(1),
    };
    let text = if columns == 0 {
        text
    } else {
        wrapped(&text, width)
    };
    let mut lines: Vec<&str> = text.lines().collect();
    let more;
    if rows > 0 && lines.len() > rows {
        more = format!("… {} more lines", lines.len() - (rows - 1));
        lines.truncate(rows - 1);
        lines.push(&more);
    }
    // What wraps nowhere, as a command does, would take two rows.
    let lines: Vec<String> = lines
        .iter()
        .map(|line| format!("{}{REST_OF_LINE}", cut(line, width)))
        .collect();
    format!("{HOME}{}{REST}", lines.join("\r\n"))
}

/// Writes to stdout at once, without colours where none are wanted. Not by its lock, which may be held
/// where a thread that is stuck keeps the process from ending.
fn raw(text: &str) {
    let stdout = io::stdout();
    let never = anstream::AutoStream::choice(&stdout) == anstream::ColorChoice::Never;
    let text = if never { plain(text) } else { text.to_owned() };
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        match rustix::io::write(&stdout, rest) {
            Ok(written @ 1..) => rest = &rest[written..],
            Err(rustix::io::Errno::INTR) => {}
            // A terminal that went away has nothing to be told.
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::fit::width;
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
            ["one", "two two", "  two", "… 2 mor…"]
        );
        assert_eq!(lines(frame(text, 0, 0)).len(), 4);
        // The last column stays free.
        assert_eq!(lines(frame("four five", 9, 4)), ["four", "  five"]);
        assert_eq!(lines(frame("four five", 10, 4)), ["four five"]);
        // A command is one word, and no frame has more rows than the terminal.
        let command = "see `regatta status --logs-dir results` for more\n";
        assert_eq!(lines(frame(command, 20, 2)), ["see", "… 2 more lines"]);
        assert_eq!(
            lines(frame(command, 20, 4)),
            ["see", "  `regatta status …", "  for more"]
        );
        for columns in 1..60 {
            for line in lines(frame(command, columns, 4)) {
                assert!(width(&line) < columns.max(2), "{columns}: {line}");
            }
        }
    }

    #[test]
    fn what_is_not_taken_is_not_given_back() {
        assert!(!IS_TAKEN.load(Ordering::Relaxed));
        give_back();
        assert!(!IS_TAKEN.load(Ordering::Relaxed));
    }

    #[test]
    fn a_frame_without_colours_still_moves_the_cursor() {
        let frame = frame(&format!("{}\n", bad("x")), 80, 24);
        assert_eq!(plain(&frame), format!("{HOME}x{REST_OF_LINE}{REST}"));
        assert_eq!(plain(LEAVE), LEAVE);
    }
}
