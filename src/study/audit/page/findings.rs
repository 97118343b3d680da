//! What was found, and what was looked for and not found.

use super::super::Audit;
use super::super::concern::{Concern, Gravity};
use super::super::found::{AuditFinding, FoundInArm, FoundInRun, Shift};
use super::turns::alone;
use super::{Block, below, from_to, name, percent, points};
use crate::text::{plural, some};

/// What the tables have.
const RATES: &str = "Rates are in percent, with → without what is flagged: means over pairs of each pair's own rate.";
/// What the tables of a gap have.
const OF_ALL: &str = "In brackets: if all that is missing failed, and if all passed.";
/// So many causes, runs and pairs are named.
const CAUSES: usize = 4;
const RUNS: usize = 6;
const PAIRS: usize = 2;

/// The findings, the gravest first.
pub(super) fn findings(audit: &Audit) -> Vec<Block> {
    let found = audit.found.iter().enumerate();
    let mut page = below(
        "FOUND, the gravest first",
        found.flat_map(|(n, found)| finding(n + 1, found)).collect(),
    );
    if !page.is_empty() {
        page.insert(1, Block::Text(RATES.to_owned()));
    }
    page
}

fn finding(number: usize, found: &AuditFinding) -> Vec<Block> {
    let counted = match found.grade {
        Gravity::Damage | Gravity::Doubt => "verdict",
        Gravity::Gap | Gravity::Note => "trial",
    };
    let mut page = vec![
        Block::Item(format!(
            "{number}. {} ({}): {} of {}",
            found.concern.title(),
            found.grade.about(),
            found.trials,
            plural(found.of, counted)
        )),
        Block::Text(found.concern.about().to_owned()),
    ];
    if !found.causes.is_empty() {
        let causes = found
            .causes
            .iter()
            .map(|it| format!("{} {}", name(&it.cause), it.trials));
        let causes: Vec<String> = causes.collect();
        let causes: Vec<&str> = causes.iter().map(String::as_str).collect();
        page.push(Block::Text(some(&causes, CAUSES)));
    }
    if let Some(turned) = alone(&found.turns) {
        page.push(Block::Text(format!(
            "Leaving out these alone turns {turned}."
        )));
    }
    if found.grade == Gravity::Gap {
        page.push(Block::Text(OF_ALL.to_owned()));
    }
    page.push(table(found));
    if let Some(told) = places(&found.arms) {
        page.push(Block::Text(told));
    }
    page
}

fn table(found: &AuditFinding) -> Block {
    let has_merges = found.arms.iter().any(|arm| arm.merge.is_some());
    let is_cost = found.concern == Concern::UnknownCost;
    let of_gap = found.grade == Gravity::Gap;
    let mut head = vec![
        "arm".to_owned(),
        if of_gap { "missing" } else { "flagged" }.to_owned(),
    ];
    let mut columns = |what: &str| {
        if of_gap {
            head.push(format!("{what} (of all)"));
        } else {
            head.extend([what.to_owned(), "points".to_owned()]);
        }
    };
    if !is_cost {
        columns("pass");
        if has_merges {
            columns("merge");
        }
    }
    let cells = |shift: &Shift| {
        if of_gap {
            vec![format!(
                "{} ({} to {})",
                percent(shift.with),
                percent(shift.worst),
                percent(shift.best)
            )]
        } else {
            vec![
                from_to(shift.with, shift.without),
                points(shift.with, shift.without),
            ]
        }
    };
    let mut rows = vec![head];
    rows.extend(found.arms.iter().map(|arm| {
        let mut row = vec![name(&arm.arm), format!("{} of {}", arm.trials, arm.of)];
        if !is_cost {
            row.extend(cells(&arm.pass));
            row.extend(arm.merge.iter().flat_map(cells));
        }
        row
    }));
    Block::Table(rows)
}

/// The runs with the most of it, and the pairs of those that have few.
fn places(arms: &[FoundInArm]) -> Option<String> {
    let mut runs: Vec<&FoundInRun> = arms.iter().flat_map(|arm| &arm.runs).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.trials));
    let told = |run: &&FoundInRun| {
        let run_name = name(&run.run);
        if run.pairs.len() <= PAIRS && run.pairs.len() == run.trials {
            let pairs: Vec<String> = run.pairs.iter().map(|pair| name(pair)).collect();
            format!("{run_name} ({})", pairs.join(", "))
        } else {
            format!("{run_name} ({})", plural(run.trials, "pair"))
        }
    };
    let told: Vec<String> = runs.iter().map(told).collect();
    if told.is_empty() {
        return None;
    }
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    Some(format!("in {}", some(&told, RUNS)))
}

/// What was looked for in vain, in one line.
pub(super) fn not_found(audit: &Audit) -> Vec<Block> {
    let mut parts: Vec<&str> = audit.not_found.iter().map(|it| it.title()).collect();
    if audit.incidents.together.is_empty() {
        parts.push("incidents in time");
    }
    if audit.uneven_repeats.is_none() && audit.arms.len() > 1 {
        parts.push("uneven repeats");
    }
    if audit.other_pairs.is_empty() && audit.arms.len() > 1 {
        parts.push("other pairs than the baseline's");
    }
    let mut told = Vec::new();
    if !parts.is_empty() {
        told.push(format!("{}.", parts.join(", ")));
    }
    if !audit.not_mixed.is_empty() {
        told.push(format!(
            "Not known to be mixed: {}.",
            audit.not_mixed.join(", ")
        ));
    }
    if told.is_empty() {
        return Vec::new();
    }
    let told = told.into_iter().map(Block::Text).collect();
    below("LOOKED FOR AND NOT FOUND", told)
}
