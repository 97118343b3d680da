//! The formats of a report, by name.

use super::{Summary, json, junit, markdown, text};
use crate::error::Error;
use crate::text::paint::plain;

/// The formats of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a terminal: a table, then what there is to know of each run.
    Text,
    /// For programs: one object with every number and every pair.
    Json,
    /// For an issue or a paper's notes.
    Markdown,
    /// For CI: one suite per run, one case per pair.
    Junit,
}

impl Format {
    /// Every format with its name.
    pub const ALL: [(&'static str, Self); 4] = [
        ("text", Self::Text),
        ("json", Self::Json),
        ("markdown", Self::Markdown),
        ("junit", Self::Junit),
    ];

    /// The report in this format, ending in a newline.
    #[must_use]
    pub fn render(self, summaries: &[Summary]) -> String {
        match self {
            Self::Text => plain(&text::render(summaries, None)),
            Self::Json => json::render(summaries),
            Self::Markdown => markdown::render(summaries),
            Self::Junit => junit::render(summaries),
        }
    }
}

impl std::str::FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let names = Self::ALL.map(|(name, _)| name);
        let found = Self::ALL.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, format)| format).ok_or_else(|| {
            Error::usage(format!(
                "unknown format `{name}`: it is one of {}",
                names.join(", ")
            ))
        })
    }
}
