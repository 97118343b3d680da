//! Files as Python, Node and people write them: halves of characters, numbers that are none, words
//! in another place, and shapes of their own.

use serde_json::{Value, json};

use crate::support::Place;

const RUN: &str = "logs/bay-solo";

/// Where a solo pair of the run stands.
fn dir(pair: &str) -> String {
    format!("{RUN}/solo/harbor_task/1/{pair}")
}

/// A solo result with these fields of its agent.
fn solo(framework: &str, agent: Value) -> Value {
    let mut result = json!({"run_id": "9a8b7c6d", "agent_framework": framework,
        "model": "house/tern-2", "started_at": "2026-05-04T09:00:00", "ended_at": "2026-05-04T09:20:00",
        "agent": {"status": "Submitted", "cost": 0.5, "steps": 3, "error": null}});
    extend(&mut result["agent"], agent);
    result
}

fn extend(into: &mut Value, more: Value) {
    let (Value::Object(into), Value::Object(more)) = (into, more) else {
        panic!("no objects");
    };
    into.extend(more);
}

fn write(place: &Place, pair: &str, file: &str, text: impl AsRef<[u8]>) {
    place.write(&format!("{}/{file}", dir(pair)), text);
}

/// The lines of the run by pair, and the run.
fn report(place: &Place) -> Value {
    let args = ["report", "--logs-dir", "logs", "--format", "json"];
    let report: Value = serde_json::from_str(&place.run(&args).code(0).stdout).unwrap();
    report["runs"][0].clone()
}

fn line(place: &Place, pair: &str) -> Value {
    let run = report(place);
    let lines = run["lines"].as_array().unwrap();
    let of = |line: &&Value| line["pair"].as_str().unwrap().ends_with(pair);
    lines.iter().find(of).expect(pair).clone()
}

/// A trajectory of mini-swe-agent with these answers, ended by this exception.
fn trajectory(answers: &[&str], class: &str, text: &str) -> Value {
    let usage = json!({"prompt_tokens": 1000, "completion_tokens": 50});
    let mut messages = vec![json!({"role": "user", "content": "Add it."})];
    for answer in answers {
        messages.push(json!({"role": "assistant", "content": answer, "extra": {"response": {"usage": usage}}}));
        messages.push(json!({"role": "tool", "content": "ok", "extra": {"raw_output": "ok", "returncode": 0}}));
    }
    messages.push(json!({"role": "exit", "content": text,
        "extra": {"exit_status": class, "exception_str": text}}));
    json!({"messages": messages})
}

/// Half a surrogate pair, as `json.dumps` and `JSON.stringify` write it, for this mark.
fn halved(json: &Value) -> String {
    json.to_string().replace("HALF", "\\ud83d")
}

const PRICES: &str = "[prices.models.\"house/tern-2\"]\ninput_cost_per_token = 0.001\noutput_cost_per_token = 0.01\n";

#[test]
fn an_exception_is_read_in_the_trajectory_where_the_result_has_no_words() {
    for (class, text, rule) in [
        (
            "BadRequestError",
            "litellm.BadRequestError: OpenAIException - Error code: 400 - {'error': {'message': \"This model's maximum context length is 32768 tokens. However, you requested 40000 tokens\"}}",
            "context_window_text",
        ),
        (
            "BadRequestError",
            "litellm.BadRequestError: AzureException - The response was filtered due to the prompt triggering content management policy. code content_filter",
            "content_policy",
        ),
        (
            "RateLimitError",
            "litellm.RateLimitError: RateLimitError: OpenAIException - You exceeded your current quota. Your limit resets at 2026-05-04T21:00:00Z",
            "quota_exhausted",
        ),
        ("AuthenticationError", "", "authentication"),
    ] {
        let found = |error: Value| {
            let place = Place::new();
            let result = solo(
                "mini_swe_agent_v2",
                json!({"status": "Error", "error": error}),
            );
            write(&place, "f1_f2", "result.json", result.to_string());
            let said = trajectory(&["One.", "Two."], class, text);
            write(&place, "f1_f2", "solo_traj.json", said.to_string());
            let line = line(&place, "f1_f2");
            assert_eq!(line["rule"], rule, "{line}");
            [&line["outcome"], &line["why"]].map(Clone::clone)
        };
        let wanted = if text.is_empty() {
            [json!("config_error"), json!(class)]
        } else {
            found(json!(text))
        };
        for silent in [Value::Null, json!(""), json!(" \n")] {
            assert_eq!(found(silent), wanted);
        }
    }
}

#[test]
fn half_a_character_costs_no_file() {
    let place = Place::new();
    place.write("regatta.toml", PRICES);
    // What a trajectory tells of tokens, and of its end.
    let mini = |status: &str| solo("mini_swe_agent_v2", json!({"status": status, "cost": 0.0}));
    let said = trajectory(&["One.", "HALF"], "AuthenticationError", "no such key");
    for (pair, status) in [("f1_f2", "Submitted"), ("f1_f3", "Error")] {
        write(&place, pair, "result.json", mini(status).to_string());
        write(&place, pair, "solo_traj.json", halved(&said));
    }
    // What an agent's program says of its end.
    let silent = solo("claude_code", json!({"status": "Error"}));
    write(&place, "f1_f4", "result.json", silent.to_string());
    let event = json!({"type": "result", "subtype": "success", "is_error": true, "api_error_status": 401,
        "result": "Failed to authenticate. API Error: 401 x",
        "permission_denials": [{"tool_input": {"content": "HALF"}}]});
    write(&place, "f1_f4", "solo_stream.jsonl", halved(&event) + "\n");
    // A result, and a verdict.
    let error = "litellm.AuthenticationError: no key for HALF";
    let broken = solo(
        "mini_swe_agent_v2",
        json!({"status": "Error", "cost": 1.25, "error": error}),
    );
    write(&place, "f1_f5", "result.json", halved(&broken));
    let done = solo("codex", json!({}));
    write(&place, "f1_f6", "result.json", done.to_string());
    let failed = json!({"both_passed": false, "error": "Read timed out: HALF", "evaluated_at": "2026-05-04T10:00:00"});
    write(&place, "f1_f6", "eval.json", halved(&failed));

    let cost = line(&place, "f1_f2")["cost"].as_f64().unwrap();
    assert!((cost - 3.0).abs() < 1e-9, "{cost}");
    for (pair, rule) in [
        ("f1_f3", "authentication"),
        ("f1_f4", "login_expired"),
        ("f1_f5", "authentication"),
    ] {
        let line = line(&place, pair);
        assert_eq!(line["rule"], rule, "{line}");
    }
    let broken = line(&place, "f1_f5");
    assert_eq!(broken["cost"], 1.25);
    assert_eq!(broken["why"], error.replace("HALF", "\u{fffd}"));
    let failed = line(&place, "f1_f6");
    assert_eq!(failed["outcome"], "eval_error");
    assert_eq!(failed["why"], "Read timed out: \u{fffd}");

    // The summaries of a run, and its configuration.
    write(&place, "f1_f7", "result.json", done.to_string());
    let summary = json!({"evaluated_at": "2026-05-04T10:00:00", "results": [
        {"run": "harbor_task/1/1,7", "status": "error", "error": "HALF: Read timed out. (read timeout=9)"}]});
    let pass_rate = halved(&summary).replacen('{', "{\"pass_rate\": NaN, ", 1);
    place.write(&format!("{RUN}/eval_summary.json"), pass_rate);
    place.write(
        &format!("{RUN}/config.json"),
        "{\"total_tasks\": 9, \"seed\": NaN}",
    );
    assert_eq!(line(&place, "f1_f7")["source"], "eval_summary.json");
    assert_eq!(report(&place)["pairs"], 9);
}

/// Python writes `NaN` and `Infinity`, and reads them.
#[test]
fn a_number_that_is_none_is_unknown_and_the_rest_of_its_file_is_read() {
    let place = Place::new();
    let none = |json: &Value| json.to_string().replace("\"NONE\"", "NaN");
    let passed = json!({"both_passed": true, "error": null, "evaluated_at": "2026-05-04T10:00:00",
        "feature1": {"passed": true}, "feature2": {"passed": true}, "metric": "NONE", "more": [-7.5]});
    let passed = none(&passed).replace("-7.5", "-Infinity");
    let mut late = solo("codex", json!({}));
    late["duration_seconds"] = json!("NONE");
    let free = solo("codex", json!({"cost": "NONE"}));
    for (pair, result) in [("f1_f2", &late), ("f1_f3", &free)] {
        write(&place, pair, "result.json", none(result));
        write(&place, pair, "eval.json", &passed);
    }
    assert_eq!(line(&place, "f1_f2")["outcome"], "pass");
    assert_eq!(line(&place, "f1_f2")["cost"], 0.5);
    assert_eq!(line(&place, "f1_f2")["duration_seconds"], 1200.0);
    assert_eq!(line(&place, "f1_f3")["outcome"], "pass");
    assert_eq!(line(&place, "f1_f3")["cost"], Value::Null);
    place
        .run(&["eval", "--dry-run", "--logs-dir", "logs"])
        .code(0)
        .prints("bay-solo: 0 to judge, 2 judged");
    // Without an id each is a trial of its own, and stays the same one when it is tagged.
    let trial = |pair: &str, more: &str| {
        let mut result = solo(
            "codex",
            json!({"status": "Error", "error": "flux: API Error: 401 no"}),
        );
        let fields = result.as_object_mut().unwrap();
        for key in ["run_id", "started_at", "ended_at"] {
            fields.remove(key);
        }
        result["extra"] = json!("NONE");
        result["more"] = json!(more);
        let error = "litellm.AuthenticationError: HALF";
        result["agent"]["error"] = json!(error);
        let text = none(&result).replace("HALF", "\\ud83d");
        write(&place, pair, "result.json", &text);
        place.run(&["triage", "--logs-dir", "logs"]).code(0);
        let tagged = place.read(&format!("{}/result.json", dir(pair)));
        // Upstream still reads what it wrote.
        for kept in ["\"extra\": NaN", "Error: \\ud83d\""] {
            assert!(tagged.contains(kept), "no {kept} in {tagged}");
        }
        let (_, id) = tagged.split_once("\"trial\": \"").expect("a tag");
        let again = place.run(&["triage", "--logs-dir", "logs", "--dry-run"]);
        again.code(0).prints("0 tags would change");
        id[.."unnamed-".len() + 8].to_owned()
    };
    assert_ne!(trial("f1_f4", "a"), trial("f1_f5", "b"));
}

#[test]
fn an_agent_with_an_error_has_not_finished_whatever_its_status_is_called() {
    let place = Place::new();
    let words = "litellm.RateLimitError: slow down";
    let rows = [
        ("error", Some(words), "infra_error", Some("rate_limit")),
        ("failed", Some(words), "infra_error", Some("rate_limit")),
        ("Timeout", Some(words), "infra_error", Some("rate_limit")),
        ("Killed", Some(words), "infra_error", Some("rate_limit")),
        ("RateLimitError", None, "infra_error", Some("rate_limit")),
        ("ERROR", None, "unknown_error", None),
        ("submitted", None, "unjudged", None),
        ("costlimitexceeded", Some(words), "unjudged", None),
        ("done", None, "unjudged", None),
    ];
    for (number, (status, error, ..)) in rows.iter().enumerate() {
        let result = solo("mini_swe_agent", json!({"status": status, "error": error}));
        let pair = format!("f1_f{}", number + 2);
        write(&place, &pair, "result.json", result.to_string());
        write(&place, &pair, "solo.patch", "diff --git a/x b/x\n");
    }
    for (number, (status, _, outcome, rule)) in rows.iter().enumerate() {
        let line = line(&place, &format!("f1_f{}", number + 2));
        assert_eq!(line["outcome"], *outcome, "{status}: {line}");
        assert_eq!(line["rule"], json!(rule), "{status}: {line}");
    }
    assert_eq!(report(&place)["submitted"], 1);
}

#[test]
fn what_is_said_of_a_whole_trial_is_said_of_its_agents() {
    let place = Place::new();
    let error = "litellm.RateLimitError: slow down";
    let coop = |pair: &str, result: Value| {
        let path = format!("{RUN}/coop/harbor_task/1/{pair}/result.json");
        place.write(&path, result.to_string());
    };
    let of = |one: Value, other: Value| json!({"agent1": one, "agent2": other});
    coop(
        "f1_f2",
        json!({"status": "Error", "error": error, "cost": 2.0, "agents": of(json!({"cost": 1.0}), json!({"cost": 1.0}))}),
    );
    coop(
        "f1_f3",
        json!({"status": "Error", "error": error, "cost": 2.0, "agent": {"name": "codex"}}),
    );
    let done = |cost: Value| json!({"status": "Submitted", "cost": cost, "steps": 3});
    for (pair, one, other) in [
        ("f1_f4", json!(1.0), Value::Null),
        ("f1_f5", json!(0.0), json!(0.0)),
    ] {
        let agents = of(done(one), done(other));
        coop(pair, json!({"agents": agents, "total_cost": 2.5}));
    }
    // Upstream's sum of what it knows says no more.
    let agents = of(done(json!(1.0)), done(json!(0.0)));
    coop("f1_f6", json!({"agents": agents, "total_cost": 1.0}));
    for pair in ["f1_f2", "f1_f3"] {
        let line = line(&place, pair);
        assert_eq!(line["rule"], "rate_limit", "{line}");
        assert_eq!(line["cost"], 2.0, "{line}");
    }
    for (pair, cost, is_partial) in [
        ("f1_f4", 2.5, false),
        ("f1_f5", 2.5, false),
        ("f1_f6", 1.0, true),
    ] {
        let line = line(&place, pair);
        assert_eq!(
            (&line["cost"], &line["usage_unknown"]),
            (&json!(cost), &json!(is_partial)),
            "{line}"
        );
    }
}

#[test]
fn a_verdict_in_shapes_of_its_own_is_one() {
    let suite = |passed: Value| json!({"passed": passed, "test_output": "3 passed"});
    for (more, outcome) in [
        (json!({"merge": "clean"}), "pass"),
        (json!({"merge": ["clean"]}), "pass"),
        (json!({"feature1": suite(json!(1))}), "pass"),
        (json!({"feature1": true, "feature2": 1.0}), "pass"),
        (json!({"feature1": suite(json!("yes"))}), "pass"),
        (json!({"both_passed": "True"}), "pass"),
        (
            json!({"both_passed": 0, "feature1": suite(json!("no"))}),
            "fail",
        ),
        (json!({"both_passed": 1, "error": false}), "pass"),
        (
            json!({"error": {"type": "APIError", "message": "gone"}}),
            "eval_error",
        ),
        (json!({"both_passed": "perhaps"}), "eval_error"),
    ] {
        let place = Place::new();
        write(
            &place,
            "f1_f2",
            "result.json",
            solo("codex", json!({})).to_string(),
        );
        let mut eval = json!({"both_passed": true, "error": null, "merge": null,
            "evaluated_at": "2026-05-04T10:00:00", "feature1": suite(json!(true)), "feature2": suite(json!(true))});
        let is_odd_merge = more.get("merge").is_some_and(Value::is_string);
        let is_one = more["feature1"]["passed"] == 1;
        extend(&mut eval, more.clone());
        write(&place, "f1_f2", "eval.json", eval.to_string());
        let line = line(&place, "f1_f2");
        assert_eq!(line["outcome"], outcome, "{more}: {line}");
        if is_odd_merge {
            assert_eq!(line["merge"], "clean");
        }
        if is_one {
            assert_eq!(line["features_passed"], 2);
        }
    }
}
