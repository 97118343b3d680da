//! The permutation of the arms' labels among each pair's repeats.

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
    let range = passed.saturating_sub(second)..=passed.min(first);
    // C(first, n) C(second, passed - n), each from the one before it, and their sum made 1.
    let mut weight = 1.0;
    let weights: Vec<(u32, f64)> = range
        .map(|n| {
            let this = (n, weight);
            weight *= f64::from(first - n) / f64::from(n + 1);
            weight *= f64::from(passed - n) / f64::from((second + n + 1).saturating_sub(passed));
            this
        })
        .collect();
    let all: f64 = weights.iter().map(|(_, weight)| weight).sum();
    weights.into_iter().map(|(n, it)| (n, it / all)).collect()
}

/// Draws the first arm's repeats of a pair, one after the other: how many of them passed.
fn draw(pair: &Both<'_>, random: &mut Random) -> u32 {
    let all = pair.first.of + pair.second.of;
    let passed = pair.first.passed + pair.second.passed;
    (0..pair.first.of).fold(0, |drawn, n| {
        drawn + u32::from(random.below(all - n) < passed - drawn)
    })
}
