//! `regatta report` on a tree that upstream alone wrote.

use crate::support::Place;

/// A tree with one of each: judged, not judged, errors, unknown prices, an unnamed missing pair.
pub fn tree() -> Place {
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
        r#"{"both_passed": true, "error": null, "evaluated_at": "2026-01-01T11:00:00"}"#,
    );
    place.write(
        &format!("{}/result.json", pair("1/f1_f3")),
        result("b", "LimitsExceeded", 1.25, ""),
    );
    place.write(
        &format!("{}/eval.json", pair("1/f1_f3")),
        r#"{"both_passed": false, "error": null, "evaluated_at": "2026-01-01T11:00:00"}"#,
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
    assert_eq!(place.json("out.json")["format"], 2);
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

/// A run of finished pairs, each judged as this says.
fn judged(place: &Place, run: &str, tree: &str, pairs: &[(&str, bool)]) {
    judged_at(place, &format!("cb/logs/{run}"), tree, pairs);
}

/// The same, of the run in this directory.
pub fn judged_at(place: &Place, run: &str, tree: &str, pairs: &[(&str, bool)]) {
    for (pair, passed) in pairs {
        let dir = format!("{run}/{tree}/{pair}");
        let agent = serde_json::json!({"status": "Submitted", "cost": 0.5, "steps": 3});
        let mut result =
            serde_json::json!({"run_id": format!("{run}/{pair}"), "duration_seconds": 30});
        if tree == "solo" {
            result["agent"] = agent;
        } else {
            result["agents"] = serde_json::json!({"agent1": agent.clone(), "agent2": agent});
        }
        place.write(&format!("{dir}/result.json"), result.to_string());
        let verdict = serde_json::json!({"both_passed": passed, "error": null});
        place.write(&format!("{dir}/eval.json"), verdict.to_string());
    }
}

#[test]
fn runs_and_pairs_are_in_the_order_of_their_numbers_with_totals_below() {
    let place = Place::new();
    let pairs = [
        ("a_task/10/f1_f2", true),
        ("a_task/9/f2_f10", false),
        ("a_task/9/f2_f3", true),
    ];
    for run in ["x_10", "x_9", "x_1"] {
        judged(&place, run, "solo", &pairs);
    }
    let text = report(&place, &[]);
    let first = |line: &str| line.split("  ").next().unwrap().to_owned();
    let table: Vec<String> = text.lines().take(5).map(first).collect();
    assert_eq!(table, ["run", "x_1", "x_9", "x_10", "total (3 runs)"]);
    assert_eq!(
        text.lines()
            .nth(4)
            .unwrap()
            .split_whitespace()
            .collect::<Vec<_>>(),
        [
            "total", "(3", "runs)", "9", "9", "6", "3", "0", "0", "$4.50", "$4.50", "4m", "30s"
        ]
    );
    let markdown = report(&place, &["--format", "markdown"]);
    assert!(
        markdown.contains("| total (3 runs) | 9 | 9 | 6 | 3 | 0 | 0 | $4.50 | $4.50 | 4m 30s |"),
        "{markdown}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&report(&place, &["--format", "json"])).unwrap();
    assert_eq!(
        json["totals"]["outcomes"],
        serde_json::json!({"pass": 6, "fail": 3})
    );
    let lines = json["runs"][0]["lines"].as_array().unwrap().iter();
    let order: Vec<_> = lines.map(|line| line["pair"].as_str().unwrap()).collect();
    assert_eq!(
        order,
        ["a_task/9/f2_f3", "a_task/9/f2_f10", "a_task/10/f1_f2"]
    );
    assert!(!report(&place, &["x_9"]).contains("total ("));
    let status = place
        .run(&["status", "--cooperbench-dir", "cb"])
        .code(0)
        .stdout;
    let runs: Vec<&str> = status
        .lines()
        .filter(|line| !line.starts_with(' '))
        .collect();
    assert_eq!(
        runs,
        [
            "x_1: complete",
            "x_9: complete",
            "x_10: complete",
            "total (3 runs): 9 pairs, 9 finished, 0 in error, 0 without a result"
        ]
    );
}

#[test]
fn runs_without_a_ledger_share_a_line() {
    let place = tree();
    let text = report(&place, &[]);
    assert!(
        text.contains("none of the 2 runs has a ledger: trials"),
        "{text}"
    );
    let one = report(&place, &["x-solo"]);
    assert!(one.contains("  x-solo has no ledger: trials that were overwritten are not counted\n"));
}

#[test]
fn a_p_value_that_is_not_zero_does_not_look_like_it() {
    let place = Place::new();
    let pairs: Vec<String> = (1..=16)
        .map(|task| format!("a_task/{task}/f1_f2"))
        .collect();
    for (run, tree, passed) in [("y-solo", "solo", false), ("y-coop-comm", "coop", true)] {
        let pairs: Vec<(&str, bool)> = pairs.iter().map(|pair| (pair.as_str(), passed)).collect();
        judged(&place, run, tree, &pairs);
    }
    let text = report(&place, &[]);
    assert!(
        text.contains("95% interval +61.3 to +100.0  p < 0.001  16 passed in the first only"),
        "{text}"
    );
    let markdown = report(&place, &["--format", "markdown"]);
    assert!(
        markdown.contains("| +100.0 (+61.3 to +100.0) | < 0.001 | 16 | 0 | 16 |"),
        "{markdown}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&report(&place, &["--format", "json"])).unwrap();
    let comparison = &json["comparisons"][0];
    for p in [
        &comparison["difference"]["p"],
        &comparison["p_holm"],
        &comparison["difference"]["mcnemar_p"],
    ] {
        let p = p.as_f64().unwrap();
        assert!((p - 2.0_f64.powi(-15)).abs() < 1e-12, "{p}");
    }
    assert_eq!(comparison["difference"]["p_by"], "exact");
}

#[test]
fn runs_that_share_no_judged_pair_are_named() {
    let place = Place::new();
    judged(
        &place,
        "y-solo",
        "solo",
        &[("a_task/1/f1_f2", true), ("a_task/1/f1_f3", true)],
    );
    judged(&place, "y-coop-comm", "coop", &[("a_task/2/f1_f2", true)]);
    let told =
        "y-coop-comm less y-solo: no pair was judged in both (1 in the first, 2 in the second)";
    for format in ["text", "markdown"] {
        let text = report(&place, &["--format", format]);
        assert!(text.contains(told), "{text}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&report(&place, &["--format", "json"])).unwrap();
    assert_eq!(json["comparisons"], serde_json::json!([]));
    assert_eq!(
        json["not_compared"],
        serde_json::json!([{"first": "y-coop-comm", "second": "y-solo", "judged_in_first": 1, "judged_in_second": 2}])
    );
}
