//! Counts of zero in results: whose are believed, and what is known where they are not.

use serde_json::{Value, json};

use crate::support::{Place, Ran};

const PAIR: &str = "cb/logs/gull/solo/harbor_task/4/f2_f7";

const PRICES: &str = "[prices.models.\"house/heron-1\"]\ninput_cost_per_token = 0.01\noutput_cost_per_token = 0.1\ncache_read_input_token_cost = 0.001\ncache_creation_input_token_cost = 0.02\n";

/// An agent with a cost of 0: its status, steps, tokens in and out, and error.
fn agent(status: &str, steps: u64, tokens: [u64; 2], error: Option<&str>) -> Value {
    json!({"status": status, "cost": 0.0, "steps": steps, "input_tokens": tokens[0],
        "output_tokens": tokens[1], "cache_read_tokens": 0, "cache_write_tokens": 0,
        "patch_lines": 0, "error": error})
}

/// A run of one pair with this agent, its trajectory's messages and files of its program.
fn place_of(framework: &str, agent: &Value, messages: &Value, files: &[(&str, &str)]) -> Place {
    let place = Place::new();
    place.write("regatta.toml", PRICES);
    let result = json!({"run_id": "c0ffee11", "agent_framework": framework, "model": "house/heron-1",
        "setting": "solo", "agent": agent, "total_cost": agent["cost"]});
    place.write(&format!("{PAIR}/result.json"), result.to_string());
    if !messages.is_null() {
        let trajectory = json!({"messages": messages});
        place.write(&format!("{PAIR}/solo_traj.json"), trajectory.to_string());
    }
    for (name, text) in files {
        place.write(&format!("{PAIR}/solo_{name}"), text);
    }
    place
}

const LEDGER: &str = "cb/logs/gull/regatta/ledger.jsonl";

/// The ledger's line for the trial, with this cost and no tokens used.
fn booked(usd: f64) -> String {
    let usage = json!({"input_tokens": 0, "output_tokens": 0});
    let entry = json!({"trial": "c0ffee11", "setting": null, "repo": "harbor_task", "task_id": 4,
        "features": [2, 7], "attempt": 1, "status": "Error", "agents": [], "diagnosis": null,
        "cost": usd, "usage": usage, "started_at": null, "duration_seconds": null,
        "recorded_at": "2026-03-01T10:00:00Z"});
    format!("{entry}\n")
}

fn report(place: &Place) -> Value {
    let args = ["report", "--cooperbench-dir", "cb", "--format", "json"];
    serde_json::from_str(&place.run(&args).code(0).stdout).unwrap()
}

#[track_caller]
fn costs(place: &Place, usd: f64, unknown: u64, what: &str) {
    let json = report(place);
    let run = &json["runs"][0];
    for cost in ["headline_cost", "total_spent"] {
        let found = run[cost]["usd"].as_f64().unwrap();
        assert!((found - usd).abs() < 1e-9, "{what}: {cost} {}", run[cost]);
        assert_eq!(run[cost]["unknown"], unknown, "{what}: {cost}");
    }
}

/// What `OpenHands` writes in place of messages.
fn events(kinds: &[(&str, &str)]) -> Value {
    let events = kinds.iter().enumerate();
    events
        .map(|(at, (kind, source))| {
            json!({"step": at + 1, "event_type": kind, "event": format!("{kind} ({source})\n  x")})
        })
        .collect()
}

const ASKED: [(&str, &str); 2] = [("SystemPromptEvent", "agent"), ("MessageEvent", "user")];
const FAILED: (&str, &str) = ("ConversationErrorEvent", "environment");

/// What triage says of a tree, and why.
fn explained(place: &Place) -> Ran {
    let tree = ["--cooperbench-dir", "cb"];
    let args = [&["triage"], &tree[..], &["--explain", "--dry-run"]].concat();
    place.run(&args).code(0)
}

#[test]
fn tokens_that_an_agent_tells_are_priced_whatever_its_trajectory_is_like() {
    let worked = events(&[ASKED[0], ASKED[1], ("ActionEvent", "agent"), FAILED]);
    let limited = "Conversation run failed for id=x: litellm.RateLimitError: RateLimitError: slow";
    for (messages, steps) in [
        (&worked, 4),
        (&events(&[ASKED[0], ASKED[1], FAILED]), 3),
        (&json!([{"step": 1, "event_type": "SomeNewEvent"}]), 1),
        (&json!([{"role": "user", "content": "Go."}]), 1),
        (&Value::Null, 0),
    ] {
        let agent = agent("Error", steps, [300, 20], Some(limited));
        let place = place_of("openhands_sdk", &agent, messages, &[]);
        costs(&place, 3.0 + 2.0, 0, &messages.to_string());
    }

    let place = Place::new();
    place.write("regatta.toml", PRICES);
    let mut agents = [
        agent("Submitted", 9, [300, 20], None),
        agent("Error", 9, [500, 10], Some(limited)),
    ];
    agents[0]["feature_id"] = 2.into();
    agents[1]["feature_id"] = 7.into();
    let dir = "cb/logs/gull/coop/harbor_task/4/f2_f7";
    let result = json!({"run_id": "c0ffee12", "agent_framework": "openhands_sdk",
        "model": "house/heron-1", "setting": "coop", "messages_sent": 1, "total_cost": 0.0,
        "agents": {"agent1": agents[0], "agent2": agents[1]}});
    place.write(&format!("{dir}/result.json"), result.to_string());
    for feature in [2, 7] {
        let trajectory = json!({"messages": worked});
        place.write(
            &format!("{dir}/agent{feature}_traj.json"),
            trajectory.to_string(),
        );
    }
    costs(&place, 5.0 + 6.0, 0, "a pair");
}

fn said(texts: &[(&str, &str)]) -> Value {
    let texts = texts.iter();
    texts
        .map(|(role, content)| json!({"role": role, "content": content}))
        .collect()
}

const RUN: &str = "Command '['docker', 'run', '-d', '--name', 'minisweagent-1a2b3c4d', '-w', '/workspace/repo', 'x:task4', '-c', 'sleep 2h']' timed out after 120 seconds";
const EXEC: &str = "Command '['docker', 'exec', '-w', '/workspace/repo', 'f00dfeed', 'bash', '-lc', 'claude -p --print']' timed out after 7200 seconds";
const SUMMED: &str = r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":401,"result":"No login.","total_cost_usd":0,"usage":{"input_tokens":0,"output_tokens":0}}"#;
const OWN: &str = r#"{"type":"assistant","message":{"model":"<synthetic>","content":[{"type":"text","text":"API Error: 529 Busy"}]}}"#;
const TURN_LOST: &str =
    r#"{"type":"turn.failed","error":{"message":"stream disconnected before completion: x"}}"#;
const TURN_REFUSED: &str =
    r#"{"type":"turn.failed","error":{"message":"unexpected status 401 Unauthorized: no"}}"#;
const ITEM: &str =
    r#"{"type":"item.completed","item":{"id":"1","type":"agent_message","text":"I look."}}"#;

#[track_caller]
fn is_unknown(
    what: &str,
    framework: &str,
    agent: &Value,
    messages: &Value,
    files: &[(&str, &str)],
) {
    let place = place_of(framework, agent, messages, files);
    costs(&place, 0.0, 1, what);
    assert_eq!(report(&place)["runs"][0]["usage_unknown"], 1, "{what}");
    // Nor is what an earlier version booked by them.
    place.write(LEDGER, booked(0.0));
    costs(&place, 0.0, 1, what);
}

/// Upstream writes zeros where it never came to count.
#[test]
fn zeros_are_unknown_where_the_model_may_have_been_called() {
    let none = said(&[]);
    let codex = |lines: &[&str]| lines.join("\n");
    for (what, framework, agent, messages, file) in [
        (
            "codex in plain mode counts nothing",
            "codex",
            agent("Submitted", 0, [0, 0], None),
            said(&[("assistant", "Done.")]),
            ("stream.log", "codex\nDone.\n".to_owned()),
        ),
        (
            "neither where it fails",
            "codex",
            agent("Error", 0, [0, 0], Some("codex exited with code 1")),
            none.clone(),
            (
                "stream.log",
                "user\nGo.\nexec\nbash -lc ls\nERROR: unexpected status 401 Unauthorized: no\n"
                    .to_owned(),
            ),
        ),
        (
            "an agent that reached its limit made calls",
            "claude_code",
            agent("LimitsExceeded", 0, [0, 0], None),
            none.clone(),
            ("stream.jsonl", String::new()),
        ),
        (
            "a program that was killed with its container",
            "claude_code",
            agent("Error", 0, [0, 0], None),
            none.clone(),
            ("stream.jsonl", String::new()),
        ),
        (
            "one whose time was up",
            "claude_code",
            agent("Error", 0, [0, 0], Some(EXEC)),
            none.clone(),
            ("stream.jsonl", String::new()),
        ),
        (
            "an answer that broke off",
            "codex",
            agent("Error", 0, [0, 0], None),
            none.clone(),
            ("stream.jsonl", TURN_LOST.to_owned()),
        ),
        (
            "a refusal after one answer",
            "codex",
            agent("Error", 0, [0, 0], None),
            said(&[("assistant", "I look.")]),
            ("stream.jsonl", codex(&[ITEM, TURN_REFUSED])),
        ),
        (
            "the same, by the trajectory alone",
            "codex",
            agent(
                "Error",
                0,
                [0, 0],
                Some("unexpected status 401 Unauthorized: no"),
            ),
            said(&[("assistant", "I look.")]),
            ("stream.jsonl", String::new()),
        ),
    ] {
        let (name, text) = file;
        is_unknown(what, framework, &agent, &messages, &[(name, &text)]);
    }
}

#[test]
fn zeros_of_other_agents_are_unknown_where_they_acted_or_ended_by_themselves() {
    for (what, framework, agent, messages) in [
        (
            "events that act, and tokens that could not be asked for",
            "openhands_sdk",
            agent("Error", 4, [0, 0], Some("litellm.RateLimitError: slow")),
            events(&[ASKED[0], ASKED[1], ("ActionEvent", "agent")]),
        ),
        (
            "an answer without an action",
            "openhands_sdk",
            agent("Error", 3, [0, 0], Some("litellm.RateLimitError: slow")),
            events(&[ASKED[0], ASKED[1], ("MessageEvent", "agent")]),
        ),
        (
            "a submission without a call",
            "mini_swe_agent_v2",
            agent("Submitted", 0, [0, 0], None),
            said(&[]),
        ),
        (
            "another's agent that broke with words that no rule knows",
            "house_agent",
            agent("Error", 0, [0, 0], Some("flux")),
            said(&[]),
        ),
    ] {
        is_unknown(what, framework, &agent, &messages, &[]);
    }
}

#[test]
fn zeros_are_true_where_no_call_was_billed() {
    let install = "claude-code install failed: E: No space left on device";
    let missing =
        "no codex credentials (OPENAI_API_KEY or AZURE_OPENAI_API_KEY+AZURE_OPENAI_ENDPOINT) set";
    let none = said(&[]);
    for (what, framework, agent, messages, stream) in [
        (
            "no container",
            "claude_code",
            agent("Error", 0, [0, 0], Some(RUN)),
            none.clone(),
            String::new(),
        ),
        (
            "no program",
            "claude_code",
            agent("Error", 0, [0, 0], Some(install)),
            none.clone(),
            String::new(),
        ),
        (
            "no key",
            "codex",
            agent("Error", 0, [0, 0], Some(missing)),
            none.clone(),
            String::new(),
        ),
        (
            "a program that is not there",
            "codex",
            agent("Error", 0, [0, 0], None),
            none.clone(),
            "bash: line 1: codex: command not found\n".to_owned(),
        ),
        (
            "a first call that was refused",
            "codex",
            agent("Error", 0, [0, 0], None),
            none.clone(),
            TURN_REFUSED.to_owned(),
        ),
        (
            "a sum of nothing",
            "claude_code",
            agent("Error", 1, [0, 0], None),
            said(&[("user", "Go."), ("assistant", "No login.")]),
            SUMMED.to_owned(),
        ),
        (
            "twice the program's own words",
            "claude_code",
            agent("Error", 1, [0, 0], None),
            said(&[
                ("user", "Go."),
                ("assistant", "API Error: 529 Busy"),
                ("user", "Go on."),
                ("assistant", "No login."),
            ]),
            [OWN, SUMMED].join("\n"),
        ),
        (
            "a refused first call, and events before it",
            "openhands_sdk",
            agent("Error", 3, [0, 0], Some("litellm.RateLimitError: slow")),
            events(&[ASKED[0], ASKED[1], FAILED]),
            String::new(),
        ),
        (
            "a call that is counted when it is made",
            "mini_swe_agent_v2",
            agent("Error", 0, [0, 0], Some("flux")),
            none,
            String::new(),
        ),
    ] {
        let place = place_of(framework, &agent, &messages, &[("stream.jsonl", &stream)]);
        costs(&place, 0.0, 0, what);
        // mini-swe-agent tells tokens with an answer only.
        let untold = u64::from(framework.starts_with("mini"));
        let run = &report(&place)["runs"][0];
        assert_eq!(run["usage_unknown"], untold, "{what}");
    }
}

/// An answer that Claude Code wrote: of what the model wrote it notes what was there at its begin.
fn answer(id: &str, model: &str) -> String {
    let usage = json!({"input_tokens": 40, "cache_read_input_tokens": 1000,
        "cache_creation_input_tokens": 50, "output_tokens": 1});
    json!({"type": "assistant", "message": {"id": id, "model": model, "usage": usage,
        "content": [{"type": "text", "text": "I look."}]}})
    .to_string()
}

#[test]
fn what_a_killed_program_noted_of_its_answers_is_known_of_its_cost() {
    // 40 at 0.01, 1000 at 0.001, 50 at 0.02 and 1 at 0.1.
    let of_one = 0.4 + 1.0 + 1.0 + 0.1;
    let (one, two) = (answer("a", "heron-1"), answer("b", "heron-1"));
    let other = answer("c", "wren-1");
    // Each answer once, though it stands there with each of its blocks.
    let stream = [one.as_str(), OWN, &one, &two].join("\n");
    for (what, files, usd) in [
        (
            "stream",
            vec![("stream.jsonl", stream.as_str())],
            2.0 * of_one,
        ),
        (
            "session",
            vec![("stream.jsonl", ""), ("session.jsonl", &one)],
            of_one,
        ),
        (
            "two models",
            vec![("stream.jsonl", &[one.as_str(), &other].join("\n"))],
            0.0,
        ),
    ] {
        for messages in [said(&[]), Value::Null] {
            let agent = agent("Error", 0, [0, 0], None);
            let place = place_of("claude_code", &agent, &messages, &files);
            costs(&place, usd, 1, what);
            let run = &report(&place)["runs"][0];
            assert_eq!(run["usage"], Value::Null, "{what}");
            assert_eq!(run["lines"][0]["usage_unknown"], true, "{what}");
        }
    }

    // A stream that an earlier trial left is not of this one.
    let refused = agent("Error", 0, [0, 0], Some(RUN));
    let place = place_of(
        "claude_code",
        &refused,
        &said(&[]),
        &[("stream.jsonl", &stream)],
    );
    costs(&place, 2.0 * of_one, 1, "its own stream");
    let earlier = json!({"run_id": "e0", "agent": {"status": "Error", "error": null}});
    place.write(
        &format!("{PAIR}/regatta/e0/result.json"),
        earlier.to_string(),
    );
    place.write(&format!("{PAIR}/regatta/e0/solo_stream.jsonl"), &stream);
    costs(&place, 0.0, 0, "another's stream");
}

/// Adapters count `OpenHands`' events as steps, the task among them.
#[test]
fn a_first_call_is_refused_whatever_events_came_before_it() {
    let long = "Conversation run failed for id=x: litellm.ContextWindowExceededError: OpenAIException - This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens";
    let filtered = "Conversation run failed for id=x: litellm.BadRequestError: AzureException - The response was filtered: content_filter, content management policy";
    let setting = "Conversation run failed for id=x: litellm.BadRequestError: OpenAIException - Unsupported value: 'temperature' does not support 0.0";
    let began = events(&[ASKED[0], ASKED[1], FAILED]);
    let acted = events(&[ASKED[0], ASKED[1], ("ActionEvent", "agent"), FAILED]);
    for (error, first, later) in [
        (
            long,
            ("config", "first_prompt_too_long"),
            ("agent", "context_window"),
        ),
        (
            filtered,
            ("infra", "first_prompt_filtered"),
            ("agent", "content_policy"),
        ),
        (
            setting,
            ("config", "bad_request"),
            ("infra", "conversation_refused"),
        ),
    ] {
        for (messages, tokens, (cause, rule)) in [
            (&began, [0, 0], first),
            (&Value::Null, [0, 0], first),
            (&acted, [0, 0], later),
            (&acted, [7000, 30], later),
            (&Value::Null, [7000, 30], later),
        ] {
            let agent = agent("Error", 3, tokens, Some(error));
            let place = place_of("openhands_sdk", &agent, messages, &[]);
            explained(&place)
                .prints(&format!("f2_f7: {cause}\n"))
                .prints(&format!("rule: {rule} (from agent.error)\n"));
        }
    }
}

/// Codex writes no message in its model's place: one item is an answer.
#[test]
fn a_conversation_of_one_answer_was_answered() {
    let long = json!({"type": "turn.failed", "error": {"message": "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens"}});
    for (messages, cause, rule) in [
        (said(&[]), "config", "first_prompt_too_long"),
        (
            said(&[("assistant", "I look.")]),
            "agent",
            "context_window_text",
        ),
    ] {
        let agent = agent("Error", 0, [0, 0], None);
        let place = place_of(
            "codex",
            &agent,
            &messages,
            &[("stream.jsonl", &long.to_string())],
        );
        explained(&place)
            .prints(&format!("f2_f7: {cause}\n"))
            .prints(&format!("rule: {rule} "));
    }
}

/// A program that is woken by its own work in the background ends once more; upstream reads the
/// first end, and the cost in the last is that of all.
#[test]
fn what_a_program_spent_after_its_first_end_is_in_the_total_and_named() {
    let end = |usd: f64| json!({"type": "result", "subtype": "success", "is_error": false, "total_cost_usd": usd});
    let stream = format!("{}\n{}\n{}\n", end(0.25), answer("a", "heron-1"), end(0.75));
    let mut submitted = agent("Submitted", 9, [300, 20], None);
    submitted["cost"] = json!(0.25);
    let made = || {
        place_of(
            "claude_code",
            &submitted,
            &Value::Null,
            &[("stream.jsonl", &stream)],
        )
    };
    let spent = |place: &Place| {
        let json = report(place);
        let run = &json["runs"][0];
        assert_eq!(run["headline_cost"], json!({"usd": 0.25, "unknown": 0}));
        assert_eq!(json["totals"]["total_spent"], run["total_spent"]);
        assert_eq!(
            run["beyond_results"],
            json!([{"pair": "harbor_task/4/f2_f7", "agent": "solo", "usd": 0.5}])
        );
        run["total_spent"].clone()
    };
    let place = made();
    assert_eq!(spent(&place), json!({"usd": 0.75, "unknown": 0}));
    for format in ["text", "markdown"] {
        let args = ["report", "--cooperbench-dir", "cb", "--format", format];
        place.run(&args).code(0).prints("cost beyond the results, in the total spent only: $0.50 of 1 agent, whose programs went on after the end that upstream read: harbor_task/4/f2_f7 solo ($0.50)");
    }

    // A ledger that was written without it, and one with it.
    for usd in [0.25, 0.75] {
        place.write(LEDGER, booked(usd));
        assert_eq!(spent(&place), json!({"usd": 0.75, "unknown": 0}), "{usd}");
    }

    // An end that tells less, or nothing, takes nothing back.
    for more in [end(0.1), json!({"type": "result", "subtype": "success"})] {
        let place = made();
        place.write(
            &format!("{PAIR}/solo_stream.jsonl"),
            format!("{}\n{more}\n", end(0.25)),
        );
        costs(&place, 0.25, 0, &more.to_string());
    }
    // Where the first end was of nothing, the last has all.
    let place = place_of(
        "claude_code",
        &agent("Error", 1, [0, 0], None),
        &Value::Null,
        &[(
            "stream.jsonl",
            &[SUMMED, &answer("a", "heron-1"), &end(0.5).to_string()].join("\n"),
        )],
    );
    costs(&place, 0.5, 0, "a first end of nothing");
}
