//! Arms and their differences as Markdown: for an issue or a paper's notes.

use std::fmt::Write as _;

use super::figures::Share;
use super::versus::{Bounds, Flip};
use super::words::{self, interval, interval_of_points, p_value, percent, points};
use super::{ArmsCompared, Figures};
use crate::bench::cost::dollars;
use crate::report::markdown::{cell, place_table};
use crate::statistics::{Interval, Tested};
use crate::text::duration;

/// What is compared.
#[must_use]
pub fn compared(it: &ArmsCompared) -> String {
    let mut out = table(&it.arms);
    out.push_str(&contrasts(it));
    out.push_str(&flips(it));
    out.push_str(&details(&it.arms));
    out.push_str(&places(&it.arms));
    out.push_str(&notes(&it.arms, &it.notes));
    out
}

/// Each arm by itself.
#[must_use]
pub fn by_arm(arms: &[Figures], said: &[String]) -> String {
    let mut out = table(arms);
    out.push_str(&details(arms));
    out.push_str(&places(arms));
    out.push_str(&notes(arms, said));
    out
}

/// The arms: how often they passed.
fn table(arms: &[Figures]) -> String {
    let mut out = String::from(
        "| arm | runs | pairs | trials | judged | passed | tasks like these | these pairs | strict | best case | single runs |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for arm in arms {
        let rate = arm.pass_rate;
        let range = arm.range().map(|runs| {
            let [low, high] = runs.map(|run| run.share().map(percent).unwrap_or_default());
            format!("{low} to {high}")
        });
        let cells = [
            cell(&arm.arm),
            arm.runs.len().to_string(),
            arm.pairs.to_string(),
            arm.trials.to_string(),
            arm.judged.to_string(),
            rate.map_or_else(none, |it| format!("{}%", percent(it.share))),
            rate.and_then(|it| it.tasks_like_these)
                .map_or_else(none, interval),
            rate.and_then(|it| it.these_pairs)
                .map_or_else(none, interval),
            arm.strict.map_or_else(none, percent),
            arm.best_case.map_or_else(none, percent),
            range.unwrap_or_else(none),
        ];
        line(&mut out, &cells);
    }
    out
}

/// What there is to know of each arm besides.
fn details(arms: &[Figures]) -> String {
    let mut out = String::from(
        "\n| arm | features | merges | verdict changes | cost | per pass | spent | time |\n|---|--:|---|---|--:|--:|--:|--:|\n",
    );
    for arm in arms {
        let merges = arm
            .merges
            .iter()
            .map(|(word, it)| format!("{} {}", cell(word), share(it)));
        let changing = arm
            .changing
            .iter()
            .map(|it| format!("{} {}/{}", cell(&it.pair), it.passed, it.of));
        let cells = [
            cell(&arm.arm),
            arm.features.as_ref().map_or_else(none, share),
            merges.collect::<Vec<_>>().join(", "),
            changing.collect::<Vec<_>>().join(", "),
            arm.spent.cost.to_string(),
            arm.spent.cost_per_pass.map_or_else(none, dollars),
            arm.spent.spent.to_string(),
            duration(arm.spent.seconds),
        ];
        line(&mut out, &cells);
    }
    for (what, of) in [
        (
            "pass@k",
            (|it| it.pass_at) as fn(&super::figures::OfK) -> f64,
        ),
        ("pass^k", |it| it.pass_hat),
    ] {
        for arm in arms.iter().filter(|arm| arm.of_k.len() > 1) {
            let told = arm
                .of_k
                .iter()
                .map(|it| format!("{} at {}", percent(of(it)), it.k));
            let told: Vec<String> = told.collect();
            let _ = writeln!(out, "\n{}: {what} {}.", cell(&arm.arm), told.join(", "));
        }
    }
    out
}

/// Where trials of two agents fail, of the arms in which they were judged alone.
fn places(arms: &[Figures]) -> String {
    let named = arms.iter();
    place_table(
        "trials",
        named.map(|arm| (arm.arm.as_str(), arm.places.as_ref())),
    )
}

/// The differences.
fn contrasts(it: &ArmsCompared) -> String {
    let mut out = String::new();
    if it.contrasts.iter().any(|it| it.difference.is_some()) {
        out.push_str("\n| difference, in percentage points | pairs | tasks | points | tasks like these | p | Holm | these pairs | p | Holm | strict | worst | best |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
    }
    for contrast in &it.contrasts {
        let Some(difference) = contrast.difference else {
            continue;
        };
        let raw = |tested: Tested| {
            tested
                .p
                .map_or_else(|why| why.to_string(), |p| p_value(p.value))
        };
        let adjusted = |p: Option<f64>| p.map_or_else(none, p_value);
        let of_points = |it: Option<Interval>| it.map_or_else(none, interval_of_points);
        let bounds = contrast.bounds;
        let bound = |of: fn(Bounds) -> f64| bounds.map_or_else(none, |it| points(of(it)));
        let cells = [
            format!("{} less {}", cell(&contrast.first), cell(&contrast.second)),
            difference.pairs.to_string(),
            difference.tasks.to_string(),
            points(difference.share),
            of_points(difference.tasks_like_these.interval),
            raw(difference.tasks_like_these),
            adjusted(contrast.adjusted.tasks_like_these),
            of_points(difference.these_pairs.interval),
            raw(difference.these_pairs),
            adjusted(contrast.adjusted.these_pairs),
            bound(|it| it.strict),
            bound(|it| it.worst),
            bound(|it| it.best),
        ];
        // A star is Markdown's.
        line(&mut out, &cells.map(|cell| cell.replace('*', "\\*")));
    }
    for contrast in it.contrasts.iter().filter(|it| it.difference.is_none()) {
        let _ = writeln!(
            out,
            "\n{} less {}: {}.",
            cell(&contrast.first),
            cell(&contrast.second),
            words::nothing_in_common(contrast)
        );
    }
    for contrast in &it.contrasts {
        let name = format!("{} less {}", cell(&contrast.first), cell(&contrast.second));
        if contrast.bounds.is_some_and(|bounds| bounds.sign_changes) {
            let _ = writeln!(
                out,
                "\n{name}: WARNING: trials without a verdict could turn the sign."
            );
        }
        if !contrast.mixed.is_empty() {
            let mixed = contrast.mixed.join(" and ");
            let _ = writeln!(
                out,
                "\n{name}: WARNING: verdicts by different {}.",
                cell(&mixed)
            );
        }
    }
    out
}

/// The pairs that make the differences.
fn flips(it: &ArmsCompared) -> String {
    let mut out = String::new();
    for contrast in &it.contrasts {
        for (what, flips) in [("up", &contrast.up), ("down", &contrast.down)] {
            if flips.is_empty() {
                continue;
            }
            let told: Vec<String> = flips.iter().map(flip).collect();
            let _ = writeln!(
                out,
                "\n{} less {}, {what} {}: {}.",
                cell(&contrast.first),
                cell(&contrast.second),
                flips.len(),
                told.join(", ")
            );
        }
    }
    out
}

fn flip(it: &Flip) -> String {
    let ([one, of_one], [two, of_two]) = (it.second, it.first);
    format!("{} {one}/{of_one}→{two}/{of_two}", cell(&it.pair))
}

fn share(it: &Share) -> String {
    let interval = it
        .interval
        .map_or_else(String::new, |it| format!(" ({})", interval(it)));
    format!("{}%{interval}", percent(it.share))
}

fn notes(arms: &[Figures], notes: &[String]) -> String {
    let mut out = String::new();
    for arm in arms.iter().filter(|arm| !arm.mixed.is_empty()) {
        let _ = writeln!(
            out,
            "\n{}: WARNING: verdicts by different {}.",
            cell(&arm.arm),
            cell(&arm.mixed.join(" and "))
        );
    }
    for note in notes {
        let _ = writeln!(out, "\n{}.", cell(note));
    }
    out
}

fn none() -> String {
    String::new()
}

fn line(out: &mut String, cells: &[String]) {
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}
