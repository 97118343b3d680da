//! The table in the book's page on statistics.

use std::fmt::Write as _;

use crate::design::DESIGNS;
use crate::found::{Found, Promise};

/// Where the page is.
const PAGE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../docs/concepts/statistics.md"
);

/// What the table is between.
const BEGIN: &str = "<!-- just coverage writes from here -->\n";
const END: &str = "<!-- to here -->\n";

/// What an interval should cover, and the most false alarms.
const COVERED: f64 = 0.94;
const ALARMS: f64 = 0.055;

/// The tables, and the cells that are short of it.
pub fn table(found: &[Found], samples: u32) -> String {
    let mut out = format!(
        "{} cells, {samples} samples each. In a cell, chance moves a share by up to {:.1} points.\n",
        found.len(),
        100.0 * 3.0 * (0.05_f64 * 0.95 / f64::from(samples)).sqrt()
    );
    let of = |is_test| {
        Promise::ALL
            .into_iter()
            .filter(move |it| it.is_test() == is_test)
    };
    let head =
        |what| format!("\n| {what} | pairs | correlation 0 | 0.2 | 0.5 |\n|---|---|--:|--:|--:|\n");
    out.push_str(&head(
        "95% interval, and the truth is in it (in the worst cell)",
    ));
    of(false).for_each(|promise| out.push_str(&rows(found, promise)));
    out.push_str(&head("false alarms at 5% (in the worst cell)"));
    of(true).for_each(|promise| out.push_str(&rows(found, promise)));
    for promise in Promise::ALL {
        out.push_str(&short(found, promise));
    }
    out
}

/// A promise's rows of a table.
fn rows(found: &[Found], promise: Promise) -> String {
    let mut out = String::new();
    for design in &DESIGNS {
        let _ = write!(out, "| {} | {}", promise.name(), design.name);
        for correlation in [0.0, 0.2, 0.5] {
            let cells = found.iter().filter(|it| {
                it.cell.design == design && (it.cell.correlation - correlation).abs() < 1e-9
            });
            let wrong: Vec<f64> = cells
                .filter_map(|it| Some(it.of_promise(promise)?.wrong()))
                .collect();
            let mean = wrong.iter().sum::<f64>() / wrong.len() as f64;
            let worst = wrong.iter().copied().fold(0.0, f64::max);
            let told = |wrong: f64| {
                let right = if promise.is_test() {
                    wrong
                } else {
                    1.0 - wrong
                };
                format!("{:.1}", 100.0 * right)
            };
            let _ = write!(out, " | {} ({})", told(mean), told(worst));
        }
        out.push_str(" |\n");
    }
    out
}

/// The cells where a promise is broken, the worst first.
fn short(found: &[Found], promise: Promise) -> String {
    let most = match promise {
        Promise::McNemar => return String::new(),
        Promise::Flips | Promise::Labels => ALARMS,
        _ => 1.0 - COVERED,
    };
    let mut cells: Vec<(f64, &Found)> = found
        .iter()
        .filter_map(|it| Some((it.of_promise(promise)?.wrong(), it)))
        .collect();
    let all = cells.len();
    cells.retain(|(wrong, _)| *wrong > most);
    cells.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    if cells.is_empty() {
        return format!("\n**{}**: kept in all {all} cells.\n", promise.name());
    }
    let mut out = format!(
        "\n**{}**: short in {} of {all} cells:\n\n",
        promise.name(),
        cells.len()
    );
    for (wrong, found) in cells {
        let share = if promise.is_test() {
            wrong
        } else {
            1.0 - wrong
        };
        let _ = writeln!(out, "- {:.1}%: {}", 100.0 * share, found.cell.told());
    }
    out
}

/// Writes it into the page.
pub fn write(table: &str) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{PAGE}: {error}");
    #[expect(clippy::disallowed_methods, reason = "a page of this checkout")]
    let page = std::fs::read_to_string(PAGE).map_err(told)?;
    let parts = page.split_once(BEGIN).zip(page.split_once(END));
    let ((before, _), (_, after)) = parts.ok_or_else(|| format!("{PAGE}: no {BEGIN} and {END}"))?;
    #[expect(clippy::disallowed_methods, reason = "a page of this checkout")]
    std::fs::write(PAGE, format!("{before}{BEGIN}\n{table}\n{END}{after}")).map_err(told)
}
