//! The report for programs: every number of the summaries, unrounded.

use serde::Serialize;

use super::summary::{Comparison, Summary, comparisons};
use crate::model::price::Total;
use crate::text::shown_json;

/// The version of this format; it changes when a field changes its meaning or goes.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Report<'a> {
    format: u32,
    regatta: &'static str,
    runs: &'a [Summary],
    comparisons: Vec<Comparison>,
    headline_cost: Total,
    total_spent: Total,
}

/// One JSON object, with all runs.
#[must_use]
pub fn render(summaries: &[Summary]) -> String {
    let (mut headline_cost, mut total_spent) = (Total::default(), Total::default());
    for summary in summaries {
        headline_cost += summary.headline_cost;
        total_spent += summary.total_spent;
    }
    let report = Report {
        format: FORMAT,
        regatta: env!("CARGO_PKG_VERSION"),
        runs: summaries,
        comparisons: comparisons(summaries),
        headline_cost,
        total_spent,
    };
    let mut text = shown_json(&serde_json::to_string_pretty(&report).unwrap_or_default());
    text.push('\n');
    text
}
