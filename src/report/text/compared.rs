//! How settings of one experiment differ.

use std::fmt::Write as _;

use super::super::words::p_value;
use super::table::aligned;
use crate::report::{Comparison, Contrast, Summary, contrasts};
use crate::text::plural;

/// How settings of one experiment differ.
pub(super) fn compared(summaries: &[Summary]) -> String {
    let found = contrasts(summaries);
    if found.is_empty() {
        return String::new();
    }
    let mut out =
        String::from("\ndifferences on the pairs judged in both, in percentage points:\n");
    let (mut rows, mut unshared) = (Vec::new(), String::new());
    for contrast in &found {
        let Comparison {
            first,
            second,
            difference,
            same_rules,
            same_tasks,
        } = match contrast {
            Contrast::Shown(comparison) => comparison,
            Contrast::Unshared(nothing) => {
                let _ = writeln!(unshared, "  {nothing}");
                continue;
            }
        };
        let points = |share: f64| format!("{:+.1}", 100.0 * share);
        let interval = difference.interval.map_or_else(
            || match difference.tasks {
                1 => "no interval: one task".to_owned(),
                _ => "no interval: tasks don't vary".to_owned(),
            },
            |it| format!("95% interval {} to {}", points(it.low), points(it.high)),
        );
        rows.push(vec![
            format!("  {first} less {second}"),
            points(difference.share),
            interval,
            format!("McNemar p {}", p_value(difference.mcnemar_p)),
            format!(
                "{} passed in the first only, {} in the second, of {}",
                difference.only_first,
                difference.only_second,
                plural(difference.pairs, "pair")
            ),
            match (same_rules, same_tasks) {
                (true, true) => String::new(),
                (false, true) => "WARNING: different rules".to_owned(),
                (true, false) => "WARNING: different datasets or images".to_owned(),
                (false, false) => "WARNING: different rules, and datasets or images".to_owned(),
            },
        ]);
    }
    out.push_str(&aligned(&rows));
    out.push_str(&unshared);
    out
}
