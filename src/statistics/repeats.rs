//! Repeats as the sample: a mean over pairs that stay the same.

use super::interval::{Interval, moderated};
use super::pairs::rate;

/// What the assumption weighs that repeats vary as if all pairs were alike, in pairs.
const ASSUMED_PAIRS: f64 = 8.0;

/// The repeats of fixed pairs in one arm.
pub(super) struct Repeats {
    mean: f64,
    /// So many independent trials of a pair like any other would have the variance mean × (1 - mean)
    /// / trials, which is the most that it can be.
    trials: f64,
    /// Whether all trials pass or none does.
    all_alike: bool,
    /// The mean's variance.
    variance: f64,
}

/// How many independent trials the repeats of pairs are, if all pairs are alike: N² / Σ 1/k.
pub(super) fn trials(pairs: &[(u32, u32)]) -> f64 {
    let shares: f64 = pairs.iter().map(|(_, of)| 1.0 / f64::from(*of)).sum();
    (pairs.len() as f64).powi(2) / shares
}

/// The variance of the mean over pairs, and how many pairs it is known from; none where no pair has
/// two repeats.
///
/// It is Σ p(1-p)/(k-1) / N²: pairs are the strata of a sample (Cochran 1977, §5.4). A pair with one
/// repeat varies as the others do on average.
pub(super) fn stratified(pairs: &[(u32, u32)]) -> Option<(f64, usize)> {
    let of_trial = |(passed, of): &(u32, u32)| {
        let share = rate(*passed, *of);
        share * (1.0 - share) * f64::from(*of) / f64::from(*of - 1)
    };
    let repeated = pairs.iter().filter(|(_, of)| *of > 1);
    let known: Vec<f64> = repeated.map(of_trial).collect();
    if known.is_empty() {
        return None;
    }
    let usual = known.iter().sum::<f64>() / known.len() as f64;
    let of_pairs = pairs.iter().map(|pair| match pair.1 {
        1 => usual,
        of => of_trial(pair) / f64::from(of),
    });
    let all = (pairs.len() as f64).powi(2);
    Some((of_pairs.sum::<f64>() / all, known.len()))
}

impl Repeats {
    /// Of pairs, each with how many of how many passed; none where no pair has two repeats.
    ///
    /// Where all pass or none does, two passes and two failures are added (Agresti and Coull 1998).
    pub(super) fn of(pairs: &[(u32, u32)]) -> Option<Self> {
        let (found, known) = stratified(pairs)?;
        let rates = pairs.iter().map(|(passed, of)| rate(*passed, *of));
        let mean = rates.sum::<f64>() / pairs.len() as f64;
        let trials = trials(pairs);
        let all_alike = pairs.iter().all(|(passed, _)| *passed == 0)
            || pairs.iter().all(|(passed, of)| passed == of);
        let variance = if all_alike {
            let likely = (mean * trials + 2.0) / (trials + 4.0);
            likely * (1.0 - likely) / trials
        } else {
            let assumed = mean * (1.0 - mean) / trials;
            moderated((found, known as f64), (assumed, ASSUMED_PAIRS))
        };
        Some(Self {
            mean,
            trials,
            all_alike,
            variance,
        })
    }

    /// The interval of the share: Wilson's with an effective number of trials.
    pub(super) fn of_share(&self) -> Interval {
        let effective = if self.all_alike {
            self.trials
        } else {
            self.mean * (1.0 - self.mean) / self.variance
        };
        Interval::wilson(self.mean, effective)
    }

    /// The interval of the difference of two arms on the same pairs, whose repeats are independent.
    pub(super) fn of_difference(&self, second: &Self) -> Interval {
        Interval::normal(self.mean - second.mean, self.variance + second.variance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_repeat_of_each_pair_says_nothing_of_more() {
        assert!(Repeats::of(&[(1, 1), (0, 1)]).is_none());
        assert!(Repeats::of(&[(1, 1), (0, 2)]).is_some());
    }

    #[test]
    fn a_pair_with_one_repeat_varies_as_the_others_do() {
        // 1 of 2 has the variance 1/2 a trial, 2 of 2 has none: 1/4 on average.
        let (variance, known) = stratified(&[(1, 2), (2, 2), (1, 1)]).unwrap();
        assert!((variance - (0.25 + 0.0 + 0.25) / 9.0).abs() < 1e-12);
        assert_eq!(known, 2);
        assert!((trials(&[(1, 2), (2, 2), (1, 1)]) - 9.0 / 2.0).abs() < 1e-12);
    }

    #[test]
    fn pairs_that_never_vary_have_an_interval_that_is_no_point() {
        let all = Repeats::of(&[(3, 3); 20]).unwrap();
        assert_eq!(all.of_share(), Interval::wilson(1.0, 60.0));
        let none = Repeats::of(&[(0, 3); 20]).unwrap();
        let apart = all.of_difference(&none);
        assert!((apart.high - 1.0).abs() < 1e-12 && apart.low < 0.95 && apart.low > 0.9);
        // Some always pass and the others never: 20 pairs of no variance and 8 of 1/4 a trial.
        let fixed = [[(3, 3); 10], [(0, 3); 10]].concat();
        let fixed = Repeats::of(&fixed).unwrap();
        assert!((fixed.variance - 8.0 / 28.0 * 0.25 / 60.0).abs() < 1e-12);
        assert_eq!(fixed.of_share(), Interval::wilson(0.5, 210.0));
    }
}
