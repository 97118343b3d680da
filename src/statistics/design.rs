//! What a design would tell: the half-width of an interval, the chance to find a difference, and the
//! smallest one that is found as a rule.

use statrs::distribution::{ContinuousCDF as _, Normal};
use statrs::function::gamma::ln_gamma;

use super::interval::{Interval, Z, quantile};
use super::tasks::Tasks;
use super::variance::Components;

/// The chance with which the smallest difference is to be found.
pub const POWER: f64 = 0.8;

/// With fewer tasks no p-value over tasks can reach 5%.
const FEWEST_TASKS: usize = 6;

/// Pairs of tasks like those that were seen, each tried so often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Design {
    /// How often each pair is tried in each arm. None is as often as it was.
    pub repeats: Option<u32>,
    /// How many times as many tasks, of the same sizes.
    pub times: usize,
}

/// What a design would tell of a mean over its pairs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Precision {
    variance: f64,
    of_repeats: f64,
    freedom: f64,
    tasks: usize,
    pairs: f64,
    /// The least by which a pair's values are apart; 0 where that is not known.
    step: f64,
}

impl Components {
    /// What this design would tell; none where it has other repeats than were seen and nothing is
    /// known of what these differ by.
    #[must_use]
    pub fn precision(&self, design: Design) -> Option<Precision> {
        let (of_repeats, step) = match (design.repeats, self.repeats) {
            (None, _) => (self.noise, self.step),
            (Some(repeats), Some(between)) => {
                let step = 1.0 / f64::from(repeats.max(1));
                (between.variance * step, step)
            }
            (Some(_), None) => return None,
        };
        let pairs: f64 = self.sizes.iter().sum();
        let squares: f64 = self.sizes.iter().map(|size| size * size).sum();
        let of_pairs = self.pairs.map_or(0.0, |it| it.variance);
        let times = design.times as f64;
        let sizes = (0..design.times).flat_map(|_| self.sizes.iter().copied());
        Some(Precision {
            variance: (self.tasks.variance * squares / pairs + of_pairs + of_repeats)
                / (pairs * times),
            of_repeats: of_repeats / (pairs * times),
            freedom: Tasks::of_sizes(sizes).freedom()?,
            tasks: self.sizes.len() * design.times,
            pairs: pairs * times,
            step,
        })
    }
}

impl Precision {
    /// Half the width of a difference's 95% interval, for tasks like these.
    #[must_use]
    pub fn half_width(&self) -> f64 {
        quantile(self.freedom) * self.variance.sqrt()
    }

    /// Half the width of the 95% interval of a share that comes out as this one, for tasks like these.
    #[must_use]
    pub fn half_width_of(&self, share: f64) -> f64 {
        half(Tasks::interval_of_share(
            share,
            self.variance,
            self.freedom,
            [self.tasks as f64, self.pairs],
        ))
    }

    /// Half the width of the 95% interval for these pairs, of which more repeats would tell.
    #[must_use]
    pub fn half_width_of_these_pairs(&self) -> f64 {
        Z * self.of_repeats.sqrt()
    }

    /// The chance that a two-sided test at 5% over tasks finds a difference of this size.
    ///
    /// It is Student's, by the noncentral t distribution, whose power the sign-flip test has for many
    /// tasks (Lehmann and Romano 2005, section 15.2). The sums that this test sees are steps apart, and
    /// ties count against it, so that half a step is added to what is critical.
    #[must_use]
    pub fn chance(&self, difference: f64) -> f64 {
        if self.tasks < FEWEST_TASKS {
            return 0.0;
        }
        if self.variance <= 0.0 {
            return 1.0;
        }
        let shift = difference.abs() / self.variance.sqrt();
        beyond(shift, self.freedom, self.critical())
    }

    /// From how many standard errors on a difference is found.
    fn critical(&self) -> f64 {
        quantile(self.freedom) + self.step / (self.pairs * self.variance.sqrt())
    }

    /// The smallest difference that is found in 80% of cases; none with fewer than six tasks, nor
    /// where nothing varies.
    #[must_use]
    pub fn smallest(&self) -> Option<f64> {
        if self.tasks < FEWEST_TASKS || self.variance <= 0.0 {
            return None;
        }
        let critical = self.critical();
        let (mut low, mut high) = (0.0, critical + 100.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if beyond(middle, self.freedom, critical) < POWER {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(high * self.variance.sqrt())
    }
}

fn half(interval: Interval) -> f64 {
    (interval.high - interval.low) / 2.0
}

/// The chance that the size of a noncentral t exceeds a critical value.
///
/// Given the estimated standard deviation as a multiple s of the true one, the numerator is normal.
/// The integral over s, whose square is chi squared over its degrees of freedom, is Simpson's.
fn beyond(shift: f64, freedom: f64, critical: f64) -> f64 {
    const STEPS: u32 = 400;
    let Ok(normal) = Normal::new(0.0, 1.0) else {
        return f64::NAN;
    };
    let spread = 8.0 / (2.0 * freedom).sqrt();
    let (from, to) = ((1.0 - spread).max(0.0), 1.0 + spread);
    let step = (to - from) / f64::from(STEPS);
    let constant =
        std::f64::consts::LN_2 + freedom / 2.0 * (freedom / 2.0).ln() - ln_gamma(freedom / 2.0);
    let at = |s: f64| {
        let density = if s > 0.0 {
            (constant + (freedom - 1.0) * s.ln() - freedom * s * s / 2.0).exp()
        } else {
            0.0
        };
        density * (normal.cdf(shift - critical * s) + normal.cdf(-shift - critical * s))
    };
    let sum: f64 = (0..=STEPS)
        .map(|n| {
            let weight = match n {
                0 | STEPS => 1.0,
                n if n % 2 == 1 => 4.0,
                _ => 2.0,
            };
            weight * at(from + f64::from(n) * step)
        })
        .sum();
    (sum * step / 3.0).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::{Both, Passes, Random, Repeated, contrast, mean};

    fn near(found: f64, expected: f64, off: f64) {
        assert!(
            (found - expected).abs() <= off,
            "{found} instead of {expected}"
        );
    }

    #[test]
    fn the_power_of_a_t_test_is_the_one_that_r_gives() {
        // power.t.test(n, delta, type = "one.sample", strict = TRUE)
        for (n, delta, power) in [
            (20.0, 0.5, 0.564_504_418_4),
            (6.0, 1.5, 0.832_529_279_9),
            (10.0, 0.2, 0.087_657_154_0),
        ] {
            let found = beyond(delta * f64::sqrt(n), n - 1.0, quantile(n - 1.0));
            near(found, power, 1e-6);
        }
        near(beyond(0.0, 12.0, quantile(12.0)), 0.05, 1e-9);
    }

    const NAMES: [&str; 40] = {
        let mut names = [""; 40];
        let all = "0123456789abcdefghijklmnopqrstuvwxyzABCD";
        let mut n = 0;
        while n < 40 {
            names[n] = all.split_at(n).1.split_at(1).0;
            n += 1;
        }
        names
    };

    /// Two arms on tasks of unequal sizes. A task's chance, and what the second arm adds to it, vary.
    fn study(random: &mut Random, tasks: usize, repeats: u32, effect: f64) -> Vec<Both<'static>> {
        let mut pairs = Vec::new();
        for (n, task) in NAMES.iter().enumerate().take(tasks) {
            let chance = 0.2 + 0.3 * random.unit();
            let more = effect + 0.3 * (random.unit() - 0.5);
            for _ in 0..=(n % 5) {
                let of_pair = chance + 0.3 * (random.unit() - 0.5);
                let mut passes = |chance: f64| Passes {
                    passed: (0..repeats)
                        .map(|_| u32::from(random.unit() < chance))
                        .sum(),
                    of: repeats,
                };
                pairs.push(Both {
                    task,
                    second: passes(of_pair),
                    first: passes(of_pair + more),
                });
            }
        }
        pairs
    }

    fn half_width(pairs: &[Both<'_>]) -> f64 {
        half(
            contrast(pairs.iter().copied())
                .unwrap()
                .tasks_like_these
                .interval
                .unwrap(),
        )
    }

    #[test]
    fn what_is_foretold_for_other_repeats_and_tasks_is_what_such_studies_have() {
        const STUDIES: u32 = 200;
        let mut random = Random::new(11);
        let mean_of = |of: &mut dyn FnMut() -> f64| {
            (0..STUDIES).map(|_| of()).sum::<f64>() / f64::from(STUDIES)
        };
        for (repeats, times) in [(3, 1), (1, 1), (10, 1), (3, 2)] {
            let design = Design {
                repeats: Some(repeats),
                times,
            };
            let foretold = mean_of(&mut || {
                let pairs = study(&mut random, 20, 3, 0.1);
                let precision = Components::of_difference(pairs).unwrap().precision(design);
                precision.unwrap().half_width()
            });
            let found = mean_of(&mut || half_width(&study(&mut random, 20 * times, repeats, 0.1)));
            // A component that would be negative is none, so that what is foretold is a little too wide.
            near(foretold / found, 1.04, 0.06);
        }
    }

    #[test]
    fn a_rates_half_width_is_foretold_too() {
        let mut random = Random::new(12);
        let (mut foretold, mut found) = (0.0, 0.0);
        for _ in 0..200 {
            let pairs = study(&mut random, 20, 3, 0.1);
            let of_first = pairs.iter().map(|it| Repeated {
                task: it.task,
                passed: it.first.passed,
                of: it.first.of,
            });
            let seen = mean(of_first.clone()).unwrap();
            let as_it_is = Design {
                repeats: None,
                times: 1,
            };
            let precision = Components::of_rate(of_first).unwrap().precision(as_it_is);
            foretold += precision.unwrap().half_width_of(seen.share);
            found += half(seen.tasks_like_these.unwrap());
        }
        near(foretold / found, 1.0, 0.03);
    }

    #[test]
    fn the_chance_that_is_foretold_is_that_of_the_sign_flip_test() {
        const STUDIES: u32 = 400;
        let mut random = Random::new(13);
        for (tasks, repeats, effect) in [(20, 3, 0.1), (20, 1, 0.2), (10, 5, 0.15), (40, 1, 0.1)] {
            let design = Design {
                repeats: Some(repeats),
                times: 1,
            };
            let (mut foretold, mut found) = (0.0, 0_u32);
            for _ in 0..STUDIES {
                let pairs = study(&mut random, tasks, repeats.max(2), effect);
                let components = Components::of_difference(pairs).unwrap();
                foretold += components.precision(design).unwrap().chance(effect);
                let contrast = contrast(study(&mut random, tasks, repeats, effect)).unwrap();
                found += u32::from(contrast.tasks_like_these.p.unwrap().value <= 0.05);
            }
            // Of 400 studies, the share that finds it is off by up to 0.05.
            near(
                foretold / f64::from(STUDIES),
                f64::from(found) / f64::from(STUDIES),
                0.08,
            );
        }
    }

    #[test]
    fn the_smallest_difference_is_found_in_four_cases_of_five() {
        let pairs = study(&mut Random::new(14), 12, 3, 0.1);
        let components = Components::of_difference(pairs).unwrap();
        let precision = |repeats, times| components.precision(Design { repeats, times });
        let now = precision(None, 1).unwrap();
        near(now.chance(now.smallest().unwrap()), POWER, 1e-6);
        assert!(now.smallest().unwrap() > now.half_width());
        let wider = precision(Some(1), 1).unwrap();
        let narrower = precision(None, 4).unwrap();
        assert!(wider.half_width() > now.half_width());
        assert!(narrower.half_width() < now.half_width() / 1.9);
        assert!(narrower.half_width_of_these_pairs() < now.half_width_of_these_pairs());
    }

    #[test]
    fn few_tasks_find_nothing_and_one_repeat_says_nothing_of_more() {
        let pairs = study(&mut Random::new(15), 5, 1, 0.1);
        let components = Components::of_difference(pairs).unwrap();
        let of = |repeats, times| components.precision(Design { repeats, times });
        let now = of(None, 1).unwrap();
        assert_eq!((now.chance(0.9), now.smallest()), (0.0, None));
        assert!(of(None, 2).unwrap().smallest().is_some());
        assert_eq!(of(Some(3), 1), None);
    }
}
