use super::*;
use crate::study::made::{row, run};

fn arm(runs: Vec<ArmRun>) -> Arm {
    Arm {
        name: "a".to_owned(),
        runs,
    }
}

fn is(one: Option<f64>, other: f64) -> bool {
    one.is_some_and(|one| (one - other).abs() < 1e-9)
}

#[test]
fn the_rate_is_the_mean_over_pairs_of_each_pairs_own() {
    // 3 of 3 and 0 of 1: two pairs, and not three of four trials.
    let runs = vec![
        run("a_1", [row(1, 2, Some(true)), row(2, 2, Some(false))]),
        run("a_2", [row(1, 2, Some(true)), row(2, 2, None)]),
        run("a_3", [row(1, 2, Some(true)), row(2, 2, None)]),
    ];
    let figures = Figures::of(&arm(runs));
    assert!(is(figures.pass_rate.map(|it| it.share), 0.5));
    assert_eq!((figures.pairs, figures.trials, figures.judged), (2, 6, 4));
    assert!(is(figures.strict, 0.5) && is(figures.best_case, f64::midpoint(1.0, 2.0 / 3.0)));
    assert_eq!(figures.changing, []);
    let outcomes: Vec<_> = figures.outcomes.into_iter().collect();
    let wanted = [
        (Outcome::Pass, 3),
        (Outcome::Fail, 1),
        (Outcome::InfraError, 2),
    ];
    assert_eq!(outcomes, wanted);
}

#[test]
fn k_goes_up_to_the_most_judged_trials_of_a_pair() {
    let runs = vec![
        run("a_1", [row(1, 2, Some(true)), row(2, 2, Some(true))]),
        run("a_2", [row(1, 2, Some(false)), row(2, 2, Some(true))]),
        run("a_3", [row(1, 2, Some(false)), row(2, 2, None)]),
    ];
    let figures = Figures::of(&arm(runs));
    let of_k: Vec<_> = figures.of_k.iter().map(|it| (it.k, it.pairs)).collect();
    assert_eq!(of_k, [(1, 2), (2, 2), (3, 1)]);
    assert!(is(
        Some(figures.of_k[1].pass_at),
        f64::midpoint(2.0 / 3.0, 1.0)
    ));
    assert!(is(Some(figures.of_k[1].pass_hat), 0.5));
    let changing = [PairRate {
        pair: "ferry_task/1/f1_f2".to_owned(),
        passed: 1,
        of: 3,
    }];
    assert_eq!(figures.changing, changing);
    let shares = figures.range().unwrap().map(|it| it.run.to_string());
    assert_eq!(shares, ["a_3", "a_1"]);
}

#[test]
fn what_nobody_asked_for_is_no_trial_and_what_nothing_names_is_one() {
    let mut unasked = row(3, 2, None);
    unasked.asked = false;
    unasked.outcome = Outcome::Missing;
    let unnamed = || Row {
        pair: None,
        task: None,
        outcome: Outcome::Missing,
        ..row(1, 2, None)
    };
    let runs = vec![
        run(
            "a_1",
            [row(1, 2, Some(true)), row(2, 2, Some(true)), unasked],
        ),
        // One of its two is the pair that only the other run names.
        run(
            "a_2",
            [row(1, 2, Some(true)), unnamed(), unnamed(), unnamed()],
        ),
    ];
    let figures = Figures::of(&arm(runs));
    // Pairs 1, 2 and 3, and one of which nothing is known.
    assert_eq!((figures.pairs, figures.trials, figures.judged), (4, 6, 3));
    assert!(is(figures.strict, (1.0 + 0.5) / 4.0));
    assert!(is(figures.best_case, 1.0));
}

#[test]
fn features_and_merges_have_shares_of_what_tells_of_them() {
    let of = |n, passed, features, merge: &str| Row {
        features_passed: Some(features),
        merge: Some(merge.to_owned()),
        ..row(n, 2, Some(passed))
    };
    let silent = row(3, 2, Some(true));
    let runs = vec![
        run(
            "a_1",
            [
                of(1, true, 2, "clean"),
                of(2, false, 1, "conflicts"),
                silent,
            ],
        ),
        run(
            "a_2",
            [
                of(1, true, 2, "clean"),
                of(2, false, 0, "clean"),
                row(3, 2, None),
            ],
        ),
    ];
    let figures = Figures::of(&arm(runs));
    let features = figures.features.unwrap();
    assert_eq!((features.count, features.of), (5, 8));
    assert!(is(Some(features.share), f64::midpoint(1.0, 0.25)));
    let merges: Vec<_> = figures
        .merges
        .iter()
        .map(|(word, it)| (word.as_str(), it.count, it.of, it.share))
        .collect();
    assert_eq!(merges, [("clean", 3, 4, 0.75), ("conflicts", 1, 4, 0.25)]);
}

#[test]
fn what_is_not_known_of_costs_tokens_and_times_is_counted() {
    let known = Row {
        cost_usd: Some(1.0),
        has_unknown_cost: Some(false),
        spent_usd: Some(1.5),
        duration_s: Some(10.0),
        waited_s: Some(4.0),
        input_tokens: Some(100),
        output_tokens: Some(10),
        ..row(1, 2, Some(true))
    };
    let unknown = Row {
        has_unknown_cost: Some(true),
        spent_unknown_trials: 1,
        ..row(2, 2, Some(true))
    };
    let spent = Figures::of(&arm(vec![run("a", [known, unknown, row(3, 2, None)])])).spent;
    assert_eq!(
        (spent.results, spent.cost.unknown, spent.spent.unknown),
        (2, 1, 1)
    );
    assert!(is(Some(spent.cost.usd), 1.0) && is(Some(spent.spent.usd), 1.5));
    assert!(is(spent.cost_per_pass, 0.5) && is(spent.seconds_per_trial(), 10.0));
    assert!(is(Some(spent.waited_seconds), 4.0));
    let unknown = (
        spent.usage_unknown,
        spent.seconds_unknown,
        spent.waited_unknown,
    );
    assert_eq!(unknown, (1, 1, 1));
    // Nothing is known of any: there is no cost of a pass.
    let none = Row {
        has_unknown_cost: Some(true),
        ..row(1, 2, Some(true))
    };
    let spent = Figures::of(&arm(vec![run("a", [none])])).spent;
    assert_eq!(
        (spent.cost_per_pass, spent.seconds_per_trial()),
        (None, None)
    );
}

#[test]
fn failures_of_two_agents_have_a_place() {
    let of = |n, passed, failed_at, damage: Option<&str>| Row {
        failed_at,
        damage: damage.map(str::to_owned),
        feature1_alone_passed: Some(true),
        feature2_alone_passed: Some(failed_at != Some("agent2")),
        ..row(n, 2, Some(passed))
    };
    let silent = row(5, 2, Some(false));
    let runs = vec![run(
        "a",
        [
            of(1, true, None, None),
            of(2, false, Some("agent2"), Some("empty_submission")),
            of(3, false, Some("merge"), None),
            silent,
            row(6, 2, None),
        ],
    )];
    let places = Figures::of(&arm(runs)).places.unwrap();
    let counts = Place::ALL.map(|place| places.count_of(place));
    assert_eq!(counts, [1, 0, 1, 0, 1, 0, 1]);
    assert_eq!((places.judged_alone, places.empty_submissions), (3, 1));
    let mut solo = row(1, 2, Some(false));
    solo.setting = Some("solo");
    assert_eq!(Figures::of(&arm(vec![run("a", [solo])])).places, None);
}

#[test]
fn an_arm_of_which_nothing_was_judged_has_no_rate() {
    let figures = Figures::of(&arm(vec![run("a", [row(1, 2, None), row(2, 2, None)])]));
    assert_eq!((figures.pass_rate, figures.judged), (None, 0));
    assert!(is(figures.strict, 0.0) && is(figures.best_case, 1.0));
    assert!(figures.range().is_none() && figures.of_k.is_empty());
}
