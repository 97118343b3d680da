//! The report for programs: every number of the summaries, unrounded.

use serde::Serialize;

use super::compare::Unshared;
use super::{Comparison, Contrasted, Summary, Totals, contrasts};
use crate::json::pretty;
use crate::model::price::Total;
use crate::text::shown_json;

/// The version of this format; it changes when a field changes its meaning or goes.
const FORMAT: u32 = 2;

#[derive(Serialize)]
struct Report<'a> {
    format: u32,
    regatta: &'static str,
    runs: &'a [Summary],
    comparisons: Vec<Comparison>,
    not_compared: Vec<Unshared>,
    totals: Totals,
    headline_cost: Total,
    total_spent: Total,
}

/// One JSON object, with all runs.
#[must_use]
pub fn render(summaries: &[Summary]) -> String {
    let totals = Totals::of(summaries);
    let (mut comparisons, mut not_compared) = (Vec::new(), Vec::new());
    for contrast in contrasts(summaries) {
        match contrast {
            Contrasted::Shown(comparison) => comparisons.push(comparison),
            Contrasted::Unshared(unshared) => not_compared.push(unshared),
        }
    }
    let report = Report {
        format: FORMAT,
        regatta: env!("CARGO_PKG_VERSION"),
        runs: summaries,
        comparisons,
        not_compared,
        headline_cost: totals.headline_cost,
        total_spent: totals.total_spent,
        totals,
    };
    let mut text = shown_json(&pretty(&report));
    text.push('\n');
    text
}
