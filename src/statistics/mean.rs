//! The mean over pairs of each pair's own rate.

use serde::Serialize;

use super::Interval;
use super::pairs::{Repeated, rate};
use super::repeats::Repeats;
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

/// The mean over pairs of each pair's own rate; none without judged pairs.
#[must_use]
pub fn mean<'a>(pairs: impl IntoIterator<Item = Repeated<'a>>) -> Option<Mean> {
    let pairs: Vec<Repeated<'a>> = pairs.into_iter().filter(|pair| pair.of > 0).collect();
    let rates = pairs.iter().map(|it| (it.task, rate(it.passed, it.of)));
    let tasks = Tasks::of(rates)?;
    let repeats = Repeats::of(
        &pairs
            .iter()
            .map(|it| (it.passed, it.of))
            .collect::<Vec<_>>(),
    );
    Some(Mean {
        share: tasks.mean(),
        pairs: pairs.len(),
        tasks: tasks.len(),
        passed: pairs.iter().map(|it| u64::from(it.passed)).sum(),
        trials: pairs.iter().map(|it| u64::from(it.of)).sum(),
        tasks_like_these: tasks.of_share(),
        these_pairs: repeats.map(|it| it.of_share()),
    })
}
