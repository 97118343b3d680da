//! What is printed for people to stdout: within its terminal's width, and whole where it is none.

use super::ui::Ui;
use crate::error::Result;
use crate::report::{Summary, text};
use crate::text::fit::{hung, wrapped};

/// How many columns the terminal has that stdout is. None of a pipe or a file, whatever `COLUMNS`
/// says: who reads those gets all of it.
#[must_use]
pub fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    // A terminal that does not know says 0.
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Prints the report of these runs.
pub fn report(summaries: &[Summary], ui: &Ui) -> Result<()> {
    ui.data(&text::render(summaries, columns()))
}

/// Prints the report that ends a command on these runs: in short, if they are many.
pub fn at_the_end(summaries: &[Summary], ui: &Ui) -> Result<()> {
    ui.data(&text::at_the_end(summaries, columns()))
}

/// Prints lines of two parts, of which the second goes on below its beginning. A command stays a line,
/// to be copied: a terminal breaks it without a line end.
pub fn list(text: &str, is_command: impl Fn(&str) -> bool, ui: &Ui) -> Result<()> {
    let Some(columns) = columns() else {
        return ui.data(text);
    };
    let fitted = text.split('\n').map(|line| {
        if is_command(line) {
            line.to_owned()
        } else {
            hung(line, columns)
        }
    });
    ui.data(&fitted.collect::<Vec<_>>().join("\n"))
}

/// Prints lines that wrap between words.
pub fn page(text: &str, ui: &Ui) -> Result<()> {
    match columns() {
        Some(columns) => ui.data(&wrapped(text, columns)),
        None => ui.data(text),
    }
}
