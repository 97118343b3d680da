//! Arms and their differences for a terminal. Pure.

mod arm;
mod arms;
mod contrasts;
mod details;
mod places;

use std::fmt::Write as _;

use super::words::name;
use super::{ArmsCompared, Figures};
use crate::hint;
use crate::text::fit::wrapped;
use crate::text::paint::broken;

/// What is compared, within a width where there is one.
#[must_use]
pub fn compared(it: &ArmsCompared, width: Option<usize>) -> String {
    let mut out = arms::table(&it.arms, width);
    out.push_str(&contrasts::tables(it, width));
    out.push_str(&contrasts::answer(it));
    out.push_str(&contrasts::legend(it));
    out.push_str(&places::table(&it.arms, width));
    out.push_str(&details::of(it));
    out.push_str(&notes(&it.arms, &it.notes));
    if it.arms.len() == 1 {
        out.push_str("\none arm: name another one to compare it with\n");
    }
    let more = hint::command("report --by arm");
    let _ = writeln!(
        out,
        "\n`{more}` has what there is of each arm: pass@k, merges, cost, time"
    );
    within(out, width)
}

/// Each arm by itself.
#[must_use]
pub fn by_arm(figures: &[Figures], said: &[String], width: Option<usize>) -> String {
    let mut out = arms::table(figures, width);
    for arm in figures {
        out.push('\n');
        out.push_str(&arm::block(arm));
    }
    out.push_str(&notes(figures, said));
    within(out, width)
}

fn within(out: String, width: Option<usize>) -> String {
    match width {
        Some(width) => wrapped(&out, width),
        None => out,
    }
}

/// What is to be said of how runs were pooled.
fn notes(figures: &[Figures], notes: &[String]) -> String {
    let mut out = String::new();
    for arm in figures.iter().filter(|arm| !arm.mixed.is_empty()) {
        let _ = writeln!(
            out,
            "{}: {} has verdicts by different {}",
            broken("WARNING"),
            name(&arm.arm),
            arm.mixed.join(" and ")
        );
    }
    for note in notes {
        let _ = writeln!(out, "note: {note}");
    }
    if out.is_empty() {
        out
    } else {
        format!("\n{out}")
    }
}
