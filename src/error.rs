//! The one error type that crosses module borders.
//!
//! An error is a kind (which decides the exit code), one sentence that says
//! what was being done to which file or pair and why it failed, and hints
//! that say what to do next. Only `cli::ui` prints it.

use std::fmt;

/// What an error means for the person at the terminal; see [`Kind::exit_code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The command line, the configuration or the data it names is wrong; nothing ran.
    Usage,
    /// The world is not fit: a daemon is down, a disk is full, a key is refused.
    World,
    /// What was asked for is made and cannot be handed over: stdout leads to a full disk.
    Output,
}

impl Kind {
    /// The process exit code of an error of this kind (see [`exit`]).
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Usage => exit::USAGE,
            Self::World | Self::Output => exit::WORLD,
        }
    }
}

/// The exit codes of `regatta`, a stable interface for scripts.
pub mod exit {
    /// Every pair of the plan has a finished result.
    pub const OK: u8 = 0;
    /// Finished, but some pairs still end in an error, or what was looked at does not hold.
    pub const ERRORS: u8 = 1;
    /// The command line or the configuration is wrong; nothing ran.
    pub const USAGE: u8 = 2;
    /// The world is not fit (preflight or breaker); what ran is kept.
    pub const WORLD: u8 = 3;
    /// A budget that the user set is spent.
    pub const BUDGET: u8 = 4;
    /// Interrupted; the same command resumes.
    pub const INTERRUPTED: u8 = 130;

    /// What each means, in the words of `--help`, of README and of the book.
    pub const MEANINGS: [(u8, &str); 6] = [
        (OK, "every pair of the plan has a finished result"),
        (
            ERRORS,
            "some pairs have an error or no result, a smoke check failed, or a contrast turns in an audit",
        ),
        (
            USAGE,
            "the command line, the configuration or the data is wrong: no trial ran",
        ),
        (
            WORLD,
            "preflight, the breaker, the daemon, the disk or an account limit stopped it",
        ),
        (BUDGET, "the budget is spent"),
        (INTERRUPTED, "interrupted: the same command resumes"),
    ];
}

/// An error with its kind, message and hints.
#[derive(Clone, Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    hints: Vec<String>,
}

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of the command line, the configuration or the data it names.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// An error of the world around us.
    #[must_use]
    pub fn world(message: impl Into<String>) -> Self {
        Self::new(Kind::World, message)
    }

    /// An error of the place that the output goes to.
    #[must_use]
    pub fn output(message: impl Into<String>) -> Self {
        Self::new(Kind::Output, message)
    }

    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hints: Vec::new(),
        }
    }

    /// Adds a sentence that says what the reader can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The same error, with what it is about before its sentence.
    #[must_use]
    pub fn about(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The same error as one of the command line or its data.
    #[must_use]
    pub fn into_usage(mut self) -> Self {
        self.kind = Kind::Usage;
        self
    }

    /// What kind of error this is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What the reader can do, one sentence each.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// The known word nearest to `typed`, when one is near enough to be a likely slip.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(typed, word), word))
        .filter(|(distance, word)| *distance <= 1 + word.chars().count() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// The known words that `typed` may have been meant as, in backticks: those that it is the first or
/// the last part of, as `coop` is of `coop-comm` and `coop-nocomm`, or else the nearest.
#[must_use]
pub fn likely(typed: &str, known: &[&str]) -> Option<String> {
    let is_part = |word: &&&str| {
        let rest = word.strip_prefix(typed).map(|rest| rest.starts_with('-'));
        let front = word.strip_suffix(typed).map(|front| front.ends_with('-'));
        !typed.is_empty() && (rest == Some(true) || front == Some(true))
    };
    let parts: Vec<String> = known
        .iter()
        .filter(is_part)
        .map(|word| format!("`{word}`"))
        .collect();
    if parts.is_empty() {
        return nearest(typed, known.iter().copied()).map(|near| format!("`{near}`"));
    }
    Some(parts.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::{likely, nearest};

    #[test]
    fn a_part_of_a_word_is_answered_with_those_that_have_it() {
        let known = ["solo", "coop-comm", "coop-nocomm"];
        for (typed, found) in [
            ("coop", Some("`coop-comm` or `coop-nocomm`")),
            ("nocomm", Some("`coop-nocomm`")),
            ("comm", Some("`coop-comm`")),
            ("sollo", Some("`solo`")),
            ("zzzzzz", None),
            ("", None),
        ] {
            assert_eq!(likely(typed, &known).as_deref(), found, "{typed}");
        }
    }

    #[test]
    fn a_slip_finds_its_word_and_nonsense_finds_none() {
        let known = ["concurrency", "model", "agent"];
        assert_eq!(nearest("concurency", known), Some("concurrency"));
        assert_eq!(nearest("zzzzzz", known), None);
    }
}
