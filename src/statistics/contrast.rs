//! How two arms differ on the pairs that were judged in both.

use std::collections::BTreeMap;

use serde::Serialize;

use super::pairs::{Both, Passes};
use super::repeats::Repeats;
use super::tasks::Tasks;
use super::tested::{NoP, Tested};
use super::units::Units;
use super::{flips, labels, mcnemar};

/// With fewer tasks no sign-flip p can reach 5%: 2/2⁵ is 6.25%.
const FEWEST_TASKS: usize = 6;

/// How two arms differ on the pairs that were judged in both.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Contrast {
    /// The mean over pairs of the first's rate less the second's, from -1 to 1.
    pub share: f64,
    /// How many pairs were judged in both.
    pub pairs: usize,
    /// How many tasks they are from.
    pub tasks: usize,
    /// Where tasks are the sample: the sign-flip test over tasks.
    pub tasks_like_these: Tested,
    /// Where repeats are the sample: the permutation of labels among each pair's repeats.
    pub these_pairs: Tested,
    /// The p-value of `McNemar`'s exact test, where each pair has one repeat in each arm.
    pub mcnemar: Option<f64>,
}

/// How two arms differ on the pairs that were judged in both; none where there is none.
#[must_use]
pub fn contrast<'a>(pairs: impl IntoIterator<Item = Both<'a>>) -> Option<Contrast> {
    let is_judged = |pair: &Both<'a>| pair.first.of > 0 && pair.second.of > 0;
    let pairs: Vec<Both<'a>> = pairs.into_iter().filter(is_judged).collect();
    let tasks = Tasks::of(pairs.iter().map(|pair| (pair.task, pair.difference())))?;
    let is_single = pairs.iter().all(|it| it.first.of == 1 && it.second.of == 1);
    let units = Units::of(pairs.iter().flat_map(|it| [it.first.of, it.second.of]));
    let over_tasks = if tasks.len() < FEWEST_TASKS {
        Err(NoP::FewerThanSixTasks)
    } else {
        Ok(flips::flips(&sums(&pairs, units), units.slack))
    };
    let over_labels = if is_single {
        Err(NoP::OneRepeat)
    } else {
        Ok(labels::labels(&pairs, units))
    };
    let repeats = |arm: fn(&Both<'_>) -> Passes| {
        let counts = pairs.iter().map(|pair| (arm(pair).passed, arm(pair).of));
        Repeats::of(&counts.collect::<Vec<_>>())
    };
    let of_repeats = repeats(|pair| pair.first).zip(repeats(|pair| pair.second));
    Some(Contrast {
        share: tasks.mean(),
        pairs: pairs.len(),
        tasks: tasks.len(),
        tasks_like_these: Tested {
            interval: tasks.of_difference(),
            p: over_tasks,
        },
        these_pairs: Tested {
            interval: of_repeats.map(|(first, second)| first.of_difference(&second)),
            p: over_labels,
        },
        mcnemar: is_single.then(|| {
            let only = |one: u32, other: u32| {
                let discordant =
                    |it: &&Both<'_>| (it.first.passed, it.second.passed) == (one, other);
                pairs.iter().filter(discordant).count()
            };
            mcnemar(only(1, 0), only(0, 1))
        }),
    })
}

/// The sum of each task's differences.
fn sums(pairs: &[Both<'_>], units: Units) -> Vec<i64> {
    let mut tasks: BTreeMap<&str, i64> = BTreeMap::new();
    for Both {
        task,
        first,
        second,
    } in pairs
    {
        let difference =
            units.share(first.passed, first.of) - units.share(second.passed, second.of);
        *tasks.entry(task).or_default() += difference;
    }
    tasks.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(task: &str, first: (u32, u32), second: (u32, u32)) -> Both<'_> {
        let counts = |(passed, of)| Passes { passed, of };
        Both {
            task,
            first: counts(first),
            second: counts(second),
        }
    }

    #[test]
    fn nothing_compared_is_none_and_one_pair_is_an_answer() {
        assert_eq!(contrast([]), None);
        assert_eq!(contrast([both("a", (0, 0), (1, 1))]), None);
        let one = contrast([both("a", (1, 1), (0, 1))]).unwrap();
        assert_eq!((one.pairs, one.tasks), (1, 1));
        assert_eq!(one.tasks_like_these.p, Err(NoP::FewerThanSixTasks));
        assert_eq!(one.these_pairs.p, Err(NoP::OneRepeat));
        assert_eq!(one.tasks_like_these.interval, None);
        assert_eq!(one.mcnemar, Some(1.0));
    }

    #[test]
    fn a_pair_without_a_trial_in_one_arm_does_not_count() {
        let pairs = [both("a", (1, 1), (0, 0)), both("b", (2, 3), (1, 3))];
        let found = contrast(pairs).unwrap();
        assert_eq!((found.pairs, found.tasks), (1, 1));
        assert!((found.share - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn six_tasks_have_a_p_that_can_reach_five_percent() {
        let of = |tasks: &[&'static str]| {
            let pairs = tasks.iter().map(|task| both(task, (3, 3), (0, 3)));
            contrast(pairs.collect::<Vec<_>>()).unwrap()
        };
        let five = of(&["a", "b", "c", "d", "e"]).tasks_like_these;
        assert_eq!(five.p, Err(NoP::FewerThanSixTasks));
        let six = of(&["a", "b", "c", "d", "e", "f"]);
        assert!((six.tasks_like_these.p.unwrap().value - 2.0 / 64.0).abs() < 1e-12);
        let labels = 2.0 / 20.0_f64.powi(6);
        assert!((six.these_pairs.p.unwrap().value / labels - 1.0).abs() < 1e-9);
        assert_eq!(six.mcnemar, None);
    }
}
