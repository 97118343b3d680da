//! Pairs drawn by a seed.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

use super::{Pair, TaskKey};

/// What is drawn of some pairs.
///
/// A seed orders pairs by the SHA-256 of `<seed> <pair>`, such as `7 dspy_task/8394/f3_f5`. The first
/// of each task are taken, and of these the first of all. So the same pairs are drawn by every
/// version on every machine, a larger sample holds a smaller one, and a pair that comes to the dataset
/// takes the place of at most one other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// What orders them.
    pub seed: u64,
    /// At most so many of each task.
    pub per_task: Option<usize>,
    /// So many in all.
    pub count: Option<usize>,
}

/// What was drawn, in the order in which the pairs were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The pairs.
    pub pairs: Vec<Pair>,
    /// How many were not taken, as their task had enough.
    pub over_per_task: usize,
    /// How many were left of which so many could be drawn.
    pub drawn_from: usize,
}

impl Sample {
    /// Draws of these pairs.
    #[must_use]
    pub fn of(&self, pairs: &[Pair]) -> Drawn {
        let mut order: Vec<&Pair> = pairs.iter().collect();
        order.sort_by_cached_key(|pair| rank(self.seed, pair));
        let mut of_task: BTreeMap<&TaskKey, usize> = BTreeMap::new();
        order.retain(|pair| {
            let taken = of_task.entry(&pair.task).or_default();
            *taken += 1;
            self.per_task.is_none_or(|most| *taken <= most)
        });
        let drawn_from = order.len();
        order.truncate(self.count.unwrap_or(drawn_from));
        let drawn: BTreeSet<&Pair> = order.into_iter().collect();
        let kept = pairs.iter().filter(|pair| drawn.contains(pair));
        Drawn {
            pairs: kept.cloned().collect(),
            over_per_task: pairs.len() - drawn_from,
            drawn_from,
        }
    }
}

/// A pair's place in the order of a seed.
fn rank(seed: u64, pair: &Pair) -> Vec<u8> {
    Sha256::digest(format!("{seed} {pair}")).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs() -> Vec<Pair> {
        let task = |id| TaskKey::new("dspy_task", id);
        let of_task = |id: u64| {
            let ids = [(1, 2), (1, 3), (2, 3)];
            ids.map(|(a, b)| Pair::new(task(id), a, b))
        };
        [of_task(8394), of_task(8563)].concat()
    }

    fn drawn(seed: u64, per_task: Option<usize>, count: Option<usize>) -> Vec<Pair> {
        let sample = Sample {
            seed,
            per_task,
            count,
        };
        sample.of(&pairs()).pairs
    }

    /// As `hashlib.sha256(f"{seed} {pair}".encode()).hexdigest()` in Python.
    #[test]
    fn the_order_is_that_of_the_digests_as_everybody_makes_them() {
        let shown = |seed| -> Vec<String> {
            let mut pairs = pairs();
            pairs.sort_by_cached_key(|pair| rank(seed, pair));
            pairs
                .iter()
                .map(|pair| format!("{} {}", pair.task.task_id, pair.dir_name()))
                .collect()
        };
        let of_seven = [
            "8563 f1_f2",
            "8394 f1_f3",
            "8394 f1_f2",
            "8563 f1_f3",
            "8563 f2_f3",
            "8394 f2_f3",
        ];
        assert_eq!(shown(7), of_seven);
        assert_ne!(shown(7), shown(8));
    }

    #[test]
    fn a_larger_sample_holds_a_smaller_one_and_all_is_all() {
        let mut smaller: Vec<Pair> = Vec::new();
        for count in 0..=6 {
            let larger = drawn(7, None, Some(count));
            assert_eq!(larger.len(), count);
            assert!(smaller.iter().all(|pair| larger.contains(pair)));
            smaller = larger;
        }
        assert_eq!(drawn(7, None, Some(6)), pairs());
        assert_eq!(drawn(7, None, None), pairs());
    }

    #[test]
    fn a_pair_that_comes_takes_the_place_of_at_most_one() {
        let all = pairs();
        for (without, _) in all.iter().enumerate() {
            let mut before = all.clone();
            before.remove(without);
            for seed in 0..20 {
                let sample = Sample {
                    seed,
                    per_task: None,
                    count: Some(3),
                };
                let (old, new) = (sample.of(&before).pairs, sample.of(&all).pairs);
                let stay = old.iter().filter(|pair| new.contains(pair)).count();
                assert!(stay >= 2, "{seed}: {old:?} {new:?}");
            }
        }
    }

    #[test]
    fn no_task_has_more_than_it_may_and_what_is_left_out_is_counted() {
        for seed in 0..20 {
            let sample = Sample {
                seed,
                per_task: Some(2),
                count: Some(3),
            };
            let found = sample.of(&pairs());
            assert_eq!((found.over_per_task, found.drawn_from), (2, 4));
            assert_eq!(found.pairs.len(), 3);
            let of_task = found.pairs.iter().filter(|it| it.task.task_id == 8394);
            assert!((1..=2).contains(&of_task.count()));
        }
        assert_eq!(drawn(7, Some(1), None).len(), 2);
        assert!(drawn(7, Some(0), None).is_empty());
    }

    /// Each pair is drawn about as often as any other.
    #[test]
    fn seeds_favour_no_pair() {
        let all = pairs();
        let mut times = vec![0; all.len()];
        for seed in 0..600 {
            for pair in drawn(seed, None, Some(2)) {
                times[all.iter().position(|it| *it == pair).unwrap()] += 1;
            }
        }
        assert_eq!(times.iter().sum::<usize>(), 1200);
        assert!(
            times.iter().all(|times| (160..=240).contains(times)),
            "{times:?}"
        );
    }
}
