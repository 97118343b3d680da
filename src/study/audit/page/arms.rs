//! The arms with their rates, what is mixed, and how their runs and pairs differ.

use super::super::mixture::Mixture;
use super::super::{Audit, OtherPairs};
use super::{Block, below, from_to, name, percent};
use crate::text::{by_number, one_line, plural, some};

/// So many names are told.
const TOLD: usize = 4;
/// So much of a note is shown, in characters.
const NOTE: usize = 600;

/// The arms' table.
pub(super) fn arms(audit: &Audit) -> Vec<Block> {
    let head = [
        "arm",
        "runs",
        "verdicts",
        "damaged",
        "published",
        "judged",
        "undamaged",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for arm in &audit.arms {
        let share = 100.0 * arm.damaged as f64 / arm.verdicts.max(1) as f64;
        let damaged = match arm.damaged {
            0 => "0".to_owned(),
            n => format!("{n} ({share:.0}%)"),
        };
        let rate = |rate: Option<crate::statistics::Mean>| percent(rate.map(|it| it.share));
        rows.push(vec![
            name(&arm.arm),
            arm.runs.len().to_string(),
            arm.verdicts.to_string(),
            damaged,
            rate(arm.pass.published),
            rate(arm.pass.judged),
            rate(arm.pass.undamaged),
        ]);
    }
    let shares = audit
        .arms
        .iter()
        .map(|arm| arm.damaged as f64 / arm.verdicts.max(1) as f64);
    let (low, high) = shares.fold((1.0_f64, 0.0_f64), |(low, high), it| {
        (low.min(it), high.max(it))
    });
    let uneven = if high > 0.0 && audit.arms.len() > 1 {
        format!(
            " Damage by arm is {:.0}% to {:.0}%.",
            100.0 * low,
            100.0 * high
        )
    } else {
        String::new()
    };
    let mut page = vec![
        Block::Text(format!(
            "Passes: published counts every verdict, as upstream does; judged counts as reports do; undamaged leaves out what is damaged.{uneven}"
        )),
        Block::Table(rows),
    ];
    page.extend(
        audit
            .notes
            .iter()
            .map(|note| Block::Point(one_line(note, NOTE))),
    );
    below("ARMS", page)
}

/// What verdicts were made with, where it differs.
pub(super) fn mixed(audit: &Audit) -> Vec<Block> {
    below("MIXED", audit.mixed.iter().flat_map(mixture).collect())
}

fn mixture(mixture: &Mixture) -> Vec<Block> {
    let place = if mixture.is_within_an_arm {
        "within arms"
    } else {
        "between arms"
    };
    let told = if mixture.pairs.is_empty() {
        let values = mixture.values.iter().map(|value| {
            let arms = value
                .arms
                .iter()
                .map(|(arm, n)| format!("{} {n}", name(arm)));
            let arms: Vec<String> = arms.collect();
            let arms: Vec<&str> = arms.iter().map(String::as_str).collect();
            format!("{} ({})", name(&value.value), some(&arms, TOLD))
        });
        values.collect::<Vec<_>>().join("; ")
    } else {
        let pairs: Vec<String> = mixture.pairs.iter().map(|pair| name(pair)).collect();
        let pairs: Vec<&str> = pairs.iter().map(String::as_str).collect();
        format!("{}: {}", plural(pairs.len(), "pair"), some(&pairs, TOLD))
    };
    let mut page = vec![Block::Item(format!("{} {place}: {told}", mixture.what))];
    page.extend(mixture.arms.iter().map(|arm| {
        Block::Text(format!(
            "{}: without the rarer, {} of {}, passes {}",
            name(&arm.arm),
            arm.trials,
            arm.of,
            from_to(arm.pass.with, arm.pass.without)
        ))
    }));
    page
}

/// How arms differ in runs and pairs.
pub(super) fn gaps(audit: &Audit) -> Vec<Block> {
    let mut page = Vec::new();
    if let Some(repeats) = &audit.uneven_repeats {
        let told = repeats.iter().rev().map(|(runs, arms)| {
            let arms: Vec<String> = arms.iter().map(|arm| name(arm)).collect();
            let arms: Vec<&str> = arms.iter().map(String::as_str).collect();
            format!("{} {}", plural(*runs, "run"), named(&arms))
        });
        let told = told.collect::<Vec<_>>().join("; ");
        page.push(Block::Item(format!("uneven repeats: {told}")));
    }
    page.extend(audit.other_pairs.iter().map(|it| {
        let baseline = name(audit.baseline.as_deref().unwrap_or_default());
        Block::Item(other(it, &baseline))
    }));
    below("RUNS AND PAIRS", page)
}

fn named(arms: &[&str]) -> String {
    format!("of {}", some(arms, 2 * TOLD))
}

fn other(it: &OtherPairs, baseline: &str) -> String {
    let mut parts = Vec::new();
    let names = |pairs: &[String]| {
        let pairs: Vec<&str> = pairs.iter().map(String::as_str).collect();
        some(&pairs, 2)
    };
    if !it.lacks.is_empty() {
        let n = it.lacks.len();
        parts.push(format!(
            "lacks {n} of its {} ({})",
            by_number(n, "pair", "pairs"),
            names(&it.lacks)
        ));
    }
    if !it.has_more.is_empty() {
        parts.push(format!(
            "has {} more ({})",
            it.has_more.len(),
            names(&it.has_more)
        ));
    }
    format!(
        "{} shares {} with {baseline}, {}",
        name(&it.arm),
        plural(it.shared, "pair"),
        parts.join(" and ")
    )
}
