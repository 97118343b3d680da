//! Repeats as the sample: the variance of a mean over fixed pairs.

use super::interval::{self, Interval};
use super::pairs::rate;

/// The repeats of fixed pairs.
pub(super) struct Repeats {
    mean: f64,
    trials: f64,
    variance: f64,
}

impl Repeats {
    /// Of pairs, each with how many of how many passed; none where no pair has two repeats.
    pub(super) fn of(pairs: &[(u32, u32)]) -> Option<Self> {
        let n = pairs.len() as f64;
        let repeated = || pairs.iter().copied().filter(|(_, of)| *of > 1);
        let single = |(passed, of): (u32, u32)| {
            let share = rate(passed, of);
            share * (1.0 - share) * f64::from(of) / f64::from(of - 1)
        };
        let known = repeated().count();
        if known == 0 {
            return None;
        }
        // A pair with one repeat varies as the others do on average.
        let usual = repeated().map(single).sum::<f64>() / known as f64;
        let variances = pairs.iter().copied().map(|(passed, of)| match of {
            1 => usual,
            _ => single((passed, of)) / f64::from(of),
        });
        Some(Self {
            mean: pairs
                .iter()
                .copied()
                .map(|(passed, of)| rate(passed, of))
                .sum::<f64>()
                / n,
            trials: pairs.iter().copied().map(|(_, of)| f64::from(of)).sum(),
            variance: variances.sum::<f64>() / (n * n),
        })
    }

    pub(super) fn of_share(&self) -> Interval {
        let effective = if self.variance <= 0.0 {
            self.trials
        } else {
            interval::effective(self.mean, self.variance, 1e6)
        };
        Interval::wilson(self.mean, effective)
    }

    /// The interval of the difference of two arms on the same pairs.
    pub(super) fn of_difference(&self, other: &Self) -> Interval {
        let difference = self.mean - other.mean;
        Interval::student(difference, self.variance + other.variance, 1e6)
    }
}
