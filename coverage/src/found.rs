//! What comes out in a cell.

use crate::cell::{Arms, Cell, Sample};
use coverage::statistics::{Contrast, Interval, Mean, P, Random, Repeated, contrast, mean};

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// The interval of a mean, where tasks are the sample.
    MeanOfTasks,
    /// The interval of a mean, where repeats are the sample.
    MeanOfPairs,
    /// The interval of a difference, where tasks are the sample.
    DifferenceOfTasks,
    /// The interval of a difference, where repeats are the sample.
    DifferenceOfPairs,
    /// The sign-flip test over tasks.
    Flips,
    /// The permutation of labels among repeats.
    Labels,
    /// `McNemar`'s test, which is a footnote.
    McNemar,
}

/// How often something was given, and how often it was wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    given: u32,
    wrong: u32,
}

/// What comes out in a cell.
pub struct Found {
    /// The cell.
    pub cell: Cell,
    counts: [Count; 7],
}

/// The share of intervals that may miss, and of false alarms.
const LEVEL: f64 = 0.05;

/// The most false alarms of a test that is printed.
const MOST_ALARMS: f64 = 0.055;

/// The most misses of an interval in any cell before something is broken.
const MOST_MISSES: f64 = 0.10;

/// How far chance may take a share: one in 30,000 goes as far.
const CHANCE: f64 = 4.0;

impl Promise {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::MeanOfTasks,
        Self::MeanOfPairs,
        Self::DifferenceOfTasks,
        Self::DifferenceOfPairs,
        Self::Flips,
        Self::Labels,
        Self::McNemar,
    ];

    /// As the page calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MeanOfTasks => "mean, tasks like these",
            Self::MeanOfPairs => "mean, these pairs",
            Self::DifferenceOfTasks => "difference, tasks like these",
            Self::DifferenceOfPairs => "difference, these pairs",
            Self::Flips => "signs flipped over tasks",
            Self::Labels => "labels permuted within pairs",
            Self::McNemar => "McNemar",
        }
    }

    /// Whether it is a p-value, and no interval.
    pub const fn is_test(self) -> bool {
        matches!(self, Self::Flips | Self::Labels | Self::McNemar)
    }
}

impl Count {
    fn add(&mut self, is_wrong: bool) {
        self.given += 1;
        self.wrong += u32::from(is_wrong);
    }

    /// The share that is wrong.
    pub fn wrong(self) -> f64 {
        f64::from(self.wrong) / f64::from(self.given)
    }

    /// Whether more are wrong than so many and chance explain.
    fn is_above(self, most: f64) -> bool {
        let chance = (most * (1.0 - most) / f64::from(self.given)).sqrt();
        self.wrong() > most + CHANCE * chance
    }
}

impl Found {
    /// Of so many samples.
    pub fn of(cell: &Cell, samples: u32) -> Self {
        let mut found = Self {
            cell: *cell,
            counts: [Count::default(); 7],
        };
        let mut random = Random::new(cell.number);
        for _ in 0..samples {
            let sample = cell.sample(&mut random);
            let first = sample.pairs.iter().map(|pair| Repeated {
                task: pair.task,
                passed: pair.first.passed,
                of: pair.first.of,
            });
            if let (Some(mean), Some(contrast)) =
                (mean(first), contrast(sample.pairs.iter().copied()))
            {
                found.count(&sample, &mean, &contrast);
            }
        }
        found
    }

    fn count(&mut self, sample: &Sample, mean: &Mean, contrast: &Contrast) {
        let cell = self.cell;
        let apart = cell.rate - cell.second_rate();
        let here = sample.rates.0 - sample.rates.1;
        // A mean has one arm: other seconds would be the same cell again.
        if cell.arms == Arms::Alike && cell.repeats.0 == cell.repeats.1 {
            self.covers(Promise::MeanOfTasks, mean.tasks_like_these, cell.rate);
            self.covers(Promise::MeanOfPairs, mean.these_pairs, sample.rates.0);
        }
        let (tasks, pairs) = (contrast.tasks_like_these, contrast.these_pairs);
        self.covers(Promise::DifferenceOfTasks, tasks.interval, apart);
        self.covers(Promise::DifferenceOfPairs, pairs.interval, here);
        if cell.arms != Arms::Unequal {
            self.alarms(Promise::Flips, tasks.p.ok());
            let mcnemar = contrast.mcnemar;
            if let Some(p) = mcnemar {
                self.counts[Promise::McNemar as usize].add(p <= LEVEL);
            }
        }
        if cell.arms == Arms::Alike {
            self.alarms(Promise::Labels, pairs.p.ok());
        }
    }

    fn covers(&mut self, promise: Promise, interval: Option<Interval>, truth: f64) {
        if let Some(Interval { low, high }) = interval {
            let rounding = 1e-9;
            let is_in = low - rounding <= truth && truth <= high + rounding;
            self.counts[promise as usize].add(!is_in);
        }
    }

    fn alarms(&mut self, promise: Promise, p: Option<P>) {
        if let Some(p) = p {
            self.counts[promise as usize].add(p.value <= LEVEL);
        }
    }

    /// How often a promise was made and broken; none where it was not made.
    pub fn of_promise(&self, promise: Promise) -> Option<Count> {
        let count = self.counts[promise as usize];
        (count.given > 0).then_some(count)
    }

    /// What is further from its promise than chance takes it.
    pub fn broken(&self) -> Vec<String> {
        let broken = Promise::ALL.into_iter().filter(|promise| {
            let most = match promise {
                Promise::McNemar => return false,
                Promise::Flips | Promise::Labels => MOST_ALARMS,
                _ => MOST_MISSES,
            };
            self.of_promise(*promise)
                .is_some_and(|it| it.is_above(most))
        });
        broken
            .map(|promise| {
                let wrong = 100.0 * self.counts[promise as usize].wrong();
                let what = promise.name();
                format!(
                    "{what}: wrong in {wrong:.1}% of samples: {}",
                    self.cell.told()
                )
            })
            .collect()
    }
}
