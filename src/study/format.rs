//! The formats of what many runs say, by name.

use super::{ArmsCompared, Figures, json, markdown, text};
use crate::bench::word::Listed;
use crate::text::paint::plain;

/// The formats of what many runs say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StudyFormat {
    /// For a terminal.
    Text,
    /// For programs: one object with every number.
    Json,
    /// For an issue or a paper's notes.
    Markdown,
}

impl Listed for StudyFormat {
    const LIST: &'static [Self] = &[Self::Text, Self::Json, Self::Markdown];

    fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Markdown => "markdown",
        }
    }
}

impl StudyFormat {
    /// What is compared, ending in a newline.
    #[must_use]
    pub fn compared(self, it: &ArmsCompared) -> String {
        match self {
            Self::Text => plain(&text::compared(it, None)),
            Self::Json => json::compared(it),
            Self::Markdown => markdown::compared(it),
        }
    }

    /// Each arm by itself, ending in a newline.
    #[must_use]
    pub fn by_arm(self, arms: &[Figures], notes: &[String]) -> String {
        match self {
            Self::Text => plain(&text::by_arm(arms, notes, None)),
            Self::Json => json::by_arm(arms, notes),
            Self::Markdown => markdown::by_arm(arms, notes),
        }
    }
}
