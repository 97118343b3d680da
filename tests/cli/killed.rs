//! What was paid for trials that died with regatta, or still run: every command says the same.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::listener::{self, Listener, reply};
use crate::support::{Place, Ran, wait_until};

const RUN: &str = "t-solo";
const RUN_ONE: [&str; 6] = ["run", "--setting", "solo", "--smoke", "1", "--no-progress"];
const PAIR: &str = "lighthouse_task/7/f1_f2";

fn run(place: &Place, args: &[&str]) -> Ran {
    Ran::of(&place.beside_an_empty_daemon(args).output().unwrap())
}

fn report(place: &Place, run_name: &str) -> Value {
    let ran = run(place, &["report", run_name, "--format", "json"]).code(0);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// That `report` and `status` say that so many trials cost this, all together.
#[track_caller]
fn all_say(place: &Place, run_name: &str, total: &str, usd: f64, trials: usize) {
    run(place, &["report", run_name])
        .code(0)
        .prints(&format!("total spent on every trial:     {total}\n"));
    let s = if trials == 1 { "" } else { "s" };
    run(place, &["status", run_name])
        .code(0)
        .prints(&format!("spent on {trials} trial{s} {total}"));
    let report = report(place, run_name);
    for spent in [&report["total_spent"], &report["runs"][0]["total_spent"]] {
        let found = spent["usd"].as_f64().unwrap();
        assert!((found - usd).abs() < 1e-9, "{found} is not {usd}");
        assert_eq!(spent["unknown"], 1);
    }
    assert_eq!(report["runs"][0]["trials"], trials);
}

#[test]
fn report_and_status_count_a_trial_that_runs_or_was_killed_as_it_is_booked_later() {
    let place = Place::new();
    // Three answers of $0.0035 each.
    let listener = Listener::answering(|number| (number != 3).then(|| reply("ls")));
    let native = "call_tries = 1\nstep_limit = 6\n";
    listener::configure(&place, &listener, "command-a-03-2025", native);
    let mut started = place
        .beside_an_empty_daemon(&RUN_ONE)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the fourth call", || listener.asked().len() == 4);
    all_say(&place, RUN, "$0.0105 + 1 unknown", 0.0105, 1);
    run(&place, &["status", RUN])
        .prints(&format!("    {PAIR} "))
        .prints("  step 3  $0.0105  ")
        .prints("$0.0105 + 1 unknown (1 running)");
    assert_eq!(
        report(&place, RUN)["runs"][0]["lines"][0]["rule"],
        Value::Null
    );
    started.kill().unwrap();
    started.wait().unwrap();
    all_say(&place, RUN, "$0.0105 + 1 unknown", 0.0105, 1);
    let died = format!(
        "died with regatta, and run again: {PAIR}; $0.0105 of their cost is known, and the same command books them"
    );
    run(&place, &["status", RUN])
        .prints(&died)
        .prints("$0.0105 + 1 unknown (1 died)");
    let interrupted = format!(
        "missing · cut_off · 1 pair, to run again\n    regatta itself ended in this attempt\n    {PAIR}\n"
    );
    run(&place, &["report", RUN]).prints(&interrupted);
    assert_eq!(report(&place, RUN)["runs"][0]["unbooked"], 1);
    // The budget counts the same, and the booked trial is the one that was told of.
    let over = [&RUN_ONE[..], &["--budget", "0.0104"]].concat();
    run(&place, &over).code(4);
    all_say(&place, RUN, "$0.0105 + 1 unknown", 0.0105, 1);
    assert_eq!(report(&place, RUN)["runs"][0]["unbooked"], 0);
    run(&place, &RUN_ONE).code(0);
    all_say(&place, RUN, "$0.0315 + 1 unknown", 0.0315, 2);
    run(&place, &["status", RUN]).prints("$0.0315 + 1 unknown (1 cut off)");
    assert_eq!(report(&place, RUN)["runs"][0]["unbooked"], 0);
}

/// A run of upstream's over both pairs of a task, one at a time, that died in its first attempt.
fn of_upstream(place: &Place, containers: usize) {
    let pairs = [json!([1, 2]), json!([1, 3])]
        .map(|features| json!({"repo": "harbor_task", "task_id": 1, "features": features}));
    let manifest = json!({"run": "u-solo", "setting": "solo", "engine": "upstream",
        "engine_version": null, "agent": "mini_swe_agent", "model": "openai/gpt-4o",
        "backend": "docker", "api_base": null, "agent_config": null, "subset": "lite",
        "subset_digest": "", "pairs": pairs, "prices": "regatta", "regatta": "0",
        "concurrency": 1, "created_at": "2026-11-25T12:00:00Z"});
    let own = "cb/logs/u-solo/regatta";
    place.write(&format!("{own}/manifest.json"), manifest.to_string());
    let mut events = vec![json!({"event": "attempt_started", "attempt": 1,
        "pairs": ["harbor_task/1/f1_f2", "harbor_task/1/f1_f3"]})];
    let image = "akhatua/cooperbench-harbor:task1";
    let made = |n| json!({"event": "container_created", "container": n, "image": image});
    events.extend((0..containers).map(|n| made(n.to_string())));
    let lines: Vec<String> = events
        .into_iter()
        .map(|mut event| {
            event["at"] = json!("2026-11-25T12:00:00Z");
            event.to_string()
        })
        .collect();
    place.write(&format!("{own}/events.jsonl"), lines.join("\n") + "\n");
}

/// A result of upstream's that regatta died before it had booked.
fn finished(place: &Place) {
    let result = json!({"run_id": "0badcafe", "model": "openai/gpt-4o",
        "agent": {"status": "Submitted", "cost": 0.25, "steps": 3}});
    let path = "cb/logs/u-solo/solo/harbor_task/1/f1_f2/result.json";
    place.write(path, result.to_string());
}

#[test]
fn a_trial_of_upstreams_that_was_killed_is_told_of_as_cut_off() {
    let place = Place::new();
    place.write("regatta.toml", "[upstream]\ncooperbench_dir = \"cb\"\n");
    of_upstream(&place, 1);
    all_say(&place, "u-solo", "unknown", 0.0, 1);
    let first = "harbor_task/1/f1_f2";
    run(&place, &["status", "u-solo"]).prints(&format!(
        "died with regatta, and run again: {first}; what they cost is not known"
    ));
    let cut = format!(
        "missing · cut_off · 1 pair, to run again\n    regatta itself ended in this attempt\n    {first}\n"
    );
    run(&place, &["report", "u-solo"]).prints(&cut);
    run(&place, &["triage", "u-solo", "--explain", "--dry-run"])
        .prints(&format!(
            "{first}: missing\n  it was running when attempt 1 died"
        ))
        .prints("harbor_task/1/f1_f3: missing\n  it was not run yet");
    // One that left its result was not cut off; the next one was, if it had a container.
    finished(&place);
    assert_eq!(report(&place, "u-solo")["runs"][0]["unbooked"], 0);
    of_upstream(&place, 2);
    all_say(&place, "u-solo", "$0.25 + 1 unknown", 0.25, 2);
    let line = &report(&place, "u-solo")["runs"][0]["lines"][1];
    assert_eq!(
        (&line["outcome"], &line["rule"]),
        (&json!("missing"), &json!("cut_off"))
    );
}
