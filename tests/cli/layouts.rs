//! Trees of other layouts: what stands in them is counted, or named with its cost unknown.

use serde_json::{Value, json};

use crate::support::Place;

const LOGS: &str = "cb/logs";

fn coop(setting: &Value) -> Value {
    let agent = |feature: u64| {
        json!({"feature_id": feature, "status": "Submitted", "cost": 0.65, "steps": 9,
            "patch_lines": 3, "error": null})
    };
    json!({"run_id": "c0ffee01", "agent_framework": "claude_code", "model": "house/heron-1",
        "setting": setting, "agents": {"agent1": agent(1), "agent2": agent(2)}, "messages_sent": 2})
}

fn solo(setting: &Value) -> Value {
    json!({"run_id": "c0ffee02", "agent_framework": "claude_code", "model": "house/heron-1",
        "setting": setting, "agent": {"status": "Submitted", "cost": 0.5, "steps": 9}})
}

fn put(place: &Place, pair: &str, result: &Value) {
    place.write(&format!("{LOGS}/{pair}/result.json"), result.to_string());
}

/// The first run of a report, and all of it.
fn report(place: &Place) -> (Value, Value) {
    let args = ["report", "--cooperbench-dir", "cb", "--format", "json"];
    let json: Value = serde_json::from_str(&place.run(&args).code(0).stdout).unwrap();
    (json["runs"][0].clone(), json)
}

fn text(place: &Place, command: &str) -> String {
    let args = [command, "--cooperbench-dir", "cb"];
    place.run(&args).code(0).stdout
}

const PASSED: &str = r#"{"both_passed": true, "feature1": {"passed": true}, "feature2": {"passed": true},
    "merge": {"status": "clean"}, "evaluated_at": "2099-01-01T00:00:00"}"#;

/// Before there were `solo/` and `coop/`, and as upstream still reads it.
#[test]
fn repositories_in_a_run_itself_are_its_pairs() {
    let place = Place::new();
    let pair = "kite/harbor_task/4/f1_f2";
    put(&place, pair, &coop(&json!("coop")));
    put(&place, "kite/harbor_task/12/f1_f2", &coop(&Value::Null));
    place.write(&format!("{LOGS}/{pair}/eval.json"), PASSED);
    let (run, _) = report(&place);
    assert_eq!(run["run"], "kite");
    assert_eq!(run["setting"], "coop-comm");
    assert_eq!(run["outcomes"], json!({"pass": 1, "unjudged": 1}));
    assert_eq!(run["headline_cost"], json!({"usd": 2.6, "unknown": 0}));
    assert_eq!(run["lines"][0]["pair"], "harbor_task/4/f1_f2");
    assert!(run["unread"].is_null(), "{run}");
    // Its files are found there too.
    let error = json!({"status": "Error", "cost": 0.5, "steps": 3, "error": "litellm.RateLimitError: slow down"});
    let mut failed = solo(&Value::Null);
    failed["agent"] = error;
    let pair = "plover/harbor_task/4/f1_f2";
    put(&place, pair, &failed);
    place.write(&format!("{LOGS}/{pair}/solo.patch"), "");
    place.run(&["triage", "--cooperbench-dir", "cb"]).code(0);
    let tagged = place.json(&format!("{LOGS}/{pair}/result.json"));
    assert_eq!(tagged["infra_error"], true);
    let plover = text(&place, "status");
    assert!(
        plover.contains("  solo, agent claude_code, model house/heron-1\n"),
        "{plover}"
    );
}

#[test]
fn an_older_tree_is_of_the_setting_that_its_results_or_patches_say() {
    for (setting, made, patch, wanted) in [
        (
            json!("coop"),
            coop as fn(&Value) -> Value,
            "agent1.patch",
            "coop-comm",
        ),
        (Value::Null, coop, "agent1.patch", "coop-comm"),
        (json!("solo"), solo, "solo.patch", "solo"),
        (json!("solo"), solo, "none", "solo"),
        (Value::Null, solo, "solo.patch", "solo"),
    ] {
        let place = Place::new();
        let pair = "kite/harbor_task/4/f1_f2";
        put(&place, pair, &made(&setting));
        place.write(&format!("{LOGS}/{pair}/{patch}"), "");
        let (run, _) = report(&place);
        assert_eq!(run["setting"], wanted, "{setting} {patch}");
        assert_eq!(run["outcomes"], json!({"unjudged": 1}));
    }
}

/// The tree of a setting that is not known, with and without a `config.json`.
#[test]
fn results_where_no_pair_stands_are_named_and_their_cost_is_unknown() {
    let config = json!({"setting": "plan_execute", "total_tasks": 1, "model": "house/heron-1"});
    for (config, outcomes) in [(None, json!({})), (Some(config), json!({"unreadable": 1}))] {
        let place = Place::new();
        put(
            &place,
            "kite/plan_execute/harbor_task/4/f1_f2",
            &coop(&json!("plan_execute")),
        );
        if let Some(config) = config {
            place.write(&format!("{LOGS}/kite/config.json"), config.to_string());
        }
        let (run, all) = report(&place);
        assert_eq!(run["run"], "kite");
        assert_eq!(
            run["unread"],
            json!([{"directory": "plan_execute", "results": 1}])
        );
        assert_eq!(run["outcomes"], outcomes);
        for cost in [
            &run["headline_cost"],
            &run["total_spent"],
            &all["total_spent"],
        ] {
            assert_eq!(*cost, json!({"usd": 0.0, "unknown": 1}));
        }
        assert_eq!(run["has_ledger"], false);
        let told = "WARNING: 1 result not read, where no pair of this run stands, and of unknown cost: plan_execute (1)";
        for command in ["report", "status"] {
            let text = text(&place, command);
            assert!(text.contains(told), "{text}");
        }
    }
}

/// Each of these would be missing, or not be there at all.
#[test]
fn no_result_of_a_run_is_passed_over() {
    let place = Place::new();
    let made = coop(&json!("coop"));
    for odd in [
        "coop/harbor_task/task4/f1_f2",
        "coop/harbor_task/007/f1_f2",
        "coop/harbor_task/4/f2_f1",
        "coop/harbor_task/4/f1_f3_f2",
        "coop/harbor_task/4/f1",
        "harbor_task/4/f1_f2",
        "coop.bak/harbor_task/4/f1_f2",
    ] {
        put(&place, &format!("kite/{odd}"), &made);
    }
    put(&place, "kite/coop/harbor_task/4/f1_f2", &made);
    put(&place, "kite/regatta/attic/4/f1_f2", &made);
    place.write(&format!("{LOGS}/kite/coop/notes.txt"), "x");
    put(&place, "../../disk/harbor_task/4/f1_f2", &made);
    let far = place.join("disk");
    std::os::unix::fs::symlink(far, place.join(&format!("{LOGS}/kite/far"))).unwrap();
    std::os::unix::fs::symlink("coop", place.join(&format!("{LOGS}/kite/latest"))).unwrap();
    let (run, _) = report(&place);
    assert_eq!(run["outcomes"], json!({"unjudged": 1}));
    assert_eq!(run["headline_cost"], json!({"usd": 1.3, "unknown": 8}));
    let mut unread: Vec<&str> = run["unread"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["directory"].as_str().unwrap())
        .collect();
    unread.sort_unstable();
    assert_eq!(
        unread,
        [
            "coop.bak",
            "coop/harbor_task/007",
            "coop/harbor_task/4/f1",
            "coop/harbor_task/4/f1_f3_f2",
            "coop/harbor_task/4/f2_f1",
            "coop/harbor_task/task4",
            "far",
            "harbor_task",
        ]
    );
    let markdown = ["report", "--cooperbench-dir", "cb", "--format", "markdown"];
    place
        .run(&markdown)
        .code(0)
        .prints("WARNING: 8 results not read");
    let junit = ["report", "--cooperbench-dir", "cb", "--format", "junit"];
    place.run(&junit).code(0).prints("1 result not read");
}

/// The result of a team with these agents, by feature, as upstream writes it.
fn team(features: &[u64], statuses: &[&str]) -> Value {
    let mut agents = json!({});
    for (nth, (feature, status)) in features.iter().zip(statuses).enumerate() {
        let error = (*status == "Error").then_some("litellm.RateLimitError: slow down");
        agents[format!("agent{}", nth + 1)] = json!({"feature_id": feature, "status": status,
            "team_role": if nth == 0 { "lead" } else { "member" }, "cost": 0.25, "steps": 4,
            "input_tokens": 100, "output_tokens": 10, "cache_read_tokens": 0,
            "cache_write_tokens": 0, "patch_lines": 12, "error": error});
    }
    json!({"repo": "harbor_task", "task_id": 4, "features": features, "setting": "team",
        "run_id": "0a1b2c3d", "run_name": "kite", "agent_framework": "codex",
        "model": "house/heron-1", "started_at": "2026-05-04T09:00:00",
        "ended_at": "2026-05-04T09:20:00", "duration_seconds": 1200.0, "lead_agent": "agent1",
        "agents": agents, "total_cost": 0.25 * features.len() as f64, "total_steps": 4,
        "messages_sent": 0, "log_dir": "x",
        "metrics": {"tasks_total": features.len(), "tasks_done": 1, "unowned_at_end": 1,
            "time_to_first_claim_seconds": 12.5, "claims_per_agent": {"agent2": 1},
            "updates_per_agent": {"agent2": 1, "agent10": 2}},
        "team_features": {"task_list": true, "scratchpad": true, "mcp": true,
            "auto_refresh": true, "protocol": true}})
}

#[test]
fn a_team_is_read_with_its_agents_and_its_features_however_many() {
    let place = Place::new();
    let features: Vec<u64> = (1..=11).collect();
    let base = "kite/team/harbor_task/4";
    put(
        &place,
        &format!("{base}/f1_f2"),
        &team(&[1, 2], &["Submitted"; 2]),
    );
    let mut statuses = ["Submitted"; 11];
    statuses[9] = "Error";
    let many = "f1_f2_f3_f4_f5_f6_f7_f8_f9_f10_f11";
    put(
        &place,
        &format!("{base}/{many}"),
        &team(&features, &statuses),
    );
    put(
        &place,
        &format!("{base}/f1_f2_f3"),
        &team(&[1, 2, 3], &["Submitted"; 3]),
    );
    for pair in ["f1_f2", "f1_f2_f3"] {
        place.write(&format!("{LOGS}/{base}/{pair}/eval.json"), PASSED);
    }
    // Of agent 3: its feature is not judged, and its patch is read all the same.
    place.write(&format!("{LOGS}/{base}/f1_f2_f3/agent3.patch"), "");
    let (run, _) = report(&place);
    assert_eq!(
        (&run["setting"], &run["unread"]),
        (&json!("team"), &Value::Null)
    );
    assert_eq!(run["outcomes"], json!({"infra_error": 1, "pass": 2}));
    assert_eq!(run["headline_cost"], json!({"usd": 4.0, "unknown": 0}));
    let lines = run["lines"].as_array().unwrap();
    let pairs: Vec<&str> = lines
        .iter()
        .map(|it| it["pair"].as_str().unwrap())
        .collect();
    let [two, three, all] = ["f1_f2", "f1_f2_f3", many].map(|it| format!("harbor_task/4/{it}"));
    assert_eq!(pairs, [&two, &three, &all]);
    assert_eq!(lines[2]["source"], "agents.agent10.error");
    assert_eq!(lines[1]["damage"][0]["why"], "agent3");
    assert_eq!(lines[1]["team"]["claims_per_agent"], json!({"agent2": 1}));
    assert_eq!(run["more_features"], json!([three, all]));
    assert_eq!(run["team"]["tasks_total"], 16);
    let told = text(&place, "report");
    for line in [
        "kite, team: 2 pass, 0 fail, 1 infra_error, 0 missing",
        "  team: 3 of 16 tasks done, 3 without an owner at the end (3 trials); 3 claims, 9 updates; first claim after 12.5 s (median over those with a claim)",
        "  2 pairs of more than two features, of which the first two are judged, as upstream does: harbor_task/4/f1_f2_f3, ",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    place.run(&["triage", "--cooperbench-dir", "cb"]).code(0);
    let tagged = place.json(&format!("{LOGS}/{base}/{many}/result.json"));
    assert_eq!(tagged["infra_error"], true);
    place
        .run(&["status", "--cooperbench-dir", "cb"])
        .code(0)
        .prints("  team, agent codex");
}

/// Nothing but its results says that a run of older days was a team's.
#[test]
fn a_team_beside_no_tree_is_one() {
    let place = Place::new();
    put(
        &place,
        "kite/harbor_task/4/f1_f2_f3",
        &team(&[1, 2, 3], &["Submitted"; 3]),
    );
    let (run, _) = report(&place);
    assert_eq!(run["setting"], "team");
    assert_eq!(run["outcomes"], json!({"unjudged": 1}));
}

#[test]
fn what_upstreams_summary_says_of_three_features_is_told_of_them() {
    let place = Place::new();
    let base = "kite/coop/harbor_task/4/f1_f2_f3";
    put(&place, base, &coop(&json!("coop")));
    let summary = json!({"evaluated_at": "2099-01-01T00:00:00", "results": [
        {"run": "harbor_task/4/1,2", "status": "error", "error": "another's"},
        {"run": "harbor_task/4/1,2,3", "status": "error", "error": "Read timed out"}]});
    place.write(
        &format!("{LOGS}/kite/eval_summary.json"),
        summary.to_string(),
    );
    let (run, _) = report(&place);
    assert_eq!(run["lines"][0]["why"], "Read timed out");
}

#[test]
fn a_run_that_no_run_can_be_named_as_is_named() {
    let place = Place::new();
    let pair = "coop/harbor_task/4/f1_f2";
    put(&place, &format!("my run/{pair}"), &coop(&json!("coop")));
    place
        .run(&["report", "--cooperbench-dir", "cb"])
        .code(2)
        .says("no runs under")
        .says("`my run` has results");
    put(&place, &format!("kite/{pair}"), &coop(&json!("coop")));
    put(&place, &format!("a\u{1b}[2J/{pair}"), &coop(&json!("coop")));
    std::fs::create_dir(place.join(&format!("{LOGS}/no run"))).unwrap();
    for command in ["report", "status", "triage"] {
        let ran = place
            .run(&[command, "--cooperbench-dir", "cb"])
            .code(0)
            .says("`my run` under ")
            .says("rename it");
        assert_eq!(
            ran.stderr.matches("is not read").count(),
            2,
            "{}",
            ran.stderr
        );
        assert!(!ran.stderr.contains("\u{1b}[2J"), "{}", ran.stderr);
    }
    // It was not asked for.
    let ran = place
        .run(&["report", "--cooperbench-dir", "cb", "kite"])
        .code(0);
    assert!(!ran.stderr.contains("my run"), "{}", ran.stderr);
}

/// A plan knows its pairs; what else its directory has is not theirs.
#[test]
fn the_tree_of_another_setting_beside_a_plans_own_is_named() {
    let place = Place::new();
    put(
        &place,
        "kite-solo/solo/harbor_task/4/f1_f2",
        &solo(&json!("solo")),
    );
    put(
        &place,
        "kite-solo/coop/harbor_task/4/f1_f2",
        &coop(&json!("coop")),
    );
    place.write(
        &format!("{LOGS}/kite-solo/regatta/manifest.json"),
        json!({"run": "kite-solo", "setting": "solo", "engine": "upstream", "engine_version": null,
            "agent": "claude_code", "model": "house/heron-1", "backend": "docker", "api_base": null,
            "agent_config": null, "subset": "lite", "subset_digest": "", "prices": "regatta",
            "pairs": [{"repo": "harbor_task", "task_id": 4, "features": [1, 2]}],
            "regatta": "0.1.0", "created_at": "2026-01-01T00:00:00Z"})
        .to_string(),
    );
    let (run, _) = report(&place);
    assert_eq!(run["outcomes"], json!({"unjudged": 1}));
    assert_eq!(run["unread"], json!([{"directory": "coop", "results": 1}]));
    assert_eq!(run["total_spent"], json!({"usd": 0.5, "unknown": 1}));
}
