//! What runs were judged by and made with, held against each other. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::Arm;
use crate::report::Row;
use crate::text::some;

/// How many names a sentence has.
const TOLD: usize = 3;

/// How rows differ in what makes verdicts incomparable, a phrase each.
pub(super) fn differences(rows: &[&Row]) -> Vec<String> {
    let judged = || rows.iter().copied().filter(|row| row.outcome.is_judged());
    let mut found = Vec::new();
    let rules: BTreeSet<&str> = judged().filter_map(|row| row.rules.as_deref()).collect();
    if rules.len() > 1 {
        let rules: Vec<&str> = rules.into_iter().collect();
        found.push(format!("rule sets ({})", rules.join(", ")));
    }
    let files = [
        unlike(judged(), |row| {
            row.task_files_sha256.as_deref().map(|it| ("", it))
        }),
        unlike(judged(), |row| {
            row.judged_files_sha256.as_deref().map(|it| ("", it))
        }),
    ];
    let worlds = [
        unlike(judged(), |row| row.task_world.as_deref().and_then(world)),
        unlike(judged(), |row| row.judged_world.as_deref().and_then(world)),
    ];
    for (what, tasks) in [("datasets", files), ("images", worlds)] {
        let tasks: BTreeSet<&str> = tasks.into_iter().flatten().collect();
        if !tasks.is_empty() {
            let tasks: Vec<&str> = tasks.into_iter().collect();
            found.push(format!("{what} ({})", some(&tasks, TOLD)));
        }
    }
    found
}

/// What the runs of an arm were judged by that differs, a phrase each.
pub(super) fn within(arm: &Arm) -> Vec<String> {
    differences(&arm.rows().collect::<Vec<_>>())
}

/// A world's kind and digest: those of two kinds are not compared.
fn world(text: &str) -> Option<(&str, &str)> {
    text.rsplit_once(' ')
}

/// The tasks with a pair of which two rows know another digest of the same kind.
fn unlike<'a>(
    rows: impl Iterator<Item = &'a Row>,
    known: impl Fn(&'a Row) -> Option<(&'a str, &'a str)>,
) -> BTreeSet<&'a str> {
    let mut first: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for row in rows {
        let (Some(pair), Some(task), Some((kind, digest))) =
            (row.pair.as_deref(), row.task.as_deref(), known(row))
        else {
            continue;
        };
        if *first.entry((pair, kind)).or_insert(digest) != digest {
            found.insert(task);
        }
    }
    found
}
