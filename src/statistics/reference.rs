//! The room against other programs: `tests/data/statistics` says which and how.

use std::collections::HashMap;

use super::interval::{Interval, quantile};
use super::pairs::{Both, Passes, rate};
use super::repeats::stratified;
use super::tasks::Tasks;
use super::{contrast, holm, pass_at, pass_hat};

const CASES: &str = include_str!("../../tests/data/statistics/cases.csv");
const REFERENCE: &str = include_str!("../../tests/data/statistics/reference.csv");

/// The values by case and quantity.
fn reference() -> HashMap<(&'static str, &'static str), f64> {
    let rows = REFERENCE.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        ((cells[0], cells[1]), cells[2].parse().unwrap())
    });
    rows.collect()
}

fn pairs(case: &str) -> Vec<Both<'static>> {
    let rows = CASES
        .lines()
        .map(|line| line.split(',').collect::<Vec<_>>());
    let rows = rows.filter(|row| row[0] == case).map(|row| {
        let counts = |passed: usize| Passes {
            passed: row[passed].parse().unwrap(),
            of: row[passed + 1].parse().unwrap(),
        };
        Both {
            task: row[1],
            first: counts(2),
            second: counts(4),
        }
    });
    rows.collect()
}

#[track_caller]
fn near(found: f64, wanted: f64) {
    assert!((found - wanted).abs() < 1e-9, "{found} instead of {wanted}");
}

#[test]
fn variances_and_degrees_of_freedom_are_those_of_clubsandwich() {
    let reference = reference();
    for case in ["single", "repeats", "uneven"] {
        let pairs = pairs(case);
        let first = |it: &Both<'static>| rate(it.first.passed, it.first.of);
        for (name, value) in [
            ("first", pairs.iter().map(first).collect::<Vec<_>>()),
            ("difference", pairs.iter().map(Both::difference).collect()),
        ] {
            let tasks = pairs.iter().map(|it| it.task).zip(value);
            let tasks = Tasks::of(tasks).unwrap();
            let wanted = |what: &str| reference[&(case, &*format!("{name}_{what}"))];
            near(tasks.variance(), wanted("variance"));
            near(tasks.freedom(0.0), wanted("freedom"));
            near(tasks.correlation(), wanted("correlation").clamp(0.0, 1.0));
            near(tasks.freedom(0.5), reference[&(case, "freedom_half")]);
        }
    }
}

#[test]
fn p_values_are_those_of_an_enumeration() {
    let reference = reference();
    for case in ["single", "repeats", "uneven"] {
        let found = contrast(pairs(case)).unwrap();
        near(
            found.tasks_like_these.p.unwrap().value,
            reference[&(case, "flips")],
        );
        if let Ok(p) = found.these_pairs.p {
            near(p.value, reference[&(case, "labels")]);
        }
        let mcnemar = reference.get(&(case, "mcnemar")).copied();
        assert_eq!(found.mcnemar.is_some(), mcnemar.is_some());
        near(found.mcnemar.unwrap_or(0.0), mcnemar.unwrap_or(0.0));
    }
}

#[test]
fn the_variance_of_repeats_is_that_of_strata() {
    let reference = reference();
    for case in ["repeats", "uneven"] {
        let first = pairs(case).into_iter();
        let first: Vec<_> = first.map(|it| (it.first.passed, it.first.of)).collect();
        let (variance, known) = stratified(&first).unwrap();
        near(variance, reference[&(case, "first_repeats_variance")]);
        assert_eq!(known, first.len());
    }
}

#[test]
fn intervals_quantiles_and_adjustments_are_those_of_scipy_and_statsmodels() {
    let reference = reference();
    let wilson = [(0.0, 12.0), (0.3, 7.5), (0.5, 100.0), (1.0, 3.0)];
    for (at, (share, of)) in wilson.into_iter().enumerate() {
        let found = Interval::wilson(share, of);
        near(found.low, reference[&(&*format!("wilson{at}"), "low")]);
        near(found.high, reference[&(&*format!("wilson{at}"), "high")]);
    }
    for freedom in [1.0, 2.5, 7.25, 31.0] {
        near(
            quantile(freedom),
            reference[&(&*format!("student{freedom:?}"), "quantile")],
        );
    }
    for (at, found) in holm(&[0.01, 0.04, 0.03, 0.2, 0.04]).into_iter().enumerate() {
        near(found, reference[&(&*format!("holm{at}"), "p")]);
    }
    for (k, passed, of) in [(1, 2, 5), (3, 2, 5), (5, 1, 5), (4, 2, 5)] {
        let case = format!("pass{k}of{passed}in{of}");
        near(pass_at(k, passed, of).unwrap(), reference[&(&*case, "at")]);
        near(
            pass_hat(k, passed, of).unwrap(),
            reference[&(&*case, "hat")],
        );
    }
}
