//! The formats of a report, by name.

use super::{Row, Summary, csv, json, jsonl, junit, markdown, text};
use crate::bench::word::Listed;
use crate::text::paint::plain;

/// The formats of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One document of all runs.
    Document(Document),
    /// A row for each pair of each run, written run by run.
    Table(Table),
    /// A page with everything, in one file.
    Html,
}

/// What is made of all runs at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// For a terminal: a table, then what there is to know of each run.
    Text,
    /// For programs: one object with every number and every pair.
    Json,
    /// For an issue or a paper's notes.
    Markdown,
    /// For CI: one suite per run, one case per pair.
    Junit,
}

/// What is made row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// For spreadsheets and what reads tables.
    Csv,
    /// The same as objects, one a line.
    Jsonl,
}

impl Listed for Format {
    const LIST: &'static [Self] = &[
        Self::Document(Document::Text),
        Self::Document(Document::Json),
        Self::Document(Document::Markdown),
        Self::Document(Document::Junit),
        Self::Table(Table::Csv),
        Self::Table(Table::Jsonl),
        Self::Html,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Document(Document::Text) => "text",
            Self::Document(Document::Json) => "json",
            Self::Document(Document::Markdown) => "markdown",
            Self::Document(Document::Junit) => "junit",
            Self::Table(Table::Csv) => "csv",
            Self::Table(Table::Jsonl) => "jsonl",
            Self::Html => "html",
        }
    }
}

impl Document {
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

impl Table {
    /// What stands before the first row.
    #[must_use]
    pub fn head(self) -> String {
        match self {
            Self::Csv => csv::head(),
            Self::Jsonl => String::new(),
        }
    }

    /// A row, ending in a newline.
    #[must_use]
    pub fn line(self, row: &Row) -> String {
        match self {
            Self::Csv => csv::line(row),
            Self::Jsonl => jsonl::line(row),
        }
    }
}
