//! Tasks as the sample: the variance of a mean over pairs that are alike within a task.

use std::collections::BTreeMap;

use super::interval::{self, Interval};

/// A variance of exactly nothing, but for rounding.
const NOTHING: f64 = 1e-12;

/// A value for each pair, summed by task.
pub(super) struct Tasks {
    /// Of each task the sum of its pairs' values, and how many pairs it has.
    each: Vec<(f64, f64)>,
    /// How many pairs there are.
    pairs: f64,
    /// The mean over pairs.
    mean: f64,
}

impl Tasks {
    /// Of pairs, each with its task and value; none without pairs.
    pub(super) fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, f64)>) -> Option<Self> {
        let mut tasks: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for (task, value) in pairs {
            let (sum, of) = tasks.entry(task).or_default();
            *sum += value;
            *of += 1.0;
        }
        let each: Vec<_> = tasks.into_values().collect();
        let sum: f64 = each.iter().map(|(sum, _)| sum).sum();
        let pairs: f64 = each.iter().map(|(_, of)| of).sum();
        (pairs > 0.0).then(|| Self {
            each,
            pairs,
            mean: sum / pairs,
        })
    }

    /// Of tasks with so many pairs each, of which nothing else is known.
    pub(super) fn of_sizes(sizes: impl Iterator<Item = f64>) -> Self {
        let each: Vec<_> = sizes.map(|of| (0.0, of)).collect();
        Self {
            pairs: each.iter().map(|(_, of)| of).sum(),
            each,
            mean: 0.0,
        }
    }

    /// How many tasks there are.
    pub(super) const fn len(&self) -> usize {
        self.each.len()
    }

    /// The mean over pairs.
    pub(super) const fn mean(&self) -> f64 {
        self.mean
    }

    /// The interval of a share from 0 to 1; none for a single task.
    ///
    /// Wilson's with an effective sample size. Where all pass or none does there is nothing to see the
    /// variance by: then tasks are counted.
    pub(super) fn of_share(&self) -> Option<Interval> {
        let counts = [self.each.len() as f64, self.pairs];
        let freedom = self.freedom()?;
        let interval = Self::interval_of_share(self.mean, self.variance(), freedom, counts);
        Some(interval)
    }

    /// That of a share with this variance, whose estimate has so many degrees of freedom, over so many
    /// tasks and pairs.
    pub(super) fn interval_of_share(
        share: f64,
        variance: f64,
        freedom: f64,
        [tasks, pairs]: [f64; 2],
    ) -> Interval {
        let all_alike = share <= 0.0 || share >= 1.0;
        let effective = if all_alike {
            tasks
        } else if variance < NOTHING {
            pairs * interval::shrunk(freedom)
        } else {
            interval::effective(share, variance, freedom).min(pairs * interval::shrunk(freedom))
        };
        Interval::wilson(share, effective)
    }

    /// The interval of a difference from -1 to 1; none for a single task.
    ///
    /// Student's. Where all tasks differ alike there is nothing to see the variance by. Then a task
    /// that differs otherwise is one that has not been seen in so many.
    pub(super) fn of_difference(&self) -> Option<Interval> {
        let freedom = self.freedom()?;
        let variance = self.variance();
        if variance < NOTHING {
            let unseen = Interval::wilson(0.0, self.each.len() as f64).high;
            return Some(Interval {
                low: self.mean - unseen * (1.0 + self.mean),
                high: self.mean + unseen * (1.0 - self.mean),
            });
        }
        Some(Interval::student(self.mean, variance, freedom))
    }

    /// The mean's variance, CR2 (Bell and `McCaffrey` 2002): each task's residual is enlarged by what
    /// the task itself drew the mean towards it. For two tasks or more.
    fn variance(&self) -> f64 {
        let squares = self.each.iter().map(|(sum, of)| {
            let residual = sum - self.mean * of;
            residual * residual / (1.0 - of / self.pairs)
        });
        squares.sum::<f64>() / self.pairs.powi(2)
    }

    /// The degrees of freedom of that variance, Satterthwaite's with independent pairs as the working
    /// model: tr(B)²/tr(B²), where B has n/N² on its diagonal.
    pub(super) fn freedom(&self) -> Option<f64> {
        if self.each.len() < 2 {
            return None;
        }
        let sizes = || self.each.iter().map(|(_, of)| *of);
        let all = self.pairs;
        let drawn = |of: f64| of * of / (1.0 - of / all);
        let diagonal: f64 = sizes().map(|of| of * of).sum();
        let products = sizes().map(drawn).sum::<f64>().powi(2);
        let own: f64 = sizes().map(|of| drawn(of).powi(2)).sum();
        Some(all * all / (diagonal + (products - own) / (all * all)))
    }
}
