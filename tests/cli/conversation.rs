//! What goes back to the model is what its endpoint takes: everything that a reply carried, in an
//! order that the strictest templates accept.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::strict::{Strict, in_order, messages, text, think, wants_thoughts};
use crate::support::{Model, Place, Ran};

/// Both wire formats, by a model and the path at which the endpoint is asked.
const WIRES: [(&str, &str); 2] = [("openai/demo", "/v1"), ("command-a-03-2025", "/v2/chat")];

/// A summary as often as it can be. Only the pair whose first agent never submits, which the smoke
/// does not have, gets so far.
const SHORT: [&str; 4] = ["--setting", "coop-nocomm", "--agent-config", "agent.yaml"];
const EVERY_TIME: &str = "agent: {compaction_token_trigger: 1, compaction_keep_recent_turns: 1}\n";

fn model(place: &Place) -> Model {
    let dataset = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/dataset");
    Model::serve(&dataset, &place.join("faults"))
}

fn run(place: &Place, model: &str, base: &str, args: &[&str]) -> Ran {
    let mut command = place.regatta(&["run", "--profile", "demo", "--no-progress"]);
    command
        .args(["--model", model, "--api-base", base])
        .args(args)
        .env("DOCKER_HOST", place.empty_daemon())
        .env("REGATTA_AFTER_RUN", "false")
        .env("OPENAI_API_KEY", "sk-test-123456")
        .env("COHERE_API_KEY", "sk-test-123456");
    Ran::of(&command.output().unwrap())
}

/// How the agents of the first pair ended.
fn statuses(place: &Place, run: &str) -> Vec<String> {
    let tree = if run.ends_with("solo") {
        "solo"
    } else {
        "coop"
    };
    let result = place.json(&format!("logs/{run}/{tree}/ferry_task/1/f1_f2/result.json"));
    let agents = ["/agent", "/agents/agent1", "/agents/agent2"];
    let agents = agents.iter().filter_map(|agent| result.pointer(agent));
    agents
        .map(|agent| agent["status"].as_str().unwrap().to_owned())
        .collect()
}

/// Spoils the first reply of every conversation, in this way.
fn spoil(how: &str, request: &Value, message: &mut Value) {
    let is_first = messages(request).iter().all(|it| it["role"] != "assistant");
    if !is_first || request["tools"].is_null() {
        return;
    }
    match how {
        "broken arguments" => {
            message["tool_calls"][0]["function"]["arguments"] = json!("{\"command\": \"l");
        }
        "another tool" => message["tool_calls"][0]["function"]["name"] = json!("browse"),
        "no call" => message["tool_calls"] = Value::Null,
        "nothing" => {
            message["tool_calls"] = Value::Null;
            message["content"] = json!(" \n");
        }
        "equal ids" => {
            let call = message["tool_calls"][0].clone();
            message["tool_calls"] = json!([call, call, call]);
        }
        "no ids" => {
            let mut call = message["tool_calls"][0].clone();
            call["id"] = json!("");
            message["tool_calls"] = json!([call, call]);
        }
        other => panic!("{other}"),
    }
}

#[test]
fn the_strictest_order_of_roles_is_kept_whatever_a_reply_is() {
    let place = Place::new();
    place.write("agent.yaml", EVERY_TIME);
    let model = model(&place);
    let spoilt = [
        "broken arguments",
        "another tool",
        "no call",
        "nothing",
        "equal ids",
        "no ids",
    ];
    for (nth, how) in spoilt.into_iter().enumerate() {
        let strict = Strict::before(&model.base, in_order, move |request, message| {
            spoil(how, request, message);
        });
        let (name, path) = WIRES[nth % 2];
        let base = format!("{}{path}", strict.base);
        let run_name = format!("t{nth}");
        let name_it = ["--name", &run_name];
        // Every other time the conversation is shortened as well.
        let (args, setting) = if nth / 2 % 2 == 0 {
            let args = ["--setting", "coop-comm", "--smoke", "1"];
            (args, "coop-comm")
        } else {
            (SHORT, "coop-nocomm")
        };
        run(&place, name, &base, &[&args[..], &name_it].concat()).code(0);
        assert_eq!(strict.refused(), [""; 0], "{how}");
        let ended = statuses(&place, &format!("{run_name}-{setting}"));
        assert_eq!(ended, ["Submitted", "Submitted"], "{how}");
    }
}

/// What a colleague writes is a part of the result that comes next.
#[test]
fn a_message_arrives_with_a_tools_result() {
    let place = Place::new();
    let model = model(&place);
    for (name, path) in WIRES {
        let strict = Strict::before(&model.base, in_order, |_, _| {});
        let base = format!("{}{path}", strict.base);
        let args = ["--setting", "coop-comm", "--name", &path[1..3]];
        run(&place, name, &base, &args).code(0);
        assert_eq!(strict.refused(), [""; 0]);
        let asked = strict.asked();
        let told = asked.iter().flat_map(messages).filter(|message| {
            let is_news = text(message).contains("\n\n[Message from agent");
            is_news && message["role"] == "tool"
        });
        assert!(told.count() > 0);
        let alone = asked.iter().flat_map(messages);
        assert!(
            alone
                .clone()
                .all(|it| !text(it).starts_with("[Message from"))
        );
    }
}

#[test]
fn what_a_reply_carries_goes_back_also_after_a_summary_and_in_a_replay() {
    let place = Place::new();
    place.write("agent.yaml", EVERY_TIME);
    let model = model(&place);
    for (name, path) in WIRES {
        let strict = Strict::before(&model.base, wants_thoughts, think);
        let base = format!("{}{path}", strict.base);
        let tapes = format!("tapes{path}");
        let recorded = ["--name", "live", "--record", &tapes];
        run(&place, name, &base, &[&SHORT[..], &recorded].concat()).code(0);
        assert_eq!(strict.refused(), [""; 0]);
        let ended = statuses(&place, "live-coop-nocomm");
        assert_eq!(ended, ["Submitted", "Submitted"]);
        let asked = strict.asked();
        let shortened = asked.iter().flat_map(messages).filter(|message| {
            message["role"] == "user" && text(message).contains("[A summary of your work so far")
        });
        assert!(shortened.count() > 0);
        let offline = ["--name", "live", "--replay", &tapes, "--logs-dir", "again"];
        let offline = [&SHORT[..], &offline].concat();
        run(&place, name, "http://127.0.0.1:1/v1", &offline).code(0);
        std::fs::remove_dir_all(place.join("logs")).unwrap();
        std::fs::remove_dir_all(place.join("again")).unwrap();
    }
}

/// Some servers give what they do not take.
#[test]
fn what_an_endpoint_refuses_of_its_own_replies_is_left_out_and_said_once() {
    let place = Place::new();
    let model = model(&place);
    for (nth, (status, named)) in [(400, "reasoning_content"), (422, "thinking")]
        .iter()
        .enumerate()
    {
        let (name, path) = WIRES[nth];
        let check = move |request: &Value| {
            let found = messages(request).iter().position(|message| {
                message.get("reasoning_content").is_some()
                    || message.pointer("/content/0/thinking").is_some()
            });
            found.map_or(Ok(()), |at| {
                Err((
                    *status,
                    format!("messages.{at}: `{named}` is not permitted"),
                ))
            })
        };
        let strict = Strict::before(&model.base, check, think);
        let base = format!("{}{path}", strict.base);
        let tapes = format!("tapes{nth}");
        let args = ["--setting", "coop-comm", "--smoke", "1"];
        let recorded = ["--name", "live", "--record", &tapes];
        let ran = run(&place, name, &base, &[&args[..], &recorded].concat()).code(0);
        let said = format!("the endpoint refuses `{named}` of its own earlier replies");
        assert_eq!(ran.stderr.matches(&said).count(), 1, "{}", ran.stderr);
        // Once for each agent, and nothing was paid for it.
        assert_eq!(strict.refused().len(), 2);
        let ended = statuses(&place, "live-coop-comm");
        assert_eq!(ended, ["Submitted", "Submitted"]);
        // What was not refused goes back as before.
        let asked = strict.asked();
        let calls = |asked: &[Value]| {
            let calls = asked
                .iter()
                .flat_map(messages)
                .filter(|it| it["tool_calls"].is_array());
            calls
                .map(|it| it["tool_calls"][0].clone())
                .collect::<Vec<_>>()
        };
        assert!(
            calls(&asked)
                .iter()
                .all(|call| call["extra_content"].is_object())
        );
        let offline = ["--name", "live", "--replay", &tapes, "--logs-dir", "again"];
        let offline = [&args[..], &offline].concat();
        run(&place, name, "http://127.0.0.1:1/v1", &offline)
            .code(0)
            .says(&said);
        std::fs::remove_dir_all(place.join("logs")).unwrap();
        std::fs::remove_dir_all(place.join("again")).unwrap();
    }
}

/// It is tried without the field once, and no more.
#[test]
fn a_refusal_that_stays_without_the_field_ends_the_trial() {
    let place = Place::new();
    let model = model(&place);
    let check = |request: &Value| {
        let has_reply = messages(request).iter().any(|it| it["role"] == "assistant");
        let why = "reasoning_content in message 2 is not wanted".to_owned();
        if has_reply { Err((400, why)) } else { Ok(()) }
    };
    let strict = Strict::before(&model.base, check, think);
    let base = format!("{}/v1", strict.base);
    let args = ["--setting", "solo", "--smoke", "1", "--max-attempts", "1"];
    let ran = run(&place, "openai/demo", &base, &args);
    assert_ne!(ran.code, Some(0));
    assert_eq!(strict.refused().len(), 2);
    let result = place.json("logs/demo-solo/solo/ferry_task/1/f1_f2/result.json");
    let error = result["agent"]["error"].as_str().unwrap();
    assert!(error.contains("is not wanted"), "{error}");
}

/// The ids of the calls and of the results in each trajectory below a directory.
fn ids(place: &Place, dir: &str) -> Vec<[Vec<String>; 2]> {
    let mut files = Vec::new();
    let mut dirs = vec![place.join(dir)];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.to_string_lossy().ends_with("_traj.json") {
                files.push(path);
            }
        }
    }
    files.sort();
    let of = |value: &Value| value.as_str().unwrap().to_owned();
    let both = |path| {
        let text = std::fs::read_to_string(path).unwrap();
        let trajectory: Value = serde_json::from_str(&text).unwrap();
        let said = messages(&trajectory);
        let calls = said.iter().filter_map(|it| it["tool_calls"].as_array());
        let results = said.iter().filter(|it| it["role"] == "tool");
        [
            calls.flatten().map(|call| of(&call["id"])).collect(),
            results.map(|it| of(&it["tool_call_id"])).collect(),
        ]
    };
    files.into_iter().map(both).collect()
}

/// Also of calls that a summary took the place of, and in a replay.
#[test]
fn every_call_of_a_conversation_has_an_id_of_its_own_whatever_its_endpoint_gives() {
    let place = Place::new();
    place.write("agent.yaml", EVERY_TIME);
    let model = model(&place);
    let given = [json!("call_0"), json!("Xk2pQ9rTz"), json!(""), json!(7)];
    for (nth, id) in given.into_iter().enumerate() {
        let its = id.clone();
        let strict = Strict::before(&model.base, in_order, move |_, message| {
            for call in message["tool_calls"].as_array_mut().into_iter().flatten() {
                call["id"] = its.clone();
            }
        });
        let (name, path) = WIRES[nth % 2];
        let base = format!("{}{path}", strict.base);
        let recorded = ["--name", "live", "--record", "tapes"];
        run(&place, name, &base, &[&SHORT[..], &recorded].concat()).code(0);
        assert_eq!(strict.refused(), [""; 0], "{id}");
        let live = ids(&place, "logs/live-coop-nocomm");
        for [calls, results] in &live {
            assert_eq!(calls, results);
            let different: BTreeSet<&String> = calls.iter().collect();
            assert_eq!(different.len(), calls.len(), "{id}: {calls:?}");
        }
        assert!(live.iter().any(|[calls, _]| calls.len() > 6));
        let offline = ["--name", "live", "--replay", "tapes", "--logs-dir", "again"];
        let offline = [&SHORT[..], &offline].concat();
        run(&place, name, "http://127.0.0.1:1/v1", &offline).code(0);
        assert_eq!(ids(&place, "again/live-coop-nocomm"), live);
        for dir in ["logs", "again", "tapes"] {
            std::fs::remove_dir_all(place.join(dir)).unwrap();
        }
    }
}

/// It was made before ids were told apart over a whole conversation.
#[test]
fn a_recording_in_which_ids_come_again_is_played_as_it_was_made() {
    let place = Place::new();
    let model = model(&place);
    let strict = Strict::before(&model.base, in_order, |_, message| {
        for call in message["tool_calls"].as_array_mut().into_iter().flatten() {
            call["id"] = json!("call_0");
        }
    });
    let base = format!("{}/v1", strict.base);
    let args = ["--setting", "solo", "--smoke", "1"];
    let recorded = [&args[..], &["--record", "tapes"]].concat();
    run(&place, "openai/demo", &base, &recorded).code(0);
    let tape = "tapes/demo-solo/ferry_task/1/f1_f2/solo-1.jsonl";
    let older = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        if line["kind"] == "format" {
            line["requests"] = json!(2);
        }
        let sent = line.pointer_mut("/request/messages");
        for message in sent.into_iter().flat_map(|it| it.as_array_mut().unwrap()) {
            if message["role"] == "tool" {
                message["tool_call_id"] = json!("call_0");
            }
            let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
            for call in calls.into_iter().flatten() {
                call["id"] = json!("call_0");
            }
        }
        format!("{line}\n")
    };
    let text: String = place.read(tape).lines().map(older).collect();
    assert!(text.matches("\"tool_call_id\":\"call_0\"").count() > 2);
    place.write(tape, text);
    let replay = ["--replay", "tapes", "--logs-dir", "again"];
    let offline = [&args[..], &replay].concat();
    run(&place, "openai/demo", "http://127.0.0.1:1/v1", &offline).code(0);
}

#[test]
fn a_recording_of_an_older_form_is_refused_with_the_version_that_plays_it() {
    let place = Place::new();
    let model = model(&place);
    let base = format!("{}/v1", model.base);
    let args = ["--setting", "solo", "--smoke", "1"];
    run(
        &place,
        "openai/demo",
        &base,
        &[&args[..], &["--record", "tapes"]].concat(),
    )
    .code(0);
    let tape = "tapes/demo-solo/ferry_task/1/f1_f2/solo-1.jsonl";
    let text = place.read(tape);
    let (first, rest) = text.split_once('\n').unwrap();
    let first: Value = serde_json::from_str(first).unwrap();
    assert_eq!(
        (&first["kind"], &first["requests"]),
        (&json!("format"), &json!(4))
    );
    assert!(
        first["regatta"]
            .as_str()
            .unwrap()
            .starts_with(env!("CARGO_PKG_VERSION"))
    );
    // Older ones begin with their first exchange.
    place.write(tape, rest);
    let replay = ["--replay", "tapes", "--logs-dir", "again"];
    run(&place, "openai/demo", &base, &[&args[..], &replay].concat())
        .code(2)
        .says("its requests are of form 1")
        .says("Regatta 0.1.0 (a7706eea9a, of 25 November 2026) plays it");
}
