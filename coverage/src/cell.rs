//! What is varied, and one sample of it.

use crate::design::{DESIGNS, Design};
use crate::draw;
use coverage::statistics::{Both, Passes, Random};

/// How the two arms of a contrast differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arms {
    /// Each pair has one rate in both.
    Alike,
    /// Tasks have rates of their own in each, with the same mean.
    Equal,
    /// The same, and the second's mean is 10 points nearer to a half.
    Unequal,
}

/// One combination of what is varied.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// Its place among all, which seeds it.
    pub number: u64,
    /// How pairs spread over tasks.
    pub design: &'static Design,
    /// How much the verdicts of one task correlate.
    pub correlation: f64,
    /// How much repeats of one pair correlate beyond that.
    pub of_pairs: f64,
    /// The first arm's mean rate.
    pub rate: f64,
    /// Repeats in the first and in the second arm.
    pub repeats: (u32, u32),
    /// How the arms differ.
    pub arms: Arms,
}

/// The pairs of a sample, and what is true of them.
pub struct Sample {
    /// Each with its trials.
    pub pairs: Vec<Both<'static>>,
    /// The mean of the pairs' rates in either arm.
    pub rates: (f64, f64),
}

/// Names of tasks.
const NAMES: [&str; 26] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s",
    "t", "u", "v", "w", "x", "y", "z",
];

/// Repeats in either arm.
const REPEATS: [(u32, u32); 5] = [(1, 1), (3, 3), (3, 2), (5, 5), (5, 3)];

impl Cell {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let mut cells = Vec::new();
        for design in &DESIGNS {
            for correlation in [0.0, 0.2, 0.5] {
                for rate in [0.05, 0.13, 0.5, 0.9] {
                    for repeats in REPEATS {
                        // With one repeat nobody can tell a pair's own rate from luck.
                        let of_pairs: &[f64] = if repeats.0 == 1 { &[0.0] } else { &[0.0, 0.3] };
                        for of_pairs in of_pairs {
                            for arms in [Arms::Alike, Arms::Equal, Arms::Unequal] {
                                cells.push(Self {
                                    number: cells.len() as u64,
                                    design,
                                    correlation,
                                    of_pairs: *of_pairs,
                                    rate,
                                    repeats,
                                    arms,
                                });
                            }
                        }
                    }
                }
            }
        }
        cells
    }

    /// The second arm's mean rate.
    pub fn second_rate(&self) -> f64 {
        match self.arms {
            Arms::Unequal if self.rate > 0.5 => self.rate - 0.1,
            Arms::Unequal => self.rate + 0.1,
            Arms::Alike | Arms::Equal => self.rate,
        }
    }

    /// A sample.
    pub fn sample(&self, random: &mut Random) -> Sample {
        let mut sample = Sample {
            pairs: Vec::new(),
            rates: (0.0, 0.0),
        };
        for (name, pairs) in NAMES.into_iter().zip(self.design.tasks) {
            let first = draw::rate(self.rate, self.correlation, random);
            let second = match self.arms {
                Arms::Alike => first,
                _ => draw::rate(self.second_rate(), self.correlation, random),
            };
            for _ in 0..*pairs {
                let of_first = draw::rate(first, self.of_pairs, random);
                let of_second = match self.arms {
                    Arms::Alike => of_first,
                    _ => draw::rate(second, self.of_pairs, random),
                };
                sample.rates.0 += of_first;
                sample.rates.1 += of_second;
                sample.pairs.push(Both {
                    task: name,
                    first: passes(self.repeats.0, of_first, random),
                    second: passes(self.repeats.1, of_second, random),
                });
            }
        }
        let pairs = sample.pairs.len() as f64;
        sample.rates = (sample.rates.0 / pairs, sample.rates.1 / pairs);
        sample
    }

    /// In words.
    pub fn told(&self) -> String {
        let (one, other) = self.repeats;
        let arms = match self.arms {
            Arms::Alike => "alike".to_owned(),
            Arms::Equal => "equal on average".to_owned(),
            Arms::Unequal => format!("rate {} in the second", round(self.second_rate())),
        };
        let own = if self.of_pairs > 0.0 {
            ", pairs with rates of their own"
        } else {
            ""
        };
        let repeats = if one == other {
            format!("{one}")
        } else {
            format!("{one} and {other}")
        };
        format!(
            "{}, correlation {}, rate {}, repeats {repeats}, arms {arms}{own}",
            self.design.name, self.correlation, self.rate
        )
    }
}

fn round(rate: f64) -> f64 {
    (rate * 100.0).round() / 100.0
}

fn passes(of: u32, rate: f64, random: &mut Random) -> Passes {
    Passes {
        passed: draw::passes(of, rate, random),
        of,
    }
}
