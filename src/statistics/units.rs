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
