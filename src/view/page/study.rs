//! What the runs of a page say together, as its index has it.

use std::collections::BTreeMap;

use super::index::{ArmPart, ContrastPart, Index, MeanPart};
use crate::error::Error;
use crate::report::{Outcome, Row};
use crate::statistics::{Mean, Repeated, mean};
use crate::study::{Arm, ArmRun, ArmsCompared, Family, Pooling, Study, study};

/// What the runs of a page say together.
#[derive(Debug, Default)]
pub struct Shown {
    arms: Vec<(ArmPart, Vec<String>)>,
    contrasts: Vec<ContrastPart>,
    notes: Vec<String>,
}

impl Shown {
    /// Of runs, pooled into arms as far as that can be done: a page shows what there is, and says why
    /// it is not pooled otherwise.
    #[must_use]
    pub fn of(runs: Vec<ArmRun>, pooling: &Pooling) -> Self {
        let alone = Pooling {
            each_alone: true,
            ..Pooling::default()
        };
        let pooled = study(runs.clone(), pooling).or_else(|why| {
            let mut each = study(runs, &alone)?;
            each.notes
                .push(format!("runs are not pooled into arms: {why}"));
            Ok::<_, Error>(each)
        });
        let study = pooled.unwrap_or_else(|why| Study {
            notes: vec![why.to_string()],
            ..Study::default()
        });
        Self::of_study(&study, &ArmsCompared::of(&study, Family::LessFirst))
    }

    fn of_study(study: &Study, compared: &ArmsCompared) -> Self {
        let arms = study.arms.iter().map(|arm| {
            let runs = arm.runs.iter().map(|run| run.name.to_string());
            (part(arm), runs.collect())
        });
        Self {
            arms: arms.collect(),
            contrasts: contrasts(study, compared),
            notes: study.notes.clone(),
        }
    }

    /// Puts it into the index, whose runs are put in the order of the arms.
    pub(super) fn put_into(self, index: &mut Index) {
        let mut order = Vec::new();
        for (at, (part, runs)) in self.arms.into_iter().enumerate() {
            index.arms.push(part);
            for name in runs {
                if let Some(run) = index.runs.iter().position(|run| run.name == name) {
                    index.runs[run].arm = at;
                    order.push(run);
                }
            }
        }
        let mut runs: Vec<_> = std::mem::take(&mut index.runs)
            .into_iter()
            .map(Some)
            .collect();
        let mut places = BTreeMap::new();
        for (new, old) in order.into_iter().enumerate() {
            places.insert(old, new);
            index.runs.extend(runs[old].take());
        }
        index.trials.retain_mut(|trial| {
            let place = places.get(&trial.run);
            place.is_some_and(|place| {
                trial.run = *place;
                true
            })
        });
        index.contrasts = self.contrasts;
        index.notes.extend(self.notes);
    }
}

/// The differences over tasks, of arms that have a pair in common.
fn contrasts(study: &Study, compared: &ArmsCompared) -> Vec<ContrastPart> {
    let place = |name: &str| study.arms.iter().position(|arm| arm.name == name);
    let shown = compared.contrasts.iter().filter_map(|it| {
        let difference = it.difference?;
        let tested = difference.tasks_like_these;
        Some(ContrastPart {
            first: place(&it.first)?,
            second: place(&it.second)?,
            share: difference.share,
            low: tested.interval.map(|it| it.low),
            high: tested.interval.map(|it| it.high),
            p: tested.p.ok().map(|p| p.value),
            p_adjusted: it.adjusted.tasks_like_these,
            no_p: tested.p.err().map(|why| why.to_string()),
            pairs: difference.pairs,
            tasks: difference.tasks,
        })
    });
    shown.collect()
}

fn part(arm: &Arm) -> ArmPart {
    let first = arm.rows().next();
    let mut part = ArmPart {
        name: arm.name.clone(),
        setting: first.and_then(|row| row.setting),
        model: arm.rows().find_map(|row| row.model.clone()),
        pairs: arm.pairs().len(),
        mean: rate(arm).map(MeanPart::from),
        ..ArmPart::default()
    };
    let mut passes = 0;
    let (mut seconds, mut timed) = (0.0, 0_u32);
    let mut places = BTreeMap::new();
    for row in arm.rows() {
        *part.outcomes.entry(row.outcome).or_default() += 1;
        passes += usize::from(row.outcome == Outcome::Pass);
        if row.outcome.is_judged() {
            part.judged += 1;
            if let Some(word) = &row.merge {
                *part.merges.entry(word.clone()).or_default() += 1;
            }
        }
        if let Some(place) = place(row) {
            *places.entry(place).or_default() += 1;
        }
        add(&mut part.cost, row.spent_usd.or(row.cost_usd));
        part.cost_unknown += u64::from(row.has_unknown_cost == Some(true));
        add_tokens(&mut part.input_tokens, row.input_tokens);
        add_tokens(&mut part.output_tokens, row.output_tokens);
        if let Some(took) = row.duration_s {
            seconds += took;
            timed += 1;
        }
    }
    part.seconds = (timed > 0).then(|| seconds / f64::from(timed));
    part.cost_per_pass = part
        .cost
        .filter(|_| passes > 0)
        .map(|cost| cost / passes as f64);
    part.places = arm
        .rows()
        .any(|row| row.failed_at.is_some())
        .then_some(places);
    part
}

/// Where the work of two agents fails; `passes` and `not known` too.
fn place(row: &Row) -> Option<&'static str> {
    if !row.outcome.is_judged() || row.agents.is_some_and(|agents| agents < 2) {
        return None;
    }
    Some(match row.failed_at {
        Some(place) => place,
        None if row.outcome == Outcome::Pass => "passes",
        None => "not_known",
    })
}

fn add(sum: &mut Option<f64>, more: Option<f64>) {
    if let Some(more) = more {
        *sum.get_or_insert_default() += more;
    }
}

fn add_tokens(sum: &mut Option<u64>, more: Option<u64>) {
    if let Some(more) = more {
        *sum.get_or_insert_default() += more;
    }
}

/// The arm's rate of passes over its judged trials.
fn rate(arm: &Arm) -> Option<Mean> {
    let pairs = arm.pairs();
    let counted = pairs.values().filter_map(|rows| {
        let judged = rows.iter().filter(|row| row.outcome.is_judged());
        let of = u32::try_from(judged.clone().count()).ok()?;
        let passed = judged.filter(|row| row.outcome == Outcome::Pass).count();
        (of > 0).then(|| Repeated {
            task: rows[0].task.as_deref().unwrap_or_default(),
            passed: u32::try_from(passed).unwrap_or(of),
            of,
        })
    });
    mean(counted)
}

impl From<Mean> for MeanPart {
    fn from(mean: Mean) -> Self {
        Self {
            share: mean.share,
            low: mean.tasks_like_these.map(|it| it.low),
            high: mean.tasks_like_these.map(|it| it.high),
        }
    }
}
