use super::*;
use crate::report::Row;
use crate::statistics::{NoP, Random};
use crate::study::made::{plain, row, run};
use crate::study::{Arm, Pooling, StudyFormat, study, text};

/// Arms of one run each of these rows.
fn of(arms: Vec<Vec<Row>>) -> Study {
    let names = ["a", "b", "c", "d"];
    let runs = names.iter().zip(arms);
    let runs = runs.map(|(name, rows)| run(name, rows)).collect();
    study(runs, &Pooling::default()).unwrap()
}

fn less_first(study: &Study) -> ArmsCompared {
    ArmsCompared::of(study, Family::LessFirst)
}

fn is(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-9
}

/// Verdicts of one pair in each of so many tasks.
fn verdicts(verdicts: impl IntoIterator<Item = Option<bool>>) -> Vec<Row> {
    let rows = (1..)
        .zip(verdicts)
        .map(|(task, passed)| row(task, 2, passed));
    rows.collect()
}

#[test]
fn a_difference_is_the_later_arm_less_the_first_on_the_pairs_of_both() {
    let study = of(vec![
        verdicts([Some(false), Some(true), Some(false), Some(true)]),
        verdicts([Some(true), Some(false), Some(true), None]),
    ]);
    let compared = less_first(&study);
    let [contrast] = compared.contrasts.as_slice() else {
        panic!("one contrast");
    };
    assert_eq!(
        (contrast.first.as_str(), contrast.second.as_str()),
        ("b", "a")
    );
    let difference = contrast.difference.unwrap();
    assert!(is(difference.share, 1.0 / 3.0));
    assert_eq!((difference.pairs, contrast.same), (3, 0));
    let named = |flips: &[super::super::versus::Flip]| -> Vec<String> {
        flips.iter().map(|it| it.pair.clone()).collect()
    };
    let up = ["ferry_task/1/f1_f2", "ferry_task/3/f1_f2"];
    assert_eq!(named(&contrast.up), up);
    assert_eq!(named(&contrast.down), ["ferry_task/2/f1_f2"]);
    assert_eq!(
        difference.tasks_like_these.p.unwrap_err(),
        NoP::FewerThanSixTasks
    );
    assert_eq!(difference.these_pairs.p.unwrap_err(), NoP::OneRepeat);
    let shown = text::compared(&compared, None);
    assert!(shown.contains("no test: b (+33.3)"), "{shown}");
    assert!(shown.contains("McNemar"), "{shown}");
}

#[test]
fn what_has_no_verdict_bounds_a_difference_and_may_turn_its_sign() {
    let judged = |n: usize| std::iter::repeat_n(Some(true), n);
    let open = |n: usize| std::iter::repeat_n(None, n);
    let failed = |n: usize| std::iter::repeat_n(Some(false), n);
    let study = of(vec![
        verdicts(judged(6).chain(failed(4))),
        verdicts(judged(6).chain(failed(2)).chain(open(2))),
    ]);
    let compared = less_first(&study);
    let contrast = &compared.contrasts[0];
    let bounds = contrast.bounds.unwrap();
    assert_eq!((bounds.open_in_first, bounds.open_in_second), (2, 0));
    assert!(is(bounds.strict, 0.0) && is(bounds.worst, 0.0) && is(bounds.best, 0.2));
    assert!(!bounds.sign_changes);
    let study = of(vec![
        verdicts(judged(6).chain(failed(3)).chain(open(1))),
        verdicts(judged(6).chain(failed(2)).chain(open(2))),
    ]);
    let compared = less_first(&study);
    let bounds = compared.contrasts[0].bounds.unwrap();
    assert!(is(bounds.worst, -0.1) && is(bounds.best, 0.2));
    assert!(bounds.sign_changes);
    for shown in [
        text::compared(&compared, Some(80)),
        StudyFormat::Markdown.compared(&compared),
    ] {
        let told = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            told.contains("trials without a verdict could turn the sign"),
            "{shown}"
        );
    }
    // All was judged: there is nothing to bound.
    let study = of(vec![verdicts(judged(3)), verdicts(failed(3))]);
    assert_eq!(less_first(&study).contrasts[0].bounds, None);
}

#[test]
fn arms_with_nothing_in_common_are_told_as_such() {
    let study = of(vec![
        vec![row(1, 2, Some(true))],
        vec![row(2, 2, Some(true)), row(2, 3, Some(false))],
        vec![row(1, 2, None)],
    ]);
    let compared = less_first(&study);
    assert!(compared.contrasts.iter().all(|it| it.difference.is_none()));
    for shown in [
        text::compared(&compared, None),
        StudyFormat::Markdown.compared(&compared),
    ] {
        for line in [
            "b less a: no pair was judged in both (2 pairs in the first, 1 pair in the second)",
            "c less a: no pair was judged in both (0 pairs in the first, 1 pair in the second)",
        ] {
            assert!(shown.contains(line), "{shown}");
        }
    }
    assert!(!text::compared(&compared, None).contains("tasks like these"));
}

#[test]
fn one_task_one_pair_and_all_pass_are_answers_without_a_test() {
    let one_pair = of(vec![
        vec![row(1, 2, Some(true))],
        vec![row(1, 2, Some(false))],
    ]);
    let one_task = of(vec![
        vec![row(1, 2, Some(true)), row(1, 3, Some(true))],
        vec![row(1, 2, Some(false)), row(1, 3, Some(true))],
    ]);
    let all_pass = of(vec![verdicts([Some(true); 8]), verdicts([Some(true); 8])]);
    for (study, share) in [(one_pair, -1.0), (one_task, -0.5), (all_pass, 0.0)] {
        let compared = less_first(&study);
        assert!(is(compared.contrasts[0].difference.unwrap().share, share));
        let shown = text::compared(&compared, Some(80));
        assert!(!shown.contains("NaN") && !shown.contains("inf "), "{shown}");
    }
}

#[test]
fn arms_of_which_none_was_judged_have_no_numbers_and_no_contrast() {
    let study = of(vec![vec![row(1, 2, None)], vec![row(1, 2, None)]]);
    let compared = less_first(&study);
    let shown = text::compared(&compared, None);
    assert!(shown.contains("a       1     0/1       -"), "{shown}");
    assert!(
        shown.contains("b less a: no pair was judged in both"),
        "{shown}"
    );
    let shown = text::by_arm(&compared.arms, &[], None);
    assert!(
        shown.contains("none was judged: there is no rate"),
        "{shown}"
    );
}

#[test]
fn verdicts_by_other_rules_are_compared_with_a_warning() {
    let mut other = verdicts([Some(true), Some(false)]);
    for row in &mut other {
        row.rules = Some("0.0.11".to_owned());
    }
    let study = of(vec![verdicts([Some(true), Some(true)]), other]);
    let compared = less_first(&study);
    assert_eq!(compared.contrasts[0].mixed, ["rule sets (0.0.11, 0.0.29)"]);
    let shown = text::compared(&compared, None);
    let warning = "b less a: verdicts by different rule sets (0.0.11, 0.0.29)";
    assert!(shown.contains(warning), "{shown}");
}

/// An arm of so many runs over 20 tasks with two pairs each, of which each passes at this rate.
fn drawn(name: &str, random: &mut Random, runs: u32, rate: u32) -> Vec<crate::study::ArmRun> {
    (1..=runs)
        .map(|repeat| {
            let mut rows = Vec::new();
            for task in 1..=20 {
                for n in [2, 3] {
                    rows.push(row(task, n, Some(random.below(100) < rate)));
                }
            }
            run(&format!("{name}_{repeat}"), rows)
        })
        .collect()
}

#[test]
fn a_large_effect_is_clear_for_both_targets_and_none_is_not() {
    let mut random = Random::new(7);
    let mut runs = drawn("base", &mut random, 3, 30);
    runs.extend(drawn("better", &mut random, 3, 80));
    runs.extend(drawn("same", &mut random, 3, 30));
    let pooling = Pooling {
        asked: ["base", "better", "same"].map(str::to_owned).to_vec(),
        ..Pooling::default()
    };
    let compared = less_first(&study(runs, &pooling).unwrap());
    let [better, same] = compared.contrasts.as_slice() else {
        panic!("two contrasts");
    };
    for p in [
        better.adjusted.tasks_like_these,
        better.adjusted.these_pairs,
    ] {
        assert!(p.unwrap() < 0.001);
    }
    for p in [same.adjusted.tasks_like_these, same.adjusted.these_pairs] {
        assert!(p.unwrap() > 0.05);
    }
    // Adjusted over the two that are shown: the smaller is doubled.
    let raw = better.difference.unwrap().tasks_like_these.p.unwrap().value;
    assert!(is(better.adjusted.tasks_like_these.unwrap(), 2.0 * raw));
    let shown = text::compared(&compared, Some(80));
    let plain = crate::text::paint::plain(&shown);
    let answer = "passes more than base, clear for tasks like these: better (+";
    assert!(plain.contains(answer), "{shown}");
    assert!(plain.contains("not clear: same ("), "{shown}");
    assert!(plain.lines().all(|line| line.len() <= 80), "{plain}");
}

#[test]
fn every_two_arms_are_one_family_if_that_is_asked_for() {
    let arm = |name: &str| Arm {
        name: name.to_owned(),
        runs: vec![plain(name)],
    };
    let study = Study {
        arms: ["a", "b", "c"].map(arm).to_vec(),
        ..Study::default()
    };
    let compared = ArmsCompared::of(&study, Family::EveryTwo);
    let names = compared
        .contrasts
        .iter()
        .map(|it| format!("{} {}", it.first, it.second));
    assert_eq!(names.collect::<Vec<_>>(), ["b a", "c a", "c b"]);
    assert_eq!((compared.baseline, compared.baseline_is), (None, None));
}
