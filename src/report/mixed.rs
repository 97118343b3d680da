//! What runs and verdicts were made with, held against each other. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::grounds::Grounds;
use super::{PairLine, Summary};
use crate::bench::Pin;
use crate::store::Manifest;
use crate::store::manifest::TASK_CHANGE;
use crate::survey::Surveyed;
use crate::text::{by_number, plural};

/// How many tasks are named in a line.
const TOLD: usize = 4;

/// Adds to a run's numbers what its pairs were made with, and what is to be said of that.
pub fn add_to(summary: &mut Summary, surveyed: &[Surveyed], manifest: Option<&Manifest>) {
    for (line, surveyed) in summary.lines.iter_mut().zip(surveyed) {
        // A pair without a verdict has nothing that could be mixed.
        if line.rules.is_some() {
            line.grounds = Grounds::of(surveyed, manifest);
        }
    }
    summary.mixed = mixed(&summary.lines, manifest);
}

/// Whether pairs that two runs share were run or judged with different datasets or images.
#[must_use]
pub fn are_mixed<'a>(mut shared: impl Iterator<Item = (&'a PairLine, &'a PairLine)>) -> bool {
    shared.any(|(one, two)| one.grounds.differ_from(&two.grounds))
}

fn mixed(lines: &[PairLine], manifest: Option<&Manifest>) -> Vec<String> {
    let mut told = Vec::new();
    let (count, since) = unlike_the_run(lines);
    if count > 0 {
        let verdicts = lines.iter().filter(|line| line.rules.is_some()).count();
        told.push(format!(
            "{count} of {} {} made with another dataset or image than the run was begun with: {}",
            plural(verdicts, "verdict"),
            by_number(count, "was", "were"),
            named(&since)
        ));
    }
    let among = unlike_each_other(lines);
    if count == 0 && !among.is_empty() {
        told.push(format!(
            "verdicts on one task were made with different datasets or images: {}",
            named(&among)
        ));
    }
    let accepted = manifest.map_or(0, accepted_tasks);
    if accepted > 0 {
        told.push(format!(
            "its trials ran on different datasets or images: --accept-changes took over changes of {} (`accepted` in its manifest)",
            plural(accepted, "task")
        ));
    }
    told
}

type Differences = BTreeMap<String, BTreeSet<String>>;

/// Verdicts that were made with something else than the run was begun with.
fn unlike_the_run(lines: &[PairLine]) -> (usize, Differences) {
    let (mut count, mut found) = (0, Differences::new());
    for line in lines {
        let Grounds {
            begun_with,
            judged_with,
        } = &line.grounds;
        let Some((begun, judged)) = begun_with.as_ref().zip(judged_with.as_ref()) else {
            continue;
        };
        let names = judged.differences(begun);
        count += usize::from(!names.is_empty());
        note(&mut found, line, &names);
    }
    (count, found)
}

/// Verdicts on pairs of one task that were made with different things.
fn unlike_each_other(lines: &[PairLine]) -> Differences {
    let mut found = Differences::new();
    let mut known: BTreeMap<&str, Pin> = BTreeMap::new();
    for line in lines {
        let Some(pin) = &line.grounds.judged_with else {
            continue;
        };
        let first = known.entry(&line.task).or_default();
        note(&mut found, line, &pin.differences(first));
        for (name, digest) in &pin.files {
            first
                .files
                .entry(name.clone())
                .or_insert_with(|| digest.clone());
        }
        first.world = first.world.take().or_else(|| pin.world.clone());
    }
    found
}

fn note(found: &mut Differences, line: &PairLine, names: &[&str]) {
    if !names.is_empty() {
        let of_task = found.entry(line.task.clone()).or_default();
        of_task.extend(names.iter().map(|name| (*name).to_owned()));
    }
}

/// How many tasks a run went on with although they had changed.
fn accepted_tasks(manifest: &Manifest) -> usize {
    let changes = manifest
        .accepted
        .iter()
        .flat_map(|accepted| &accepted.changes);
    let tasks = changes.filter_map(|change| change.strip_prefix(TASK_CHANGE)?.split(':').next());
    tasks.collect::<BTreeSet<_>>().len()
}

/// `harbor_task/1 (runner.sh), …`.
fn named(found: &Differences) -> String {
    let tasks = found.iter().take(TOLD).map(|(task, names)| {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        format!("{task} ({})", names.join(", "))
    });
    let mut text = tasks.collect::<Vec<_>>().join(", ");
    if found.len() > TOLD {
        let _ = write!(text, " and {}", plural(found.len() - TOLD, "more task"));
    }
    text
}
