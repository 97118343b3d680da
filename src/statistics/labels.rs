//! The permutation of the arms' labels among each pair's repeats.

use statrs::distribution::{Discrete as _, Hypergeometric};

use super::flips::{SEED, drawn};
use super::pairs::Both;
use super::random::Random;
use super::sum::{MOST_WORK, Sum};
use super::tested::{Method, P};
use super::units::Units;

/// How likely pairs come to a difference as large as theirs, if which of a pair's repeats are of
/// which arm is drawn anew (Fisher 1935). Passes in the first arm are then hypergeometric.
pub(super) fn labels(pairs: &[Both<'_>], units: Units) -> P {
    let of = |pair: &Both<'_>, first: u32| {
        let second = pair.first.passed + pair.second.passed - first;
        units.share(first, pair.first.of) - units.share(second, pair.second.of)
    };
    let found: i64 = pairs.iter().map(|pair| of(pair, pair.first.passed)).sum();
    let found = (found.abs() - 2 * units.slack).max(0);
    let numbers: Vec<Vec<(i64, f64)>> = pairs
        .iter()
        .map(|pair| {
            let chances = hypergeometric(pair).into_iter();
            chances.map(|(n, chance)| (of(pair, n), chance)).collect()
        })
        .collect();
    if work(&numbers) <= MOST_WORK {
        let whole = numbers
            .iter()
            .fold(Sum::of_nothing(), |whole, number| whole.plus(number));
        return P {
            value: whole.beyond(found),
            by: Method::Exact,
        };
    }
    let mut random = Random::new(SEED);
    drawn(|| {
        let sum = pairs.iter().map(|pair| of(pair, draw(pair, &mut random)));
        sum.sum::<i64>().abs() >= found
    })
}

/// How many cells an exact test would add up.
fn work(numbers: &[Vec<(i64, f64)>]) -> u64 {
    let mut reach = 0_u64;
    numbers.iter().fold(0_u64, |work, number| {
        let values = || number.iter().map(|(value, _)| *value);
        let span = values().max().unwrap_or(0) - values().min().unwrap_or(0);
        let before = reach;
        reach = reach.saturating_add(span.unsigned_abs());
        work.saturating_add((before + 1).saturating_mul(number.len() as u64))
    })
}

/// How many of a pair's passes may be the first arm's, each with its probability.
fn hypergeometric(pair: &Both<'_>) -> Vec<(u32, f64)> {
    let passed = pair.first.passed + pair.second.passed;
    let (first, second) = (pair.first.of, pair.second.of);
    let all = u64::from(first) + u64::from(second);
    let Ok(dealt) = Hypergeometric::new(all, u64::from(passed), u64::from(first)) else {
        return Vec::new();
    };
    let range = passed.saturating_sub(second)..=passed.min(first);
    let chances: Vec<(u32, f64)> = range.map(|n| (n, dealt.pmf(u64::from(n)))).collect();
    // They are 1 but for rounding.
    let sum: f64 = chances.iter().map(|(_, chance)| chance).sum();
    chances.into_iter().map(|(n, it)| (n, it / sum)).collect()
}

/// Draws the first arm's repeats of a pair, one after the other: how many of them passed.
fn draw(pair: &Both<'_>, random: &mut Random) -> u32 {
    let all = pair.first.of + pair.second.of;
    let passed = pair.first.passed + pair.second.passed;
    (0..pair.first.of).fold(0, |drawn, n| {
        drawn + u32::from(random.below(all - n) < passed - drawn)
    })
}

#[cfg(test)]
mod tests {
    use super::super::Passes;
    use super::*;

    fn both(first: (u32, u32), second: (u32, u32)) -> Both<'static> {
        let counts = |(passed, of)| Passes { passed, of };
        Both {
            task: "a",
            first: counts(first),
            second: counts(second),
        }
    }

    fn of(pairs: &[Both<'_>]) -> P {
        labels(
            pairs,
            Units::of(pairs.iter().flat_map(|it| [it.first.of, it.second.of])),
        )
    }

    #[test]
    fn one_pair_is_fishers_exact_test() {
        // C(3,3) C(3,0) / C(6,3) on either side.
        assert!((of(&[both((3, 3), (0, 3))]).value - 2.0 / 20.0).abs() < 1e-12);
        assert!((of(&[both((2, 3), (1, 3))]).value - 1.0).abs() < 1e-12);
    }

    #[test]
    fn pairs_that_do_not_vary_say_nothing() {
        let varying = both((3, 3), (1, 3));
        let fixed = [both((3, 3), (3, 3)), both((0, 3), (0, 3))];
        let all = [&[varying][..], &fixed].concat();
        assert_eq!(of(&all), of(&[varying]));
        assert!((of(&fixed).value - 1.0).abs() < 1e-12);
    }

    #[test]
    fn labels_that_are_drawn_come_to_the_same() {
        // Denominators without a common one that is small.
        let uneven: Vec<_> = [13, 17, 19, 23, 29, 31, 37]
            .map(|of| both((of / 2 + 3, of), (of / 2, of - 1)))
            .into();
        let drawn = of(&uneven);
        let even: Vec<_> = [13, 17, 19, 23, 29, 31, 37]
            .map(|of| both((of / 2 + 3, of), (of / 2, of)))
            .into();
        let near = labels(&even[..2], Units::of([13, 17]));
        assert_eq!((drawn.by, near.by), (Method::Drawn, Method::Exact));
        assert!(drawn.value > 0.0 && drawn.value < 0.05, "{drawn:?}");
        assert_eq!(drawn, of(&uneven));
        let exact = hypergeometric(&even[0]);
        let mean: f64 = exact.iter().map(|(n, chance)| f64::from(*n) * chance).sum();
        assert!(
            (mean - f64::from(even[0].first.passed + even[0].second.passed) / 2.0).abs() < 1e-9
        );
        let mut random = Random::new(7);
        let sum: u32 = (0..10_000).map(|_| draw(&even[0], &mut random)).sum();
        assert!((f64::from(sum) / 10_000.0 - mean).abs() < 0.1);
    }
}
