//! Where triage looks for a cause, in which order, and whom it believes.

use serde_json::{Value, json};

use crate::support::Place;

/// A pair of features 3 and 9: `agent2` works on feature 9.
const PAIR: &str = "cb/logs/w-coop-comm/coop/harbor_task/5/f3_f9";

/// One agent that submitted, and one that ended in an error that upstream gave no words.
fn place() -> Place {
    with_second(
        &json!({"feature_id": 9, "status": "Error", "cost": 0.0, "steps": 1, "error": null}),
    )
}

fn with_second(agent2: &Value) -> Place {
    let place = Place::new();
    let result = json!({"run_id": "e1", "run_name": "w-coop-comm", "agent_framework": "claude_code",
        "model": "m", "started_at": "2026-03-01T10:00:00.000001", "ended_at": "2026-03-01T10:09:00.000001",
        "agents": {"agent2": agent2,
                   "agent1": {"feature_id": 3, "status": "Submitted", "cost": 0.4, "steps": 9, "error": null}},
        "total_cost": 0.4});
    place.write(&format!("{PAIR}/result.json"), result.to_string());
    place.write(&format!("{PAIR}/agent3.patch"), "diff --git a/x b/x\n");
    place
}

fn stream(place: &Place, events: &[Value]) {
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    place.write(
        &format!("{PAIR}/agent2_stream.jsonl"),
        lines.join("\n") + "\n",
    );
}

/// The trajectory is named by the feature, the stream by the agent.
fn last_message(place: &Place, text: &str) {
    let messages = json!({"messages": [
        {"role": "user", "content": "Add it."},
        {"role": "assistant", "content": "I begin."},
        {"role": "user", "content": "Go on."},
        {"role": "assistant", "content": text},
    ]});
    place.write(&format!("{PAIR}/agent9_traj.json"), messages.to_string());
}

fn explained(place: &Place) -> String {
    place
        .run(&[
            "triage",
            "--cooperbench-dir",
            "cb",
            "--explain",
            "--dry-run",
        ])
        .code(0)
        .stdout
}

#[track_caller]
fn assert_cause(place: &Place, cause: &str, rule: &str, source: &str) {
    let text = explained(place);
    for wanted in [
        format!("f3_f9: {cause}\n"),
        format!("rule: {rule} (from {source})\n"),
    ] {
        assert!(text.contains(&wanted), "no {wanted:?} in\n{text}");
    }
}

#[track_caller]
fn assert_unknown(place: &Place, words: &str, source: &str) {
    let text = explained(place);
    for wanted in [
        "f3_f9: no rule matches\n".to_owned(),
        format!("from: {source}\n"),
        words.to_owned(),
        "1 unknown_error".to_owned(),
    ] {
        assert!(text.contains(&wanted), "no {wanted:?} in\n{text}");
    }
}

fn result_event(status: &Value, words: &str) -> Value {
    json!({"type": "result", "subtype": "success", "is_error": true, "api_error_status": status,
        "result": words, "terminal_reason": "completed"})
}

#[test]
fn the_cause_is_read_where_the_agents_program_says_it() {
    for (status, words, cause, rule) in [
        (
            json!(401),
            "Failed to authenticate. API Error: 401 This login has ended",
            "config",
            "login_expired",
        ),
        (json!(401), "No entry for you", "config", "authentication"),
        (
            json!(429),
            "You've hit your weekly limit · resets Mar 3, 4am (UTC)",
            "limit",
            "weekly_limit",
        ),
        (
            json!(429),
            "You've hit your session limit · resets 3pm (Asia/Tokyo)",
            "limit",
            "session_limit",
        ),
        (
            json!(429),
            "Claude AI usage limit reached|1751230800",
            "limit",
            "usage_limit",
        ),
        (json!(429), "Slowly, please", "infra", "rate_limit"),
        (
            json!(529),
            "API Error: 529 Overloaded. Come again",
            "infra",
            "overloaded_status",
        ),
        (
            json!(400),
            "You have reached your specified API usage limits. You will regain access on 2027-02-01 at 00:00 UTC.",
            "limit",
            "usage_limit",
        ),
        (
            json!(403),
            "You have hit your weekly usage limits. Resets in 5 hours.",
            "limit",
            "weekly_limit",
        ),
        (
            json!(400),
            "Credit balance is too low",
            "config",
            "quota_exhausted",
        ),
        (
            json!(400),
            "A block is not where it should be",
            "infra",
            "client_request",
        ),
        (
            json!(429),
            "You've hit your org's monthly usage limit",
            "limit",
            "usage_limit",
        ),
        (
            json!(413),
            "Prompt is too long",
            "agent",
            "context_window_text",
        ),
        (json!(502), "A bad gateway", "infra", "server_error"),
        (
            Value::Null,
            "API Error: Server error mid-response. It may be cut.",
            "infra",
            "answer_cut_off",
        ),
    ] {
        let place = place();
        stream(
            &place,
            &[
                json!({"type": "assistant", "message": {"model": "m", "content": [{"type": "text", "text": "I begin"}]}}),
                result_event(&status, words),
                json!({"type": "system", "subtype": "task_updated"}),
            ],
        );
        last_message(&place, words);
        let source = if status.is_null() {
            "agent2_stream.jsonl (result)".to_owned()
        } else {
            format!("agent2_stream.jsonl (result, api_error_status {status})")
        };
        assert_cause(&place, cause, rule, &source);
    }
}

#[test]
fn without_a_stream_the_last_message_of_an_agent_in_error_counts() {
    let place = place();
    last_message(
        &place,
        "You've hit your weekly limit · resets Mar 3, 4am (UTC)",
    );
    assert_cause(
        &place,
        "limit",
        "weekly_limit",
        "agent9_traj.json (last message)",
    );
    // Its partner's file is not its own, nor is one by the feature's number.
    for name in ["agent1_stream.jsonl", "agent9_stream.jsonl"] {
        place.write(
            &format!("{PAIR}/{name}"),
            result_event(&json!(401), "no").to_string(),
        );
    }
    assert_cause(
        &place,
        "limit",
        "weekly_limit",
        "agent9_traj.json (last message)",
    );
}

#[test]
fn the_harnesss_error_comes_first_and_one_that_says_only_where_does_not_decide() {
    let error = |error: &str| {
        let place = with_second(
            &json!({"feature_id": 9, "status": "Error", "cost": 0.0, "steps": 1, "error": error}),
        );
        stream(&place, &[result_event(&json!(401), "No entry")]);
        place
    };
    let place = error("claude-code install failed: E: no such package");
    assert_cause(&place, "infra", "agent_install", "agents.agent2.error");
    let in_stream = "agent2_stream.jsonl (result, api_error_status 401)";
    for vague in ["Exit status: exit_api", "codex exited with code 1"] {
        assert_cause(&error(vague), "config", "authentication", in_stream);
    }
}

#[test]
fn swe_agents_last_step_tells_what_its_status_does_not() {
    for (status, words, cause, rule) in [
        (
            "exit_error",
            "Exit due to unknown error: litellm.AuthenticationError: AuthenticationError: no",
            "config",
            "authentication",
        ),
        (
            "submitted (exit_api)",
            "Exit due to retry error: RetryError[<Future at 0x7f state=finished raised NotFoundError>]",
            "config",
            "unknown_model",
        ),
        (
            "exit_api",
            "Exit due to retry error: RetryError[<Future at 0x7f state=finished raised RateLimitError>]",
            "infra",
            "rate_limit",
        ),
    ] {
        let error = format!("Exit status: {status}");
        let place = with_second(
            &json!({"feature_id": 9, "status": "Error", "cost": 0.1, "steps": 4, "error": error}),
        );
        let messages = json!({"messages": [{"role": "assistant", "content": words}, {"role": "user", "content": "Exited (autosubmitted)"}]});
        place.write(&format!("{PAIR}/agent9_traj.json"), messages.to_string());
        assert_cause(&place, cause, rule, "agent9_traj.json (last message)");
    }
}

#[test]
fn codex_and_a_program_that_never_began_are_heard_too() {
    let place = place();
    let failed = "You've hit your usage limit. Try again at Mar 4th, 2026 9:12 AM.";
    stream(
        &place,
        &[
            json!({"type": "turn.started"}),
            json!({"type": "error", "message": failed}),
            json!({"type": "turn.failed", "error": {"message": failed}}),
        ],
    );
    assert_cause(
        &place,
        "limit",
        "usage_limit",
        "agent2_stream.jsonl (turn.failed)",
    );
    let path = format!("{PAIR}/agent2_stream.jsonl");
    place.write(&path, "bash: line 1: codex: command not found\n");
    assert_cause(
        &place,
        "infra",
        "agent_install",
        "agent2_stream.jsonl (last line)",
    );
    // Where Codex writes no events, its log.
    std::fs::remove_file(place.join(&path)).unwrap();
    place.write(
        &format!("{PAIR}/agent2_stream.log"),
        "thinking\nERROR: exceeded retry limit, last status: 401 Unauthorized\n",
    );
    let log = "agent2_stream.log (last error)";
    assert_cause(&place, "config", "authentication", log);
}

#[test]
fn the_programs_own_limit_is_the_agents_end() {
    for subtype in ["error_max_turns", "error_max_budget_usd"] {
        let place = place();
        stream(
            &place,
            &[json!({"type": "result", "subtype": subtype, "is_error": true})],
        );
        let source = "agent2_stream.jsonl (result)";
        assert_cause(&place, "agent", "agent_program_limit", source);
    }
}

#[test]
fn a_last_message_in_blocks_and_a_status_in_the_harnesss_error_are_read() {
    let place = place();
    let said = json!([
        {"role": "assistant", "content": "I begin."},
        {"role": "assistant", "content": [{"type": "text", "text": "Failed to authenticate. API Error: 401 This login has ended"}]},
    ]);
    let path = format!("{PAIR}/agent9_traj.json");
    let source = "agent9_traj.json (last message)";
    for trajectory in [said.clone(), json!({"messages": said})] {
        place.write(&path, trajectory.to_string());
        assert_cause(&place, "config", "login_expired", source);
    }
    let error = "API Error: 500 {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"It broke\"}}";
    let place = with_second(
        &json!({"feature_id": 9, "status": "Error", "cost": 0.1, "steps": 4, "error": error}),
    );
    assert_cause(&place, "infra", "server_error", "agents.agent2.error");
}

/// `LiteLLM`'s proxy without a database answers a wrong key so, and some of its versions with 500.
#[test]
fn a_key_that_a_proxy_cannot_look_up_is_wrong_whatever_its_status() {
    for status in [400, 500] {
        let body = json!({"error": {"message": "No connected db.", "type": "no_db_connection", "code": status.to_string()}});
        let place = place();
        let said = format!("API Error: {status} {body}");
        stream(&place, &[result_event(&json!(status), &said)]);
        let source = format!("agent2_stream.jsonl (result, api_error_status {status})");
        assert_cause(&place, "config", "authentication_proxy", &source);
        let failed = format!("unexpected status {status}: {body}, url: http://localhost/v1");
        stream(
            &place,
            &[json!({"type": "turn.failed", "error": {"message": failed}})],
        );
        let source = "agent2_stream.jsonl (turn.failed)";
        assert_cause(&place, "config", "authentication_proxy", source);
    }
    // A database that is away comes back.
    let place = place();
    let body = json!({"error": {"message": "The database cannot be reached", "type": "no_db_connection", "code": "503"}});
    let said = format!("API Error: 503 {body}");
    stream(&place, &[result_event(&json!(503), &said)]);
    let source = "agent2_stream.jsonl (result, api_error_status 503)";
    assert_cause(&place, "infra", "overloaded_status", source);
}

/// What an agent says last is its program's only where nothing of its own follows.
#[test]
fn a_sentence_that_copies_a_notice_and_goes_on_is_not_believed() {
    for (copied, rule, goes_on) in [
        (
            "You've hit your weekly limit · resets Mar 3, 4am (UTC)",
            "weekly_limit",
            " is what the banner reads now.",
        ),
        (
            "Invalid API key · Please run /login",
            "login_expired",
            ". The dialog tells so in its first line.",
        ),
        (
            "API Error: 529 Overloaded. Come again",
            "overloaded_status",
            " is raised by the stub of the second test.",
        ),
        (
            "You've hit your usage limit. Try again at Mar 4th, 2027 9:12 AM.",
            "usage_limit",
            " I count the requests of a day for it.",
        ),
    ] {
        let place = place();
        last_message(&place, copied);
        let text = explained(&place);
        assert!(text.contains(&format!("rule: {rule} (from")), "{text}");
        last_message(&place, &format!("{copied}{goes_on}"));
        assert_unknown(&place, copied, "agent9_traj.json (last message)");
    }
}

#[test]
fn a_status_outweighs_words_that_contradict_it() {
    for (status, words, cause, rule) in [
        (529, "invalid_api_key", "infra", "overloaded_status"),
        (500, "Credit balance is too low", "infra", "server_error"),
        (401, "the server is overloaded", "config", "authentication"),
        (401, "Prompt is too long", "config", "authentication"),
    ] {
        let place = place();
        stream(&place, &[result_event(&json!(status), words)]);
        let source = format!("agent2_stream.jsonl (result, api_error_status {status})");
        assert_cause(&place, cause, rule, &source);
    }
}

#[test]
fn an_agent_that_submits_with_such_words_has_finished() {
    let words = "Failed to authenticate. API Error: 401 This login has ended";
    let place = with_second(
        &json!({"feature_id": 9, "status": "Submitted", "cost": 0.1, "steps": 5, "error": null}),
    );
    place.write(&format!("{PAIR}/agent9.patch"), "diff --git a/y b/y\n");
    stream(
        &place,
        &[json!({"type": "result", "subtype": "success", "is_error": false, "result": words})],
    );
    last_message(&place, words);
    let text = explained(&place);
    assert!(text.contains("1 unjudged"), "{text}");
    assert!(!text.contains("login_expired"), "{text}");
}

#[test]
fn an_agents_own_end_stays_its_own_whatever_it_says_last() {
    // Its own error, with a program's notice as its last words.
    let place = with_second(
        &json!({"feature_id": 9, "status": "Error", "cost": 0.1, "steps": 5, "error": "litellm.ContextWindowExceededError: too long"}),
    );
    last_message(
        &place,
        "Failed to authenticate. API Error: 401 This login has ended",
    );
    assert_cause(&place, "agent", "context_window", "agents.agent2.error");

    // An error without words, and such words within its own sentence: not believed, but shown.
    let prose = "The suite of the mock server prints 401 Unauthorized and \"rate limit exceeded\"; I left it so.";
    let place = self::place();
    last_message(&place, prose);
    assert_unknown(
        &place,
        "The suite of the mock server",
        "agent9_traj.json (last message)",
    );

    // Its program says that it ended, and not by what its last message speaks of.
    stream(
        &place,
        &[
            json!({"type": "assistant", "message": {"model": "m", "content": [{"type": "text", "text": prose}]}}),
            json!({"type": "result", "subtype": "error_during_execution", "is_error": true}),
        ],
    );
    last_message(&place, "API Error: 401 Unauthorized");
    assert_unknown(
        &place,
        "ended with error_during_execution",
        "agent2_stream.jsonl (result)",
    );

    // And the words of a result that no field vouches for.
    stream(&place, &[result_event(&Value::Null, prose)]);
    assert_unknown(
        &place,
        "The suite of the mock server",
        "agent2_stream.jsonl (result)",
    );
}

#[test]
fn a_users_rules_see_the_same_texts() {
    let rule = |pattern: &str| {
        format!(
            "[[rule]]\nid = \"ours\"\ncause = \"agent\"\npattern = '{pattern}'\nabout = \"x\"\nadvice = \"y\"\n"
        )
    };
    let place = place();
    place.write("regatta.toml", "[triage]\nrules_file = \"ours.toml\"\n");
    place.write("ours.toml", rule("(?i)left it so"));
    last_message(&place, "I saw that it fails, and left it so.");
    assert_cause(&place, "agent", "ours", "agent9_traj.json (last message)");
    place.write("ours.toml", rule("This login"));
    stream(&place, &[result_event(&json!(401), "This login has ended")]);
    let source = "agent2_stream.jsonl (result, api_error_status 401)";
    assert_cause(&place, "agent", "ours", source);
    place.write("ours.toml", "[[rule]]\nid = \"ours\"\ncause = \"infra\"\nstatus = [401]\nabout = \"x\"\nadvice = \"y\"\n");
    assert_cause(&place, "infra", "ours", source);
}

#[test]
fn of_a_stream_only_the_end_is_read() {
    let line = format!(
        "{}\n",
        json!({"type": "user", "message": {"content": "x".repeat(500)}})
    );
    let ended = format!("{}\n", result_event(&json!(401), "no"));
    let path = format!("{PAIR}/agent2_stream.jsonl");
    let place = place();
    place.write(&path, line.repeat(3000) + &ended + &line.repeat(50));
    let source = "agent2_stream.jsonl (result, api_error_status 401)";
    assert_cause(&place, "config", "authentication", source);
    place.write(&path, ended + &line.repeat(3000));
    assert_unknown(&place, "nothing says why", "regatta");
    // One line that has no end, and bytes that are no text.
    place.write(&path, "{".repeat(200_000));
    assert_unknown(&place, "nothing says why", "regatta");
    place.write(&path, [0xff, 0xfe, b'\n'].repeat(9));
    explained(&place);
}

#[test]
fn a_stream_that_an_earlier_trial_left_says_nothing_of_this_one() {
    let place = with_second(
        &json!({"feature_id": 9, "status": "Error", "cost": 0.0, "steps": 0, "error": "flux"}),
    );
    stream(&place, &[result_event(&json!(401), "no")]);
    let source = "agent2_stream.jsonl (result, api_error_status 401)";
    assert_cause(&place, "config", "authentication", source);
    // As before a rerun: copies are kept, and the files stay until they are overwritten.
    let earlier = json!({"run_id": "e0", "agents": {"agent2": {"status": "Error", "error": null}}});
    place.write(
        &format!("{PAIR}/regatta/e0/result.json"),
        earlier.to_string(),
    );
    place.write(
        &format!("{PAIR}/regatta/e0/agent2_stream.jsonl"),
        place.read(&format!("{PAIR}/agent2_stream.jsonl")),
    );
    assert_unknown(&place, "text: flux", "agents.agent2.error");
}

#[test]
fn an_agents_name_leads_to_no_other_file() {
    let place = Place::new();
    let pair = "cb/logs/w-solo/solo/harbor_task/5/f3_f9";
    place.write(
        "cb/logs/secret_stream.jsonl",
        result_event(&json!(401), "no").to_string(),
    );
    let name = "../../../../../secret";
    let result = json!({"run_id": "x", "agents": {name: {"status": "Error", "error": null}}});
    place.write(&format!("{pair}/result.json"), result.to_string());
    let text = explained(&place);
    assert!(text.contains("nothing says why"), "{text}");
}

#[test]
fn an_evaluation_that_left_no_file_has_its_reason_in_the_runs_summary() {
    let place = with_second(
        &json!({"feature_id": 9, "status": "Submitted", "cost": 0.1, "steps": 5, "error": null}),
    );
    place.write(&format!("{PAIR}/agent9.patch"), "diff --git a/y b/y\n");
    let summary = |at: &str| {
        json!({"run_name": "w-coop-comm", "evaluated_at": at, "results": [
            {"run": "harbor_task/5/3,9", "status": "error", "error": "UnixHTTPConnectionPool(host='localhost', port=None): Read timed out. (read timeout=9)"},
            {"run": "harbor_task/5/3,4", "status": "fail"}]})
        .to_string()
    };
    let path = "cb/logs/w-coop-comm/eval_summary.json";
    place.write(path, summary("2026-03-01T11:00:00.5"));
    let report: Value = serde_json::from_str(
        &place
            .run(&["report", "--cooperbench-dir", "cb", "--format", "json"])
            .code(0)
            .stdout,
    )
    .unwrap();
    let line = &report["runs"][0]["lines"][0];
    assert_eq!(line["outcome"], "eval_error", "{line}");
    assert_eq!(line["rule"], "docker_api");
    assert_eq!(line["source"], "eval_summary.json");
    let text = explained(&place);
    assert!(text.contains("(from eval_summary.json)"), "{text}");
    // It is still to be judged.
    place
        .run(&["eval", "--cooperbench-dir", "cb", "--dry-run"])
        .code(0)
        .prints("1 to judge");
    // One that was made before the trial ended speaks of another.
    place.write(path, summary("2026-02-28T10:05:00.5"));
    assert!(explained(&place).contains("1 unjudged"));
}

#[test]
fn a_pair_without_a_result_has_its_reason_in_summary_or_console() {
    let place = Place::new();
    let run = "cb/logs/w-solo";
    for pair in ["f1_f2", "f1_f3"] {
        std::fs::create_dir_all(place.join(&format!("{run}/solo/harbor_task/5/{pair}"))).unwrap();
    }
    place.write(
        &format!("{run}/summary.json"),
        json!({"results": [{"task": "harbor_task/5/1,2", "status": "error", "error": "404 Client Error for http+docker://localhost/v1.55/images/x/json: Not Found"}]})
            .to_string(),
    );
    place.write(
        "cb/logs/w-solo_console.txt",
        "✓ done harbor_task/9 [1,3]\n✗ error harbor_task/5 [1,3] Cannot connect to the \nDocker daemon\n\nruns: 2\n",
    );
    let text = explained(&place);
    for wanted in [
        "rule: docker_api (from summary.json)",
        "rule: docker_daemon (from w-solo_console.txt)",
        "text: Cannot connect to the Docker daemon",
    ] {
        assert!(text.contains(wanted), "no {wanted:?} in\n{text}");
    }
}

#[test]
fn evidence_keeps_both_ends_and_json_has_all_of_it() {
    let steps = (0..70).map(|n| format!("Setting up package number {n}\n"));
    let error = format!(
        "claude-code install failed: {}E: the mirror is gone",
        steps.collect::<String>()
    );
    let place = with_second(
        &json!({"feature_id": 9, "status": "Error", "cost": 0.0, "steps": 0, "error": error}),
    );
    let text = explained(&place);
    assert!(
        text.contains("text: claude-code install failed: Setting")
            && text.contains("E: the mirror is gone\n"),
        "{text}"
    );
    let report = |format: &str| {
        place
            .run(&["report", "--cooperbench-dir", "cb", "--format", format])
            .code(0)
            .stdout
    };
    assert!(report("text").contains("E: the mirror is gone\n"));
    let json: Value = serde_json::from_str(&report("json")).unwrap();
    assert_eq!(json["runs"][0]["lines"][0]["why"], error.as_str());
    place
        .run(&["triage", "--cooperbench-dir", "cb"])
        .code(0)
        .prints("1 tag changed");
    let tagged = place.json(&format!("{PAIR}/result.json"));
    assert_eq!(tagged["regatta"]["evidence"]["text"], error.as_str());

    // A tag whose text an earlier version cut says the same.
    let mut old = tagged;
    let cut: String = error.chars().take(400).collect();
    old["regatta"]["evidence"]["text"] = format!("{cut}…").into();
    place.write(&format!("{PAIR}/result.json"), old.to_string());
    assert!(explained(&place).contains("0 tags would change"));
}

#[test]
fn causes_are_counted_over_all_runs() {
    let place = place();
    stream(&place, &[result_event(&json!(401), "no")]);
    for (run, error) in [("v-solo", "flux"), ("u-solo", "litellm.RateLimitError: x")] {
        let result = json!({"run_id": run, "agent": {"status": "Error", "error": error}});
        let pair = format!("cb/logs/{run}/solo/harbor_task/5/f3_f9");
        place.write(&format!("{pair}/result.json"), result.to_string());
    }
    let text = explained(&place);
    assert!(text.contains("text: flux\n  from: agent.error"), "{text}");
    let table = text.split_once("causes in 3 runs:\n").unwrap().1;
    let mut lines: Vec<&str> = table.lines().map(str::trim).collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "config_error · authentication · 1 pair",
            "infra_error · rate_limit · 1 pair",
            "unknown_error · no rule matches · 1 pair"
        ]
    );
}
