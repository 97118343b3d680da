//! Runs of earlier versions: what they wrote is read, and they go on. So are lines of kinds that no
//! version writes yet.

use std::path::Path;

use serde_json::{Value, json};

use crate::listener::{self, Listener};
use crate::support::{Place, Ran, copy_tree};

/// A run of the first version with a native engine, which died in its second attempt.
const NATIVE: &str = "t-solo";
/// A run of upstream's by the very first version, which died in its second attempt.
const UPSTREAM: &str = "u-coop-comm";

/// The endpoint of the native run.
const BASE: &str = "http://127.0.0.1:1/v1";

fn place() -> Place {
    let place = Place::new();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/old-logs");
    copy_tree(&data, &place.join("cb/logs"));
    place.write("regatta.toml", "[upstream]\ncooperbench_dir = \"cb\"\n");
    place
}

fn run(place: &Place, args: &[&str]) -> Ran {
    Ran::of(&place.beside_an_empty_daemon(args).output().unwrap())
}

/// What a report says of a run, the fields named.
fn reported(place: &Place, run_name: &str) -> [Value; 5] {
    let ran = run(place, &["report", run_name, "--format", "json"]).code(0);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let of_run = &report["runs"][0];
    let mut lines = of_run["lines"].as_array().unwrap().iter();
    let outcomes: Vec<&Value> = lines.by_ref().map(|line| &line["outcome"]).collect();
    [
        json!(outcomes),
        of_run["total_spent"].clone(),
        of_run["trials"].clone(),
        of_run["unbooked"].clone(),
        of_run["unreadable_ledger_lines"].clone(),
    ]
}

#[test]
fn the_books_of_earlier_versions_are_read() {
    let place = place();
    let outcomes = json!(["unjudged", "infra_error", "missing"]);
    let spent = json!({"usd": 0.375, "unknown": 1});
    let native = [outcomes, spent, json!(3), json!(1), json!(1)];
    assert_eq!(reported(&place, NATIVE), native);
    let outcomes = json!(["infra_error", "missing"]);
    let spent = json!({"usd": 0.75, "unknown": 2});
    let upstream = [outcomes, spent, json!(3), json!(1), json!(0)];
    assert_eq!(reported(&place, UPSTREAM), upstream);
    run(&place, &["status", NATIVE])
        .code(0)
        .prints("died in its last attempt; the same command resumes")
        .prints("died with regatta, and run again: lighthouse_task/7/f1_f2;");
    // Its containers say which pair was running: there was no event for that.
    run(&place, &["status", UPSTREAM])
        .code(0)
        .prints("died with regatta, and run again: harbor_task/2/f1_f2;");
}

#[test]
fn what_became_of_containers_in_an_earlier_version_is_evidence() {
    let place = place();
    run(&place, &["triage", UPSTREAM, "--explain", "--dry-run"])
        .code(0)
        .prints("container bbbbbbbbbbbb: killed by the kernel for its memory")
        .prints("harbor_task/2/f1_f2: missing\n  it was running when attempt 2 died");
    run(&place, &["triage", NATIVE, "--explain", "--dry-run"])
        .code(0)
        .prints("rate_limit")
        .prints("lighthouse_task/7/f1_f2: missing\n  it was running when attempt 2 died");
}

#[test]
fn a_run_of_an_earlier_version_goes_on() {
    let place = place();
    let listener = Listener::new();
    listener::configure(&place, &listener, "openai/gpt-4o", "call_tries = 1\n");
    let manifest = format!("cb/logs/{NATIVE}/regatta/manifest.json");
    let here = place
        .read(&manifest)
        .replace(BASE, &format!("{}/v1/chat/completions", listener.base));
    place.write(&manifest, here);
    let args = [
        "run",
        "--setting",
        "solo",
        "--subset",
        "flash",
        "--no-progress",
    ];
    run(&place, &args).code(0);
    let ledger = place.lines(NATIVE, "ledger");
    let booked: Vec<_> = ledger
        .iter()
        .map(|entry| {
            let task = format!("{}/{}", entry["repo"].as_str().unwrap(), entry["task_id"]);
            (task, entry["attempt"].clone(), entry["status"].clone())
        })
        .collect();
    let entry =
        |task: &str, attempt: u32, status: &str| (task.to_owned(), json!(attempt), json!(status));
    let wanted = [
        entry("harbor_task/1", 1, "Submitted"),
        entry("harbor_task/2", 1, "Error"),
        entry("lighthouse_task/7", 2, "CutOff"),
        entry("harbor_task/2", 3, "Submitted"),
        entry("lighthouse_task/7", 3, "Submitted"),
    ];
    assert_eq!(booked, wanted);
    assert_eq!(reported(&place, NATIVE)[3], json!(0));
    run(&place, &["status", NATIVE]).code(0).prints("complete");
    // The line that its end has torn swallowed none of the new ones.
    let events = place.read(&format!("cb/logs/{NATIVE}/regatta/events.jsonl"));
    let (_, new) = events.split_once("\"attempt_en\n").unwrap();
    let kinds: Vec<Value> = new
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].clone())
        .collect();
    assert_eq!(kinds[..2], ["trial_cut_off", "run_started"], "{kinds:?}");
}
