//! What `report` and `status` make of runs that others made, with agents and habits of their own.

use serde_json::{Value, json};

use crate::support::Place;

const LOGS: &str = "cb/logs";

/// Writes the result of a pair of a run.
fn result(place: &Place, pair: &str, result: &Value) {
    place.write(&format!("{LOGS}/{pair}/result.json"), result.to_string());
}

/// An agent of a CLI's, with input, output, cache read and cache write tokens.
fn agent(feature: u64, status: &str, cost: f64, steps: u64, tokens: [u64; 4]) -> Value {
    json!({"feature_id": feature, "status": status, "cost": cost, "steps": steps,
        "input_tokens": tokens[0], "output_tokens": tokens[1], "cache_read_tokens": tokens[2],
        "cache_write_tokens": tokens[3], "patch_lines": 0, "error": null})
}

fn coop(id: &str, framework: &str, one: &Value, other: &Value) -> Value {
    json!({"run_id": id, "agent_framework": framework, "model": "house/heron-1", "setting": "coop",
        "agents": {"agent1": one, "agent2": other}, "messages_sent": 0})
}

fn report(place: &Place, args: &[&str]) -> Value {
    let args = [
        &["report", "--cooperbench-dir", "cb", "--format", "json"],
        args,
    ]
    .concat();
    serde_json::from_str(&place.run(&args).code(0).stdout).unwrap()
}

#[track_caller]
fn costs(run: &Value, usd: f64, unknown: u64) {
    let cost = &run["headline_cost"];
    let found = cost["usd"].as_f64().unwrap();
    assert!((found - usd).abs() < 1e-9, "{cost} is not {usd}");
    assert_eq!(cost["unknown"], unknown, "{cost}");
}

const PRICES: &str = "[prices.models.\"house/heron-1\"]\ninput_cost_per_token = 0.01\noutput_cost_per_token = 0.1\ncache_read_input_token_cost = 0.001\ncache_creation_input_token_cost = 0.02\noutput_cost_per_reasoning_token = 0.2\n";

/// Claude Code counts the cache beside the prompt, the others among it.
#[test]
fn tokens_of_a_cli_agent_are_read_and_priced_by_their_kind() {
    for (framework, input, cost) in [
        // 200 at 0.01, 50 at 0.001, 30 at 0.02 and 7 at 0.1, of each agent.
        ("claude_code", 280, 2.0 + 0.05 + 0.6 + 0.7),
        // 120 at 0.01.
        ("openhands_sdk", 200, 1.2 + 0.05 + 0.6 + 0.7),
    ] {
        let place = Place::new();
        place.write("regatta.toml", PRICES);
        let of = |feature| agent(feature, "Submitted", 0.0, 9, [200, 7, 50, 30]);
        result(
            &place,
            "kite/coop/harbor_task/4/f2_f7",
            &coop("c0ffee01", framework, &of(2), &of(7)),
        );
        let json = report(&place, &[]);
        let run = &json["runs"][0];
        assert_eq!(
            run["usage"],
            json!({"input_tokens": 2 * input, "output_tokens": 14, "cached_tokens": 100,
                "cache_write_tokens": 60, "reasoning_tokens": 0}),
            "{framework}"
        );
        assert_eq!(run["usage_unknown"], 0);
        costs(run, 2.0 * cost, 0);
        assert_eq!(json["totals"]["usage"], run["usage"]);
    }
}

#[test]
fn reasoning_and_the_cache_of_upstreams_own_agents_are_read_from_their_answers() {
    let place = Place::new();
    place.write("regatta.toml", PRICES);
    let pair = "u-solo/solo/harbor_task/4/f2_f7";
    result(
        &place,
        pair,
        &json!({"run_id": "c0ffee02", "agent_framework": "mini_swe_agent_v2", "model": "house/heron-1",
            "agent": {"status": "Submitted", "cost": 0.0, "steps": 1, "input_tokens": 0,
                "output_tokens": 0, "cache_read_tokens": 0, "cache_write_tokens": 0}}),
    );
    let usage = json!({"prompt_tokens": 400, "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 100, "cache_creation_tokens": 200},
        "completion_tokens_details": {"reasoning_tokens": 20}});
    place.write(
        &format!("{LOGS}/{pair}/solo_traj.json"),
        json!({"messages": [{"role": "assistant", "content": "Done.", "extra": {"response": {"usage": usage}}}]})
            .to_string(),
    );
    let json = report(&place, &[]);
    assert_eq!(json["runs"][0]["usage"]["reasoning_tokens"], 20);
    costs(&json["runs"][0], 1.0 + 0.1 + 4.0 + 3.0 + 4.0, 0);
}

/// A login that had expired: the CLI's first call was refused, and it counted nothing.
#[test]
fn an_agent_that_told_it_used_nothing_leaves_its_partners_cost_whole() {
    let text = json!([{"role": "user", "content": "Go."},
        {"role": "assistant", "content": "Your login is no longer valid."}]);
    let refused =
        r#"{"type":"turn.failed","error":{"message":"unexpected status 401 Unauthorized: no"}}"#;
    // Codex counts turns that came to their end, and writes nothing in its model's place.
    for (framework, steps, messages, stream) in [
        ("claude_code", 1, text, ""),
        ("codex", 0, json!([]), refused),
    ] {
        let place = Place::new();
        let worked = agent(2, "Submitted", 1.75, 12, [40, 900, 7000, 300]);
        let refused = agent(7, "Error", 0.0, steps, [0; 4]);
        let pair = "kite/coop/harbor_task/4/f2_f7";
        result(
            &place,
            pair,
            &coop("c0ffee03", framework, &worked, &refused),
        );
        let trajectory = json!({"messages": messages});
        place.write(
            &format!("{LOGS}/{pair}/agent7_traj.json"),
            trajectory.to_string(),
        );
        place.write(&format!("{LOGS}/{pair}/agent2_stream.jsonl"), stream);
        let json = report(&place, &[]);
        costs(&json["runs"][0], 1.75, 0);
        assert_eq!(json["runs"][0]["usage_unknown"], 0);
    }
}

/// A CLI that is killed leaves its counts at zero, and mini-swe-agent's are always.
#[test]
fn zeros_that_nobody_counted_are_not_nothing() {
    let answered = json!([{"role": "user", "content": "Go."}, {"role": "assistant", "content": "I look."},
        {"role": "user", "content": "a.py"}, {"role": "assistant", "content": "I write."}]);
    for (framework, status, steps, messages) in [
        ("claude_code", "Error", 0, Some(&answered)),
        ("claude_code", "Error", 1, Some(&answered)),
        ("claude_code", "Submitted", 12, None),
        ("mini_swe_agent_v2", "Error", 3, None),
        ("mini_swe_agent_v2", "Submitted", 3, None),
    ] {
        let place = Place::new();
        let worked = agent(2, "Submitted", 1.75, 12, [40, 900, 7000, 300]);
        let silent = agent(7, status, 0.0, steps, [0; 4]);
        let pair = "kite/coop/harbor_task/4/f2_f7";
        result(&place, pair, &coop("c0ffee04", framework, &worked, &silent));
        if let Some(messages) = messages {
            place.write(
                &format!("{LOGS}/{pair}/agent7_traj.json"),
                json!({"messages": messages}).to_string(),
            );
        }
        let json = report(&place, &[]);
        costs(&json["runs"][0], 1.75, 1);
        assert_eq!(json["runs"][0]["usage_unknown"], 1, "{framework} {status}");
    }
}

/// One answer of two that came without its usage: the cost is that of the other.
#[test]
fn a_cost_of_which_an_answer_is_not_told_is_known_in_part() {
    let place = Place::new();
    let pair = "u-solo/solo/harbor_task/4/f2_f7";
    result(
        &place,
        pair,
        &json!({"run_id": "c0ffee05", "agent_framework": "mini_swe_agent", "model": "house/heron-1",
            "agent": {"status": "Submitted", "cost": 0.5, "steps": 2}}),
    );
    let answer = |prompt: u64| {
        let usage = json!({"prompt_tokens": prompt, "completion_tokens": 9});
        json!({"role": "assistant", "content": "", "extra": {"response": {"usage": usage}}})
    };
    place.write(
        &format!("{LOGS}/{pair}/solo_traj.json"),
        json!({"messages": [answer(700), answer(0)]}).to_string(),
    );
    let json = report(&place, &[]);
    costs(&json["runs"][0], 0.5, 1);
    assert_eq!(json["runs"][0]["usage"], Value::Null);
}

/// A coop run with this `config.json`, whose two pairs sent this many messages.
fn setting_of(name: &str, config: Option<&Value>, sent: [Option<u64>; 2]) -> Value {
    let place = Place::new();
    if let Some(config) = config {
        place.write(&format!("{LOGS}/{name}/config.json"), config.to_string());
    }
    for (features, sent) in ["f1_f2", "f1_f3"].into_iter().zip(sent) {
        let of = |feature| agent(feature, "Submitted", 0.5, 3, [40, 9, 0, 0]);
        let mut made = coop("c0ffee06", "codex", &of(1), &of(2));
        made["messages_sent"] = json!(sent);
        result(
            &place,
            &format!("{name}/coop/harbor_task/4/{features}"),
            &made,
        );
    }
    report(&place, &[])["runs"][0]["setting"].clone()
}

#[test]
fn what_a_run_is_stands_in_its_files_before_its_name() {
    let mode = |mode: &str| json!({"setting": "coop", "messaging_mode": mode, "total_tasks": 2});
    let silent = json!({"setting": "coop", "total_tasks": 2});
    let none = [Some(0), Some(0)];
    let some = [Some(0), Some(4)];
    for (name, config, sent, wanted) in [
        ("tern_1", Some(mode("off")), none, "coop-nocomm"),
        ("tern_1", Some(mode("off")), some, "coop-nocomm"),
        ("tern-coop-comm", Some(mode("off")), none, "coop-nocomm"),
        ("tern_1", Some(mode("structured")), none, "coop-comm"),
        ("tern_1", Some(mode("relay")), none, "coop-comm"),
        ("tern-coop-nocomm", Some(mode("free")), none, "coop-comm"),
        ("tern_1", Some(silent.clone()), some, "coop-comm"),
        ("tern-coop-nocomm", None, some, "coop-comm"),
        (
            "tern-coop-nocomm",
            Some(silent.clone()),
            none,
            "coop-nocomm",
        ),
        // The invocation that wrote it was of another tree.
        (
            "tern_1",
            Some(json!({"setting": "solo", "messaging_mode": "off"})),
            some,
            "coop-comm",
        ),
    ] {
        let found = setting_of(name, config.as_ref(), sent);
        assert_eq!(found, wanted, "{name} {config:?} {sent:?}");
    }
}

#[test]
fn without_a_word_on_messages_the_setting_is_not_guessed() {
    let unknown = "coop (messaging unknown)";
    let silent = json!({"setting": "coop", "messaging_mode": null});
    let broken = json!([1, "off", "off"]);
    for sent in [[Some(0), Some(0)], [None, None]] {
        for config in [None, Some(&silent), Some(&broken)] {
            assert_eq!(setting_of("tern_1", config, sent), unknown, "{config:?}");
        }
    }
}

#[test]
fn a_run_that_has_only_begun_is_what_its_configuration_says() {
    let place = Place::new();
    for (name, config) in [
        ("a_1", json!({"setting": "coop", "messaging_mode": "off"})),
        (
            "b_1",
            json!({"setting": "solo", "total_tasks": 3, "model": "house/heron-1"}),
        ),
    ] {
        place.write(&format!("{LOGS}/{name}/config.json"), config.to_string());
    }
    let json = report(&place, &[]);
    let settings: Vec<&Value> = json["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["setting"])
        .collect();
    assert_eq!(settings, ["solo", "coop-nocomm"]);
    place
        .run(&["status", "--cooperbench-dir", "cb", "b_1"])
        .code(0)
        .prints("  solo, model house/heron-1\n");
}

#[test]
fn the_setting_stands_in_the_text_of_reports_and_status() {
    let place = Place::new();
    place.write(
        &format!("{LOGS}/tern_1/config.json"),
        json!({"setting": "coop", "messaging_mode": "off"}).to_string(),
    );
    let of = |feature| agent(feature, "Submitted", 0.5, 3, [40, 9, 0, 0]);
    let made = coop("c0ffee07", "codex", &of(1), &of(2));
    result(&place, "tern_1/coop/harbor_task/4/f1_f2", &made);
    result(&place, "gull_1/coop/harbor_task/4/f1_f2", &made);
    place
        .run(&["report", "--cooperbench-dir", "cb"])
        .code(0)
        .prints("\ntern_1, coop-nocomm: 0 pass")
        .prints("\ngull_1, coop (messaging unknown): 0 pass")
        .prints("tokens of the results that stand: 160 in, 36 out\n");
    place
        .run(&["status", "--cooperbench-dir", "cb", "tern_1"])
        .code(0)
        .prints("  coop-nocomm, agent codex, model house/heron-1\n");
}

/// Made by hand, or by a tool of older days.
#[test]
fn a_result_with_a_status_an_agent_and_a_cost_is_one() {
    for (made, framework, cost) in [
        (
            json!({"agent": {"status": "Submitted", "cost": 0.25}}),
            Value::Null,
            (0.25, 0),
        ),
        (
            json!({"status": "Submitted", "agent": {"steps": 4}, "cost": 0.25}),
            Value::Null,
            (0.25, 0),
        ),
        (
            json!({"status": "Submitted", "agent": "my_agent", "cost": 0.25}),
            json!("my_agent"),
            (0.25, 0),
        ),
        // Nobody counted the steps, so that zero is not known to be one.
        (
            json!({"status": "Submitted", "agent": {}, "cost": 0}),
            Value::Null,
            (0.0, 1),
        ),
    ] {
        let place = Place::new();
        for features in ["f1_f2", "f1_f3"] {
            result(
                &place,
                &format!("old-solo/solo/harbor_task/4/{features}"),
                &made,
            );
        }
        let json = report(&place, &[]);
        let run = &json["runs"][0];
        assert_eq!(run["outcomes"], json!({"unjudged": 2}), "{made}");
        assert_eq!(run["agent"], framework, "{made}");
        costs(run, 2.0 * cost.0, 2 * cost.1);
    }
}

#[test]
fn a_result_without_an_id_keeps_the_one_it_gets_when_it_is_tagged() {
    let place = Place::new();
    let pair = "old-solo/solo/harbor_task/4/f1_f2";
    let error = "litellm.RateLimitError: slow down";
    result(
        &place,
        pair,
        &json!({"agent": {"status": "Error", "cost": 0.25, "steps": 2, "error": error}}),
    );
    let tagged = || {
        place.run(&["triage", "--cooperbench-dir", "cb"]).code(0);
        place.json(&format!("{LOGS}/{pair}/result.json"))["regatta"]["trial"].clone()
    };
    let first = tagged();
    assert!(first.as_str().unwrap().starts_with("unnamed-"), "{first}");
    assert_eq!(tagged(), first);
}
