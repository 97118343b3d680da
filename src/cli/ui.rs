//! The only code that prints. Stdout is data, stderr is talk.

pub mod screen;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::{Args, ValueEnum};

use crate::error::{Error, Kind, Result, exit};
use crate::runner::interrupt::Interrupt;
use crate::text::{shown, shown_in_colour, shown_within};

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
}

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
        match args.color {
            Color::Auto => {}
            Color::Always => anstream::ColorChoice::Always.write_global(),
            Color::Never => anstream::ColorChoice::Never.write_global(),
        }
        let is_terminal = io::IsTerminal::is_terminal(&io::stderr());
        Self {
            verbose: args.verbose,
            quiet: args.quiet,
            bars: is_terminal && !args.no_progress && !args.quiet,
        }
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

    /// Says something on stderr, even with `-q`.
    pub fn talk(&self, text: impl Display) {
        let text = shown_in_colour(&text.to_string());
        let _ = writeln!(anstream::stderr(), "{text}");
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
        let mut stderr = anstream::stderr();
        let text = shown_within(&error.to_string(), WIDEST);
        let _ = writeln!(stderr, "{RED}{heading}:{RED:#} {text}");
        for hint in error.hints() {
            let _ = writeln!(stderr, "{BOLD}  hint:{BOLD:#} {}", shown(hint));
        }
    }
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

/// Text in bold. The escapes are dropped where stdout or stderr shows no colour.
#[must_use]
pub fn bold(text: impl Display) -> String {
    format!("{BOLD}{text}{BOLD:#}")
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
