//! How settings of one experiment differ.

use std::fmt::Write as _;

use super::super::words::{footnotes, tested};
use super::table::aligned;
use crate::report::{Comparison, Contrasted, Summary, contrasts};
use crate::text::paint::broken;
use crate::text::{fit, plural};

fn warning(what: &str) -> String {
    format!("{}: {what}", broken("WARNING"))
}

/// A row of the table where a line has no room for it: a line for each that belongs together.
fn in_block(row: &[String]) -> String {
    let [name, points, interval, test, pairs, warning] = row else {
        return aligned(&[row.to_vec()]);
    };
    let mut out = format!("{name}: {points}\n    {interval}, {test}\n    {pairs}\n");
    if !warning.is_empty() {
        let _ = writeln!(out, "    {warning}");
    }
    out
}

/// How settings of one experiment differ.
pub(super) fn compared(summaries: &[Summary], width: Option<usize>) -> String {
    let found = contrasts(summaries);
    if found.is_empty() {
        return String::new();
    }
    let mut out =
        String::from("\ndifferences on the pairs judged in both, in percentage points:\n");
    let (mut rows, mut shown, mut unshared) = (Vec::new(), Vec::new(), String::new());
    for contrast in &found {
        match contrast {
            Contrasted::Shown(comparison) => {
                rows.push(row(comparison));
                shown.push(comparison);
            }
            Contrasted::Unshared(nothing) => {
                let _ = writeln!(unshared, "  {nothing}");
            }
        }
    }
    let table = aligned(&rows);
    let widest = table.lines().map(fit::width).max().unwrap_or(0);
    if width.is_some_and(|width| widest > width) {
        out.extend(rows.iter().map(|row| in_block(row)));
    } else {
        out.push_str(&table);
    }
    for note in footnotes(&shown) {
        let _ = writeln!(out, "  {note}");
    }
    out.push_str(&unshared);
    out
}

/// A row of the table.
fn row(comparison: &Comparison) -> Vec<String> {
    let difference = &comparison.difference;
    let points = |share: f64| format!("{:+.1}", 100.0 * share);
    let interval = difference.tested.interval.map_or_else(
        || "no interval: one task".to_owned(),
        |it| format!("95% interval {} to {}", points(it.low), points(it.high)),
    );
    vec![
        format!("  {} less {}", comparison.first, comparison.second),
        points(difference.share),
        interval,
        tested(comparison),
        format!(
            "{} passed in the first only, {} in the second, of {}",
            difference.only_first,
            difference.only_second,
            plural(difference.pairs, "pair")
        ),
        match (comparison.same_rules, comparison.same_tasks) {
            (true, true) => String::new(),
            (false, true) => warning("different rules"),
            (true, false) => warning("different datasets or images"),
            (false, false) => warning("different rules, and datasets or images"),
        },
    ]
}
