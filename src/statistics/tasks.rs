//! Tasks as the sample: a mean over pairs that are alike within a task.

use std::collections::BTreeMap;

use super::interval::{Interval, moderated, shrunk};

/// A variance of nothing, but for rounding.
const NOTHING: f64 = 1e-12;

/// What is assumed of the correlation of verdicts within a task.
const ASSUMED_CORRELATION: f64 = 0.5;

/// What that assumption weighs, in degrees of freedom.
const ASSUMED_FREEDOM: f64 = 6.0;

/// A value for each pair, by task.
pub(super) struct Tasks {
    each: Vec<Task>,
    /// How many pairs there are.
    pairs: f64,
    /// The mean over pairs.
    mean: f64,
}

/// The pairs of a task.
#[derive(Clone, Copy, Default)]
struct Task {
    pairs: f64,
    sum: f64,
    squares: f64,
}

/// How much there is to see an interval by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Extent {
    tasks: f64,
    /// Σ n² / N²: the share of all pairs of pairs that are of one task.
    together: f64,
    /// As many independent trials.
    trials: f64,
}

impl Extent {
    /// The interval of a share with this variance, whose estimate has so many degrees of freedom.
    pub(super) fn of_share(self, share: f64, variance: f64, freedom: f64) -> Interval {
        let binomial = share * (1.0 - share);
        if binomial < NOTHING {
            return Interval::wilson(share, self.tasks);
        }
        let assumed =
            ASSUMED_CORRELATION * self.together + (1.0 - ASSUMED_CORRELATION) / self.trials;
        let variance = moderated((variance, freedom), (binomial * assumed, ASSUMED_FREEDOM));
        let effective = (binomial / variance).min(self.trials);
        Interval::wilson(share, effective * shrunk(freedom + ASSUMED_FREEDOM))
    }
}

impl Tasks {
    /// Of pairs, each with its task and value; none without pairs.
    pub(super) fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, f64)>) -> Option<Self> {
        let mut tasks: BTreeMap<&str, Task> = BTreeMap::new();
        for (task, value) in pairs {
            let task = tasks.entry(task).or_default();
            task.pairs += 1.0;
            task.sum += value;
            task.squares += value * value;
        }
        let each: Vec<Task> = tasks.into_values().collect();
        let pairs: f64 = each.iter().map(|task| task.pairs).sum();
        let sum: f64 = each.iter().map(|task| task.sum).sum();
        (pairs > 0.0).then(|| Self {
            each,
            pairs,
            mean: sum / pairs,
        })
    }

    /// Of tasks with so many pairs each, of which nothing else is known.
    pub(super) fn of_sizes(sizes: impl Iterator<Item = f64>) -> Self {
        let each: Vec<Task> = sizes
            .map(|pairs| Task {
                pairs,
                ..Task::default()
            })
            .collect();
        Self {
            pairs: each.iter().map(|task| task.pairs).sum(),
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

    /// The interval of a share from 0 to 1, whose pairs were tried so often that independent trials
    /// would have the variance share × (1 - share) / `trials`. None for a single task.
    ///
    /// It is Wilson's with an effective number of trials (Korn and Graubard 1998; compared by Franco,
    /// Little, Louis and Slud 2019). Where all pass or none does, tasks are counted.
    pub(super) fn of_share(&self, trials: f64) -> Option<Interval> {
        (self.len() > 1).then(|| {
            let freedom = self.freedom(self.correlation());
            let extent = self.extent(trials);
            extent.of_share(self.mean, self.variance(), freedom)
        })
    }

    /// How much there is to see an interval by.
    pub(super) fn extent(&self, trials: f64) -> Extent {
        Extent {
            tasks: self.len() as f64,
            together: self.squares_of_sizes() / self.pairs.powi(2),
            trials,
        }
    }

    /// The interval of a difference from -1 to 1; none for a single task.
    ///
    /// It is Student's. Where all tasks differ alike there is nothing to see the variance by. Then it
    /// is as wide as the share of tasks that can have gone unseen, as Wilson's interval has it for 0
    /// of so many, could move the mean.
    pub(super) fn of_difference(&self) -> Option<Interval> {
        if self.len() < 2 {
            return None;
        }
        let variance = self.variance();
        if variance < NOTHING {
            let unseen = Interval::wilson(0.0, self.len() as f64).high;
            return Some(Interval {
                low: self.mean - unseen * (1.0 + self.mean),
                high: self.mean + unseen * (1.0 - self.mean),
            });
        }
        let freedom = self.freedom(self.correlation());
        Some(Interval::student(self.mean, variance, freedom))
    }

    /// The mean's variance, CR2 (Bell and `McCaffrey` 2002): Σ e² / (1 - n/N) / N², where e is the sum
    /// of a task's residuals, n its pairs and N all pairs. It is exact if pairs are independent.
    pub(super) fn variance(&self) -> f64 {
        let squares = self.each.iter().map(|task| {
            let residual = task.sum - self.mean * task.pairs;
            residual * residual / (1.0 - task.pairs / self.pairs)
        });
        squares.sum::<f64>() / self.pairs.powi(2)
    }

    /// The degrees of freedom of that variance: tr(B)² / tr(B²), where B holds the covariances of the
    /// terms that it sums the squares of, if pairs of one task correlate by so much (Bell and
    /// `McCaffrey` 2002 with 0; Imbens and Kolesár 2016 with an estimate).
    pub(super) fn freedom(&self, correlation: f64) -> f64 {
        let all = self.pairs;
        let together = self.squares_of_sizes() / (all * all);
        let covariance = |one: f64, other: f64, is_same: bool| {
            let own = if is_same { one } else { 0.0 };
            let alone = own - one * other / all;
            let alike = own * one - one * other * (one + other) / all + one * other * together;
            let enlarged = ((1.0 - one / all) * (1.0 - other / all)).sqrt();
            ((1.0 - correlation) * alone + correlation * alike) / enlarged
        };
        let (mut trace, mut squares) = (0.0, 0.0);
        for (row, one) in self.each.iter().enumerate() {
            for (column, other) in self.each.iter().enumerate() {
                let cell = covariance(one.pairs, other.pairs, row == column);
                trace += if row == column { cell } else { 0.0 };
                squares += cell * cell;
            }
        }
        trace * trace / squares
    }

    /// How much pairs of one task correlate, by the analysis of variance (Donner 1986), from 0 to 1.
    pub(super) fn correlation(&self) -> f64 {
        let within: f64 = self
            .each
            .iter()
            .map(|task| task.squares - task.sum * task.sum / task.pairs)
            .sum();
        let between: f64 = self
            .each
            .iter()
            .map(|task| task.pairs * (task.sum / task.pairs - self.mean).powi(2))
            .sum();
        let tasks = self.len() as f64;
        if self.pairs <= tasks {
            return 0.0;
        }
        let within = within / (self.pairs - tasks);
        let between = between / (tasks - 1.0);
        let usual = (self.pairs - self.squares_of_sizes() / self.pairs) / (tasks - 1.0);
        let all = between + (usual - 1.0) * within;
        if all < NOTHING {
            return 0.0;
        }
        ((between - within) / all).clamp(0.0, 1.0)
    }

    /// Σ n².
    fn squares_of_sizes(&self) -> f64 {
        self.each.iter().map(|task| task.pairs * task.pairs).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

    fn near(found: Option<Interval>, low: f64, high: f64) {
        let found = found.unwrap();
        let is_near = (found.low - low).abs() < 5e-4 && (found.high - high).abs() < 5e-4;
        assert!(is_near, "{found:?} instead of {low} to {high}");
    }

    fn passing(n: usize) -> Tasks {
        let values = TEN.iter().enumerate();
        Tasks::of(values.map(|(at, task)| (*task, f64::from(u8::from(at < n))))).unwrap()
    }

    #[test]
    fn tasks_of_one_pair_are_wilsons_trials_but_for_what_their_variance_is_not_known() {
        // Of one pair each nothing is alike: 0.16 / 10 is assumed, and 0.16 / 9 found with 9 degrees.
        let tasks = passing(8);
        assert!((tasks.variance() - 0.16 / 9.0).abs() < 1e-12);
        assert!((tasks.freedom(0.0) - 9.0).abs() < 1e-9);
        // The variance leaves 9.375 of 10; 9.375 (1.95996 / 2.13145)² are 7.927.
        near(tasks.of_share(10.0), 0.4534, 0.9507);
    }

    #[test]
    fn where_all_pass_tasks_are_counted() {
        assert_eq!(
            passing(10).of_share(50.0),
            Some(Interval::wilson(1.0, 10.0))
        );
        assert_eq!(passing(0).of_share(50.0), Some(Interval::wilson(0.0, 10.0)));
    }

    #[test]
    fn where_all_tasks_differ_alike_one_may_have_gone_unseen() {
        // Wilson's upper end for 0 of 10 is 0.27753.
        near(passing(0).of_difference(), -0.2775, 0.2775);
        near(passing(10).of_difference(), 1.0 - 2.0 * 0.2775, 1.0);
    }

    #[test]
    fn a_single_task_has_no_interval_and_two_have_wide_ones() {
        let one = Tasks::of([("a", 1.0), ("a", 0.0)]).unwrap();
        assert_eq!((one.of_share(2.0), one.of_difference()), (None, None));
        let two = Tasks::of([("a", 1.0), ("b", 0.0)]).unwrap();
        near(two.of_difference(), -1.0, 1.0);
        let Interval { low, high } = two.of_share(2.0).unwrap();
        assert!(low < 0.15 && high > 0.85);
    }

    #[test]
    fn pairs_that_are_alike_count_less() {
        let alike = passing(5).each.len();
        assert_eq!(alike, 10);
        let twice = TEN.iter().enumerate().flat_map(|(at, task)| {
            let value = f64::from(u8::from(at < 5));
            [(*task, value), (*task, value)]
        });
        let twice = Tasks::of(twice).unwrap();
        assert!((twice.correlation() - 1.0).abs() < 1e-12);
        assert!((twice.variance() - passing(5).variance()).abs() < 1e-12);
    }
}
