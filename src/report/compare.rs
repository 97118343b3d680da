//! Runs of one experiment held against each other. Pure.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::Serialize;

use super::statistics::{self, Difference};
use super::{Outcome, PairLine, Summary, grounds};
use crate::bench::{RunName, Setting};

/// Two settings of one experiment, on the pairs that were judged in both.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The run whose share is the first.
    pub first: RunName,
    /// The run whose share is taken from it.
    pub second: RunName,
    /// How they differ.
    pub difference: Difference,
    /// Whether their verdicts are by one rule set.
    pub same_rules: bool,
    /// Whether nothing is known to say that their datasets or images differ.
    pub same_tasks: bool,
}

/// Two runs that a question is about and that share no judged pair.
#[derive(Clone, Debug, Serialize)]
pub struct Unshared {
    /// The run whose share would be the first.
    pub first: RunName,
    /// The run whose share would be taken from it.
    pub second: RunName,
    /// How many pairs were judged in the first.
    pub judged_in_first: usize,
    /// How many pairs were judged in the second.
    pub judged_in_second: usize,
}

/// What a report says of two runs of one experiment.
#[derive(Clone, Debug)]
pub enum Contrast {
    /// How they differ.
    Shown(Comparison),
    /// There is nothing to see it by.
    Unshared(Unshared),
}

impl fmt::Display for Unshared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} less {}: no pair was judged in both ({} in the first, {} in the second)",
            self.first, self.second, self.judged_in_first, self.judged_in_second
        )
    }
}

/// The benchmark's questions: does talking help, and what does a second agent cost.
const QUESTIONS: [(Setting, Setting); 3] = [
    (Setting::CoopComm, Setting::CoopNocomm),
    (Setting::CoopComm, Setting::Solo),
    (Setting::CoopNocomm, Setting::Solo),
];

/// What the benchmark asks of runs of one experiment. Of two runs of which none was judged there is
/// nothing to say.
#[must_use]
pub fn contrasts(summaries: &[Summary]) -> Vec<Contrast> {
    let mut found = Vec::new();
    for first in summaries {
        for second in summaries {
            if is_asked(first, second) {
                found.extend(contrast(first, second));
            }
        }
    }
    found
}

/// Whether these are runs of one experiment, in two settings that a question is about.
fn is_asked(first: &Summary, second: &Summary) -> bool {
    let (Some((of_first, one)), Some((of_second, other))) = (experiment(first), experiment(second))
    else {
        return false;
    };
    of_first == of_second && QUESTIONS.contains(&(one, other))
}

/// The experiment that a run is of, by the run's name without its setting.
fn experiment(summary: &Summary) -> Option<(&str, Setting)> {
    let setting = summary.setting?.known()?;
    let experiment = summary.run.as_str().strip_suffix(setting.name())?;
    Some((experiment, setting))
}

/// Whether a pair that was judged passed.
fn verdict(line: &PairLine) -> Option<bool> {
    line.outcome
        .is_judged()
        .then(|| line.outcome == Outcome::Pass)
}

/// How two runs differ; nothing where neither was judged.
fn contrast(first: &Summary, second: &Summary) -> Option<Contrast> {
    let shared = shared(first, second);
    let outcomes = shared
        .iter()
        .filter_map(|(one, other)| Some((one.task.as_str(), verdict(one)?, verdict(other)?)));
    if let Some(difference) = statistics::difference(outcomes) {
        let rules = shared
            .iter()
            .flat_map(|(one, other)| [&one.rules, &other.rules]);
        return Some(Contrast::Shown(Comparison {
            first: first.run.clone(),
            second: second.run.clone(),
            difference,
            same_rules: rules.collect::<HashSet<_>>().len() == 1,
            same_tasks: !grounds::are_mixed(shared.iter().copied()),
        }));
    }
    let judged = |of: &Summary| of.lines.iter().filter_map(verdict).count();
    let [judged_in_first, judged_in_second] = [judged(first), judged(second)];
    (judged_in_first + judged_in_second > 0).then(|| {
        Contrast::Unshared(Unshared {
            first: first.run.clone(),
            second: second.run.clone(),
            judged_in_first,
            judged_in_second,
        })
    })
}

/// The pairs that were judged in both runs, in the order of the first.
fn shared<'a>(first: &'a Summary, second: &'a Summary) -> Vec<(&'a PairLine, &'a PairLine)> {
    let of_second: HashMap<&str, &PairLine> = second
        .lines
        .iter()
        .filter(|line| line.outcome.is_judged())
        .map(|line| (line.pair.as_str(), line))
        .collect();
    first
        .lines
        .iter()
        .filter(|line| line.outcome.is_judged())
        .filter_map(|line| Some((line, *of_second.get(line.pair.as_str())?)))
        .collect()
}
