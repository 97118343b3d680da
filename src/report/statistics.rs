//! What counts say and what they don't: rates and differences with 95% intervals that respect that
//! pairs of one task are alike. Pure.

use std::collections::BTreeMap;

pub use crate::statistics::Interval;
use serde::Serialize;
use statrs::distribution::{Binomial, ContinuousCDF as _, DiscreteCDF as _, StudentsT};

/// The normal distribution's 97.5% quantile.
const Z: f64 = 1.959_963_984_540_054;

/// A share of passes, of pairs or of features.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// How many of them passed.
    pub passed: usize,
    /// Of how many it is the share; never 0.
    pub of: usize,
    /// How many tasks they are from.
    pub tasks: usize,
    /// The share, from 0 to 1.
    pub share: f64,
    /// Its 95% interval; none for a single task.
    pub interval: Option<Interval>,
}

/// How two settings differ on the pairs that were judged in both.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// How many pairs were judged in both.
    pub pairs: usize,
    /// How many tasks they are from.
    pub tasks: usize,
    /// The first's share of passes minus the second's, from -1 to 1.
    pub share: f64,
    /// Its 95% interval; none for a single task, nor where all tasks differ alike.
    pub interval: Option<Interval>,
    /// Pairs that passed in the first setting only.
    pub only_first: usize,
    /// Pairs that passed in the second setting only.
    pub only_second: usize,
    /// The two-sided p-value of `McNemar`'s exact test, which takes pairs as independent.
    pub mcnemar_p: f64,
}

/// The share of passes among pairs, each with its task.
///
/// The interval is Wilson's (1927) with the effective sample size p(1-p)/v, where v is the variance
/// of a ratio over clusters, corrected for few clusters by the quantile of Student's t (Korn and
/// Graubard 1998; compared by Franco, Little, Louis and Slud 2019). Where all pass or none does there
/// is no variation to see the clustering by: then tasks are counted instead of pairs.
#[must_use]
pub fn rate<'a>(pairs: impl IntoIterator<Item = (&'a str, bool)>) -> Option<Rate> {
    let mut tasks: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (task, passed) in pairs {
        let of_task = tasks.entry(task).or_default();
        of_task.0 += f64::from(u8::from(passed));
        of_task.1 += 1.0;
    }
    let (passed, of) = tasks.values().fold((0.0, 0.0), |(passed, of), task| {
        (passed + task.0, of + task.1)
    });
    if of == 0.0 {
        return None;
    }
    let share = passed / of;
    let residuals = tasks.values().map(|(passed, of)| passed - share * of);
    let interval = match (clustered_variance(residuals, of), student(tasks.len())) {
        (Some(variance), Some(t)) => {
            let effective = if whole(passed) == 0 || whole(passed) == whole(of) {
                count(tasks.len())
            } else if variance <= 0.0 {
                of * (Z / t).powi(2)
            } else {
                (share * (1.0 - share) / variance).min(of) * (Z / t).powi(2)
            };
            Some(wilson(share, effective))
        }
        _ => None,
    };
    Some(Rate {
        passed: whole(passed),
        of: whole(of),
        tasks: tasks.len(),
        share,
        interval,
    })
}

/// How two settings differ on pairs, each with its task and whether it passed in each.
///
/// The interval is the mean difference's, with its variance over clusters and Student's t.
#[must_use]
pub fn difference<'a>(
    pairs: impl IntoIterator<Item = (&'a str, bool, bool)>,
) -> Option<Difference> {
    let mut tasks: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    let (mut only_first, mut only_second) = (0, 0);
    for (task, first, second) in pairs {
        let of_task = tasks.entry(task).or_default();
        of_task.0 += f64::from(i8::from(first) - i8::from(second));
        of_task.1 += 1.0;
        only_first += usize::from(first && !second);
        only_second += usize::from(second && !first);
    }
    let (sum, of) = tasks
        .values()
        .fold((0.0, 0.0), |(sum, of), task| (sum + task.0, of + task.1));
    if of == 0.0 {
        return None;
    }
    let share = sum / of;
    let residuals = tasks.values().map(|(sum, of)| sum - share * of);
    let interval = match (clustered_variance(residuals, of), student(tasks.len())) {
        // Where no task differs from another there is nothing to see the variance by.
        (Some(variance), Some(t)) if variance > 1e-12 => {
            let half = t * variance.sqrt();
            Some(Interval {
                low: (share - half).max(-1.0),
                high: (share + half).min(1.0),
            })
        }
        _ => None,
    };
    Some(Difference {
        pairs: whole(of),
        tasks: tasks.len(),
        share,
        interval,
        only_first,
        only_second,
        mcnemar_p: mcnemar(only_first, only_second),
    })
}

/// The variance of a ratio over clusters, from each cluster's residual.
fn clustered_variance(residuals: impl ExactSizeIterator<Item = f64>, of: f64) -> Option<f64> {
    let clusters = residuals.len();
    if clusters < 2 {
        return None;
    }
    let squares: f64 = residuals.map(|residual| residual * residual).sum();
    Some(count(clusters) / count(clusters - 1) * squares / (of * of))
}

/// The 97.5% quantile of Student's t for so many clusters.
fn student(clusters: usize) -> Option<f64> {
    let freedom = clusters.checked_sub(1).filter(|freedom| *freedom > 0)?;
    let student = StudentsT::new(0.0, 1.0, count(freedom)).ok()?;
    Some(student.inverse_cdf(0.975))
}

fn wilson(share: f64, of: f64) -> Interval {
    let z2 = Z * Z;
    let centre = (share + z2 / (2.0 * of)) / (1.0 + z2 / of);
    let half = Z * (share * (1.0 - share) / of + z2 / (4.0 * of * of)).sqrt() / (1.0 + z2 / of);
    Interval {
        low: (centre - half).max(0.0),
        high: (centre + half).min(1.0),
    }
}

/// `McNemar`'s exact test (1947): the discordant pairs as tosses of a fair coin, two-sided.
fn mcnemar(one: usize, other: usize) -> f64 {
    let (fewer, all) = (one.min(other), one + other);
    match Binomial::new(0.5, all as u64) {
        Ok(coin) if all > 0 => (2.0 * coin.cdf(fewer as u64)).min(1.0),
        _ => 1.0,
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of pairs")]
const fn count(n: usize) -> f64 {
    n as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a sum of ones"
)]
const fn whole(n: f64) -> usize {
    n as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<Interval>, low: f64, high: f64) {
        let found = found.unwrap();
        let is_near = (found.low - low).abs() < 5e-4 && (found.high - high).abs() < 5e-4;
        assert!(is_near, "{found:?} instead of {low} to {high}");
    }

    const TASKS: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

    #[test]
    fn tasks_of_one_pair_give_wilsons_interval_for_few_clusters() {
        let rate = rate(TASKS.iter().enumerate().map(|(n, task)| (*task, n < 8))).unwrap();
        assert_eq!((rate.passed, rate.of, rate.tasks), (8, 10, 10));
        // n = 9 * (1.95996 / 2.26216)^2 = 6.756; Wilson's for 0.8 of 6.756.
        near(rate.interval, 0.4270, 0.9555);
    }

    #[test]
    fn pairs_that_are_alike_count_less() {
        // Five tasks of two pairs that always agree: as five pairs would.
        let alike = TASKS[..5].iter().enumerate();
        let alike = alike.flat_map(|(n, task)| [(*task, n < 3); 2]);
        let alike = rate(alike).unwrap();
        let single = rate(
            TASKS[..5]
                .iter()
                .enumerate()
                .map(|(n, task)| (*task, n < 3)),
        )
        .unwrap();
        assert_eq!(alike.interval, single.interval);
        assert_eq!((alike.of, single.of), (10, 5));
    }

    #[test]
    fn where_nothing_varies_tasks_are_counted() {
        let rate = rate(TASKS[..3].iter().flat_map(|task| [(*task, true); 3])).unwrap();
        near(rate.interval, 0.4385, 1.0);
        assert_eq!(
            super::rate([("a", true), ("a", false)]).unwrap().interval,
            None
        );
        assert_eq!(super::rate([]), None);
    }

    #[test]
    fn a_difference_has_an_interval_and_an_exact_p() {
        let pairs = [
            ("a", true, false),
            ("a", true, true),
            ("b", true, false),
            ("b", false, false),
            ("c", true, true),
            ("c", false, true),
        ];
        let found = difference(pairs).unwrap();
        assert_eq!((found.pairs, found.tasks), (6, 3));
        assert_eq!((found.only_first, found.only_second), (2, 1));
        assert!((found.share - 1.0 / 6.0).abs() < 1e-12);
        // Residuals 2/3, 2/3, -4/3: variance 3/2 * 24/9 / 36 = 1/9; t(2) = 4.30265.
        near(found.interval, -1.0, 1.0);
        assert!((found.mcnemar_p - 1.0).abs() < 1e-12);
        let alike = difference(["a", "b", "c"].map(|task| (task, false, true))).unwrap();
        assert_eq!(alike.interval, None);
        assert!((mcnemar(8, 1) - 0.039_062_5).abs() < 1e-12);
        assert!((mcnemar(0, 0) - 1.0).abs() < 1e-12);
        assert!((mcnemar(0, 10) - 2.0 / 1024.0).abs() < 1e-12);
    }

    #[test]
    fn two_tasks_are_enough_and_tasks_that_are_all_alike_leave_the_number_of_pairs() {
        let of = |task, passed: usize| (0..4).map(move |n| (task, n < passed));
        let two = rate(of("a", 3).chain(of("b", 1))).unwrap();
        // Residuals 1 and -1: variance 2 * 2 / 64, below p(1-p) / 4; n = 4 * (1.95996 / 12.7062)^2.
        near(two.interval, 0.0061, 0.9939);
        let alike = rate(
            TASKS
                .iter()
                .flat_map(|task| [(*task, true), (*task, false)]),
        );
        // n = 20 * (1.95996 / 2.26216)^2 = 15.013.
        near(alike.unwrap().interval, 0.2743, 0.7257);
    }

    #[test]
    fn tasks_of_several_sizes_differ_by_an_interval_of_their_own() {
        let (more, same, less) = ((true, false), (true, true), (false, true));
        let pairs = [
            ("a", more),
            ("a", more),
            ("a", same),
            ("b", more),
            ("b", same),
            ("c", same),
            ("d", more),
            ("d", same),
            ("d", same),
            ("d", less),
            ("e", same),
            ("e", more),
        ];
        let found = difference(pairs.map(|(task, (one, two))| (task, one, two))).unwrap();
        assert_eq!((found.only_first, found.only_second), (5, 1));
        assert!((found.share - 1.0 / 3.0).abs() < 1e-12);
        // Residuals 1, 1/3, -1/3, -4/3, 1/3: variance 5/4 * 28/9 / 144 = 0.027006; t(4) = 2.77645.
        near(found.interval, -0.1229, 0.7896);
    }
}
