//! Of each difference, which pairs make it and what could turn it.

use std::fmt::Write as _;

use super::super::versus::Flip;
use super::super::words::{self, name};
use super::super::{ArmsCompared, Versus};
use super::contrasts::over;
use crate::text::{plural, some};

/// How many pairs are named each way.
const TOLD: usize = 4;

/// What there is to say of each difference.
pub(super) fn of(it: &ArmsCompared) -> String {
    let mut out = String::new();
    for contrast in &it.contrasts {
        out.push_str(&detail(contrast));
    }
    out
}

fn detail(contrast: &Versus) -> String {
    let Some(difference) = contrast.difference else {
        return String::new();
    };
    let mut out = format!(
        "\n{} less {}, {}: {} the same\n",
        name(&contrast.first),
        name(&contrast.second),
        over(difference.pairs, difference.tasks),
        contrast.same
    );
    for (what, flips) in [("up", &contrast.up), ("down", &contrast.down)] {
        if !flips.is_empty() {
            let told: Vec<String> = flips.iter().map(flip).collect();
            let told: Vec<&str> = told.iter().map(String::as_str).collect();
            let _ = writeln!(out, "  {what} {}: {}", flips.len(), some(&told, TOLD));
        }
    }
    if let Some(bounds) = &contrast.bounds {
        let _ = writeln!(out, "  {}", words::bounds(bounds));
    }
    out
}

/// `dspy_task/8394/f3_f5 1/3 → 3/3`.
fn flip(it: &Flip) -> String {
    let share = |[passed, of]: [u32; 2]| format!("{passed}/{of}");
    format!(
        "{} {}→{}",
        name(&it.pair),
        share(it.second),
        share(it.first)
    )
}

/// A number of pairs with the first of their names.
pub(super) fn named(pairs: &[String], what: &str) -> String {
    let names: Vec<&str> = pairs.iter().map(String::as_str).collect();
    format!("{}: {}", plural(pairs.len(), what), some(&names, 6))
}
