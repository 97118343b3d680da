//! Shares as whole numbers, so that no tie is lost to rounding.

/// The largest common denominator that is kept: a million pairs of it still fit an `i64`.
const MOST: u64 = 1 << 40;

/// A unit of which the shares of some pairs are whole multiples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Units {
    /// How many make 1.
    per_one: u64,
    /// By how much a sum may be off where no such unit is small enough.
    pub(super) slack: i64,
}

impl Units {
    /// The least common denominator of so many repeats each.
    pub(super) fn of(repeats: impl IntoIterator<Item = u32>) -> Self {
        let (mut per_one, mut rounded) = (1_u64, 0);
        for of in repeats {
            rounded += 1;
            let of = u64::from(of);
            per_one = (per_one / gcd(per_one, of))
                .saturating_mul(of)
                .min(MOST + 1);
        }
        if per_one > MOST {
            let per_one = MOST;
            return Self {
                per_one,
                slack: rounded,
            };
        }
        Self { per_one, slack: 0 }
    }

    /// So many of so many.
    #[expect(clippy::cast_possible_wrap, reason = "at most per_one")]
    pub(super) fn share(self, passed: u32, of: u32) -> i64 {
        let share = u128::from(passed) * u128::from(self.per_one) / u128::from(of);
        u64::try_from(share).unwrap_or(self.per_one) as i64
    }
}

const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_the_least_common_denominator() {
        let units = Units::of([3, 5, 1, 3]);
        assert_eq!((units.per_one, units.slack), (15, 0));
        assert_eq!(
            [units.share(2, 3), units.share(1, 5), units.share(1, 1)],
            [10, 3, 15]
        );
    }

    #[test]
    fn without_a_small_one_shares_are_rounded_and_a_sum_may_be_off() {
        let primes = [41, 43, 47, 53, 59, 61, 67, 71];
        let units = Units::of(primes);
        assert_eq!(units.slack, 8);
        assert_eq!(units.share(41, 41), 1 << 40);
        let third = units.share(1, 3);
        assert_eq!(third, (1 << 40) / 3);
    }
}
