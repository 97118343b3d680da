//! `regatta report` on a tree that upstream alone wrote.

use crate::support::Place;

/// A tree with one of each: judged, not judged, errors, unknown prices, an unnamed missing pair.
fn tree() -> Place {
    let place = Place::new();
    let solo = "cb/logs/x-solo";
    place.write(
        &format!("{solo}/config.json"),
        r#"{"run_name": "x-solo", "total_tasks": 6}"#,
    );
    let result = |id: &str, status: &str, cost: f64, error: &str| {
        serde_json::json!({"run_id": id, "run_name": "x-solo", "agent_framework": "mini_swe_agent", "model": "openai/m",
            "started_at": "2026-01-01T10:00:00.000001", "ended_at": "2026-01-01T10:01:00.000001", "duration_seconds": 60.0,
            "agent": {"status": status, "cost": cost, "steps": 7, "error": if error.is_empty() { serde_json::Value::Null } else { error.into() }},
            "total_cost": cost, "total_steps": 7})
        .to_string()
    };
    let pair = |name: &str| format!("{solo}/solo/harbor_task/{name}");
    place.write(
        &format!("{}/result.json", pair("1/f1_f2")),
        result("a", "Submitted", 0.5, ""),
    );
    place.write(
        &format!("{}/eval.json", pair("1/f1_f2")),
        r#"{"both_passed": true, "error": null}"#,
    );
    place.write(
        &format!("{}/result.json", pair("1/f1_f3")),
        result("b", "LimitsExceeded", 1.25, ""),
    );
    place.write(
        &format!("{}/eval.json", pair("1/f1_f3")),
        r#"{"both_passed": false, "error": null}"#,
    );
    place.write(
        &format!("{}/result.json", pair("1/f2_f3")),
        result("c", "Submitted", 0.0, ""),
    );
    let usage = serde_json::json!({"messages": [{"role": "assistant", "content": "", "extra": {"response": {"usage": {"prompt_tokens": 1000, "completion_tokens": 100}}}}]});
    place.write(
        &format!("{}/solo_traj.json", pair("1/f2_f3")),
        usage.to_string(),
    );
    place.write(
        &format!("{}/result.json", pair("2/f1_f2")),
        result(
            "d",
            "Error",
            0.25,
            "litellm.ServiceUnavailableError: 503 | <b>down</b>",
        ),
    );
    let coop = serde_json::json!({"run_id": "e", "run_name": "x-coop-comm", "model": "openai/m", "duration_seconds": 30.0,
        "agents": {"agent2": {"feature_id": 2, "status": "Submitted", "cost": 0.5, "steps": 3, "error": null},
                   "agent1": {"feature_id": 1, "status": "Submitted", "cost": 0.25, "steps": 3, "error": null}},
        "total_cost": 0.75, "messages_sent": 2});
    place.write(
        "cb/logs/x-coop-comm/coop/lighthouse_task/7/f1_f2/result.json",
        coop.to_string(),
    );
    place
}

fn report(place: &Place, args: &[&str]) -> String {
    place
        .run(&[&["report", "--cooperbench-dir", "cb"], args].concat())
        .code(0)
        .stdout
}

#[test]
fn counts_and_costs_are_in_the_json() {
    let place = tree();
    let json: serde_json::Value =
        serde_json::from_str(&report(&place, &["--format", "json"])).unwrap();
    let solo = &json["runs"][0];
    assert_eq!(solo["run"], "x-solo");
    assert_eq!(solo["setting"], "solo");
    assert_eq!(solo["pairs"], 6);
    assert_eq!(
        solo["outcomes"],
        serde_json::json!({"pass": 1, "fail": 1, "unjudged": 1, "infra_error": 1, "missing": 2})
    );
    assert_eq!(
        solo["headline_cost"],
        serde_json::json!({"usd": 2.0, "unknown": 1})
    );
    assert_eq!(solo["usage"]["input_tokens"], 1000);
    let coop = &json["runs"][1];
    assert_eq!(
        (&coop["setting"], &coop["headline_cost"]["usd"]),
        (&"coop-comm".into(), &0.75.into())
    );
    assert!(
        !place.join("cb/logs/x-solo/regatta").exists(),
        "a report wrote into a stranger's tree"
    );
}

#[test]
fn a_price_file_makes_unknown_costs_known() {
    let place = tree();
    place.write(
        "prices.json",
        r#"{"openai/m": {"input_cost_per_token": 1e-3, "output_cost_per_token": 1e-2}}"#,
    );
    place.write("regatta.toml", "[prices]\nprice_file = \"prices.json\"\n");
    let json: serde_json::Value =
        serde_json::from_str(&report(&place, &["--format", "json", "x-solo"])).unwrap();
    assert_eq!(
        json["runs"][0]["headline_cost"],
        serde_json::json!({"usd": 4.0, "unknown": 0})
    );
}

/// Two agents that ended at their first call: v1's form, with no step counted.
#[test]
fn a_refused_call_is_free_and_one_whose_answer_was_unreadable_is_of_unknown_cost() {
    for (error, unknown) in [
        (
            "litellm.RateLimitError: RateLimitError: OpenAIException - slow down",
            0,
        ),
        (
            "litellm.APIConnectionError: APIConnectionError: OpenAIException - Unterminated string starting at: line 1 column 5 (char 4)",
            1,
        ),
    ] {
        let place = Place::new();
        let dir = "cb/logs/x-solo/solo/harbor_task/1/f1_f2";
        let result = serde_json::json!({"run_id": "a", "model": "openai/m",
            "agent": {"status": "Error", "cost": 0, "steps": 0, "error": error}});
        place.write(&format!("{dir}/result.json"), result.to_string());
        let messages = serde_json::json!({"messages": [{"role": "system", "content": ""}, {"role": "user", "content": ""}]});
        place.write(&format!("{dir}/solo_traj.json"), messages.to_string());
        let json: serde_json::Value =
            serde_json::from_str(&report(&place, &["--format", "json"])).unwrap();
        assert_eq!(json["headline_cost"]["unknown"], unknown, "{error}");
    }
}

#[test]
fn the_text_reads_well() {
    insta::assert_snapshot!(report(&tree(), &[]));
}

#[test]
fn the_markdown_keeps_untrusted_text_as_text() {
    insta::assert_snapshot!(report(&tree(), &["--format", "markdown"]));
}

#[test]
fn junit_tells_failures_from_errors() {
    insta::assert_snapshot!(report(&tree(), &["--format", "junit", "x-solo"]));
}

#[test]
fn a_report_goes_whole_into_a_file() {
    let place = tree();
    report(&place, &["--format", "json", "-o", "out.json"]);
    assert_eq!(place.json("out.json")["format"], 1);
    place
        .run(&[
            "report",
            "--cooperbench-dir",
            "cb",
            "-o",
            "no/such/dir.json",
        ])
        .code(2)
        .says("no/such/dir.json");
}
