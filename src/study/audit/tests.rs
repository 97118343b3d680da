use super::*;
use crate::bench::RunName;
use crate::report::row::cell::LocalTime;
use crate::report::{Outcome, Row};
use crate::study::beside::{Beside, Published};
use crate::study::made::{self, row};
use crate::study::{ArmRun, Study};

/// A row with its verdict as upstream counts it, and what upstream says of the merge.
struct Made {
    row: Row,
    published: Option<Published>,
}

fn published(passed: bool) -> Published {
    Published {
        passed,
        merged: None,
        is_outdated: false,
        is_time_unclear: false,
    }
}

/// A pair that was judged.
fn judged(task: u64, passed: bool) -> Made {
    Made {
        row: row(task, 2, Some(passed)),
        published: Some(published(passed)),
    }
}

/// A pair that an error ended and that upstream judged.
fn error(task: u64, minute: u64, rule: &str) -> Made {
    let at = format!("2026-01-01T{:02}:{:02}:00", 10 + minute / 60, minute % 60);
    Made {
        row: Row {
            rule: Some(rule.to_owned()),
            ended_at: LocalTime::of(&at),
            ..row(task, 2, None)
        },
        published: Some(published(false)),
    }
}

fn run(name: &str, made: Vec<Made>) -> ArmRun {
    let published = made.iter().filter_map(|it| {
        let pair = it.row.pair.clone()?;
        Some((pair, it.published?))
    });
    let beside = Beside {
        published: published.collect(),
        ..Beside::default()
    };
    ArmRun {
        beside,
        ..made::run(name, made.into_iter().map(|it| it.row))
    }
}

fn arm(name: &str, runs: Vec<ArmRun>) -> Arm {
    Arm {
        name: name.to_owned(),
        runs,
    }
}

fn looked_at(arms: Vec<Arm>) -> Audit {
    let study = Study {
        arms,
        ..Study::default()
    };
    audit(&study, None).unwrap()
}

fn found(audit: &Audit) -> Vec<(Concern, usize)> {
    let mut found: Vec<_> = audit
        .found
        .iter()
        .map(|it| (it.concern, it.trials))
        .collect();
    found.sort();
    found
}

/// What is found of one pair.
fn of_one(change: impl FnOnce(&mut Made)) -> Vec<Concern> {
    let mut one = judged(1, true);
    change(&mut one);
    let audit = looked_at(vec![arm("a", vec![run("a", vec![one])])]);
    found(&audit)
        .into_iter()
        .map(|(concern, _)| concern)
        .collect()
}

#[test]
fn each_concern_is_told_by_what_a_report_says_of_the_pair() {
    use Concern as C;
    let damage = |word: &str| {
        let word = Some(word.to_owned());
        of_one(|it| it.row.damage = word)
    };
    let ended = |outcome: Outcome, has_verdict: bool| {
        of_one(|it| {
            (it.row.outcome, it.row.passed) = (outcome, None);
            it.published = it.published.filter(|_| has_verdict);
        })
    };
    assert_eq!(of_one(|_| {}), []);
    assert_eq!(damage("suite_timeout"), [C::SuiteTimeout]);
    assert_eq!(
        damage("empty_submission+ended_by_error"),
        [C::EndedByError, C::EmptySubmission]
    );
    assert_eq!(ended(Outcome::ConfigError, true), [C::JudgedError]);
    assert_eq!(ended(Outcome::UnknownError, true), [C::JudgedError]);
    assert_eq!(ended(Outcome::AgentError, true), [C::AgentError]);
    assert_eq!(ended(Outcome::AgentError, false), [C::NoVerdict]);
    assert_eq!(ended(Outcome::Missing, true), [C::VerdictWithoutResult]);
    assert_eq!(ended(Outcome::Missing, false), [C::NoResult]);
    assert_eq!(of_one(|it| it.row.flagged = Some(true)), [C::FlaggedPass]);
    assert_eq!(
        of_one(|it| it.row.passed_by_bytes = Some(false)),
        [C::OtherByBytes]
    );
    assert_eq!(
        of_one(|it| it.row.has_unknown_cost = Some(true)),
        [C::UnknownCost]
    );
    let read = |change: fn(&mut Published)| of_one(|it| change(it.published.as_mut().unwrap()));
    assert_eq!(read(|it| it.is_outdated = true), [C::OutdatedVerdict]);
    assert_eq!(read(|it| it.is_time_unclear = true), [C::UnclearTime]);
    // No command has asked for it yet.
    assert_eq!(
        of_one(|it| {
            (it.row.outcome, it.row.passed, it.row.asked) = (Outcome::Missing, None, false);
            it.published = None;
        }),
        []
    );
}

#[test]
fn a_finding_has_the_rate_with_it_and_without_it() {
    let runs = vec![
        run("a_1", vec![judged(1, true), judged(2, true)]),
        run("a_2", vec![error(1, 0, "lost"), judged(2, false)]),
    ];
    let audit = looked_at(vec![arm("a", runs)]);
    let [one] = audit.found.as_slice() else {
        panic!("{:?}", audit.found);
    };
    assert_eq!(
        (one.concern, one.trials, one.of),
        (Concern::JudgedError, 1, 4)
    );
    let pass = one.arms[0].pass;
    assert_eq!((pass.with, pass.without), (Some(0.5), Some(0.75)));
    assert_eq!(one.arms[0].runs[0].pairs, ["ferry_task/1/f1_f2"]);
    let rates = audit.arms[0].pass;
    let share = |rate: Option<Mean>| rate.map(|it| it.share);
    assert_eq!(share(rates.published), Some(0.5));
    assert_eq!(share(rates.judged), Some(0.75));
    assert_eq!(share(rates.undamaged), Some(0.75));
}

#[test]
fn a_pair_that_a_run_lacks_is_missing_and_bounds_the_rate() {
    let runs = vec![
        run("a_1", vec![judged(1, true), judged(2, true)]),
        run("a_2", vec![judged(1, true)]),
    ];
    let audit = looked_at(vec![arm("a", runs)]);
    assert_eq!(found(&audit), [(Concern::NoResult, 1)]);
    let pass = audit.found[0].arms[0].pass;
    assert_eq!(
        (pass.with, pass.worst, pass.best),
        (Some(1.0), Some(0.75), Some(1.0))
    );
    assert_eq!(audit.found[0].arms[0].runs[0].run, "a_2");
}

#[test]
fn errors_of_one_cause_are_an_incident_if_they_end_close_to_each_other() {
    let runs = vec![
        run("a_1", vec![error(1, 0, "lost"), error(2, 30, "lost")]),
        // 31 minutes later.
        run("a_2", vec![error(1, 61, "lost"), error(2, 62, "other")]),
    ];
    let audit = looked_at(vec![arm("a", runs)]);
    let [one] = audit.incidents.together.as_slice() else {
        panic!("{:?}", audit.incidents);
    };
    assert_eq!((one.trials, one.of, one.judged), (2, 2, 2));
    assert_eq!(one.to.to_minute(), "2026-01-01 10:30");
    let alone: Vec<_> = audit.incidents.alone.iter().collect();
    assert_eq!(alone, [(&"lost".to_owned(), &1), (&"other".to_owned(), &1)]);
}

/// Eight tasks, three repeats: so many of them pass each time.
fn three(name: &str, passes: u64) -> Vec<ArmRun> {
    let repeat = |n| {
        let made = (1..=8).map(|task| judged(task, task <= passes));
        run(&format!("{name}_{n}"), made.collect())
    };
    (1..=3).map(repeat).collect()
}

#[test]
fn a_contrast_turns_if_it_changes_its_sign_or_its_side_of_5_percent() {
    let mut broken = three("a", 8);
    let errors = (1..=8).map(|task| error(task, task, "lost"));
    broken[1] = run("a_2", errors.collect());
    let turned = looked_at(vec![arm("a", broken.clone()), arm("b", three("b", 8))]);
    let of = |audit: &Audit| -> Vec<(Reading, Turned)> {
        let turns = audit.contrasts.iter().flat_map(|it| &it.turns);
        turns.map(|turn| (turn.by, turn.what)).collect()
    };
    let both = [Turned::ThesePairs, Turned::TasksLikeThese];
    let wanted = Reading::STRICTER
        .map(|by| both.map(|what| (by, what)))
        .concat();
    assert_eq!(of(&turned), wanted);
    assert_eq!(turned.found[0].turns.len(), 1);
    assert_eq!(turned.incidents.causes[0].turns.len(), 1);
    // Six of eight pass: less than in the whole arm, and more than with the damage.
    let sign = looked_at(vec![arm("a", broken.clone()), arm("b", three("b", 6))]);
    assert!(of(&sign).contains(&(Reading::Undamaged, Turned::Sign)));
    // All of the arm is damaged.
    let nothing: Vec<ArmRun> = vec![broken[1].clone()];
    let gone = looked_at(vec![arm("a", nothing), arm("b", three("b", 6))]);
    assert!(of(&gone).contains(&(Reading::Undamaged, Turned::Gone)));
    let stands = looked_at(vec![arm("a", three("a", 8)), arm("b", three("b", 6))]);
    assert_eq!(of(&stands), []);
}

#[test]
fn what_differs_is_mixed_within_an_arm_or_between_arms() {
    let with = |name: &str, rules: &str, image: &str, model: &str| {
        let mut one = judged(1, true);
        one.row.rules = Some(rules.to_owned());
        one.row.judged_world = Some(format!("image (config) {image}"));
        one.row.model = Some(model.to_owned());
        run(name, vec![one])
    };
    let of = |arms: Vec<Arm>| -> Vec<(&'static str, bool)> {
        let audit = looked_at(arms);
        let mixed = audit.mixed.iter();
        mixed.map(|it| (it.what, it.is_within_an_arm)).collect()
    };
    let first = || with("a_1", "0.0.29", "aa", "m");
    let apart = |second: ArmRun| vec![arm("a", vec![first()]), arm("b", vec![second])];
    assert_eq!(of(apart(with("b", "0.0.29", "aa", "m"))), []);
    // Arms may differ in their models.
    assert_eq!(of(apart(with("b", "0.0.29", "aa", "n"))), []);
    assert_eq!(
        of(apart(with("b", "0.0.11", "bb", "m"))),
        [("rule sets", false), ("images of verdicts", false)]
    );
    let within = vec![arm("a", vec![first(), with("a_2", "0.0.11", "aa", "n")])];
    assert_eq!(of(within), [("rule sets", true), ("models", true)]);
}

#[test]
fn the_baseline_is_the_experiments_first_arm_or_the_first_by_name() {
    let begun = |name: &str, arm_name: &str, second: i64| {
        let mut one = made::of_arm(run(name, vec![judged(1, true)]), "x", arm_name, 1);
        one.beside.begun_at = Some(jiff::Timestamp::from_second(second).unwrap());
        arm(arm_name, vec![one])
    };
    let of = |arms| {
        let audit = looked_at(arms);
        (audit.baseline.unwrap(), audit.baseline_by)
    };
    let experiment = || vec![begun("x-a-r1", "a", 2), begun("x-b-r1", "b", 1)];
    assert_eq!(of(experiment()), ("b".to_owned(), BaselineBy::Experiment));
    let mut others = experiment();
    others.push(arm("Z", vec![run("z", vec![judged(1, true)])]));
    assert_eq!(of(others).1, BaselineBy::Name);
    let named = |names: [&str; 2]| names.map(|it| arm(it, vec![run(it, vec![judged(1, true)])]));
    assert_eq!(
        of(named(["a_10", "a_2"]).to_vec()),
        ("a_2".to_owned(), BaselineBy::Name)
    );
    let empty = looked_at(Vec::new());
    assert_eq!((empty.baseline, empty.arms.len()), (None, 0));
}

#[test]
fn a_page_is_as_wide_as_it_may_be() {
    let name = |n: u64| -> RunName { format!("an-arm-with-a-long-name-{n}_1").parse().unwrap() };
    let arms = (1..=3).map(|n| {
        let made = (1..=8).map(|task| match (n, task) {
            (1, 1..=4) => error(task, task, "lost"),
            _ => judged(task, task % 2 == 0),
        });
        arm(
            &format!("an-arm-with-a-long-name-{n}"),
            vec![run(name(n).as_str(), made.collect())],
        )
    });
    let audit = looked_at(arms.collect());
    for columns in [80, 100, 200] {
        let page = text(&audit, Some(columns));
        for line in page.lines() {
            let width = crate::text::fit::width(line);
            assert!(width <= columns, "{width} in {columns}: {line}");
        }
    }
}
