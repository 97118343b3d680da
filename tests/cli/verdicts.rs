//! Verdicts that upstream's own evaluation left: whose they are, and what they say.

use std::fs::{File, FileTimes};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::Place;

const RUN: &str = "logs/sea-solo";

/// A finished trial of a solo run.
fn finished(place: &Place, pair: &str, more: Value) -> String {
    let dir = format!("{RUN}/solo/{pair}");
    let mut result = json!({"run_id": "0f1e2d3c", "agent_framework": "codex",
        "agent": {"status": "Submitted", "cost": 0.1, "steps": 2}});
    merge(&mut result, more);
    place.write(&format!("{dir}/result.json"), result.to_string());
    place.write(&format!("{dir}/solo.patch"), "diff --git a/x b/x\n");
    dir
}

/// Upstream's verdict on it.
fn judged(place: &Place, dir: &str, more: Value) {
    let mut eval = json!({"setting": "solo", "merge": null, "both_passed": true, "error": null,
        "feature1": {"passed": true}, "feature2": {"passed": true}});
    merge(&mut eval, more);
    place.write(&format!("{dir}/eval.json"), eval.to_string());
}

fn merge(into: &mut Value, more: Value) {
    let (Value::Object(into), Value::Object(more)) = (into, more) else {
        panic!("no objects");
    };
    into.extend(more);
}

/// Writes the times that a copy gives: the result's later than the verdict's.
fn make_result_the_newer_file(place: &Place, dir: &str) {
    let now = SystemTime::now();
    for (name, ago) in [("result.json", 10), ("eval.json", 20)] {
        let file = File::options()
            .append(true)
            .open(place.join(&format!("{dir}/{name}")))
            .unwrap();
        let times = FileTimes::new().set_modified(now - Duration::from_secs(ago));
        file.set_times(times).unwrap();
    }
}

fn dry_run(place: &Place) -> String {
    place
        .run(&["eval", "--dry-run", "--logs-dir", "logs"])
        .code(0)
        .stdout
}

fn report(place: &Place, format: &str) -> String {
    let args = ["report", "--logs-dir", "logs", "--format", format];
    place.run(&args).code(0).stdout
}

fn report_json(place: &Place) -> Value {
    serde_json::from_str(&report(place, "json")).unwrap()
}

const BEFORE: &str = "2026-05-04T09:00:00.25";
const AFTER: &str = "2026-05-04T09:00:30.25";

#[test]
fn a_copy_of_a_tree_has_the_verdicts_of_the_tree() {
    let place = Place::new();
    for pair in ["harbor_task/1/f1_f2", "harbor_task/1/f1_f3"] {
        let dir = finished(&place, pair, json!({"ended_at": BEFORE}));
        judged(&place, &dir, json!({"evaluated_at": AFTER}));
        make_result_the_newer_file(&place, &dir);
    }
    assert_eq!(
        dry_run(&place),
        "sea-solo: 0 to judge, 2 judged, 0 not finished\n"
    );
    let report = report_json(&place);
    assert_eq!(report["runs"][0]["outcomes"], json!({"pass": 2}));
    assert_eq!(report["runs"][0]["verdict_time_unclear"], json!([]));
}

#[test]
fn a_verdict_of_another_zone_stands_and_is_named() {
    let place = Place::new();
    let dir = finished(&place, "harbor_task/1/f1_f2", json!({"ended_at": AFTER}));
    judged(&place, &dir, json!({"evaluated_at": "2026-05-03T12:00:00"}));
    make_result_the_newer_file(&place, &dir);
    assert!(dry_run(&place).starts_with("sea-solo: 0 to judge, 1 judged"));
    let json = report_json(&place);
    assert_eq!(json["runs"][0]["outcomes"], json!({"pass": 1}));
    assert_eq!(
        json["runs"][0]["verdict_time_unclear"],
        json!(["harbor_task/1/f1_f2"])
    );
    for format in ["text", "markdown"] {
        let told = report(&place, format);
        let line = told
            .lines()
            .find(|line| line.contains("verdict time unclear"));
        assert!(line.unwrap().contains("harbor_task/1/f1_f2"), "{told}");
    }
}

/// A rerun of upstream's own, days later: what `eval` judges again, a report does not count.
#[test]
fn a_verdict_that_is_days_older_than_its_result_is_none() {
    let place = Place::new();
    let dir = finished(&place, "harbor_task/1/f1_f2", json!({"ended_at": AFTER}));
    judged(&place, &dir, json!({"evaluated_at": "2026-05-02T09:00:00"}));
    assert!(dry_run(&place).starts_with("sea-solo: 1 to judge, 0 judged"));
    let json = report_json(&place);
    assert_eq!(json["runs"][0]["outcomes"], json!({"unjudged": 1}));
}

#[test]
fn ids_and_the_ledger_decide_before_any_time() {
    let place = Place::new();
    let of_trial = |trial: &str| json!({"evaluated_at": "2026-05-02T09:00:00", "regatta": {"rules": "0.0.29", "trial": trial}});
    let own = finished(&place, "harbor_task/1/f1_f2", json!({"ended_at": AFTER}));
    judged(&place, &own, of_trial("0f1e2d3c"));
    let other = finished(&place, "harbor_task/1/f1_f3", json!({"ended_at": BEFORE}));
    judged(&place, &other, of_trial("c3d2e1f0"));
    // We ran this one, and set aside first whatever verdict there was.
    let ours = finished(&place, "harbor_task/1/f2_f3", json!({"ended_at": AFTER}));
    judged(
        &place,
        &ours,
        json!({"evaluated_at": "2026-05-02T09:00:00"}),
    );
    // This one was there before us.
    let found = finished(&place, "harbor_task/2/f1_f2", json!({"ended_at": AFTER}));
    judged(&place, &found, json!({"evaluated_at": BEFORE}));
    let line = |task: u64, features: [u64; 2], attempt: Option<u32>| {
        json!({"trial": "0f1e2d3c", "setting": "solo", "repo": "harbor_task", "task_id": task,
            "features": features, "attempt": attempt, "status": "Submitted", "agents": [],
            "diagnosis": null, "cost": 0.1, "usage": null, "started_at": null,
            "duration_seconds": 1.0, "recorded_at": "2026-05-04T07:00:31Z"})
        .to_string()
    };
    let ledger = [line(1, [2, 3], Some(1)), line(2, [1, 2], None)].join("\n") + "\n";
    place.write(&format!("{RUN}/regatta/ledger.jsonl"), ledger);
    let planned = dry_run(&place);
    assert!(
        planned.starts_with("sea-solo: 1 to judge, 3 judged"),
        "{planned}"
    );
    assert!(planned.contains("harbor_task/1/f1_f3"), "{planned}");
    let json = report_json(&place);
    assert_eq!(
        json["runs"][0]["verdict_time_unclear"],
        json!(["harbor_task/2/f1_f2"])
    );
}

/// The times of files are asked where neither a time nor an id is there. With one time a copy of a
/// tree has its verdict, and it is said that nothing confirms it.
#[test]
fn files_times_decide_where_nothing_else_does() {
    let place = Place::new();
    for (pair, ended, evaluated, is_judged) in [
        ("harbor_task/1/f1_f2", Value::Null, Value::Null, false),
        ("harbor_task/1/f1_f3", json!(BEFORE), Value::Null, true),
        ("harbor_task/1/f2_f3", Value::Null, json!(AFTER), true),
        ("harbor_task/2/f1_f2", json!(BEFORE), json!(AFTER), true),
        ("harbor_task/2/f1_f3", json!("soon"), json!(AFTER), true),
        ("harbor_task/2/f2_f3", json!("soon"), json!(7), false),
    ] {
        let dir = finished(&place, pair, json!({"ended_at": ended}));
        judged(&place, &dir, json!({"evaluated_at": evaluated}));
        make_result_the_newer_file(&place, &dir);
        assert_eq!(!dry_run(&place).contains(pair), is_judged, "{pair}");
    }
    let planned = dry_run(&place);
    assert!(
        planned.starts_with("sea-solo: 2 to judge, 4 judged"),
        "{planned}"
    );
    let json = report_json(&place);
    assert_eq!(
        json["runs"][0]["verdict_time_unclear"],
        json!([
            "harbor_task/1/f1_f3",
            "harbor_task/1/f2_f3",
            "harbor_task/2/f1_f3"
        ])
    );
}

/// As numbers of seconds or milliseconds, and as C prints them.
#[test]
fn times_in_other_forms_are_times() {
    let place = Place::new();
    let seconds = 1_777_885_200.25; // 2026-05-04T09:00:00.25Z
    for (pair, ended, evaluated, is_judged) in [
        (
            "harbor_task/1/f1_f2",
            json!(seconds),
            json!(seconds + 0.5),
            true,
        ),
        (
            "harbor_task/1/f1_f3",
            json!(seconds),
            json!(seconds - 0.5),
            false,
        ),
        (
            "harbor_task/1/f2_f3",
            json!(1_777_885_200_250_u64),
            json!(1_777_885_200_251_u64),
            true,
        ),
        (
            "harbor_task/2/f1_f2",
            json!("Mon May  4 09:00:00 2026"),
            json!("Mon May  4 09:20:00 2026"),
            true,
        ),
        (
            "harbor_task/2/f1_f3",
            json!("Mon May  4 09:00:00 2026"),
            json!("Fri May  1 09:20:00 2026"),
            false,
        ),
    ] {
        let dir = finished(&place, pair, json!({"ended_at": ended}));
        judged(&place, &dir, json!({"evaluated_at": evaluated}));
        make_result_the_newer_file(&place, &dir);
        assert_eq!(!dry_run(&place).contains(pair), is_judged, "{pair}");
    }
    let json = report_json(&place);
    assert_eq!(json["runs"][0]["verdict_time_unclear"], json!([]));
}

/// An evaluation that left no file, on a machine of another zone.
#[test]
fn a_summary_of_another_zone_still_says_why_there_is_no_verdict() {
    let place = Place::new();
    finished(&place, "harbor_task/1/f1_f2", json!({"ended_at": AFTER}));
    for (at, outcome) in [
        (json!("2026-05-04T07:10:00"), "eval_error"),
        (json!("2026-05-02T07:10:00"), "unjudged"),
        (json!(1_777_900_000), "eval_error"),
        (json!(1_777_000_000), "unjudged"),
        (Value::Null, "eval_error"),
    ] {
        let error =
            "UnixHTTPConnectionPool(host='localhost', port=None): Read timed out. (read timeout=9)";
        let entry = json!({"run": "harbor_task/1/1,2", "status": "error", "error": error});
        let summary = json!({"evaluated_at": at, "results": [entry]});
        place.write(&format!("{RUN}/eval_summary.json"), summary.to_string());
        let line = &report_json(&place)["runs"][0]["lines"][0];
        assert_eq!(line["outcome"], outcome, "{at}: {line}");
    }
}

fn why(place: &Place) -> Value {
    report_json(place)["runs"][0]["lines"][0]["why"].clone()
}

#[test]
fn a_pair_that_failed_by_upstreams_evaluation_has_its_reason() {
    let suite = |code: Value, passed: u64, failed: u64, output: &str| {
        json!({"passed": failed == 0 && passed > 0, "exit_code": code, "tests_passed": passed,
            "tests_failed": failed, "test_output": output})
    };
    let applied = json!({"agent1": "applied", "agent2": "applied"});
    for (what, eval, wanted) in [
        (
            "a conflict",
            json!({"apply_status": applied, "merge": {"status": "conflicts", "strategy": "naive"},
                "feature1": suite(Value::Null, 0, 0, ""), "feature2": suite(Value::Null, 0, 0, "")}),
            "the patches conflict; no merged work was tested",
        ),
        (
            "a conflict whose union was tested",
            json!({"apply_status": applied, "merge": {"status": "conflicts", "strategy": "union"},
                "feature1": suite(json!(1), 6, 2, ""), "feature2": suite(json!(0), 3, 0, "")}),
            "the patches conflict; feature 3: 2 of 8 tests failed",
        ),
        (
            "no patch",
            json!({"apply_status": {"agent1": "skipped", "agent2": "failed"}, "merge": {"status": "missing_input"},
                "feature1": suite(Value::Null, 0, 0, ""), "feature2": suite(Value::Null, 0, 0, "")}),
            "the patch of agent1 is empty; the patch of agent2 does not apply; no merged work was tested",
        ),
        (
            "names that the framework prints",
            json!({"feature1": suite(json!(0), 4, 0, "4 passed"),
                "feature2": suite(json!(1), 4, 1, "FAILED tests/test_buoy.py::test_light - assert 1 == 2\n1 failed, 4 passed in 0.1s")}),
            "feature 5: 1 of 5 tests failed (tests/test_buoy.py::test_light)",
        ),
        (
            "no counts, as upstream writes of one agent",
            json!({"feature1": {"passed": true, "test_output": "9 passed"},
                "feature2": {"passed": false, "test_output": "HEAD is now at 1\n3 failed, 5 passed in 2s"}}),
            "feature 5: 3 of 8 tests failed",
        ),
        (
            "no tests",
            json!({"feature1": suite(json!(2), 0, 0, "make: *** No rule to make target 'test'"),
                "feature2": suite(json!(2), 0, 0, "make: *** No rule to make target 'test'")}),
            "both features: no test is known to have run (exit code 2): make: *** No rule to make target 'test'",
        ),
        (
            "a suite without an end",
            json!({"feature1": suite(json!(-1), 0, 0, "Command timed out after 600 seconds"),
                "feature2": {"passed": false, "output": "Command timed out after 600 seconds"}}),
            "both features: the suite did not end in time",
        ),
        (
            "numbers that are none",
            json!({"feature1": {"passed": false, "exit_code": "1", "tests_failed": -3, "tests_passed": [], "test_output": 5},
                "feature2": null, "apply_status": [], "merge": {"status": "clean", "strategy": 5}}),
            "no merged work was tested",
        ),
    ] {
        let place = Place::new();
        let dir = finished(&place, "harbor_task/1/f3_f5", json!({}));
        let mut eval = eval;
        merge(&mut eval, json!({"both_passed": false}));
        judged(&place, &dir, eval);
        assert_eq!(why(&place), wanted, "{what}");
    }
    // A file that says no more says no reason.
    let place = Place::new();
    let dir = finished(&place, "harbor_task/1/f3_f5", json!({}));
    place.write(&format!("{dir}/eval.json"), r#"{"both_passed": false}"#);
    assert_eq!(why(&place), Value::Null);
}
