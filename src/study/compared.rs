//! Arms held against each other. Pure.

use serde::Serialize;

use super::pooling::FirstBy;
use super::versus::Versus;
use super::{Figures, Study};
use crate::statistics::{Tested, holm};

/// Arms with their numbers, and their differences.
#[derive(Clone, Debug, Serialize)]
pub struct ArmsCompared {
    /// The arm that the others are held against; none where every two are.
    pub baseline: Option<String>,
    /// Why it is this one.
    pub baseline_is: Option<FirstBy>,
    /// The arms, in the order in which they were asked for.
    pub arms: Vec<Figures>,
    /// What is compared: one family.
    pub contrasts: Vec<Versus>,
    /// What is to be said of how runs were pooled.
    pub notes: Vec<String>,
}

/// Which arms are held against each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Each but the first less the first.
    LessFirst,
    /// Every two, the later less the earlier.
    EveryTwo,
}

impl ArmsCompared {
    /// The arms of a study, held against each other.
    #[must_use]
    pub fn of(study: &Study, family: Family) -> Self {
        let mut contrasts = Vec::new();
        for (n, second) in study.arms.iter().enumerate() {
            if n > 0 && family == Family::LessFirst {
                break;
            }
            let later = &study.arms[n + 1..];
            contrasts.extend(later.iter().map(|first| Versus::of(first, second)));
        }
        adjust(&mut contrasts);
        let baseline = study.arms.first().filter(|_| family == Family::LessFirst);
        Self {
            baseline: baseline.map(|arm| arm.name.clone()),
            baseline_is: baseline.map(|_| study.first_by),
            arms: study.arms.iter().map(Figures::of).collect(),
            contrasts,
            notes: study.notes.clone(),
        }
    }
}

/// Adjusts the p-values of each target over all that have one.
fn adjust(contrasts: &mut [Versus]) {
    let values =
        |of: fn(&Versus) -> Option<f64>| -> Vec<Option<f64>> { contrasts.iter().map(of).collect() };
    let tasks = values(|it| p(it.difference?.tasks_like_these));
    let pairs = values(|it| p(it.difference?.these_pairs));
    for (contrast, (tasks, pairs)) in contrasts.iter_mut().zip(family(&tasks).zip(family(&pairs))) {
        contrast.adjusted.tasks_like_these = tasks;
        contrast.adjusted.these_pairs = pairs;
    }
}

fn p(tested: Tested) -> Option<f64> {
    tested.p.ok().map(|it| it.value)
}

/// The p-values of a family, adjusted; what has none is not of it.
fn family(values: &[Option<f64>]) -> impl Iterator<Item = Option<f64>> + use<> {
    let known: Vec<f64> = values.iter().copied().flatten().collect();
    let mut adjusted = holm(&known).into_iter();
    let of_all = values
        .iter()
        .map(|value| value.and_then(|_| adjusted.next()));
    of_all.collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests;
