//! Every pair of every run of a study, with what is to be said of it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::concern::{Concern, Gravity};
use crate::report::Row;
use crate::statistics::{Mean, Passes, Repeated, mean};
use crate::study::beside::{Published, is_merged};
use crate::study::{Arm, ArmRun, Study};

/// What is counted of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Both features' hidden tests pass.
    Pass,
    /// The two patches merge.
    Merge,
}

/// Whose verdicts count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// Every verdict of an `eval.json`, as upstream counts.
    Published,
    /// Without what is damaged.
    Undamaged,
    /// Without what is damaged or doubtful.
    Unflagged,
}

/// A pair of a run.
#[derive(Clone, Debug)]
pub(super) struct Seen<'a> {
    /// The place of its arm in the study.
    pub arm: usize,
    pub run: &'a ArmRun,
    /// None of a pair that nothing on disk names.
    pub pair: Option<&'a str>,
    /// None of a pair that only other runs of the arm have.
    pub row: Option<&'a Row>,
    pub published: Option<&'a Published>,
    pub concerns: Vec<Concern>,
}

/// Verdicts by pair, each pair with its task.
pub(super) type Tally<'a> = BTreeMap<&'a str, (&'a str, Passes)>;

impl Measure {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Pass, Self::Merge];

    /// Its name, as in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Merge => "merge",
        }
    }
}

impl Reading {
    /// Those that leave something out.
    pub const STRICTER: [Self; 2] = [Self::Undamaged, Self::Unflagged];

    /// Whether a verdict counts.
    pub(super) fn counts(self, seen: &Seen<'_>) -> bool {
        match self {
            Self::Published => true,
            Self::Undamaged => !seen.is(Gravity::Damage),
            Self::Unflagged => !seen.is(Gravity::Damage) && !seen.is(Gravity::Doubt),
        }
    }
}

impl<'a> Seen<'a> {
    /// Whether a concern of this grade is about it.
    pub fn is(&self, grade: Gravity) -> bool {
        self.concerns.iter().any(|it| it.grade() == grade)
    }

    /// What upstream counts of it.
    pub fn published(&self, measure: Measure) -> Option<bool> {
        let published = self.published?;
        match measure {
            Measure::Pass => Some(published.passed),
            Measure::Merge => published.merged,
        }
    }

    /// What reports count of it.
    pub fn judged(&self, measure: Measure) -> Option<bool> {
        let row = self.row?;
        match measure {
            Measure::Pass => row.passed,
            Measure::Merge => is_merged(row.merge.as_deref()?),
        }
    }

    fn of(arm: usize, run: &'a ArmRun, row: &'a Row) -> Self {
        let pair = row.pair.as_deref();
        let published = pair.and_then(|pair| run.beside.published.get(pair));
        Self {
            arm,
            run,
            pair,
            row: Some(row),
            published,
            concerns: Concern::of(row, published),
        }
    }
}

/// Every pair of every run, and those that a run lacks and another one of its arm has.
pub(super) fn seen(study: &Study) -> Vec<Seen<'_>> {
    let mut all = Vec::new();
    for (at, arm) in study.arms.iter().enumerate() {
        let known: BTreeSet<&str> = arm.rows().filter_map(|row| row.pair.as_deref()).collect();
        for run in &arm.runs {
            all.extend(of_run(at, run, &known));
        }
    }
    all
}

fn of_run<'a>(arm: usize, run: &'a ArmRun, known: &BTreeSet<&'a str>) -> Vec<Seen<'a>> {
    let has: BTreeSet<&str> = run
        .rows
        .iter()
        .filter_map(|row| row.pair.as_deref())
        .collect();
    let mut lacks = known.difference(&has);
    let mut all = Vec::new();
    for row in &run.rows {
        let mut one = Seen::of(arm, run, row);
        // Upstream counted it, and another run tells its name.
        if one.pair.is_none() && one.concerns.contains(&Concern::NoResult) {
            one.pair = lacks.next().copied();
        }
        all.push(one);
    }
    all.extend(lacks.map(|pair| Seen {
        arm,
        run,
        pair: Some(pair),
        row: None,
        published: None,
        concerns: vec![Concern::NoResult],
    }));
    all
}

/// Counts by pair what this says of those.
pub(super) fn tally<'a, 's: 'a>(
    seen: impl IntoIterator<Item = &'a Seen<'s>>,
    value: impl Fn(&Seen<'s>) -> Option<bool>,
) -> Tally<'s> {
    let mut tally = Tally::new();
    for one in seen {
        let (Some(pair), Some(value)) = (one.pair, value(one)) else {
            continue;
        };
        let task = one.row.and_then(|row| row.task.as_deref()).unwrap_or(pair);
        let nothing = Passes { passed: 0, of: 0 };
        let (_, counts) = tally.entry(pair).or_insert((task, nothing));
        counts.passed += u32::from(value);
        counts.of += 1;
    }
    tally
}

/// The mean over pairs of each pair's own rate; none without a verdict.
pub(super) fn rate(tally: &Tally<'_>) -> Option<Mean> {
    mean(tally.values().map(|(task, counts)| Repeated {
        task,
        passed: counts.passed,
        of: counts.of,
    }))
}

/// What is seen of one arm.
pub(super) fn of_arm<'a, 's>(
    seen: &'a [Seen<'s>],
    arm: usize,
) -> impl Iterator<Item = &'a Seen<'s>> + Clone {
    seen.iter().filter(move |one| one.arm == arm)
}

/// The names of a study's arms.
pub(super) fn names(study: &Study) -> Vec<&str> {
    study
        .arms
        .iter()
        .map(|arm: &Arm| arm.name.as_str())
        .collect()
}
