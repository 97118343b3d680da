//! The table of the runs, and columns of text.

use std::fmt::Write as _;

use super::super::words::time;
use crate::report::{Summary, Totals, summary::columns};

pub(super) fn table(summaries: &[Summary]) -> String {
    let columns = columns(summaries);
    let mut rows = vec![{
        let mut head: Vec<String> = ["run", "pairs", "finished"].map(str::to_owned).to_vec();
        head.extend(
            columns
                .iter()
                .map(|outcome| outcome.name().replace('_', " ")),
        );
        head.extend(["cost", "spent", "time"].map(str::to_owned));
        head
    }];
    for summary in summaries {
        let mut row = vec![
            summary.run.to_string(),
            summary.pairs.to_string(),
            summary.finished.to_string(),
        ];
        row.extend(
            columns
                .iter()
                .map(|outcome| summary.count_of(*outcome).to_string()),
        );
        row.push(summary.headline_cost.to_string());
        row.push(summary.total_spent.to_string());
        row.push(time(summary.trial_seconds, summary.trial_seconds_unknown));
        rows.push(row);
    }
    if summaries.len() > 1 {
        let totals = Totals::of(summaries);
        let counts = [totals.pairs, totals.finished].into_iter();
        let counts = counts.chain(columns.iter().map(|outcome| totals.count_of(*outcome)));
        let mut row = vec![totals.name()];
        row.extend(counts.map(|count| count.to_string()));
        row.push(totals.headline_cost.to_string());
        row.push(totals.total_spent.to_string());
        row.push(time(totals.trial_seconds, totals.trial_seconds_unknown));
        rows.push(row);
    }
    aligned(&rows)
}

/// Rows as columns: the first to the left, the others to the right.
#[must_use]
pub(super) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            if column == 0 {
                let _ = write!(line, "{cell:<width$}");
            } else {
                let _ = write!(line, "  {cell:>width$}");
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
