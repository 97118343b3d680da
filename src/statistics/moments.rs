//! Variance components by the method of moments, for tasks and repeats of unequal numbers.
//!
//! The sums of squares of the analysis of variance are taken of pairs' values, since these are what a
//! mean over pairs is made of, and held against their expectations (Searle, Casella and `McCulloch`
//! 1992, chapter 3). What repeats leave in a pair's value is known from within the pairs.

use super::interval::{Interval, quantile};
use super::pairs::Passes;

/// A pair's value, and the trials in one arm or two that it is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) value: f64,
    pub(super) counts: [Passes; 2],
    pub(super) arms: usize,
}

/// A mean square as it was seen; what it would be without the level's own component; and how often
/// the component is in it.
#[derive(Clone, Copy, Debug)]
struct Square {
    seen: f64,
    below: f64,
    times: f64,
}

/// The mean squares of the levels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    tasks: Square,
    pairs: Option<Square>,
    /// The variance between repeats, of all arms together.
    pub(super) repeats: Option<f64>,
    /// What is left of it in a pair's value, on average.
    pub(super) noise: f64,
    /// How many tasks and pairs.
    of: [f64; 2],
}

/// The intervals of the components.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Intervals {
    pub(super) tasks: Option<Interval>,
    pub(super) pairs: Option<Interval>,
    pub(super) repeats: Option<Interval>,
}

impl Square {
    /// The component that makes the expectation what was seen; below 0 by chance where it is small.
    fn component(self) -> f64 {
        (self.seen - self.below) / self.times
    }

    /// How many times as large it is as without the component.
    fn ratio(self) -> f64 {
        if self.below > 0.0 {
            self.seen / self.below
        } else {
            self.seen
        }
    }

    /// The component at such a ratio.
    fn at(self, ratio: f64) -> f64 {
        if self.below > 0.0 {
            self.below * (ratio - 1.0) / self.times
        } else {
            ratio / self.times
        }
    }
}

impl Moments {
    /// Of the tasks' pairs; none with fewer than two tasks.
    pub(super) fn of(tasks: &[&[Cell]]) -> Option<Self> {
        let count = tasks.len() as f64;
        let cells = || tasks.iter().copied().flatten();
        let pairs = cells().count() as f64;
        if count < 2.0 {
            return None;
        }
        let repeats = of_repeats(cells());
        let left = |cell: &Cell| {
            let of_arm = |arm: usize| Some(repeats?[arm] / f64::from(cell.counts[arm].of));
            (0..cell.arms).filter_map(of_arm).sum::<f64>()
        };
        let mean = cells().map(|cell| cell.value).sum::<f64>() / pairs;
        let (mut within, mut left_within, mut between, mut left_between) = (0.0, 0.0, 0.0, 0.0);
        let mut squared_sizes = 0.0;
        for task in tasks {
            let size = task.len() as f64;
            let own = task.iter().map(|cell| cell.value).sum::<f64>() / size;
            let noise: f64 = task.iter().map(left).sum();
            within += task
                .iter()
                .map(|cell| (cell.value - own).powi(2))
                .sum::<f64>();
            left_within += noise * (1.0 - 1.0 / size);
            between += size * (own - mean).powi(2);
            left_between += noise * (1.0 / size - 1.0 / pairs);
            squared_sizes += size * size;
        }
        let freedom = pairs - count;
        let of_pairs = (freedom > 0.0).then(|| Square {
            seen: within / freedom,
            below: left_within / freedom,
            times: 1.0,
        });
        let from_pairs = of_pairs.map_or(0.0, Square::component);
        Some(Self {
            tasks: Square {
                seen: between / (count - 1.0),
                below: from_pairs + left_between / (count - 1.0),
                times: (pairs - squared_sizes / pairs) / (count - 1.0),
            },
            pairs: of_pairs,
            repeats: repeats.map(|it| it.iter().sum()),
            noise: cells().map(left).sum::<f64>() / pairs,
            of: [count, pairs],
        })
    }

    /// The components of tasks and, where they can be told apart, of pairs. Where one would be below 0,
    /// it is 0, and what was seen of it counts for the other level (Thompson 1962).
    pub(super) fn not_negative(&self) -> (f64, Option<f64>) {
        let Some(pairs) = self.pairs else {
            return (self.tasks.component().max(0.0), None);
        };
        let [count, all] = self.of;
        let of_pairs = pairs.component();
        if of_pairs < 0.0 {
            let tasks = Square {
                below: self.tasks.below - of_pairs,
                ..self.tasks
            };
            return (tasks.component().max(0.0), Some(0.0));
        }
        let of_tasks = self.tasks.component();
        if of_tasks < 0.0 {
            let squares = (count - 1.0) * self.tasks.seen + (all - count) * pairs.seen;
            let pooled = squares / (all - 1.0) - self.noise;
            return (0.0, Some(pooled.max(0.0)));
        }
        (of_tasks, Some(of_pairs))
    }

    /// The components' 95% intervals, by what they are without each task in turn.
    ///
    /// It is the ratio of mean squares whose logarithm is taken (Arvesen and Schmitz 1970): a component
    /// itself is skewed, and may be 0.
    pub(super) fn intervals(&self, tasks: &[Vec<Cell>]) -> Intervals {
        let without = |left_out: usize| {
            let others = tasks.iter().enumerate().filter(|it| it.0 != left_out);
            Self::of(&others.map(|(_, task)| task.as_slice()).collect::<Vec<_>>())
        };
        let others: Option<Vec<Self>> = (0..tasks.len()).map(without).collect();
        let Some(others) = others else {
            return Intervals::default();
        };
        // A number varies by no more than half the distance of its two ends, squared.
        let arms = tasks.iter().flatten().map(|cell| cell.arms).max();
        let most = (arms.unwrap_or(1) as f64 / 2.0).powi(2);
        let of = |level: fn(&Self) -> Option<Square>| {
            let others: Option<Vec<Square>> = others.iter().map(level).collect();
            jackknife(level(self)?, &others?, most)
        };
        Intervals {
            tasks: of(|it| Some(it.tasks)),
            pairs: of(|it| it.pairs),
            repeats: of(|it| {
                it.repeats.map(|seen| Square {
                    seen,
                    below: 0.0,
                    times: 1.0,
                })
            }),
        }
    }
}

/// The interval of a component, from its mean square and those without one task each.
fn jackknife(whole: Square, others: &[Square], most: f64) -> Option<Interval> {
    let count = others.len() as f64;
    let half = |log: fn(&Square) -> f64| {
        let mean = others.iter().map(log).sum::<f64>() / count;
        let squares: f64 = others.iter().map(|it| (log(it) - mean).powi(2)).sum();
        quantile(count - 1.0) * (squares * (count - 1.0) / count).sqrt()
    };
    let of_ratio = half(|it| it.ratio().ln());
    let centre = whole.ratio().ln();
    if !(of_ratio.is_finite() && centre.is_finite()) {
        return None;
    }
    // No component is more than all that was seen, whatever is below it.
    let all = half(|it| it.seen.ln()).exp() * whole.seen / whole.times;
    let end = |at: f64| whole.at(at.exp()).clamp(0.0, most.min(all));
    let (low, high) = (end(centre - of_ratio), end(centre + of_ratio));
    // Where no task differs from the others, nothing is seen that an interval could be told by.
    (low < high).then_some(Interval { low, high })
}

/// The variance between the repeats of a pair in each arm; none where no pair of an arm has two. Pairs
/// count by what they have more than one repeat.
fn of_repeats<'a>(cells: impl Iterator<Item = &'a Cell>) -> Option<[f64; 2]> {
    let (mut squares, mut freedom, mut arms) = ([0.0; 2], [0.0; 2], 0);
    for cell in cells {
        arms = cell.arms;
        for (arm, counts) in cell.counts.iter().enumerate().take(arms) {
            let [passed, of] = [counts.passed, counts.of].map(f64::from);
            squares[arm] += passed * (of - passed) / of;
            freedom[arm] += of - 1.0;
        }
    }
    let mut variances = [0.0; 2];
    for arm in 0..arms {
        if freedom[arm] < 1.0 {
            return None;
        }
        variances[arm] = squares[arm] / freedom[arm];
    }
    Some(variances)
}
