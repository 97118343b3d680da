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
