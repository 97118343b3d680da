//! The formats of an audit.

use std::fmt::Write as _;

use super::Audit;
use super::page::{Block, page};
use crate::json::pretty;
use crate::report::markdown::escaped;
use crate::study::StudyFormat;
use crate::text::fit::{spaced, width, without_middle, wrapped};
use crate::text::paint::{plain, strong};
use crate::text::shown_json;

/// The shortest that an arm's name becomes in a table, in columns.
const NAME: usize = 10;

/// The audit in a format, ending in a newline.
#[must_use]
pub fn render(audit: &Audit, format: StudyFormat) -> String {
    match format {
        StudyFormat::Text => plain(&text(audit, None)),
        StudyFormat::Json => shown_json(&pretty(audit)) + "\n",
        StudyFormat::Markdown => markdown(audit),
    }
}

/// The page in colour, within a terminal's width, in columns. Without a width every line is as long
/// as it is.
#[must_use]
pub fn text(audit: &Audit, columns: Option<usize>) -> String {
    let mut out = String::new();
    for block in page(audit) {
        match block {
            Block::Verdict(text) | Block::Item(text) => {
                out.push_str(&lines(&strong(text), "", columns));
            }
            Block::Section(text) => {
                out.push('\n');
                out.push_str(&lines(&strong(text), "", columns));
            }
            Block::Text(text) | Block::Point(text) => out.push_str(&lines(&text, "  ", columns)),
            Block::Table(rows) => {
                let table = table(rows, columns);
                for line in table.lines() {
                    let _ = writeln!(out, "  {line}");
                }
            }
        }
    }
    out
}

fn lines(text: &str, indent: &str, columns: Option<usize>) -> String {
    let text = format!("{indent}{text}\n");
    columns.map_or_else(|| text.clone(), |columns| wrapped(&text, columns))
}

/// Rows as columns; where they do not fit the names of the first get shorter, then the gaps.
fn table(mut rows: Vec<Vec<String>>, columns: Option<usize>) -> String {
    let widest = |table: &str| table.lines().map(width).max().unwrap_or(0) + 2;
    let whole = spaced(&rows, 2);
    let Some(columns) = columns.filter(|columns| widest(&whole) > *columns) else {
        return whole;
    };
    let tight = spaced(&rows, 1);
    let excess = widest(&tight).saturating_sub(columns);
    let names = rows
        .iter()
        .filter_map(|row| row.first())
        .map(|it| width(it));
    let most = names.max().unwrap_or(0).saturating_sub(excess).max(NAME);
    for name in rows.iter_mut().filter_map(|row| row.first_mut()) {
        *name = without_middle(name, most);
    }
    spaced(&rows, 1)
}

fn markdown(audit: &Audit) -> String {
    let mut out = String::new();
    for block in page(audit) {
        match block {
            Block::Verdict(text) => {
                let _ = writeln!(out, "**{}**\n", escaped(&text));
            }
            Block::Section(text) => {
                let _ = writeln!(out, "\n## {}\n", escaped(&text));
            }
            Block::Item(text) => {
                let _ = writeln!(out, "\n**{}**\n", escaped(&text));
            }
            Block::Text(text) => {
                let _ = writeln!(out, "{}\n", escaped(&text));
            }
            Block::Point(text) => {
                let _ = writeln!(out, "- {}", escaped(&text));
            }
            Block::Table(rows) => {
                for (n, row) in rows.iter().enumerate() {
                    let cells: Vec<String> = row.iter().map(|it| escaped(it.trim())).collect();
                    let _ = writeln!(out, "| {} |", cells.join(" | "));
                    if n == 0 {
                        let _ = writeln!(out, "|---|{}", "--:|".repeat(cells.len() - 1));
                    }
                }
                out.push('\n');
            }
        }
    }
    out
}
