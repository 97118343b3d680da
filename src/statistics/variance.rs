//! What the values of pairs vary by: tasks, pairs of a task, repeats of a pair.

use std::collections::BTreeMap;

use serde::Serialize;

use super::interval::Interval;
use super::moments::{Cell, Moments};
use super::pairs::{Both, Passes, Repeated, rate};

/// What one level adds to how far values are apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Component {
    /// Its variance, of shares of 1; never below 0.
    pub variance: f64,
    /// The variance's 95% interval, by the jackknife over tasks; none with fewer than three tasks, nor
    /// where there is nothing to see it by.
    pub interval: Option<Interval>,
}

/// What the values of pairs vary by. A value is a pair's rate in one arm, or the difference of its
/// rates in two.
#[derive(Clone, Debug, PartialEq)]
pub struct Components {
    /// Between tasks. Where no task has two pairs, what is between pairs is in it.
    pub tasks: Component,
    /// Between the pairs of a task; none where no task has two.
    pub pairs: Option<Component>,
    /// Between the repeats of a pair, of both arms together for a difference. None where no pair has
    /// two repeats: it is in the level above then.
    pub repeats: Option<Component>,
    /// How many pairs each task has.
    pub(super) sizes: Vec<f64>,
    /// What the repeats that there are leave of their variance in a pair's value, on average.
    pub(super) noise: f64,
    /// The least by which a pair's values are apart, where all pairs have equally many repeats.
    pub(super) step: f64,
}

impl Components {
    /// Of pairs in one arm; none with fewer than two tasks.
    #[must_use]
    pub fn of_rate<'a>(pairs: impl IntoIterator<Item = Repeated<'a>>) -> Option<Self> {
        Self::of(
            pairs
                .into_iter()
                .filter(|it| it.of > 0)
                .map(|Repeated { task, passed, of }| {
                    let cell = Cell {
                        value: rate(passed, of),
                        counts: [Passes { passed, of }; 2],
                        arms: 1,
                    };
                    (task, cell)
                }),
        )
    }

    /// Of the pairs that were judged in both arms; none with fewer than two tasks.
    #[must_use]
    pub fn of_difference<'a>(pairs: impl IntoIterator<Item = Both<'a>>) -> Option<Self> {
        let is_judged = |it: &Both<'a>| it.first.of > 0 && it.second.of > 0;
        Self::of(pairs.into_iter().filter(is_judged).map(|it| {
            let cell = Cell {
                value: it.difference(),
                counts: [it.first, it.second],
                arms: 2,
            };
            (it.task, cell)
        }))
    }

    fn of<'a>(cells: impl Iterator<Item = (&'a str, Cell)>) -> Option<Self> {
        let mut tasks: BTreeMap<&str, Vec<Cell>> = BTreeMap::new();
        for (task, cell) in cells {
            tasks.entry(task).or_default().push(cell);
        }
        let tasks: Vec<Vec<Cell>> = tasks.into_values().collect();
        let moments = Moments::of(&tasks.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
        let (of_tasks, of_pairs) = moments.not_negative();
        let intervals = moments.intervals(&tasks);
        Some(Self {
            tasks: Component {
                variance: of_tasks,
                interval: intervals.tasks,
            },
            pairs: of_pairs.map(|variance| Component {
                variance,
                interval: intervals.pairs,
            }),
            repeats: moments.repeats.map(|variance| Component {
                variance,
                interval: intervals.repeats,
            }),
            sizes: tasks.iter().map(|pairs| pairs.len() as f64).collect(),
            noise: moments.noise,
            step: step(tasks.iter().flatten()),
        })
    }

    /// By what is assumed instead of seen: how a pass that comes with this chance varies, of which
    /// these shares are between tasks and between the pairs of a task, on tasks of these sizes.
    #[must_use]
    pub fn assumed(chance: f64, between_tasks: f64, between_pairs: f64, sizes: &[usize]) -> Self {
        let all = chance * (1.0 - chance);
        let component = |share: f64| Component {
            variance: all * share,
            interval: None,
        };
        Self {
            tasks: component(between_tasks),
            pairs: Some(component(between_pairs)),
            repeats: Some(component((1.0 - between_tasks - between_pairs).max(0.0))),
            sizes: sizes.iter().map(|size| *size as f64).collect(),
            noise: 0.0,
            step: 0.0,
        }
    }

    /// How the difference of two such arms varies, if so much of what is between tasks and pairs is
    /// the same in both.
    #[must_use]
    pub fn assumed_difference(&self, other: &Self, shared: f64) -> Self {
        let sum = |one: Component, other: Component, left: f64| Component {
            variance: (one.variance + other.variance) * left,
            interval: None,
        };
        let both = |one: Option<Component>, other: Option<Component>, left: f64| {
            one.zip(other).map(|(one, other)| sum(one, other, left))
        };
        Self {
            tasks: sum(self.tasks, other.tasks, 1.0 - shared),
            pairs: both(self.pairs, other.pairs, 1.0 - shared),
            repeats: both(self.repeats, other.repeats, 1.0),
            sizes: self.sizes.clone(),
            noise: 0.0,
            step: 0.0,
        }
    }
}

/// The least by which the values of pairs are apart; 0 where repeats are not equally many.
fn step<'a>(cells: impl Iterator<Item = &'a Cell>) -> f64 {
    let mut of = cells.flat_map(|cell| cell.counts.iter().take(cell.arms).map(|it| it.of));
    let first = of.next().unwrap_or(0);
    if of.all(|it| it == first) {
        1.0 / f64::from(first)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Random;

    const TASKS: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

    fn near(found: f64, expected: f64, off: f64) {
        assert!(
            (found - expected).abs() <= off,
            "{found} instead of {expected}"
        );
    }

    /// Pairs of three a task, each with so many passes of four.
    fn threes(passed: &[u32]) -> Vec<Repeated<'static>> {
        let pairs = passed.iter().enumerate();
        pairs
            .map(|(n, passed)| Repeated {
                task: TASKS[n / 3],
                passed: *passed,
                of: 4,
            })
            .collect()
    }

    #[test]
    fn components_are_those_of_the_analysis_of_variance() {
        // R: anova(lm(y ~ task/pair)) of the 48 trials has the mean squares 1.57638889, 0.25 and
        // 0.13194444, so that (1.57638889 - 0.25) / 12 is between tasks, and so on.
        let found = Components::of_rate(threes(&[4, 3, 4, 1, 0, 2, 3, 1, 0, 0, 0, 1])).unwrap();
        near(found.tasks.variance, 0.110_532_407, 1e-8);
        near(found.pairs.unwrap().variance, 0.029_513_889, 1e-8);
        near(found.repeats.unwrap().variance, 0.131_944_444, 1e-8);
        assert_eq!(found.sizes, [3.0; 4]);
        for component in [Some(found.tasks), found.pairs, found.repeats] {
            let component = component.unwrap();
            let interval = component.interval.unwrap();
            assert!(interval.low <= component.variance && component.variance <= interval.high);
        }
    }

    #[test]
    fn what_cannot_be_told_apart_is_one_component() {
        let of = |pairs: &[(usize, u32, u32)]| {
            Components::of_rate(pairs.iter().map(|(task, passed, of)| Repeated {
                task: TASKS[*task],
                passed: *passed,
                of: *of,
            }))
        };
        let one_pair_each = of(&[(0, 1, 2), (1, 2, 2), (2, 0, 2)]).unwrap();
        assert_eq!(one_pair_each.pairs, None);
        assert!(one_pair_each.repeats.is_some());
        let one_repeat = of(&[(0, 1, 1), (0, 0, 1), (1, 1, 1), (1, 1, 1), (2, 0, 1)]).unwrap();
        assert_eq!(one_repeat.repeats, None);
        assert!(one_repeat.pairs.unwrap().variance > 0.0);
        // A pair that was not judged is none.
        assert_eq!(of(&[(0, 1, 2), (0, 2, 2), (1, 0, 0)]), None);
        // Without each task in turn there must be two.
        assert_eq!(of(&[(0, 1, 2), (1, 2, 2)]).unwrap().tasks.interval, None);
    }

    #[test]
    fn a_component_is_never_negative_and_what_it_lacks_is_the_others() {
        // Tasks are alike more than by chance; pairs are not.
        let found = Components::of_rate(threes(&[4, 0, 2, 2, 4, 0, 0, 2, 4])).unwrap();
        near(found.tasks.variance, 0.0, 0.0);
        // Mean squares 0 of 2 and 0.25 of 6: pooled 1.5 / 8, less a quarter of 1/9 for the repeats.
        near(found.pairs.unwrap().variance, 0.1875 - 0.25 / 9.0, 1e-12);
        // Pairs of a task are alike more than by chance.
        let found = Components::of_rate(threes(&[2, 2, 2, 1, 1, 1, 3, 3, 3])).unwrap();
        near(found.pairs.unwrap().variance, 0.0, 0.0);
        assert!(found.tasks.variance > 0.0);
    }

    /// A pair's chance near its task's, near the arm's: two-point distributions with given variances.
    fn spread(random: &mut Random, mean: f64, variance: f64) -> f64 {
        let deviation = variance.sqrt();
        if random.unit() < 0.5 {
            mean - deviation
        } else {
            mean + deviation
        }
    }

    #[test]
    fn components_are_found_and_their_intervals_cover_them() {
        const SIZES: [usize; 12] = [1, 1, 2, 3, 3, 4, 4, 5, 6, 6, 8, 12];
        const STUDIES: u32 = 400;
        let truth = [0.02, 0.03, 0.25 - 0.02 - 0.03];
        let mut random = Random::new(7);
        let (mut sums, mut covered) = ([0.0; 3], [0_u32; 3]);
        for _ in 0..STUDIES {
            let mut pairs = Vec::new();
            for (task, size) in TASKS.iter().zip(SIZES) {
                let of_task = spread(&mut random, 0.5, truth[0]);
                for n in 0..size {
                    let of_pair = spread(&mut random, of_task, truth[1]);
                    let of = [2, 3, 4][n % 3];
                    let passed = (0..of).map(|_| u32::from(random.unit() < of_pair)).sum();
                    pairs.push(Repeated { task, passed, of });
                }
            }
            let found = Components::of_rate(pairs).unwrap();
            let found = [Some(found.tasks), found.pairs, found.repeats];
            for (n, component) in found.into_iter().flatten().enumerate() {
                sums[n] += component.variance / f64::from(STUDIES);
                let covers = |it: Interval| it.low <= truth[n] && truth[n] <= it.high;
                covered[n] += u32::from(component.interval.is_none_or(covers));
            }
        }
        // Those between tasks and pairs are a little too large, since none is below 0.
        near(sums[0], truth[0], 0.004);
        near(sums[1], truth[1], 0.004);
        near(sums[2], truth[2], 0.002);
        for covered in covered {
            assert!(covered >= STUDIES * 92 / 100, "{covered} of {STUDIES}");
        }
    }
}
