//! Files as other programs write them: words in another place.

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
