//! The sign-flip test over tasks.

use super::random::Random;
use super::sum::{MOST_WORK, Sum};
use super::tested::{Method, P};

/// How many times signs or labels are drawn where a whole distribution is too much.
pub(super) const DRAWS: u32 = 20_000;

/// The seed of all draws.
pub(super) const SEED: u64 = 0x5245_4741_5454_4121;

/// How likely the tasks' sums, each with a sign tossed by a fair coin, come to as much as they do.
///
/// Under the null hypothesis a task's sum is as likely as its opposite (Fisher 1935). `slack` is by
/// how much a sum may be off; sums that near count as ties.
pub(super) fn flips(sums: &[i64], slack: i64) -> P {
    let found = (sums.iter().sum::<i64>().abs() - 2 * slack).max(0);
    let reach: u64 = sums.iter().map(|sum| sum.unsigned_abs()).sum();
    let work = reach.saturating_mul(2 * sums.len() as u64);
    if work <= MOST_WORK {
        let whole = sums.iter().fold(Sum::of_nothing(), |whole, sum| {
            whole.plus(&[(-sum, 0.5), (*sum, 0.5)])
        });
        return P {
            value: whole.beyond(found),
            by: Method::Exact,
        };
    }
    let mut random = Random::new(SEED);
    drawn(|| {
        let signed = sums.chunks(64).map(|some| {
            let signs = random.bits();
            let signed = some.iter().enumerate().map(|(n, sum)| {
                let is_flipped = signs >> n & 1 == 1;
                if is_flipped { -sum } else { *sum }
            });
            signed.sum::<i64>()
        });
        signed.sum::<i64>().abs() >= found
    })
}

/// (1 + b) / (1 + n) of n draws of which b are as extreme (Phipson and Smyth 2010): a p-value that is
/// never 0, and valid for any number of draws.
pub(super) fn drawn(mut is_extreme: impl FnMut() -> bool) -> P {
    let extreme = (0..DRAWS).filter(|_| is_extreme()).count();
    P {
        value: (1.0 + extreme as f64) / (1.0 + f64::from(DRAWS)),
        by: Method::Drawn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_counted_and_ties_are_as_extreme() {
        // Of 64 only the two with all signs alike.
        assert!((flips(&[1; 6], 0).value - 2.0 / 64.0).abs() < 1e-12);
        // |±1 ±2 ±3| is 6 twice, and 4 twice, of 8.
        assert!((flips(&[1, 2, 3], 0).value - 0.25).abs() < 1e-12);
        assert!((flips(&[-1, 2, 3], 0).value - 0.5).abs() < 1e-12);
        // A task without a difference says nothing.
        assert_eq!(flips(&[1, 2, 3, 0, 0], 0), flips(&[1, 2, 3], 0));
        let nothing = P {
            value: 1.0,
            by: Method::Exact,
        };
        assert_eq!(flips(&[0; 6], 0), nothing);
    }

    #[test]
    fn sums_that_may_be_off_count_as_ties() {
        // 2001 as found, 1999 with the other signs of the small ones.
        let off = [2_000, -1_000, 1_001];
        assert!((flips(&off, 0).value - 0.5).abs() < 1e-12);
        assert!((flips(&off, 1).value - 0.75).abs() < 1e-12);
    }

    #[test]
    fn where_the_whole_distribution_is_too_much_signs_are_drawn_the_same_each_time() {
        let exact = flips(&[5, 3, 2, 2, 1, -1, 4, -2], 0);
        let large = [5, 3, 2, 2, 1, -1, 4, -2].map(|sum| sum * (1 << 30));
        let drawn = flips(&large, 0);
        assert_eq!((exact.by, drawn.by), (Method::Exact, Method::Drawn));
        assert!(
            (exact.value - drawn.value).abs() < 0.01,
            "{exact:?} {drawn:?}"
        );
        assert_eq!(drawn, flips(&large, 0));
        // 100 tasks need more than 64 signs.
        let many = flips(&[1 << 30; 100], 0);
        assert!((many.value - 1.0 / 20_001.0).abs() < 1e-12);
    }
}
