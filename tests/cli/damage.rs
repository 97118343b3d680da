//! Judged results that are not what they look like, and what the time limit ended.

use serde_json::{Value, json};

use crate::support::Place;

const RUN: &str = "cb/logs/x-coop-comm";

fn agent(feature: u64, status: &str) -> Value {
    json!({"feature_id": feature, "status": status, "cost": 0.5, "steps": 3, "error": null})
}

/// A judged coop pair of another agent framework.
fn pair(place: &Place, name: &str, agents: [Value; 2], eval: &Value) -> String {
    let dir = format!("{RUN}/coop/{name}");
    let [one, other] = agents;
    let result = json!({"run_id": name, "agent_framework": "claude_code", "model": "m",
        "started_at": "2026-01-01T10:00:00", "ended_at": "2026-01-01T10:05:00",
        "agents": {"agent1": one, "agent2": other}});
    place.write(&format!("{dir}/result.json"), result.to_string());
    place.write(&format!("{dir}/eval.json"), eval.to_string());
    for feature in [1, 2] {
        place.write(
            &format!("{dir}/agent{feature}.patch"),
            "diff --git a/x b/x\n",
        );
    }
    dir
}

fn verdict(first: &Value, second: &Value, passes: bool) -> Value {
    json!({"both_passed": passes, "error": null, "evaluated_at": "2026-01-01T11:00:00",
        "merge": {"status": "clean"}, "feature1": first, "feature2": second})
}

fn suite(passed: bool) -> Value {
    let code = i32::from(!passed);
    json!({"passed": passed, "exit_code": code, "tests_passed": 4, "tests_failed": code, "test_output": "4 passed"})
}

fn tree() -> Place {
    let place = Place::new();
    let done = || [agent(1, "Submitted"), agent(2, "Submitted")];
    pair(
        &place,
        "harbor_task/1/f1_f2",
        done(),
        &verdict(&suite(true), &suite(true), true),
    );
    // One agent did nothing, and the other's work passes or not.
    for (name, passes) in [
        ("harbor_task/1/f1_f3", true),
        ("harbor_task/1/f2_f3", false),
    ] {
        let dir = pair(
            &place,
            name,
            done(),
            &verdict(&suite(true), &suite(passes), passes),
        );
        let feature = if passes { 1 } else { 2 };
        place.write(&format!("{dir}/agent{feature}.patch"), "\n");
    }
    // Upstream's two ways to say that a suite did not end; and a program that says it of itself.
    let time_is_up = |code: Value| {
        json!({"passed": false, "exit_code": code, "tests_passed": 0, "tests_failed": 0,
        "test_output": "Command timed out after 600 seconds"})
    };
    pair(
        &place,
        "harbor_task/2/f1_f2",
        done(),
        &verdict(&suite(true), &time_is_up((-1).into()), false),
    );
    pair(
        &place,
        "harbor_task/2/f1_f3",
        done(),
        &verdict(&time_is_up(Value::Null), &suite(true), false),
    );
    pair(
        &place,
        "harbor_task/2/f2_f3",
        done(),
        &verdict(&suite(true), &time_is_up(1.into()), false),
    );
    // A login that ended in an agent that had submitted, and in one whose pair passed.
    let dir = pair(
        &place,
        "lighthouse_task/7/f1_f2",
        done(),
        &verdict(&suite(true), &suite(true), true),
    );
    let refused = r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":401,"result":"Please run /login"}"#;
    place.write(
        &format!("{dir}/agent2_stream.jsonl"),
        format!("{refused}\n"),
    );
    let ended = [agent(1, "Submitted"), agent(2, "Error")];
    let dir = pair(
        &place,
        "lighthouse_task/7/f1_f3",
        ended,
        &verdict(&suite(true), &suite(true), true),
    );
    place.write(
        &format!("{dir}/agent2_stream.jsonl"),
        format!("{refused}\n"),
    );
    // Its program gave up, and no field has a status.
    let dir = pair(
        &place,
        "lighthouse_task/8/f1_f2",
        done(),
        &verdict(&suite(true), &suite(true), true),
    );
    let busy = r#"{"type":"result","subtype":"success","is_error":true,"result":"API Error: Repeated 529 Overloaded errors"}"#;
    place.write(&format!("{dir}/agent1_stream.jsonl"), format!("{busy}\n"));
    // An agent may say what it likes, as long as its program does not.
    let dir = pair(
        &place,
        "lighthouse_task/7/f2_f3",
        done(),
        &verdict(&suite(true), &suite(true), true),
    );
    let said = r#"{"type":"result","subtype":"success","is_error":false,"api_error_status":null,"result":"API Error: 401 {\"type\":\"result\",\"is_error\":true}"}"#;
    place.write(
        &format!("{dir}/agent1_stream.jsonl"),
        format!("{refused}\n{said}\n"),
    );
    let own = r#"{"type":"result","subtype":"success","is_error":true,"result":"I leave the 529 of the mock"}"#;
    place.write(&format!("{dir}/agent2_stream.jsonl"), format!("{own}\n"));
    place
}

fn report(place: &Place, args: &[&str]) -> String {
    let args = [&["report", "--cooperbench-dir", "cb"], args].concat();
    place.run(&args).code(0).stdout
}

#[test]
fn damaged_results_are_named_counted_and_said_to_be_in_rates() {
    let place = tree();
    let json: Value = serde_json::from_str(&report(&place, &["--format", "json"])).unwrap();
    let damaged = |name: &str| {
        let all = json["runs"][0]["damaged"].as_array().unwrap();
        let found = all.iter().find(|it| it["damage"] == name);
        found
            .unwrap_or_else(|| panic!("no {name} in {all:#?}"))
            .clone()
    };
    let empty = damaged("empty_submission");
    assert_eq!(empty["outcomes"], json!({"pass": 1, "fail": 1}));
    assert_eq!(empty["rates"], json!(["strict", "judged", "features"]));
    assert_eq!(
        empty["pairs"],
        json!(["harbor_task/1/f1_f3", "harbor_task/1/f2_f3"])
    );
    let late = damaged("suite_timeout");
    assert_eq!(late["outcomes"], json!({"fail": 2}));
    assert_eq!(
        late["pairs"],
        json!(["harbor_task/2/f1_f2", "harbor_task/2/f1_f3"])
    );
    let ended = damaged("ended_by_error");
    assert_eq!(ended["outcomes"], json!({"pass": 2, "config_error": 1}));
    assert_eq!(ended["first"], "agent2: Please run /login");
    // Upstream's verdicts stand.
    let outcomes = &json["runs"][0]["outcomes"];
    assert_eq!(*outcomes, json!({"pass": 5, "fail": 4, "config_error": 1}));
    let lines = json["runs"][0]["lines"].as_array().unwrap();
    let harmed = lines.iter().filter(|line| line.get("damage").is_some());
    assert_eq!(harmed.clone().count(), 7);
    let named = |why: &str| harmed.clone().any(|line| line.to_string().contains(why));
    assert!(named("agent1: API Error: Repeated 529"), "{lines:#?}");
    // What triage found, where the result has no words.
    assert!(!named("no error recorded"), "{lines:#?}");

    let text = report(&place, &[]);
    for told in [
        "empty_submission · 2 pairs: an agent submitted an empty patch (1 pass, 1 fail); in the rates strict, judged, features",
        "suite_timeout · 2 pairs: a suite did not end in time, and counts as failed (2 fail)",
        "ended_by_error · 3 pairs",
        "(the first: agent2: Please run /login)",
    ] {
        assert!(text.contains(told), "{told}\n{text}");
    }
    let markdown = report(&place, &["--format", "markdown"]);
    let row = "| x-coop-comm | empty_submission | 2 | 1 pass, 1 fail | strict, judged, features |";
    assert!(markdown.contains(row), "{markdown}");
}

#[test]
fn a_tree_without_damage_and_time_limits_says_nothing_of_them() {
    let place = Place::new();
    let done = [agent(1, "Submitted"), agent(2, "Submitted")];
    pair(
        &place,
        "harbor_task/1/f1_f2",
        done,
        &verdict(&suite(true), &suite(true), true),
    );
    for format in ["text", "markdown"] {
        let text = report(&place, &["--format", format]);
        assert!(
            !text.contains("damage") && !text.contains("empty_submission"),
            "{text}"
        );
        assert!(!text.contains("time limit"), "{text}");
    }
}

#[test]
fn what_the_time_limit_ended_is_told_arm_by_arm() {
    let place = tree();
    let solo = |n: u64, status: &str| {
        let result = json!({"run_id": n.to_string(), "agent_framework": "regatta", "model": "m",
            "agent": {"status": status, "cost": 0.5, "steps": 3, "error": null}});
        let path = format!("cb/logs/x-solo/solo/harbor_task/{n}/f1_f2/result.json");
        place.write(&path, result.to_string());
    };
    solo(1, "TimeLimitExceeded");
    solo(2, "Submitted");
    let error = "regatta/task_timeout: ended after 601 s, over the task timeout of 600 s";
    let timed_out = json!({"run_id": "3", "model": "m",
        "agent": {"status": "Error", "cost": 0.5, "steps": 3, "error": error}});
    place.write(
        "cb/logs/x-solo/solo/harbor_task/3/f1_f2/result.json",
        timed_out.to_string(),
    );
    let told = "trials that the time limit ended: x-solo 2 of 3 (66.7%), x-coop-comm 0 of 10 (0.0%). This may bias the comparison of the arms";
    for format in ["text", "markdown"] {
        let text = report(&place, &["--format", format]);
        assert!(text.contains(told), "{text}");
    }
    let json: Value = serde_json::from_str(&report(&place, &["--format", "json"])).unwrap();
    let mut runs = json["runs"].as_array().unwrap().iter();
    let solo = runs.find(|run| run["run"] == "x-solo").unwrap();
    assert_eq!(solo["time_limit"], json!({"trials": 2, "of": 3}));
}
