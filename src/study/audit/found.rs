//! What an audit found of one concern: how many, where, and what it does to each arm's rates. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::concern::{Concern, Gravity};
use super::contrasts::{Contrasts, TurnedAlone};
use super::seen::{Measure, Seen, of_arm, rate, tally};
use crate::report::time_limit::TimeLimit;
use crate::study::Study;

/// What was found of one concern.
#[derive(Clone, Debug, Serialize)]
pub struct AuditFinding {
    /// The concern.
    pub concern: Concern,
    /// What it means for the numbers.
    pub grade: Gravity,
    /// How many trials it is about.
    pub trials: usize,
    /// Of how many: verdicts as upstream counts them, of a gap or a note pairs of runs.
    pub of: usize,
    /// Triage's rules, or what passes are flagged for, with how many trials each, the most first.
    pub causes: Vec<CauseCount>,
    /// The contrasts that turn when these verdicts alone are left out.
    pub turns: Vec<TurnedAlone>,
    /// The arms that it is found in, as the study has them.
    pub arms: Vec<FoundInArm>,
}

/// Why, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CauseCount {
    /// The rule or the reason.
    pub cause: String,
    /// How many trials.
    pub trials: usize,
}

/// What was found of it in one arm.
#[derive(Clone, Debug, Serialize)]
pub struct FoundInArm {
    /// The arm.
    pub arm: String,
    /// How many trials it is about.
    pub trials: usize,
    /// Of how many.
    pub of: usize,
    /// The runs, those with the most of it first.
    pub runs: Vec<FoundInRun>,
    /// What it does to the rate of passes.
    pub pass: Shift,
    /// What it does to the rate of merges; none for one agent.
    pub merge: Option<Shift>,
}

/// What was found of it in one run.
#[derive(Clone, Debug, Serialize)]
pub struct FoundInRun {
    /// The run.
    pub run: String,
    /// How many pairs.
    pub trials: usize,
    /// Those of them that have a name.
    pub pairs: Vec<String>,
}

/// A rate, as the mean over pairs of each pair's own, with verdicts and without them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Shift {
    /// As upstream counts.
    pub with: Option<f64>,
    /// Without these; none where nothing is left. Of a gap the same.
    pub without: Option<f64>,
    /// If what is missing had failed. Only of a gap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst: Option<f64>,
    /// If what is missing had passed. Only of a gap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best: Option<f64>,
}

impl Shift {
    /// How far the rate moves; of a gap how far it may.
    #[must_use]
    pub fn size(&self) -> f64 {
        let moved = self
            .with
            .zip(self.without)
            .map(|(one, two)| (one - two).abs());
        let open = self
            .worst
            .zip(self.best)
            .map(|(one, two)| (one - two).abs());
        moved.unwrap_or(0.0).max(open.unwrap_or(0.0))
    }

    /// Of verdicts of an arm, of which some are left out.
    pub(super) fn of<'s>(
        seen: &[&Seen<'s>],
        measure: Measure,
        is_out: impl Fn(&Seen<'s>) -> bool,
    ) -> Self {
        let share = |value: &dyn Fn(&Seen<'s>) -> Option<bool>| {
            Some(rate(&tally(seen.iter().copied(), value))?.share)
        };
        Self {
            with: share(&|one| one.published(measure)),
            without: share(&|one| one.published(measure).filter(|_| !is_out(one))),
            worst: None,
            best: None,
        }
    }

    /// Of verdicts that are missing.
    fn of_gap<'s>(
        seen: &[&Seen<'s>],
        measure: Measure,
        is_missing: impl Fn(&Seen<'s>) -> bool,
    ) -> Self {
        let share = |missing: Option<bool>| {
            let value = |one: &Seen<'s>| {
                let missing = missing.filter(|_| is_missing(one));
                one.published(measure).or(missing)
            };
            Some(rate(&tally(seen.iter().copied(), value))?.share)
        };
        let with = share(None);
        Self {
            with,
            without: with,
            worst: share(Some(false)),
            best: share(Some(true)),
        }
    }
}

/// What is found, the gravest first: damage before doubt, and of these what moves a rate the most.
pub(super) fn found(
    study: &Study,
    seen: &[Seen<'_>],
    contrasts: &Contrasts<'_, '_>,
) -> Vec<AuditFinding> {
    let all = Concern::ALL.into_iter();
    let mut found: Vec<AuditFinding> = all
        .filter_map(|it| AuditFinding::of(it, study, seen))
        .collect();
    for found in &mut found {
        if matches!(found.grade, Gravity::Damage | Gravity::Doubt) {
            found.turns = contrasts.turned_without(|one| one.concerns.contains(&found.concern));
        }
    }
    found.sort_by(|a, b| {
        let sizes = b.size().total_cmp(&a.size());
        a.grade
            .cmp(&b.grade)
            .then(sizes)
            .then(b.trials.cmp(&a.trials))
    });
    found
}

impl AuditFinding {
    /// How far it moves a rate of some arm at most.
    fn size(&self) -> f64 {
        let shifts = self.arms.iter().flat_map(|arm| [Some(arm.pass), arm.merge]);
        shifts.flatten().map(|it| it.size()).fold(0.0, f64::max)
    }

    fn of(concern: Concern, study: &Study, seen: &[Seen<'_>]) -> Option<Self> {
        let arms = study.arms.iter().enumerate();
        let arms = arms.filter_map(|(at, arm)| {
            let in_arm = FoundInArm::of(concern, &arm.name, &of_arm(seen, at).collect::<Vec<_>>())?;
            Some(if concern == Concern::TimeLimit {
                let limits = arm.runs.iter().map(|run| run.beside.time_limit);
                in_arm.counted(sum(limits))
            } else {
                in_arm
            })
        });
        let arms: Vec<FoundInArm> = arms.filter(|arm| arm.trials > 0).collect();
        if arms.is_empty() {
            return None;
        }
        let flagged = seen.iter().filter(|one| one.concerns.contains(&concern));
        Some(Self {
            concern,
            grade: concern.grade(),
            trials: arms.iter().map(|arm| arm.trials).sum(),
            of: match concern {
                Concern::TimeLimit => sum(every_limit(study)).of,
                _ => seen.iter().filter(|one| is_counted(concern, one)).count(),
            },
            causes: causes(concern, flagged),
            turns: Vec::new(),
            arms,
        })
    }
}

impl FoundInArm {
    fn of(concern: Concern, arm: &str, seen: &[&Seen<'_>]) -> Option<Self> {
        let is_so = |one: &Seen<'_>| one.concerns.contains(&concern);
        let mut runs: Vec<FoundInRun> = Vec::new();
        for one in seen.iter().filter(|one| is_so(one)) {
            let run = one.run.name.as_str();
            let known = runs.iter().position(|it| it.run == run);
            let at = known.unwrap_or_else(|| {
                runs.push(FoundInRun {
                    run: run.to_owned(),
                    trials: 0,
                    pairs: Vec::new(),
                });
                runs.len() - 1
            });
            runs[at].trials += 1;
            runs[at].pairs.extend(one.pair.map(str::to_owned));
        }
        runs.sort_by_key(|run| std::cmp::Reverse(run.trials));
        let shift = |measure| match concern.grade() {
            Gravity::Gap => Shift::of_gap(seen, measure, is_so),
            _ => Shift::of(seen, measure, is_so),
        };
        let trials = runs.iter().map(|run| run.trials).sum();
        if trials == 0 && concern != Concern::TimeLimit {
            return None;
        }
        let has_merges = seen
            .iter()
            .any(|one| one.published(Measure::Merge).is_some());
        Some(Self {
            arm: arm.to_owned(),
            trials,
            of: seen.iter().filter(|one| is_counted(concern, one)).count(),
            runs,
            pass: shift(Measure::Pass),
            merge: has_merges.then(|| shift(Measure::Merge)),
        })
    }

    /// With the trials that no longer stand.
    const fn counted(mut self, limit: TimeLimit) -> Self {
        (self.trials, self.of) = (limit.trials, limit.of);
        self
    }
}

/// Whether a pair of a run is one of those of which a concern is about some.
fn is_counted(concern: Concern, seen: &Seen<'_>) -> bool {
    match concern.grade() {
        Gravity::Damage | Gravity::Doubt => seen.published.is_some(),
        Gravity::Gap | Gravity::Note => true,
    }
}

fn every_limit(study: &Study) -> impl Iterator<Item = TimeLimit> {
    let runs = study.arms.iter().flat_map(|arm| &arm.runs);
    runs.map(|run| run.beside.time_limit)
}

/// What the time limit ended in several runs.
pub(super) fn sum(limits: impl Iterator<Item = TimeLimit>) -> TimeLimit {
    limits.fold(TimeLimit::default(), |all, one| TimeLimit {
        trials: all.trials + one.trials,
        of: all.of + one.of,
    })
}

/// Why these are what they are, the most frequent first.
fn causes<'a, 's: 'a>(
    concern: Concern,
    seen: impl Iterator<Item = &'a Seen<'s>>,
) -> Vec<CauseCount> {
    let cause = |one: &Seen<'s>| -> Option<String> {
        let row = one.row?;
        match concern {
            Concern::JudgedError | Concern::AgentError => {
                let unknown = || "no rule knows it".to_owned();
                Some(row.rule.clone().unwrap_or_else(unknown))
            }
            Concern::NoVerdict => row.rule.clone().or_else(|| Some("not judged".to_owned())),
            _ => None,
        }
    };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for cause in seen.filter_map(cause) {
        *counts.entry(cause).or_default() += 1;
    }
    let counts = counts.into_iter();
    let mut causes: Vec<CauseCount> = counts
        .map(|(cause, trials)| CauseCount { cause, trials })
        .collect();
    causes.sort_by_key(|it| std::cmp::Reverse(it.trials));
    causes
}
