//! Shares of things that are counted once: verdicts of one run, features, merges.

use serde::Serialize;

use super::contrast::contrast;
use super::pairs::{Both, Passes};
use super::{Interval, Tested, mcnemar, tasks::Tasks};

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
    /// Its 95% interval, for tasks like these; none for a single task.
    pub interval: Option<Interval>,
}

/// How two runs differ on the pairs that were judged in both.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// How many pairs were judged in both.
    pub pairs: usize,
    /// How many tasks they are from.
    pub tasks: usize,
    /// The first's share of passes minus the second's, from -1 to 1.
    pub share: f64,
    /// Its 95% interval and p-value, for tasks like these.
    #[serde(flatten)]
    pub tested: Tested,
    /// Pairs that passed in the first run only.
    pub only_first: usize,
    /// Pairs that passed in the second run only.
    pub only_second: usize,
    /// The two-sided p-value of `McNemar`'s exact test, which takes pairs as independent.
    pub mcnemar_p: f64,
}

/// The share of passes, each of them with its task; none of nothing.
#[must_use]
pub fn rate<'a>(of: impl IntoIterator<Item = (&'a str, bool)>) -> Option<Rate> {
    let of: Vec<(&str, bool)> = of.into_iter().collect();
    let tasks = Tasks::of(
        of.iter()
            .map(|(task, it)| (*task, f64::from(u8::from(*it)))),
    )?;
    Some(Rate {
        passed: of.iter().filter(|(_, passed)| *passed).count(),
        of: of.len(),
        tasks: tasks.len(),
        share: tasks.mean(),
        interval: tasks.of_share(of.len() as f64),
    })
}

/// How two runs differ on pairs, each with its task and whether it passed in each; none of nothing.
#[must_use]
pub fn difference<'a>(
    pairs: impl IntoIterator<Item = (&'a str, bool, bool)>,
) -> Option<Difference> {
    let pairs: Vec<(&str, bool, bool)> = pairs.into_iter().collect();
    let once = |passed: bool| Passes {
        passed: u32::from(passed),
        of: 1,
    };
    let found = contrast(pairs.iter().map(|(task, first, second)| Both {
        task,
        first: once(*first),
        second: once(*second),
    }))?;
    let only = |which: (bool, bool)| pairs.iter().filter(|(_, a, b)| (*a, *b) == which).count();
    let (only_first, only_second) = (only((true, false)), only((false, true)));
    Some(Difference {
        pairs: found.pairs,
        tasks: found.tasks,
        share: found.share,
        tested: found.tasks_like_these,
        only_first,
        only_second,
        mcnemar_p: mcnemar(only_first, only_second),
    })
}

#[cfg(test)]
mod tests {
    use super::super::NoP;
    use super::*;

    #[test]
    fn a_rate_counts_what_it_is_a_share_of() {
        let found = rate([("a", true), ("a", false), ("b", true)]).unwrap();
        assert_eq!((found.passed, found.of, found.tasks), (2, 3, 2));
        assert!((found.share - 2.0 / 3.0).abs() < 1e-12);
        assert!(found.interval.is_some());
        assert_eq!(rate([]), None);
        assert_eq!(rate([("a", true)]).unwrap().interval, None);
    }

    #[test]
    fn a_difference_counts_flips_both_ways() {
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
        assert_eq!(found.tested.p, Err(NoP::FewerThanSixTasks));
        assert!((found.mcnemar_p - 1.0).abs() < 1e-12);
        assert_eq!(difference([]), None);
    }
}
