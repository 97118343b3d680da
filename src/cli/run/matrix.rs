//! The runs of several arms and repeats as a matrix: what is left in each, and what that may cost.

use std::collections::HashMap;

use crate::bench::cost::dollars;
use crate::cli::width;
use crate::config::Order;
use crate::error::Result;
use crate::experiment::{Experiment, Outlook, RunOutlook};
use crate::store::Pass;
use crate::text::fit::{self, spaced};
use crate::text::plural;

/// Columns between those of the matrix.
const GAP: usize = 2;

/// Whether an experiment is more than its settings, once each.
pub fn is_one(experiment: &Experiment) -> bool {
    !experiment.config.own_arms.is_empty() || experiment.config.experiment.repeats > 1
}

/// The matrix, with what it comes to.
pub fn render(experiment: &Experiment, passes: &[Pass]) -> Result<String> {
    let outlook = experiment.outlook(passes)?;
    let repeats = experiment.config.experiment.repeats;
    let order = match experiment.config.experiment.order {
        _ if repeats == 1 => "",
        Order::Repeats => ", all arms once, then all again",
        Order::Arms => ", one arm after the other",
    };
    let mut text = format!(
        "{}: {} × {} of `{}` ({}){order}\n\n",
        experiment.name,
        plural(experiment.arms.len(), "arm"),
        plural(repeats, "repeat"),
        experiment.subset,
        plural(experiment.pairs.len(), "pair"),
    );
    text.push_str(&table(experiment, &outlook, width::columns()));
    text.push('\n');
    text.push_str(&sum(&outlook));
    Ok(text)
}

/// The matrix, in several parts where all repeats do not fit beside each other.
fn table(experiment: &Experiment, outlook: &Outlook, columns: Option<usize>) -> String {
    let runs = experiment.runs.iter().zip(&outlook.runs);
    let runs: HashMap<(&str, u32), &RunOutlook> = runs
        .map(|(one, run)| ((one.arm.name.as_str(), one.repeat), run))
        .collect();
    let repeats: Vec<u32> = (1..=experiment.config.experiment.repeats).collect();
    let cells: Vec<Vec<String>> = experiment
        .arms
        .iter()
        .map(|arm| {
            let of = |repeat: u32| {
                let found = runs.get(&(arm.name.as_str(), repeat));
                found.map_or_else(String::new, |run| cell(run, outlook.expected(run)))
            };
            repeats.iter().map(|repeat| of(*repeat)).collect()
        })
        .collect();
    let names = experiment.arms.iter().map(|arm| arm.name.len());
    let widest = names.max().unwrap_or(0).max("arm".len()) + GAP;
    let head = |arm: &str, setting: &str| format!("{arm:widest$}{setting}");
    let heads = experiment
        .arms
        .iter()
        .map(|arm| head(&arm.name, arm.setting.name()));
    let heads: Vec<String> = heads.collect();
    let beside = heads.iter().map(String::len).max().unwrap_or(0);
    let widest = cells.iter().flatten().map(|cell| fit::width(cell)).max();
    let each = widest.unwrap_or(0).max(3) + GAP;
    let most = columns.map_or(repeats.len(), |columns| {
        columns.saturating_sub(beside) / each
    });
    let parts = repeats.chunks(most.max(1)).map(|part| {
        let first = part[0] as usize - 1;
        let numbers = part.iter().map(|repeat| format!("r{repeat}"));
        let mut rows = vec![vec![head("arm", "setting")]];
        rows[0].extend(numbers);
        for (head, cells) in heads.iter().zip(&cells) {
            let mut row = vec![head.clone()];
            row.extend(cells[first..first + part.len()].iter().cloned());
            rows.push(row);
        }
        spaced(&rows, GAP)
    });
    parts.collect::<Vec<_>>().join("\n")
}

/// One run: how many pairs are left, and what they may cost.
fn cell(run: &RunOutlook, expected: Option<f64>) -> String {
    match (run.to_run.len(), expected) {
        (0, _) => "done".to_owned(),
        (left, Some(expected)) => format!("{left} ~{}", dollars(expected)),
        (left, None) => left.to_string(),
    }
}

/// What all of it comes to.
fn sum(outlook: &Outlook) -> String {
    let left: usize = outlook.runs.iter().map(|run| run.to_run.len()).sum();
    let known = || outlook.runs.iter().filter_map(|run| outlook.expected(run));
    let unknown = outlook.runs.iter();
    let unknown = unknown.filter(|run| outlook.expected(run).is_none());
    let unknown: usize = unknown.map(|run| run.to_run.len()).sum();
    let what = "what they may cost is not known before the first has finished";
    let cost = match (unknown, dollars(known().sum())) {
        (0, cost) if left > 0 => format!(", about {cost} by what finished pairs have cost"),
        (0, _) => String::new(),
        (unknown, _) if unknown == left => format!("; {what}"),
        (unknown, cost) => format!(
            ", about {cost} by what finished pairs have cost for {} of them; of the others {what}",
            left - unknown
        ),
    };
    let spent = outlook.spent();
    format!(
        "{} to run{cost}\nspent so far: {spent}\n",
        plural(left, "pair")
    )
}
