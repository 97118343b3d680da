//! Long texts for a terminal go through the user's pager.

use std::io::{self, IsTerminal as _};

use tokio::signal::unix::{SignalKind, signal};

use super::Ui;
use crate::error::Result;
use crate::process;
use crate::text::paint::plain;
use crate::text::shown_in_colour;

/// What shows a text where `PAGER` names nothing else.
const PAGER: [&str; 2] = ["less", "-R"];

impl Ui {
    /// Prints data to stdout; on a terminal that it does not fit into, through `PAGER`. Where that
    /// cannot be started, all of it is printed.
    ///
    /// It runs within the runtime: Ctrl-C is the pager's.
    pub fn paged(&self, text: &str) -> Result<()> {
        let Some(words) = pager().filter(|_| is_longer_than_the_terminal(text)) else {
            return self.data(text);
        };
        let _held = signal(SignalKind::interrupt());
        let shown = shown_in_colour(text);
        let has_colours =
            anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        let shown = if has_colours { shown } else { plain(&shown) };
        process::hand_over(&words, &shown).or_else(|_| self.data(text))
    }
}

/// The user's pager in words; none where `PAGER` is empty, or is no command line.
fn pager() -> Option<Vec<String>> {
    let Some(named) = std::env::var_os("PAGER") else {
        return Some(PAGER.map(str::to_owned).to_vec());
    };
    let words = shlex::split(named.to_str()?)?;
    (!words.is_empty()).then_some(words)
}

/// Whether it is a terminal that stdout is, and too low for a text.
fn is_longer_than_the_terminal(text: &str) -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let stdout = io::stdout();
    if is_dumb || !stdout.is_terminal() {
        return false;
    }
    let rows = rustix::termios::tcgetwinsize(&stdout).map_or(0, |size| size.ws_row);
    text.lines().count() >= usize::from(rows)
}
