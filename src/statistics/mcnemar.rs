//! `McNemar`'s test.

use statrs::distribution::{Binomial, DiscreteCDF as _};

/// The two-sided p-value of `McNemar`'s exact test (1947), from the numbers of pairs that passed in
/// one arm only: tosses of a fair coin.
///
/// It takes pairs as independent. Where pairs of one task are alike it raises false alarms, so that
/// it is a footnote and no headline.
#[must_use]
pub fn mcnemar(only_first: usize, only_second: usize) -> f64 {
    let (fewer, all) = (only_first.min(only_second), only_first + only_second);
    if 2 * fewer + 1 >= all {
        return 1.0;
    }
    Binomial::new(0.5, all as u64).map_or(1.0, |coin| 2.0 * coin.cdf(fewer as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tosses_a_coin_for_each_pair_that_differs() {
        for (one, other, wanted) in [
            (8, 1, 0.039_062_5),
            (0, 10, 2.0 / 1024.0),
            (0, 0, 1.0),
            (0, 1, 1.0),
            (2, 1, 1.0),
            (2, 2, 1.0),
            (3, 1, 0.625),
        ] {
            let found = mcnemar(one, other);
            assert!((found - wanted).abs() < 1e-12, "{one} {other}: {found}");
        }
    }
}
