//! What is planted: effects and damage.

use regatta::bench::{Pair, TaskKey};
use regatta::statistics::Random;

/// How many pairs each task has: as uneven as the benchmark's own subsets.
const SIZES: [usize; 26] = [
    12, 9, 8, 7, 6, 6, 5, 5, 5, 4, 4, 4, 3, 3, 3, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1,
];
pub const PAIRS: usize = 100;
pub const REPEATS: usize = 5;
/// A task's features. Six make fifteen pairs.
pub const FEATURES: u64 = 6;

/// An arm as it is planted.
pub struct Plan {
    pub name: &'static str,
    /// By how much its chance to pass is above the first arm's, on average.
    pub effect: f64,
    /// By how much this is another one from task to task, at most.
    pub spread: f64,
    /// The share of its trials that infrastructure breaks.
    pub damage: f64,
}

const fn plan(name: &'static str, effect: f64, spread: f64, damage: f64) -> Plan {
    Plan {
        name,
        effect,
        spread,
        damage,
    }
}

/// The arms. The second is the first under another name.
pub const ARMS: [Plan; 4] = [
    plan("base", 0.0, 0.0, 0.02),
    plan("same", 0.0, 0.0, 0.25),
    plan("more", 0.2, 0.1, 0.10),
    plan("less", -0.15, 0.1, 0.05),
];

/// What became of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    pub passed: bool,
    /// Then it says nothing, whatever its tests said.
    pub is_damaged: bool,
}

/// One experiment.
pub struct Planted {
    pub pairs: Vec<Pair>,
    /// Each pair's chance to pass in each arm.
    pub chances: Vec<[f64; ARMS.len()]>,
    /// By arm, repeat and pair.
    pub trials: Vec<Vec<Vec<Trial>>>,
}

/// The pairs, the tasks' largest first.
pub fn pairs() -> Vec<Pair> {
    let all = (1..=FEATURES).flat_map(|i| (i + 1..=FEATURES).map(move |j| (i, j)));
    let of_task = |(n, size): (usize, &usize)| {
        let task = TaskKey::new("buoy_task", n as u64 + 1);
        let pairs = all.clone().take(*size);
        pairs
            .map(move |(i, j)| Pair::new(task.clone(), i, j))
            .collect::<Vec<_>>()
    };
    SIZES.iter().enumerate().flat_map(of_task).collect()
}

/// Around a middle, by no more than this.
fn around(random: &mut Random, middle: f64, most: f64) -> f64 {
    middle + most * (2.0 * random.unit() - 1.0)
}

impl Planted {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let pairs = pairs();
        let mut chances = Vec::new();
        for size in SIZES {
            let of_task = around(&mut random, 0.45, 0.1);
            let effects = ARMS.map(|arm| around(&mut random, arm.effect, arm.spread));
            for _ in 0..size {
                let of_pair = around(&mut random, of_task, 0.15);
                chances.push(effects.map(|effect| of_pair + effect));
            }
        }
        let mut trial = |chance: f64, damage: f64| Trial {
            passed: random.unit() < chance,
            is_damaged: random.unit() < damage,
        };
        let trials = ARMS.iter().enumerate();
        let trials = trials.map(|(arm, plan)| {
            let mut repeat = || {
                let chances = chances.iter().map(|of_pair| of_pair[arm]);
                chances.map(|chance| trial(chance, plan.damage)).collect()
            };
            (0..REPEATS).map(|_| repeat()).collect()
        });
        let trials = trials.collect();
        Self {
            pairs,
            chances,
            trials,
        }
    }

    /// An arm's judged trials of a pair: how many passed, and of how many.
    pub fn judged(&self, arm: usize, pair: usize) -> (u32, u32) {
        let trials = self.trials[arm].iter().map(|repeat| repeat[pair]);
        let judged = trials.filter(|trial| !trial.is_damaged);
        judged.fold((0, 0), |(passed, of), it| {
            (passed + u32::from(it.passed), of + 1)
        })
    }

    /// The mean over pairs that both have of the difference of their rates, counted here alone.
    pub fn difference(&self, first: usize, second: usize) -> f64 {
        let rates = (0..PAIRS).filter_map(|pair| {
            let [one, other] = [first, second].map(|arm| self.judged(arm, pair));
            let rate = |(passed, of): (u32, u32)| f64::from(passed) / f64::from(of);
            (one.1 > 0 && other.1 > 0).then(|| rate(one) - rate(other))
        });
        let rates: Vec<f64> = rates.collect();
        rates.iter().sum::<f64>() / rates.len() as f64
    }

    /// The difference that these pairs would have after repeats without end.
    pub fn of_these_pairs(&self, first: usize, second: usize) -> f64 {
        let differences = self
            .chances
            .iter()
            .map(|of_pair| of_pair[first] - of_pair[second]);
        differences.sum::<f64>() / PAIRS as f64
    }
}
