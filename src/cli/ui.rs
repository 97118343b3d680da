//! The only code that prints. Stdout is data, stderr is talk.

mod pager;
mod panel;
pub mod screen;

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::{Args, ValueEnum};
use panel::Panel;

use crate::error::{Error, Kind, Result, exit};
use crate::runner::interrupt::Interrupt;
use crate::text::paint::plain;
use crate::text::{fit, shown, shown_in_colour, shown_within};

/// How much is said, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Every command")]
pub struct UiArgs {
    /// Say more; twice for every event
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
    /// Say only what is wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Colour
    #[arg(long, value_enum, default_value_t = Color::Auto, value_name = "WHEN", global = true)]
    color: Color,
    /// Plain lines instead of progress bars
    #[arg(long, global = true)]
    no_progress: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// The terminal, or what stands in its place; by default without bars and flags.
#[derive(Clone, Debug, Default)]
pub struct Ui {
    verbose: u8,
    quiet: bool,
    bars: bool,
    panel: Arc<Mutex<Panel>>,
}

/// The columns and rows of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// How many characters a line has.
    pub columns: usize,
    /// How many lines it shows.
    pub rows: usize,
}

/// In less room lines are left to the terminal, and no bar is drawn.
const SMALLEST: Size = Size {
    columns: 20,
    rows: 4,
};

/// The longest line of an error, in characters.
const WIDEST: usize = 1000;

/// How long an interrupt waits for the program to take notice. No piece of work should take a
/// second, but a disk may, and what runs is paid for; Docker's `stop` waits ten seconds by default.
const PATIENCE: Duration = Duration::from_secs(8);

const BOLD: Style = Style::new().bold();
const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default().bold();

impl Ui {
    /// The terminal as the arguments want it.
    #[must_use]
    pub fn new(args: &UiArgs) -> Self {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let is_forced = std::env::var_os("CLICOLOR_FORCE").is_some_and(|force| force != "0");
        match args.color {
            // Where `CI` is set, anstream takes every terminal for one with colours.
            Color::Auto if is_dumb && !is_forced => anstream::ColorChoice::Never.write_global(),
            Color::Auto => {}
            Color::Always => anstream::ColorChoice::Always.write_global(),
            Color::Never => anstream::ColorChoice::Never.write_global(),
        }
        let is_terminal = io::IsTerminal::is_terminal(&io::stderr());
        Self {
            verbose: args.verbose,
            quiet: args.quiet,
            bars: is_terminal && !is_dumb && !args.no_progress && !args.quiet,
            panel: Arc::default(),
        }
    }

    /// The size of the terminal that stderr is, if it is one that lines can be made to fit into. It
    /// may be another one each time.
    #[must_use]
    pub fn size(&self) -> Option<Size> {
        let size = rustix::termios::tcgetwinsize(io::stderr()).ok()?;
        let (columns, rows) = (size.ws_col.into(), size.ws_row.into());
        (columns >= SMALLEST.columns).then_some(Size { columns, rows })
    }

    /// The room for a bar, if one is to be drawn and its terminal is large enough. A program in the
    /// background leaves the terminal to the one that has it.
    #[must_use]
    pub fn room(&self) -> Option<Size> {
        let fits = |size: &Size| self.bars && size.rows >= SMALLEST.rows;
        let size = self.size().filter(fits)?;
        let has = rustix::termios::tcgetpgrp(io::stderr());
        let is_anothers = has.is_ok_and(|group| group != rustix::process::getpgrp());
        (!is_anothers).then_some(size)
    }

    /// Shows these lines below all others, in place of those that are there. None clears them.
    pub fn show(&self, lines: &[String]) {
        let mut panel = self.panel();
        let lines = lines.iter().map(|line| shown_in_colour(line)).collect();
        raw(&panel.show(lines));
    }

    fn panel(&self) -> MutexGuard<'_, Panel> {
        self.panel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether progress bars are drawn; plain lines otherwise.
    #[must_use]
    pub const fn draws_bars(&self) -> bool {
        self.bars
    }

    /// How often `-v` was given.
    #[must_use]
    pub const fn verbosity(&self) -> u8 {
        self.verbose
    }

    /// Whether `-q` was given. Then [`Self::say`] is silent, and no bar is drawn.
    #[must_use]
    pub const fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Prints data to stdout. A reader that went away (`| head`) is no error; a full disk is.
    pub fn data(&self, text: &str) -> Result<()> {
        let mut stdout = anstream::stdout();
        let text = shown_in_colour(text);
        let written = stdout.write_all(text.as_bytes());
        handed_over(written.and_then(|()| stdout.flush()))
    }

    /// Prints a piece of data to stdout as it is, with its own line ends: nothing may be hidden in it.
    /// Says whether its reader is still there.
    pub fn data_as_it_is(&self, text: &str) -> Result<bool> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(text.as_bytes());
        let written = written.and_then(|()| stdout.flush());
        let is_gone = matches!(&written, Err(error) if error.kind() == io::ErrorKind::BrokenPipe);
        handed_over(written).map(|()| !is_gone)
    }

    /// Prints what takes the place of a command: help, a version, or what is wrong with the
    /// arguments. Returns the exit code.
    pub fn parsed(&self, said: &clap::Error) -> Result<u8> {
        let printed = said.print().and_then(|()| io::stdout().flush());
        if !said.use_stderr() {
            handed_over(printed)?;
        }
        Ok(u8::try_from(said.exit_code()).unwrap_or(exit::USAGE))
    }

    /// Says something on stderr, unless `-q`.
    pub fn say(&self, text: impl Display) {
        if !self.quiet {
            self.talk(text);
        }
    }

    /// Says something on stderr, even with `-q`. On a terminal no line is wider than it.
    pub fn talk(&self, text: impl Display) {
        let text = shown_in_colour(&text.to_string());
        self.above(&match self.size() {
            Some(size) => fit::wrapped(&near(&text), size.columns),
            None => text,
        });
    }

    /// Says a line on stderr, unless `-q`, that is to be copied: whole, with its paths as they are.
    pub fn to_copy(&self, line: impl Display) {
        if !self.quiet {
            self.above(&shown_in_colour(&line.to_string()));
        }
    }

    /// Says one line on stderr, which loses its end if the terminal is too narrow.
    pub fn row(&self, text: impl Display) {
        let text = shown_in_colour(&text.to_string());
        self.above(&match self.size() {
            Some(size) => fit::cut(&text, size.columns),
            None => text,
        });
    }

    fn above(&self, text: &str) {
        let panel = self.panel();
        raw(&panel.above(text));
    }

    /// Says something only with `-v`.
    pub fn detail(&self, text: impl Display) {
        if self.verbose > 0 {
            self.say(text);
        }
    }

    /// Prints a warning to stderr, even with `-q`.
    pub fn warn(&self, text: impl Display) {
        self.talk(warning(text));
    }

    /// Ends the program where an interrupt finds it held up.
    pub fn guard(&self, interrupt: &Interrupt) {
        let ui = self.clone();
        interrupt.end_if_stuck(PATIENCE, move || {
            screen::give_back();
            ui.show(&[]);
            ui.warn(format!(
                "interrupted while busy for more than {} s, and ended at once; what ran is kept, and the same command resumes",
                PATIENCE.as_secs()
            ));
        });
    }

    /// Prints an error with its hints.
    pub fn error(&self, error: &Error) {
        let heading = match error.kind() {
            Kind::Usage | Kind::Output => "error",
            Kind::World => "not fit",
        };
        self.show(&[]);
        let mut stderr = anstream::stderr();
        let mut line = |text: String| {
            let text = match self.size() {
                Some(size) => fit::wrapped(&text, size.columns),
                None => text,
            };
            let _ = writeln!(stderr, "{text}");
        };
        let text = shown_within(&error.to_string(), WIDEST);
        line(format!("{RED}{heading}:{RED:#} {text}"));
        for hint in error.hints() {
            line(format!("  {BOLD}hint:{BOLD:#} {}", shown(hint)));
        }
    }
}

/// Writes to stderr at once, without colours where none are wanted.
fn raw(text: &str) {
    let mut stderr = io::stderr().lock();
    let choice = anstream::AutoStream::choice(&stderr);
    let text = if choice == anstream::ColorChoice::Never {
        Cow::Owned(plain(text))
    } else {
        Cow::Borrowed(text)
    };
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.flush();
}

/// A text in which paths below the working directory are relative to it.
fn near(text: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    if here.parent().is_none() {
        return text.to_owned();
    }
    let here = format!("{}/", here.display());
    let mut parts = text.split(&here);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // The end of a longer path is none of ours.
        if out.ends_with(|c: char| c.is_alphanumeric() || "/._-".contains(c)) {
            out.push_str(&here);
        }
        out.push_str(part);
    }
    out
}

/// What became of data on its way to stdout. A reader that went away has what it wanted.
fn handed_over(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::output(format!(
            "cannot write to stdout: {error}"
        ))
        .hint("send the output to a place with room and give the same command again; what ran is kept")),
        _ => Ok(()),
    }
}

/// A warning as a line.
#[must_use]
pub fn warning(text: impl Display) -> String {
    format!("{YELLOW}warning:{YELLOW:#} {}", shown(&text.to_string()))
}

/// A word in the colour of what became of a pair: it is as it should be, ended early, or broke.
#[must_use]
pub fn ended(word: &str, is_good: bool, is_broken: bool) -> String {
    let style = match (is_good, is_broken) {
        (_, true) => RED,
        (true, _) => GREEN,
        _ => YELLOW,
    };
    format!("{style}{word}{style:#}")
}

/// A mark in the colour of its meaning; the word carries it without the colour.
#[must_use]
pub fn mark(word: &str) -> String {
    let style = match word {
        "pass" | "done" => GREEN,
        "warn" => YELLOW,
        _ => RED,
    };
    format!("{style}{word}{style:#}")
}
