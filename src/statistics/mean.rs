//! The mean over pairs of each pair's own rate.

use serde::Serialize;

use super::Interval;
use super::pairs::{Repeated, rate};
use super::repeats::{Repeats, trials};
use super::tasks::Tasks;

/// The mean over pairs of each pair's own rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Mean {
    /// From 0 to 1.
    pub share: f64,
    /// How many pairs.
    pub pairs: usize,
    /// How many tasks they are from.
    pub tasks: usize,
    /// How many trials passed.
    pub passed: u64,
    /// Of how many.
    pub trials: u64,
    /// The 95% interval where tasks are the sample; none for a single task.
    pub tasks_like_these: Option<Interval>,
    /// The 95% interval where repeats are the sample; none where no pair has two.
    pub these_pairs: Option<Interval>,
}

/// The mean over pairs of each pair's own rate; none without judged trials.
#[must_use]
pub fn mean<'a>(pairs: impl IntoIterator<Item = Repeated<'a>>) -> Option<Mean> {
    let pairs: Vec<Repeated<'a>> = pairs.into_iter().filter(|pair| pair.of > 0).collect();
    let tasks = Tasks::of(pairs.iter().map(|it| (it.task, rate(it.passed, it.of))))?;
    let counts: Vec<(u32, u32)> = pairs.iter().map(|it| (it.passed, it.of)).collect();
    Some(Mean {
        share: tasks.mean(),
        pairs: pairs.len(),
        tasks: tasks.len(),
        passed: pairs.iter().map(|it| u64::from(it.passed)).sum(),
        trials: pairs.iter().map(|it| u64::from(it.of)).sum(),
        tasks_like_these: tasks.of_share(trials(&counts)),
        these_pairs: Repeats::of(&counts).map(|it| it.of_share()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&'static str, u32, u32)]) -> Option<Mean> {
        let pairs = pairs.iter();
        mean(pairs.map(|(task, passed, of)| Repeated {
            task,
            passed: *passed,
            of: *of,
        }))
    }

    #[test]
    fn it_is_the_mean_of_pairs_and_not_of_trials() {
        let found = of(&[("a", 1, 1), ("a", 0, 0), ("b", 1, 5), ("c", 3, 5)]).unwrap();
        assert!((found.share - 0.6).abs() < 1e-12);
        assert_eq!((found.pairs, found.tasks), (3, 3));
        assert_eq!((found.passed, found.trials), (5, 11));
    }

    #[test]
    fn nothing_judged_is_none_and_one_task_or_pair_is_an_answer() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("a", 0, 0)]), None);
        let one = of(&[("a", 1, 1)]).unwrap();
        assert_eq!((one.tasks_like_these, one.these_pairs), (None, None));
        let one_task = of(&[("a", 1, 3), ("a", 3, 3)]).unwrap();
        assert_eq!(one_task.tasks_like_these, None);
        assert!(one_task.these_pairs.is_some());
    }

    #[test]
    fn an_interval_is_a_part_of_what_can_be_and_holds_the_share() {
        for passed in 0..=3 {
            for tasks in [&["a", "b"][..], &["a", "b", "c", "d", "e"]] {
                let pairs: Vec<_> = tasks.iter().map(|task| (*task, passed, 3)).collect();
                let found = of(&pairs).unwrap();
                for interval in [found.tasks_like_these, found.these_pairs] {
                    let Interval { low, high } = interval.unwrap();
                    assert!(0.0 <= low && low <= found.share && found.share <= high && high <= 1.0);
                    assert!(high - low > 0.05, "{found:?}");
                }
            }
        }
    }
}
