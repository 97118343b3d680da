use std::collections::BTreeMap;

use super::*;
use crate::bench::setting::RunSetting;
use crate::report::{Outcome, Row};
use crate::study::made::{of_arm, plain, row, run};

/// The arms with their runs, and the notes.
fn pooled(runs: Vec<ArmRun>, pooling: &Pooling) -> (Vec<String>, Vec<String>) {
    let Study { arms, notes, .. } = study(runs, pooling).unwrap();
    let arms = arms.iter().map(|arm| {
        let runs: Vec<&str> = arm.runs.iter().map(|run| run.name.as_str()).collect();
        format!("{}: {}", arm.name, runs.join(" "))
    });
    (arms.collect(), notes)
}

fn arms(names: &[&str], asked: &[&str]) -> Vec<String> {
    let runs = names.iter().map(|name| plain(name)).collect();
    pooled(runs, &asking(asked)).0
}

fn asking(words: &[&str]) -> Pooling {
    Pooling {
        asked: words.iter().map(|word| (*word).to_owned()).collect(),
        ..Pooling::default()
    }
}

fn refusal(runs: Vec<ArmRun>, pooling: &Pooling) -> String {
    let error = study(runs, pooling).unwrap_err();
    format!("{error}\n{}", error.hints().join("\n"))
}

#[test]
fn names_that_end_in_a_small_number_are_repeats_in_the_order_of_their_numbers() {
    let names = [
        "a_10", "a_2", "a_1", "b-r2", "b-r1", "c_100", "c_101", "d_1",
    ];
    assert_eq!(
        arms(&names, &[]),
        [
            "a: a_1 a_2 a_10",
            "b: b-r1 b-r2",
            "c_100: c_100",
            "c_101: c_101",
            "d_1: d_1"
        ]
    );
}

#[test]
fn a_bare_name_stays_apart_and_is_mentioned() {
    let runs = || ["a", "a_1", "a_2"].map(plain).to_vec();
    let (arms, notes) = pooled(runs(), &Pooling::default());
    assert_eq!(arms, ["a: a", "a_*: a_1 a_2"]);
    assert_eq!(notes, ["`a` is a run by itself; a_1, a_2 are `a_*`"]);
    assert_eq!(
        pooled(runs(), &asking(&["a_*", "a"])).0,
        ["a_*: a_1 a_2", "a: a"]
    );
    assert_eq!(pooled(runs(), &asking(&["a_?"])).0, ["a_*: a_1 a_2"]);
    // A run without a pair has no part in it.
    let (arms, notes) = pooled(
        vec![run("a", []), plain("a_1"), plain("a_2")],
        &Pooling::default(),
    );
    assert_eq!(arms, ["a: a_1 a_2"]);
    assert_eq!(notes, ["no pairs, left out: a"]);
}

#[test]
fn runs_of_another_model_agent_setting_or_of_other_pairs_are_no_repeats() {
    let other = |change: &dyn Fn(&mut Row)| {
        let mut run = plain("a_3");
        run.rows.iter_mut().for_each(change);
        run
    };
    for (other, what) in [
        (other(&|row| row.model = Some("other".to_owned())), "model"),
        (other(&|row| row.agent = Some("other".to_owned())), "agent"),
        (other(&|row| row.setting = Some("solo")), "setting"),
        (
            run("a_3", [row(1, 2, Some(true)), row(3, 2, Some(true))]),
            "pairs",
        ),
        (run("a_3", [row(1, 2, Some(true))]), "pairs"),
    ] {
        let (arms, notes) = pooled(vec![other, plain("a_1"), plain("a_2")], &Pooling::default());
        assert_eq!(arms, ["a: a_1 a_2", "a_3: a_3"], "{what}");
        let note = format!("a_3: no repeat of `a`, since {what} differ");
        assert_eq!(notes, [note]);
    }
    // Of two that differ none is the arm.
    let mut other = plain("gpt_5");
    for row in &mut other.rows {
        row.model = Some("other".to_owned());
    }
    let (arms, _) = pooled(vec![plain("gpt_4"), other], &Pooling::default());
    assert_eq!(arms, ["gpt_4: gpt_4", "gpt_5: gpt_5"]);
}

#[test]
fn an_unfinished_run_is_a_repeat_where_its_plan_has_as_many_pairs() {
    let unnamed = Row {
        pair: None,
        task: None,
        model: None,
        agent: None,
        outcome: Outcome::Missing,
        ..row(1, 2, None)
    };
    let unfinished = run("a_1", [row(1, 2, Some(true)), unnamed]);
    let (arms, notes) = pooled(vec![unfinished, plain("a_2")], &Pooling::default());
    assert_eq!((arms, notes.len()), (vec!["a: a_1 a_2".to_owned()], 0));
}

#[test]
fn two_agents_of_whom_nobody_knows_if_they_talked_may_be_either_but_not_both() {
    let of = |name: &str, setting| {
        let mut run = plain(name);
        for row in &mut run.rows {
            row.setting = Some(setting);
        }
        run
    };
    let unknown = RunSetting::Coop.name();
    let two = vec![of("a_1", unknown), of("a_2", "coop-comm")];
    assert_eq!(pooled(two, &Pooling::default()).0, ["a: a_1 a_2"]);
    let three = vec![
        of("a_1", unknown),
        of("a_2", "coop-comm"),
        of("a_3", "coop-nocomm"),
    ];
    let (arms, _) = pooled(three, &Pooling::default());
    assert_eq!(arms, ["a: a_1 a_2", "a_3: a_3"]);
}

#[test]
fn manifests_say_what_is_one_arm_and_the_experiment_has_an_order() {
    let runs = || {
        vec![
            of_arm(plain("x-talk-r1"), "x", "talk", 1),
            of_arm(plain("x-talk-r2"), "x", "talk", 2),
            of_arm(plain("x-quiet"), "x", "quiet", 1),
            plain("other"),
        ]
    };
    let pooling = Pooling {
        order: vec!["talk".to_owned(), "quiet".to_owned()],
        ..Pooling::default()
    };
    let (arms, notes) = pooled(runs(), &pooling);
    let wanted = [
        "talk: x-talk-r1 x-talk-r2",
        "quiet: x-quiet",
        "other: other",
    ];
    assert_eq!((arms, notes.len()), (wanted.map(str::to_owned).to_vec(), 0));
    for (word, wanted) in [
        ("x-talk", "talk: x-talk-r1 x-talk-r2"),
        ("talk", "talk: x-talk-r1 x-talk-r2"),
        ("x-talk-r2", "x-talk-r2: x-talk-r2"),
        ("*-r2", "talk: x-talk-r2"),
        ("q*", "quiet: x-quiet"),
    ] {
        assert_eq!(pooled(runs(), &asking(&[word])).0, [wanted], "{word}");
    }
}

#[test]
fn a_first_repeat_of_an_older_version_is_of_the_arm() {
    let newer = of_arm(plain("x-talk-r2"), "x", "talk", 2);
    let (arms, _) = pooled(vec![newer, plain("x-talk")], &Pooling::default());
    assert_eq!(arms, ["talk: x-talk x-talk-r2"]);
}

#[test]
fn arms_of_two_experiments_are_never_one() {
    let runs = || {
        vec![
            of_arm(plain("x-solo-r1"), "x", "solo", 1),
            of_arm(plain("x-solo-r2"), "x", "solo", 2),
            of_arm(plain("y-solo"), "y", "solo", 1),
        ]
    };
    let (arms, _) = pooled(runs(), &Pooling::default());
    assert_eq!(arms, ["x-solo: x-solo-r1 x-solo-r2", "y-solo: y-solo"]);
    let said = refusal(runs(), &asking(&["solo"]));
    assert_eq!(
        said,
        "`solo` is an arm of 2 experiments: x-solo, y-solo\nname it with its experiment"
    );
}

#[test]
fn a_group_is_an_arm_by_the_users_word() {
    let pooling = |group: &str, patterns: &[&str]| Pooling {
        groups: BTreeMap::from([(
            group.to_owned(),
            patterns.iter().map(|it| (*it).to_owned()).collect(),
        )]),
        ..Pooling::default()
    };
    let runs = || ["monday", "tuesday", "a_1", "a_2"].map(plain).to_vec();
    let (arms, _) = pooled(runs(), &pooling("base", &["*day", "a_1"]));
    assert_eq!(arms, ["a_2: a_2", "base: monday tuesday a_1"]);
    let said = refusal(runs(), &pooling("base", &["sun*", "m_?"]));
    assert_eq!(
        said,
        "[groups] base: no run fits `sun*` or `m_?`\nthere are: a_1, a_2, monday, tuesday"
    );
    let mut two = pooling("base", &["*day"]);
    two.groups.insert("more".to_owned(), vec!["m*".to_owned()]);
    let said = refusal(runs(), &two);
    assert!(said.starts_with("the run monday is in two [groups]: `base` and `more`"));
    let said = refusal(runs(), &pooling("monday", &["a_*"]));
    assert!(
        said.starts_with("two arms would be called `monday`: a_1, a_2 and monday"),
        "{said}"
    );
    // Who asks for something else is not told of it.
    let mut asked = pooling("base", &["sun*"]);
    asked.asked = vec!["monday".to_owned()];
    assert_eq!(pooled(runs(), &asked).0, ["monday: monday"]);
}

#[test]
fn words_are_taken_in_their_order_and_a_pattern_takes_what_is_left() {
    let names = ["a_1", "a_2", "a_3", "b_1", "b_2", "c"];
    assert_eq!(
        arms(&names, &["b", "*"]),
        ["b: b_1 b_2", "a: a_1 a_2 a_3", "c: c"]
    );
    let runs = || names.map(plain).to_vec();
    let (arms, notes) = pooled(runs(), &asking(&["a_2", "a_*"]));
    assert_eq!(arms, ["a_2: a_2", "a: a_1 a_3"]);
    assert_eq!(notes, ["`a`: 2 of its 3 runs"]);
    let said = refusal(runs(), &asking(&["a", "a_2"]));
    assert_eq!(
        said,
        "`a_2`: the run a_2 was named before\nwhat is compared has no runs in common"
    );
    for (word, wanted) in [
        (
            "b_3",
            "no run and no arm is called `b_3`\ndid you mean `b`?",
        ),
        (
            "z*",
            "no run and no arm fits `z*`\nthere are: a_1, a_2, a_3, b_1, b_2, c",
        ),
    ] {
        let said = refusal(runs(), &asking(&[word]));
        assert!(said.starts_with(wanted.lines().next().unwrap()), "{said}");
    }
    assert!(refusal(Vec::new(), &asking(&["a"])).ends_with("no run here has a pair"));
}

#[test]
fn each_run_can_be_an_arm() {
    let pooling = Pooling {
        each_alone: true,
        ..asking(&["a", "b_2"])
    };
    let runs = ["a_1", "a_2", "b_1", "b_2"].map(plain).to_vec();
    assert_eq!(
        pooled(runs, &pooling).0,
        ["a_1: a_1", "a_2: a_2", "b_2: b_2"]
    );
}

#[test]
fn verdicts_that_are_not_comparable_are_not_pooled_unless_that_is_asked_for() {
    let of = |change: &dyn Fn(&mut Row)| {
        let mut changed = plain("a_2");
        for row in &mut changed.rows {
            row.judged_files_sha256 = Some("aa".to_owned());
            row.judged_world = Some("image (config) bb".to_owned());
        }
        let first = ArmRun {
            name: "a_1".parse().unwrap(),
            ..changed.clone()
        };
        change(&mut changed.rows[0]);
        vec![first, changed]
    };
    let named = |text: &str| Some(text.to_owned());
    for (runs, what) in [
        (
            of(&|row| row.rules = named("0.0.11")),
            "rule sets (0.0.11, 0.0.29)",
        ),
        (
            of(&|row| row.judged_files_sha256 = named("cc")),
            "datasets (ferry_task/1)",
        ),
        (
            of(&|row| row.judged_world = named("image (config) cc")),
            "images (ferry_task/1)",
        ),
    ] {
        let said = refusal(runs.clone(), &Pooling::default());
        let wanted = format!(
            "not pooled, since the verdicts are not comparable: `a` has runs of different {what}"
        );
        assert!(said.starts_with(&wanted), "{said}");
        let pooling = Pooling {
            is_mixed: true,
            ..Pooling::default()
        };
        let (_, notes) = pooled(runs, &pooling);
        assert_eq!(notes, [format!("`a` has runs of different {what}")]);
    }
    // Digests of two kinds are not compared, and what is not known is no difference.
    for runs in [
        of(&|row| row.judged_world = named("image (manifest) cc")),
        of(&|row| row.judged_world = None),
        of(&|row| row.judged_files_sha256 = None),
    ] {
        assert_eq!(pooled(runs, &Pooling::default()).1.len(), 0);
    }
}
