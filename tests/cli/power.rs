//! `regatta power`: how many more, from runs that upstream wrote and from assumptions.

use regatta::statistics::Random;
use serde_json::{Value, json};

use crate::schema::assert_valid;
use crate::support::{Place, Ran};

/// Runs of upstream's in `cb/logs`: of each arm so many repeats of two pairs of eight tasks. Whether a
/// trial passes is told by arm, repeat, task and pair.
fn study(repeats: u64, passes: impl Fn(&str, u64, u64, u64) -> Option<bool>) -> Place {
    let place = Place::new();
    for arm in ["quiet", "talk"] {
        for repeat in 1..=repeats {
            for task in 1..=8 {
                for feature in [2, 3] {
                    let run = format!("{arm}_{repeat}");
                    let dir = format!("cb/logs/{run}/coop/harbor_task/{task}/f1_f{feature}");
                    let agent = json!({"feature_id": 1, "status": "Submitted", "cost": 0.5, "steps": 7, "error": null});
                    let result = json!({"run_id": "a", "run_name": run, "model": "openai/m", "duration_seconds": 60.0,
                        "started_at": "2026-01-01T10:00:00.000001", "ended_at": "2026-01-01T10:01:00.000001",
                        "agents": {"agent1": agent, "agent2": agent}, "total_cost": 1.0, "messages_sent": 2});
                    place.write(&format!("{dir}/result.json"), result.to_string());
                    if let Some(passed) = passes(arm, repeat, task, feature) {
                        let verdict = json!({"both_passed": passed, "error": null, "evaluated_at": "2026-01-01T11:00:00"});
                        place.write(&format!("{dir}/eval.json"), verdict.to_string());
                    }
                }
            }
        }
    }
    place
}

/// By a chance that is another one from task to task and from pair to pair, and higher for `talk`.
fn by_chance(arm: &str, repeat: u64, task: u64, feature: u64) -> bool {
    let more = if arm == "talk" { 0.2 } else { 0.0 };
    let of = |seed: u64| Random::new(seed).unit();
    let of_pair = 0.7 * of(task) + 0.3 * of(100 + 10 * task + feature);
    let trial = of(1000 * repeat + 100 * task + 10 * feature + arm.len() as u64);
    trial < 0.8 * of_pair + more
}

#[expect(clippy::unnecessary_wraps, reason = "others judge some trials only")]
fn always(arm: &str, repeat: u64, task: u64, feature: u64) -> Option<bool> {
    Some(by_chance(arm, repeat, task, feature))
}

fn power(place: &Place, args: &[&str]) -> Ran {
    place.run(&[&["power", "--cooperbench-dir", "cb"], args].concat())
}

fn json_of(place: &Place, args: &[&str]) -> Value {
    let ran = power(place, &[args, &["--format", "json"]].concat()).code(0);
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_valid("power.json", &json);
    json
}

#[test]
fn it_reads_well_and_ends_in_what_more_costs() {
    let place = study(3, always);
    let said = power(&place, &["quiet", "talk"]).code(0).stdout;
    insta::assert_snapshot!(said);
    let markdown = power(&place, &["quiet", "talk", "--format", "markdown"]);
    insta::assert_snapshot!(markdown.code(0).stdout);
    let one_arm = power(&place, &["talk"]).code(0).stdout;
    assert!(one_arm.contains("from 3 to 9 repeats: "), "{one_arm}");
    assert!(!one_arm.contains("chance of"), "{one_arm}");
}

#[test]
fn what_more_costs_is_what_trials_have_cost_in_all_arms() {
    let place = study(3, always);
    let json = json_of(&place, &["quiet", "talk", "--repeats", "5"]);
    let contrast = &json["contrasts"][0];
    assert_eq!(
        (&contrast["first"], &contrast["second"]),
        (&json!("talk"), &json!("quiet"))
    );
    assert_eq!(contrast["cost_of_one"], 2.0);
    // 16 pairs, ten repeats more, two arms; and 16 more pairs five times.
    let [repeats, tasks] = [0, 1].map(|n| &contrast["steps"][n]);
    assert_eq!(
        (&repeats["trials"], &repeats["cost_usd"]),
        (&json!(320), &json!(320.0))
    );
    assert_eq!(
        (&tasks["more_tasks"], &tasks["cost_usd"]),
        (&json!(8), &json!(160.0))
    );
    for step in [repeats, tasks] {
        assert!(step["less"].as_f64().unwrap() > 0.0, "{step}");
    }
    let dearer = json_of(
        &place,
        &["quiet", "talk", "--repeats", "5", "--cost-per-trial", "3"],
    );
    assert_eq!(dearer["contrasts"][0]["steps"][0]["cost_usd"], 960.0);
    let designs = contrast["designs"].as_array().unwrap();
    let of = |design: &Value| {
        (
            design["repeats"].as_u64().unwrap(),
            design["tasks"].as_u64().unwrap(),
        )
    };
    let shown: Vec<_> = designs.iter().map(of).collect();
    assert_eq!(
        shown,
        [(1, 8), (3, 8), (5, 8), (10, 8), (15, 8), (5, 16), (5, 32)]
    );
    let widths: Vec<f64> = designs
        .iter()
        .map(|it| it["half_width"].as_f64().unwrap())
        .collect();
    assert!(widths[..5].windows(2).all(|it| it[0] > it[1]), "{widths:?}");
    assert!(widths[2] > widths[5] && widths[5] > widths[6], "{widths:?}");
}

#[test]
fn one_repeat_says_nothing_of_more() {
    let place = study(1, always);
    let json = json_of(&place, &["quiet_1", "talk_1"]);
    let contrast = &json["contrasts"][0];
    assert_eq!(contrast["between"]["repeats"], Value::Null);
    let designs = contrast["designs"].as_array().unwrap();
    assert!(designs.iter().all(|it| it["repeats"] == 1), "{designs:?}");
    assert_eq!(contrast["steps"].as_array().unwrap().len(), 1);
    let said = power(&place, &["quiet_1", "talk_1"]).code(0).stdout;
    assert!(
        said.contains("A second repeat of the same pairs tells"),
        "{said}"
    );
}

#[test]
fn one_task_says_nothing_of_others_and_few_find_nothing() {
    let of_task = |last: u64| {
        move |arm: &str, repeat: u64, task: u64, feature: u64| {
            Some(by_chance(arm, repeat, task, feature)).filter(|_| task <= last)
        }
    };
    let one = study(3, of_task(1));
    let json = json_of(&one, &["quiet", "talk"]);
    let contrast = &json["contrasts"][0];
    assert_eq!(
        (&contrast["tasks"], &contrast["between"]),
        (&json!(1), &Value::Null)
    );
    let said = power(&one, &["quiet", "talk"]).code(0).stdout;
    assert!(
        said.contains("one task only: nothing can be said of tasks like it"),
        "{said}"
    );
    let five = study(3, of_task(5));
    let json = json_of(&five, &["quiet", "talk"]);
    assert_eq!(json["contrasts"][0]["designs"][0]["chance"], 0.0);
    let said = power(&five, &["quiet", "talk"]).code(0).stdout;
    assert!(
        said.contains("with 5 tasks no p-value over tasks can reach 5%"),
        "{said}"
    );
}

#[test]
fn what_is_not_judged_is_left_out_or_refused() {
    let nothing = study(2, |_, _, _, _| None);
    power(&nothing, &["quiet", "talk"])
        .code(2)
        .says("no pair of quiet, talk is judged")
        .says("` judges them");
    let half = study(2, |arm, repeat, task, feature| {
        Some(by_chance(arm, repeat, task, feature)).filter(|_| arm == "talk")
    });
    let said = power(&half, &["quiet", "talk"]).code(0).stdout;
    assert!(
        said.contains("quiet is left out: none of its pairs is judged"),
        "{said}"
    );
    let apart = study(2, |arm, repeat, task, feature| {
        Some(by_chance(arm, repeat, task, feature)).filter(|_| (arm == "talk") == (task > 4))
    });
    let said = power(&apart, &["quiet", "talk"]).code(0).stdout;
    assert!(
        said.contains("talk less quiet: no pair was judged in both"),
        "{said}"
    );
}

#[test]
fn without_a_known_cost_trials_are_counted() {
    let place = study(2, always);
    for run in ["quiet_1", "quiet_2", "talk_1", "talk_2"] {
        for task in 1..=8 {
            for feature in [2, 3] {
                let file =
                    format!("cb/logs/{run}/coop/harbor_task/{task}/f1_f{feature}/result.json");
                let mut result = place.json(&file);
                for agent in ["agent1", "agent2"] {
                    result["agents"][agent]["cost"] = Value::Null;
                }
                result["total_cost"] = Value::Null;
                place.write(&file, result.to_string());
            }
        }
    }
    let said = power(&place, &["quiet", "talk"]).code(0).stdout;
    assert!(
        said.contains("for about 128 trials; 8 tasks more"),
        "{said}"
    );
    assert!(
        said.contains("--cost-per-trial says what one costs"),
        "{said}"
    );
}

#[test]
fn before_the_first_run_it_takes_assumptions() {
    let place = Place::new();
    let line = "power --rate 30 --tasks 30 --pairs 100 --repeats 3 --icc 0.2 --cost-per-trial 1.2";
    let args: Vec<&str> = line.split(' ').collect();
    insta::assert_snapshot!(place.run(&args).code(0).stdout);
    let json = place
        .run(&[args.as_slice(), &["--format", "json"]].concat())
        .code(0)
        .stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_valid("power.json", &json);
    // Above 95% there is no room: the other arm is below.
    let below = ["power", "--rate", "95", "--tasks", "9", "--pairs", "9"];
    let below = place.run(&below).code(0).stdout;
    assert!(below.contains("85% less 95%: -10.0"), "{below}");
}

#[test]
fn a_report_goes_to_a_file() {
    let place = study(2, always);
    power(&place, &["quiet", "talk", "-o", "power.txt"])
        .code(0)
        .says("wrote power.txt");
    assert!(place.read("power.txt").contains("talk less quiet"));
}

#[test]
fn numbers_that_make_no_sense_are_refused_with_what_would() {
    let place = Place::new();
    let assumed = "--rate 30 --tasks 30 --pairs 100";
    for (line, said) in [
        ("--effect 0", "above 0 and up to 100"),
        ("--effect 100.5", "above 0 and up to 100"),
        ("--effect NaN", "above 0 and up to 100"),
        ("--repeats 0", "1..=1000"),
        ("--cost-per-trial=-1", "an amount of USD"),
        (
            "--rate 130 --tasks 3 --pairs 3",
            "a percentage from 0 to 100",
        ),
        ("--rate 30", "--tasks <N>"),
        ("--tasks 30", "--rate <PERCENT>"),
        ("talk --rate 30 --tasks 3 --pairs 3", "cannot be used with"),
        (
            "--rate 30 --tasks 30 --pairs 9",
            "--pairs 9 is less than --tasks 30",
        ),
        (
            "--rate 50 --tasks 9 --pairs 9 --effect 60",
            "no effect of 60.0 points leads to another rate",
        ),
    ] {
        let line = format!("power {line}");
        let args: Vec<&str> = line.split(' ').collect();
        place.run(&args).code(2).says(said);
    }
    for (more, said) in [
        ("--icc 2", "a share from 0 to 1"),
        ("--icc 0.8 --pair-icc 0.5", "more than all of the variance"),
    ] {
        let line = format!("power {assumed} {more}");
        let args: Vec<&str> = line.split(' ').collect();
        place.run(&args).code(2).says(said);
    }
}
