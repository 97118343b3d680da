//! What is known of a cost is booked as it comes, and both engines price alike.

use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::listener::{self, Listener, SUBMITS, answer, reply, reply_of};
use crate::support::{Place, Ran, interrupt, wait_until};

const RUN: &str = "t-solo";
const RUN_ONE: [&str; 6] = ["run", "--setting", "solo", "--smoke", "1", "--no-progress"];

/// The cost of one call: 1000 tokens in and 100 out of Command A (2.5 and 10 USD per million).
const CALL: f64 = 0.0035;

fn configure(place: &Place, listener: &Listener, model: &str, more: &str) {
    let native = format!("call_tries = 1\nstep_limit = 6\n{more}");
    listener::configure(place, listener, model, &native);
}

fn run(place: &Place, args: &[&str]) -> Ran {
    Ran::of(&place.beside_an_empty_daemon(args).output().unwrap())
}

/// Starts a run whose fourth call gets no answer, and waits until it is under way.
fn until_the_fourth_call(place: &Place, args: &[&str], listener: &Listener) -> Child {
    let started = place
        .beside_an_empty_daemon(&[&RUN_ONE[..], args].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the fourth call", || listener.asked().len() == 4);
    started
}

/// A listener that answers with a command, but not the fourth call.
fn holds_the_fourth() -> Listener {
    Listener::answering(|number| (number != 3).then(|| reply("ls")))
}

#[track_caller]
fn is(value: &Value, wanted: f64) {
    let found = value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is not {wanted}"));
    assert!((found - wanted).abs() < 1e-9, "{found} is not {wanted}");
}

#[track_caller]
fn is_three_calls(line: &Value) {
    assert_eq!(line["status"], "CutOff");
    is(&line["cost"], 3.0 * CALL);
    assert_eq!(line["usage_unknown"], true);
    assert_eq!(line["usage"]["input_tokens"], 3000);
    assert_eq!(line["usage"]["output_tokens"], 300);
}

#[test]
fn a_trial_that_is_killed_with_regatta_costs_what_was_answered() {
    let (place, listener) = (Place::new(), holds_the_fourth());
    configure(&place, &listener, "command-a-03-2025", "");
    let mut started = until_the_fourth_call(&place, &[], &listener);
    run(&place, &["status", RUN])
        .code(0)
        .prints("  step 3  $0.0105  ");
    run(&place, &["triage", RUN, "--explain", "--dry-run"])
        .code(0)
        .prints("lighthouse_task/7/f1_f2: it is running");
    started.kill().unwrap();
    started.wait().unwrap();
    run(&place, &["status", RUN])
        .code(0)
        .prints("; $0.0105 of their cost is known, and the same command books them")
        .prints("spent on 1 trial $0.0105 + 1 unknown (1 died)");
    let kept = format!("cb/logs/{RUN}/solo/lighthouse_task/7/f1_f2/regatta");
    run(&place, &["triage", RUN, "--explain"])
        .code(0)
        .prints("it was running when attempt 1 died; what it said is in")
        .prints(&kept);
    // The budget counts it before anything else is paid.
    run(&place, &[&RUN_ONE[..], &["--budget", "0.0104"]].concat()).code(4);
    assert_eq!(listener.asked().len(), 4);
    is_three_calls(&place.lines(RUN, "ledger")[0]);
    run(&place, &RUN_ONE).code(0);
    let ledger = place.lines(RUN, "ledger");
    assert_eq!(ledger.len(), 2, "{ledger:#?}");
    is(&ledger[1]["cost"], 6.0 * CALL);
    assert!(ledger[1].get("usage_unknown").is_none());
    let report = run(&place, &["report", RUN, "--format", "json"])
        .code(0)
        .stdout;
    let report: Value = serde_json::from_str(&report).unwrap();
    is(&report["total_spent"]["usd"], 9.0 * CALL);
    assert_eq!(report["total_spent"]["unknown"], 1);
    assert_eq!(report["headline_cost"]["unknown"], 0);
    run(&place, &["report", RUN]).prints("$0.0315 + 1 unknown");
}

#[test]
fn a_trial_that_an_interrupt_ends_costs_what_was_answered() {
    let (place, listener) = (Place::new(), holds_the_fourth());
    configure(&place, &listener, "command-a-03-2025", "");
    let mut started = until_the_fourth_call(&place, &["--grace", "0s"], &listener);
    interrupt(&started);
    started.wait().unwrap();
    is_three_calls(&place.lines(RUN, "ledger")[0]);
    let cut = place.events(RUN, "trial_cut_off").remove(0);
    is(&cut["cost"], 3.0 * CALL);
    assert_eq!(cut["usage_unknown"], true);
}

/// Nothing was sent, and nothing is under way.
#[test]
fn a_trial_that_is_stopped_while_it_waits_for_a_retry_costs_nothing() {
    for setting in ["solo", "coop-nocomm"] {
        let (place, run) = (Place::new(), format!("t-{setting}"));
        configure(&place, &Listener::new(), "command-a-03-2025", "");
        let config = place
            .read("regatta.toml")
            .replace("call_tries = 1", "call_tries = 50");
        place.write("regatta.toml", config);
        let command = [
            &["run", "--setting", setting, "--smoke", "1", "--no-progress"][..],
            &[
                "--no-preflight",
                "--grace",
                "0s",
                "--api-base",
                "http://127.0.0.1:1/v1/chat",
            ],
        ];
        let mut regatta = place.beside_an_empty_daemon(&command.concat());
        let started = regatta
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_until("a retry", || !place.events(&run, "call_retried").is_empty());
        interrupt(&started);
        let said = String::from_utf8(started.wait_with_output().unwrap().stderr).unwrap();
        let told = "a model call failed and is retried, up to 50 times in all: ";
        assert_eq!(said.matches(told).count(), 1, "{said}");
        assert!(said.contains("Connection refused"), "{said}");
        let line = place.lines(&run, "ledger").remove(0);
        assert_eq!(line["status"], "CutOff");
        is(&line["cost"], 0.0);
        assert!(line.get("usage_unknown").is_none(), "{line}");
        assert_eq!(place.events(&run, "call_retried").len(), 1);
    }
}

#[test]
fn the_budget_counts_a_trial_that_still_runs() {
    let (place, listener) = (Place::new(), holds_the_fourth());
    configure(&place, &listener, "command-a-03-2025", "");
    let run_two = [
        "run",
        "--setting",
        "solo",
        "--smoke",
        "2",
        "--no-progress",
        "--budget",
        "0.01",
    ];
    let mut started = place
        .beside_an_empty_daemon(&run_two)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let run = "t-solo";
    wait_until("the budget to be spent", || {
        !place.events(run, "budget_spent").is_empty()
    });
    // It was, while the first trial had no end.
    assert_eq!(place.lines(run, "ledger"), Vec::<Value>::new());
    is(&place.events(run, "budget_spent")[0]["spent"], 3.0 * CALL);
    listener.release();
    assert_eq!(started.wait().unwrap().code(), Some(4));
    assert_eq!(place.events(run, "trial_started").len(), 1);
}

#[test]
fn an_agent_that_failed_in_a_call_has_the_cost_of_the_others() {
    let place = Place::new();
    let broken = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nno answer";
    let listener = Listener::answering(move |number| {
        Some(if number == 2 {
            broken.to_owned()
        } else {
            reply("ls")
        })
    });
    configure(&place, &listener, "command-a-03-2025", "");
    run(&place, &RUN_ONE).code(1);
    let result = place.json("cb/logs/t-solo/solo/lighthouse_task/7/f1_f2/result.json");
    assert_eq!(result["agent"]["status"], "Error");
    is(&result["agent"]["cost"], 2.0 * CALL);
    assert_eq!(result["agent"]["usage_unknown"], true);
    let line = place.lines(RUN, "ledger").remove(0);
    is(&line["cost"], 2.0 * CALL);
    assert_eq!(line["usage_unknown"], true);
    run(&place, &["report", RUN]).prints("total spent on every trial:     $0.0070 + 1 unknown");
    let report = run(&place, &["report", RUN, "--format", "json"]).stdout;
    let report: Value = serde_json::from_str(&report).unwrap();
    is(&report["runs"][0]["lines"][0]["cost"], 2.0 * CALL);
    assert_eq!(report["runs"][0]["lines"][0]["usage_unknown"], true);
    // A budget that the known part reaches is spent.
    run(&place, &[&RUN_ONE[..], &["--budget", "0.007"]].concat()).code(4);
}

#[test]
fn a_cut_off_trial_of_which_nothing_is_known_costs_nothing_that_is_known() {
    let (place, listener) = (Place::new(), Listener::answering(|_| None));
    configure(&place, &listener, "command-a-03-2025", "");
    let mut started = place
        .beside_an_empty_daemon(&RUN_ONE)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the first call", || listener.asked().len() == 1);
    started.kill().unwrap();
    started.wait().unwrap();
    let again = Listener::new();
    configure(&place, &again, "command-a-03-2025", "");
    run(&place, &[&RUN_ONE[..], &["--accept-changes"]].concat()).code(0);
    let line = place.lines(RUN, "ledger").remove(0);
    assert_eq!(
        (&line["cost"], &line["usage_unknown"]),
        (&Value::Null, &json!(true))
    );
}

/// An error of the agent's own is its result: no command runs it again, and none is offered.
#[test]
fn where_only_errors_of_agents_are_left_no_command_is_offered() {
    let (place, full) = (
        Place::new(),
        r#"{"error":{"message":"This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens.","code":"context_length_exceeded"}}"#,
    );
    let listener = Listener::answering(move |number| {
        Some(match number {
            0 => reply("ls"),
            _ => answer(400, "", full),
        })
    });
    configure(&place, &listener, "command-a-03-2025", "");
    run(&place, &RUN_ONE)
        .code(1)
        .says("it is the agent's own error, and stays");
    let asked = listener.asked().len();
    run(&place, &["status", RUN])
        .code(0)
        .prints("t-solo: complete; 1 pair ended in an error of the agent's own\n");
    run(&place, &RUN_ONE).code(1);
    assert_eq!(listener.asked().len(), asked);
}

/// Zero for a prompt that was there, or for an answer that is there, in both wire formats.
#[test]
fn an_endpoint_that_counts_no_prompt_has_not_told_its_usage() {
    for model in ["command-a-03-2025", "openai/m"] {
        for (input, output) in [(0, 0), (0, 100), (1000, 0)] {
            let place = Place::new();
            let listener = Listener::answering(move |number| {
                Some(match number {
                    0 => reply("ls"),
                    _ => reply_of(SUBMITS, input, output),
                })
            });
            configure(&place, &listener, model, PRICED);
            run(&place, &RUN_ONE).code(0);
            let line = place.lines(RUN, "ledger").remove(0);
            is(&line["cost"], CALL);
            assert_eq!(line["usage_unknown"], true, "{model} {input} {output}");
            run(&place, &["report", RUN])
                .prints("total spent on every trial:     $0.0035 + 1 unknown");
        }
    }
}

/// A message that submits, in the one format, with this usage.
fn submits_with(usage: &Value) -> String {
    let arguments = json!({"command": SUBMITS}).to_string();
    let message = json!({"role": "assistant", "content": "", "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "bash", "arguments": arguments}},
    ]});
    let body = json!({"choices": [{"index": 0, "message": message}], "usage": usage});
    answer(200, "", &body.to_string())
}

const PRICED: &str = "[prices.models.\"openai/m\"]\ninput_cost_per_token = 2.5e-06\noutput_cost_per_token = 1e-05\ncache_read_input_token_cost = 1e-06\n";

/// What only the total tells was paid for as well.
#[test]
fn tokens_that_only_the_total_tells_are_priced_by_both_engines() {
    for (usage, usd) in [
        // Thoughts, as gateways pass Gemini's usage on.
        (
            json!({"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 3010}),
            0.0025 + 0.0201,
        ),
        // A cache beside the prompt.
        (
            json!({"prompt_tokens": 1000, "completion_tokens": 80, "total_tokens": 1580,
                "prompt_tokens_details": {"cached_tokens": 500}}),
            0.0025 + 0.0005 + 0.0008,
        ),
        // One in it.
        (
            json!({"prompt_tokens": 1000, "completion_tokens": 80, "total_tokens": 1080,
                "prompt_tokens_details": {"cached_tokens": 500}}),
            0.00125 + 0.0005 + 0.0008,
        ),
    ] {
        let place = Place::new();
        let submits = submits_with(&usage);
        let listener = Listener::answering(move |_| Some(submits.clone()));
        configure(&place, &listener, "openai/m", PRICED);
        run(&place, &RUN_ONE).code(0);
        is(&place.lines(RUN, "ledger")[0]["cost"], usd);
        of_upstream(&place, "openai/m", &usage);
        is(&total(&place, "u-solo").0, usd);
    }
}

/// What a run costs whose agent submits in its first call.
fn priced(model: &str, more: &str) -> (Place, Value) {
    let (place, listener) = (Place::new(), Listener::answering(|_| Some(reply(SUBMITS))));
    configure(&place, &listener, model, more);
    run(&place, &RUN_ONE).code(0);
    let line = place.lines(RUN, "ledger").remove(0);
    (place, line["cost"].clone())
}

/// The tokens of one call.
fn one_call() -> Value {
    json!({"prompt_tokens": 1000, "completion_tokens": 100})
}

/// A result of upstream's, which had no price of its own, with these tokens of its one call.
fn of_upstream(place: &Place, model: &str, usage: &Value) {
    let dir = "cb/logs/u-solo/solo/lighthouse_task/7/f1_f2";
    let result = json!({
        "run_id": "0badcafe", "run_name": "u-solo", "agent_framework": "mini_swe_agent",
        "model": model, "agent": {"status": "Submitted", "cost": 0, "steps": 1},
    });
    place.write(&format!("{dir}/result.json"), result.to_string());
    let trajectory = json!({"messages": [
        {"role": "user", "content": "Go."},
        {"role": "assistant", "content": "Done.", "extra": {"response": {"usage": usage}}},
    ]});
    place.write(&format!("{dir}/solo_traj.json"), trajectory.to_string());
}

fn total(place: &Place, run_name: &str) -> (Value, Value, Value) {
    let report = run(place, &["report", run_name, "--format", "json"])
        .code(0)
        .stdout;
    let report: Value = serde_json::from_str(&report).unwrap();
    let total = &report["total_spent"];
    (
        total["usd"].clone(),
        total["unknown"].clone(),
        report["runs"][0]["priced_as"].clone(),
    )
}

#[test]
fn a_name_under_openai_at_ones_own_endpoint_is_unpriced_for_both_engines() {
    for model in ["openai/command-a-03-2025", "openai/gpt-4o"] {
        let (place, cost) = priced(model, "");
        assert_eq!(cost, Value::Null, "{model}");
        let result = format!("cb/logs/{RUN}/solo/lighthouse_task/7/f1_f2/result.json");
        let result = std::fs::read_to_string(place.join(&result)).unwrap();
        assert!(result.contains("\"total_cost\": 0.0,"), "{result}");
        of_upstream(&place, model, &one_call());
        for run_name in [RUN, "u-solo"] {
            assert_eq!(
                total(&place, run_name),
                (json!(0.0), json!(1), json!([])),
                "{run_name} {model}"
            );
        }
    }
}

#[test]
fn a_price_that_the_user_gave_counts_for_both_engines() {
    let given = "[prices.models.\"openai/command-a-03-2025\"]\ninput_cost_per_token = 0.001\noutput_cost_per_token = 0.01\n";
    let (place, cost) = priced("openai/command-a-03-2025", given);
    is(&cost, 2.0);
    of_upstream(&place, "openai/command-a-03-2025", &one_call());
    for run_name in [RUN, "u-solo"] {
        assert_eq!(
            total(&place, run_name),
            (json!(2.0), json!(0), json!([])),
            "{run_name}"
        );
    }
}

#[test]
fn a_price_by_the_bare_name_is_said_to_be_one_in_every_format() {
    let given = "[prices.models.command-a-03-2025]\ninput_cost_per_token = 0.001\noutput_cost_per_token = 0.01\n";
    let (place, cost) = priced("openai/command-a-03-2025", given);
    is(&cost, 2.0);
    of_upstream(&place, "openai/command-a-03-2025", &one_call());
    for run_name in [RUN, "u-solo"] {
        let bare = json!(["command-a-03-2025"]);
        assert_eq!(
            total(&place, run_name),
            (json!(2.0), json!(0), bare),
            "{run_name}"
        );
        run(&place, &["report", run_name])
            .prints("price: that of `command-a-03-2025`, the bare name");
        run(&place, &["report", run_name, "--format", "markdown"])
            .prints("priced as command-a-03-2025, the bare name");
    }
}

#[test]
fn a_provider_whose_name_says_whose_it_is_is_priced_alike_by_both_engines() {
    for (model, bare) in [
        ("command-a-03-2025", json!([])),
        (
            "cohere_chat/command-a-03-2025",
            json!(["command-a-03-2025"]),
        ),
    ] {
        let (place, cost) = priced(model, "");
        is(&cost, CALL);
        of_upstream(&place, model, &one_call());
        for run_name in [RUN, "u-solo"] {
            let (usd, unknown, names) = total(&place, run_name);
            is(&usd, CALL);
            assert_eq!((unknown, &names), (json!(0), &bare), "{run_name} {model}");
        }
    }
}

/// Upstream's agents: one whose call may have been billed leaves its peer's cost known.
#[test]
fn a_pair_of_which_one_agents_cost_is_known_has_that_as_a_part() {
    let place = Place::new();
    let dir = "cb/logs/w-coop-nocomm/coop/harbor_task/1/f1_f2";
    let result = json!({
        "run_id": "0ddba115", "model": "openai/m",
        "agents": {
            "agent1": {"feature_id": 1, "status": "Submitted", "cost": 0.25, "steps": 3},
            "agent2": {"feature_id": 2, "status": "Submitted", "cost": 0.0, "steps": 2},
        },
    });
    place.write(&format!("{dir}/result.json"), result.to_string());
    place
        .run(&["report", "--cooperbench-dir", "cb", "w-coop-nocomm"])
        .code(0)
        .prints("total spent on every trial:     $0.25 + 1 unknown");
}

/// What the agent said and saw is there while it runs, in whole lines, and after it was killed; where
/// a result stands, the whole trajectory does.
#[test]
fn the_trajectory_of_a_running_trial_is_on_disk_and_stays_when_it_is_killed() {
    let place = Place::new();
    let listener = Listener::answering(|number| {
        let echoes = reply("echo sk-test-123456; : step");
        (number != 3).then_some(echoes)
    });
    configure(&place, &listener, "command-a-03-2025", "");
    let mut started = until_the_fourth_call(&place, &[], &listener);
    let pair = place.join(&format!("cb/logs/{RUN}/solo/lighthouse_task/7/f1_f2"));
    let kept = || {
        let trials = std::fs::read_dir(pair.join("regatta")).ok()?;
        let mut files = trials.flatten().map(|it| it.path().join("solo_traj.jsonl"));
        std::fs::read_to_string(files.next()?).ok()
    };
    wait_until("the third command's result is written", || {
        kept().is_some_and(|text| text.lines().count() == 9)
    });
    assert!(!pair.join("solo_traj.json").exists());
    started.kill().unwrap();
    started.wait().unwrap();
    let text = kept().unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (&lines[0]["agent_id"], &lines[0]["task_id"]),
        (&json!("solo"), &json!(7))
    );
    let roles: Vec<&str> = lines[1..]
        .iter()
        .map(|line| line["role"].as_str().unwrap())
        .collect();
    let turn = ["assistant", "tool"];
    assert_eq!(
        roles,
        [&["system", "user"][..], &turn, &turn, &turn].concat()
    );
    assert!(text.contains(": step") && !text.contains("sk-test-123456"));
    // The next trial is another one: it leaves a result, and nothing beside.
    run(&place, &RUN_ONE).code(0);
    assert!(pair.join("solo_traj.json").exists());
    assert_eq!(kept(), Some(text));
    let trial = lines[0]["run_id"].as_str().unwrap();
    let kept_in = pair.join("regatta").join(trial).join("solo_traj.jsonl");
    assert!(kept_in.exists());
    assert_eq!(std::fs::read_dir(pair.join("regatta")).unwrap().count(), 1);
}
