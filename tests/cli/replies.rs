//! What becomes of a reply that is none, or half of one: the native engine with an endpoint that
//! answers so.

use serde_json::{Value, json};

use crate::listener::{self, Listener, SUBMITS, answer, reply};
use crate::support::{Place, Ran};

const DIR: &str = "cb/logs/t-solo/solo/lighthouse_task/7/f1_f2";

/// One trial against this listener; every call is tried so often at most.
fn run(place: &Place, listener: &Listener, model: &str, tries: u32) -> Ran {
    run_with(place, listener, model, tries, &[])
}

fn run_with(place: &Place, listener: &Listener, model: &str, tries: u32, more: &[&str]) -> Ran {
    let native = format!("call_tries = {tries}\nstep_limit = 20");
    listener::configure(place, listener, model, &native);
    let args = ["run", "--setting", "solo", "--smoke", "1", "--no-progress"];
    let output = place
        .beside_an_empty_daemon(&[&args[..], more].concat())
        .output()
        .unwrap();
    Ran::of(&output)
}

fn agent(place: &Place) -> Value {
    place.json(&format!("{DIR}/result.json"))["agent"].clone()
}

#[track_caller]
fn failed_with(place: &Place, rule: &str, text: &str) {
    let agent = agent(place);
    let error = agent["error"].as_str().unwrap_or_default();
    let begin = format!("regatta/{rule}: ");
    assert!(
        error.starts_with(&begin) && error.contains(text),
        "{agent:#}"
    );
}

/// What the harness said to the model, beside the task.
fn told(place: &Place) -> Vec<String> {
    let trajectory = place.json(&format!("{DIR}/solo_traj.json"));
    let messages = trajectory["messages"].as_array().unwrap();
    let said = messages.iter().filter(|message| message["role"] == "user");
    let said = said.map(|message| message["content"].as_str().unwrap().to_owned());
    said.skip(1).collect()
}

fn cohere(finish: &str, text: &str, usage: &Value) -> String {
    let content = if text.is_empty() {
        json!([])
    } else {
        json!([{"type": "text", "text": text}])
    };
    let body = json!({"id": "x", "finish_reason": finish, "usage": usage,
        "message": {"role": "assistant", "content": content}});
    answer(200, "", &body.to_string())
}

fn openai(choice: &Value) -> String {
    let body = json!({"choices": [choice],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100}});
    answer(200, "", &body.to_string())
}

/// A choice whose message calls `bash` with these arguments.
fn calls(finish: &str, arguments: &str) -> Value {
    json!({"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": "",
        "tool_calls": [{"id": "c", "type": "function",
            "function": {"name": "bash", "arguments": arguments}}]}})
}

#[test]
fn a_generation_that_failed_in_a_200_is_tried_again_and_infrastructures_in_the_end() {
    for (finish, text) in [("TIMEOUT", ""), ("ERROR", "I began to")] {
        let answered = cohere(finish, text, &Value::Null);
        let listener = Listener::answering(move |number| {
            Some(if number == 0 {
                reply("ls")
            } else {
                answered.clone()
            })
        });
        let place = Place::new();
        run(&place, &listener, "command-a-03-2025", 2).code(1);
        failed_with(
            &place,
            "malformed_response",
            &format!("(finish_reason {finish})"),
        );
        assert_eq!(listener.asked().len(), 3);
        // It may have been paid for.
        assert_eq!(agent(&place)["usage_unknown"], true);
    }
}

#[test]
fn a_generation_that_failed_once_is_made_again() {
    let failed = cohere("TIMEOUT", "", &Value::Null);
    let listener = Listener::answering(move |number| {
        Some(if number == 0 {
            failed.clone()
        } else {
            reply(SUBMITS)
        })
    });
    let place = Place::new();
    run(&place, &listener, "command-a-03-2025", 2).code(0);
    assert_eq!(agent(&place)["status"], "Submitted");
    assert_eq!(agent(&place)["steps"], 1);
}

/// Half a reply beside an error, and an answer that says only how it ended.
#[test]
fn what_came_of_a_generation_that_broke_is_no_step() {
    let message = json!({"role": "assistant", "content": "I will look at"});
    let error = json!({"code": 502, "message": "The line to the provider broke"});
    let half = json!({"choices": [{"finish_reason": null, "message": message}], "error": error});
    let ended = |word: &str| json!({"choices": [{"index": 0, "finish_reason": word}]});
    for (broken, rule) in [
        (half, "server_error"),
        (ended("content_filter"), "content_policy"),
        (ended("model_length"), "context_window"),
    ] {
        let broken = answer(200, "", &broken.to_string());
        let listener = Listener::answering(move |number| {
            Some(if number == 0 {
                reply("ls")
            } else {
                broken.clone()
            })
        });
        let place = Place::new();
        run(&place, &listener, "openai/m", 2).code(1);
        failed_with(&place, rule, "answered");
        assert_eq!(agent(&place)["usage_unknown"], true);
        assert_eq!(told(&place), [""; 0]);
    }
}

#[test]
fn numbers_that_are_none_cost_no_second_call() {
    let mut choice = calls("tool_calls", &json!({"command": SUBMITS}).to_string());
    choice["logprobs"] = json!("NONE");
    // As long as what it takes the place of.
    let python = openai(&choice).replace("\"NONE\"", "   NaN");
    let listener = Listener::answering(move |_| Some(python.clone()));
    let place = Place::new();
    run(&place, &listener, "openai/m", 1).code(0);
    assert_eq!(agent(&place)["status"], "Submitted");
}

#[test]
fn a_row_of_empty_answers_is_no_work_of_an_agents() {
    let silent = json!({"finish_reason": "stop", "message": {"role": "assistant", "content": ""}});
    let silent = answer(200, "", &json!({"choices": [silent]}).to_string());
    for (model, answered) in [
        ("openai/m", silent),
        ("command-a-03-2025", cohere("COMPLETE", "", &Value::Null)),
    ] {
        let listener = Listener::answering(move |_| Some(answered.clone()));
        let place = Place::new();
        run(&place, &listener, model, 2).code(1);
        failed_with(
            &place,
            "malformed_response",
            "it is empty, and no tokens were used",
        );
        assert_eq!(listener.asked().len(), 2);
    }
}

#[test]
fn a_reply_that_a_filter_took_away_is_tried_again_and_the_agents_in_the_end() {
    let filtered = openai(&json!({"finish_reason": "content_filter",
        "message": {"role": "assistant", "content": "I would"}}));
    let listener = Listener::answering(move |number| {
        Some(if number == 0 {
            reply("ls")
        } else {
            filtered.clone()
        })
    });
    let place = Place::new();
    run(&place, &listener, "openai/m", 2).code(1);
    failed_with(&place, "content_policy", "(finish_reason content_filter)");
    assert_eq!(listener.asked().len(), 3);
}

#[test]
fn the_model_is_told_that_its_reply_was_cut() {
    let cut = openai(&calls(
        "length",
        "{\"command\": \"cat > a.py <<EOF\\nimport",
    ));
    let listener = Listener::answering(move |number| {
        Some(if number == 0 {
            cut.clone()
        } else {
            reply(SUBMITS)
        })
    });
    let place = Place::new();
    run(&place, &listener, "openai/m", 1).code(0);
    let told = told(&place).remove(0);
    assert!(
        told.contains("cut off at the limit of output tokens"),
        "{told}"
    );
    assert!(!told.contains("EOF while parsing"), "{told}");
    assert_eq!(agent(&place)["steps"], 2);
}

/// What a summary stands for is gone, so half of one, or none, stands for nothing.
#[test]
fn a_summary_that_is_none_leaves_the_conversation_as_it_is() {
    let said = |finish: &str, text: &str| {
        json!({"finish_reason": finish,
        "message": {"role": "assistant", "content": text}})
    };
    for (summary, is_usable) in [
        (said("stop", "The lamp is lit."), true),
        (said("length", "The lamp is"), false),
        (said("stop", " \n"), false),
        (calls("tool_calls", r#"{"command": "ls"}"#), false),
    ] {
        let summary = openai(&summary);
        let listener = Listener::answering(move |number| {
            Some(match number {
                0..5 => reply("ls"),
                5 => summary.clone(),
                _ => reply(SUBMITS),
            })
        });
        let place = Place::new();
        let often = "agent: {compaction_token_trigger: 1, compaction_keep_recent_turns: 1}\n";
        place.write("agent.yaml", often);
        let more = ["--agent-config", "agent.yaml"];
        run_with(&place, &listener, "openai/m", 1, &more).code(0);
        let asked = listener.asked();
        assert_eq!(asked.len(), 7);
        let sent = |nth: usize| asked[nth].body["messages"].as_array().unwrap().as_slice();
        assert_eq!(sent(5).len(), 1);
        if is_usable {
            let task = sent(6)[1]["content"].as_str().unwrap();
            assert!(task.ends_with("The lamp is lit."), "{task}");
            assert_eq!(sent(6).len(), 4);
        } else {
            let (before, after) = (sent(4), sent(6));
            assert_eq!(after[..before.len()], *before);
            assert_eq!(after.len(), before.len() + 2);
        }
        // It was paid for all the same.
        let trajectory = place.json(&format!("{DIR}/solo_traj.json"));
        let messages = trajectory["messages"].as_array().unwrap();
        let mut summaries = messages.iter().filter(|it| it["extra"]["summary"] == true);
        let extra = &summaries.next().unwrap()["extra"];
        assert_eq!(extra["format_error"] == true, !is_usable, "{extra}");
        assert_eq!(agent(&place)["status"], "Submitted");
    }
}

/// It is the harness that asks for it: the agent goes on without.
#[test]
fn a_summary_that_is_refused_ends_no_agent_and_is_asked_for_again_after_some_turns() {
    let refused = |code: &str, message: &str| {
        let body = json!({"error": {"message": message, "code": code}});
        answer(400, "", &body.to_string())
    };
    for summary in [
        refused(
            "tool_use_failed",
            "Tool choice is none, but model called a tool",
        ),
        refused("content_filter", "The response was filtered"),
        refused("context_length_exceeded", "It has 5000 tokens"),
        refused("odd", "messages must contain tools"),
        openai(&json!({"finish_reason": "stop", "message": {"role": "assistant", "content": ""}})),
    ] {
        // Before the 6th step, after four more, and after four more again.
        let summaries = [5, 10, 15];
        let listener = Listener::answering(move |number| {
            Some(match number {
                _ if summaries.contains(&number) => summary.clone(),
                17 => reply(SUBMITS),
                _ => reply("ls"),
            })
        });
        let place = Place::new();
        let often = "agent: {compaction_token_trigger: 1, compaction_keep_recent_turns: 1}\n";
        place.write("agent.yaml", often);
        let more = ["--agent-config", "agent.yaml", "--record", "tapes"];
        run_with(&place, &listener, "openai/m", 1, &more).code(0);
        let asked = listener.asked();
        let is_summary = |number: &usize| asked[*number].body["tools"].is_null();
        let found: Vec<usize> = (0..asked.len()).filter(is_summary).collect();
        assert_eq!((found.as_slice(), asked.len()), (&summaries[..], 18));
        assert_eq!(agent(&place)["status"], "Submitted");
        assert_eq!(agent(&place)["steps"], 15);
        std::fs::rename(place.join("cb/logs"), place.join("first")).unwrap();
        let more = ["--agent-config", "agent.yaml", "--replay", "tapes"];
        run_with(&place, &listener, "openai/m", 1, &more).code(0);
        assert_eq!(agent(&place)["steps"], 15);
        assert_eq!(listener.asked().len(), 18);
    }
}

#[test]
fn half_a_character_costs_no_second_call() {
    let arguments = r#"{"command": "echo \ud83d"}"#;
    let mut choice = calls("tool_calls", arguments);
    choice["message"]["content"] = json!("HALF");
    let half = openai(&choice).replace("HALF", r"a\ud83d");
    // Two bytes more than the word it stands for.
    let length = |text: &str| text.split_once("\r\n\r\n").unwrap().1.len();
    let (before, after) = (length(&openai(&choice)), length(&half));
    let half = half.replace(
        &format!("Content-Length: {before}"),
        &format!("Content-Length: {after}"),
    );
    let listener = Listener::answering(move |number| {
        Some(if number == 0 {
            half.clone()
        } else {
            reply(SUBMITS)
        })
    });
    let place = Place::new();
    run(&place, &listener, "openai/m", 3).code(0);
    assert_eq!(listener.asked().len(), 2);
    assert_eq!(told(&place), Vec::<String>::new());
    let trajectory = place.read(&format!("{DIR}/solo_traj.json"));
    assert!(trajectory.contains("echo \u{fffd}"), "{trajectory}");
}

/// The answers with which servers refuse what their own model wrote.
fn unreadable() -> Vec<String> {
    let generation = r#"<function=bash>{"command": "ls""#;
    [
        (400, json!({"error": {"message": "Failed to call a function. See 'failed_generation'.",
            "code": "tool_use_failed", "failed_generation": generation}})),
        (500, json!({"error": {"message": format!("error parsing tool call: raw='{generation}', err=unexpected end")}})),
        (500, json!({"error": {"code": 500, "message": format!("Failed to parse input at pos 12: {generation}")}})),
    ]
    .into_iter()
    .map(|(status, body)| answer(status, "", &body.to_string()))
    .collect()
}

#[test]
fn a_tool_call_that_its_server_cannot_read_is_told_to_the_model() {
    for refused in unreadable() {
        let listener = Listener::answering(move |number| {
            Some(match number {
                1 => refused.clone(),
                2 => reply(SUBMITS),
                _ => reply("ls"),
            })
        });
        let place = Place::new();
        run(&place, &listener, "openai/m", 1).code(0);
        let told = told(&place).remove(0);
        assert!(told.contains("its tool call could not be read: "), "{told}");
        // What it wrote, and not where it was sent to.
        assert!(told.contains("<function=bash>"), "{told}");
        assert!(!told.contains(&listener.base), "{told}");
        assert_eq!(agent(&place)["status"], "Submitted");
        assert_eq!(agent(&place)["usage_unknown"], true);
    }
}

/// Where it says so in the word for how the reply ended.
#[test]
fn a_reply_that_ends_in_an_unread_call_is_told_to_the_model() {
    for word in [
        "tool_parse_error",
        "tool_call_parse_error",
        "function_call_error",
        "invalid_function_call",
        "tool_error",
        "malformed_tool_use",
        "TOO_MANY_TOOL_CALLS",
    ] {
        let message = json!({"role": "assistant", "content": ""});
        let broken = openai(&json!({"finish_reason": word, "message": message}));
        let listener = Listener::answering(move |number| {
            Some(match number {
                1 => broken.clone(),
                2 => reply(SUBMITS),
                _ => reply("ls"),
            })
        });
        let place = Place::new();
        run(&place, &listener, "openai/m", 1).code(0);
        let told = told(&place).remove(0);
        assert!(told.contains("its tool call could not be read: "), "{told}");
        assert_eq!(agent(&place)["status"], "Submitted", "{word}");
    }
}

/// A try that may be billed counts also where another one ends the call.
#[test]
fn a_replay_knows_as_much_of_what_was_spent() {
    let failed = cohere("TIMEOUT", "", &Value::Null);
    let usage = json!({"tokens": {"input_tokens": 1000, "output_tokens": 4000}});
    let told = cohere("ERROR", "I", &usage);
    let refused = answer(401, "", "{}");
    for (answers, usage_unknown) in [
        (vec![failed.clone()], true),
        (vec![told.clone()], false),
        (vec![told, answer(500, "", "{}")], false),
        (vec![failed, refused.clone()], true),
        (vec![answer(504, "", "<html>")], true),
        (vec![refused], false),
    ] {
        let tries = answers.len().try_into().unwrap();
        let listener = Listener::answering(move |number| {
            Some(match number {
                0 => reply("ls"),
                _ => answers[number - 1].clone(),
            })
        });
        let place = Place::new();
        let model = "command-a-03-2025";
        run_with(&place, &listener, model, tries, &["--record", "tapes"]);
        let recorded = agent(&place);
        let unknown = recorded["usage_unknown"] == true;
        assert_eq!(unknown, usage_unknown, "{recorded:#}");
        std::fs::rename(place.join("cb/logs"), place.join("first")).unwrap();
        run_with(&place, &listener, model, tries, &["--replay", "tapes"]);
        let replayed = agent(&place);
        for field in ["status", "error", "steps", "cost", "usage_unknown"] {
            assert_eq!(replayed[field], recorded[field], "{field}");
        }
    }
}

/// Beside a call that can be used, too: what was paid for is a step.
#[test]
fn a_call_that_names_no_tool_is_told_to_the_model() {
    let good = calls("stop", r#"{"command": "ls"}"#)["message"]["tool_calls"][0].clone();
    for list in [
        json!([{"id": "x", "type": "function", "function": {"name": null, "arguments": "{}"}}]),
        json!([{"id": "x", "type": "function"}]),
        json!([{"id": "x", "type": "custom"}]),
        json!([null]),
        json!([good, {"id": "x", "function": {"arguments": "{}"}}]),
    ] {
        let message = json!({"role": "assistant", "content": null, "tool_calls": list});
        let nameless = openai(&json!({"finish_reason": "tool_calls", "message": message}));
        let listener = Listener::answering(move |number| {
            Some(match number {
                0 => nameless.clone(),
                _ => reply(SUBMITS),
            })
        });
        let place = Place::new();
        run(&place, &listener, "openai/m", 3).code(0);
        let told = told(&place).remove(0);
        assert!(told.contains("its tool call names no tool"), "{told}");
        let agent = agent(&place);
        assert_eq!(
            (&agent["status"], &agent["steps"]),
            (&json!("Submitted"), &json!(2))
        );
        assert_eq!(listener.asked().len(), 2);
        // Endpoints check names: it is not sent back.
        let sent = listener.asked().remove(1).body["messages"][2].clone();
        assert_eq!(sent["tool_calls"], Value::Null);
    }
}

#[test]
fn a_call_in_an_older_or_a_simpler_form_is_one() {
    let arguments = json!({"command": SUBMITS}).to_string();
    let function = json!({"name": "bash", "arguments": arguments});
    for (name, value) in [
        ("function_call", function.clone()),
        ("tool_calls", json!({"id": "x", "function": function})),
        (
            "tool_calls",
            json!([{"id": "x", "name": "bash", "arguments": arguments}]),
        ),
    ] {
        let message = json!({"role": "assistant", "content": null, name: value});
        let submits = openai(&json!({"finish_reason": "function_call", "message": message}));
        let listener = Listener::answering(move |_| Some(submits.clone()));
        let place = Place::new();
        run(&place, &listener, "openai/m", 1).code(0);
        assert_eq!(agent(&place)["status"], "Submitted");
        assert_eq!(listener.asked().len(), 1);
    }
}

#[test]
fn a_server_that_never_reads_its_models_calls_ends_the_agent_after_a_few() {
    for refused in unreadable() {
        let listener = Listener::answering(move |_| Some(refused.clone()));
        let place = Place::new();
        run(&place, &listener, "openai/m", 1).code(1);
        failed_with(&place, "failed_tool_call", "answered");
        assert_eq!(told(&place).len(), 2);
        assert_eq!(listener.asked().len(), 3);
        // It is a result: the same command pays for nothing again.
        run(&place, &listener, "openai/m", 1).code(1);
        assert_eq!(listener.asked().len(), 3);
    }
}

#[test]
fn a_tool_call_that_its_server_cannot_read_is_tried_three_times_in_place() {
    let refused = unreadable().remove(1);
    let listener = Listener::answering(move |number| {
        Some(if number < 3 {
            refused.clone()
        } else {
            reply(SUBMITS)
        })
    });
    let place = Place::new();
    run(&place, &listener, "openai/m", 10).code(0);
    assert_eq!(told(&place).len(), 1);
    assert_eq!(listener.asked().len(), 4);
}

#[test]
fn a_replay_tells_the_model_the_same() {
    let refused = unreadable().remove(0);
    let cut = openai(&calls("length", "{\"command\": \"ls"));
    let listener = Listener::answering(move |number| {
        Some(match number {
            0 => cut.clone(),
            1 => refused.clone(),
            _ => reply(SUBMITS),
        })
    });
    let place = Place::new();
    run_with(&place, &listener, "openai/m", 1, &["--record", "tapes"]).code(0);
    let recorded = told(&place);
    assert_eq!(recorded.len(), 2);
    let logs = place.join("cb/logs");
    std::fs::rename(&logs, place.join("first")).unwrap();
    run_with(&place, &listener, "openai/m", 1, &["--replay", "tapes"]).code(0);
    assert_eq!(told(&place), recorded);
    assert_eq!(agent(&place)["steps"], 3);
    assert_eq!(listener.asked().len(), 3);
}
