//! A hint that names a command can be pasted: it comes to the runs that were meant.

use serde_json::json;

use crate::listener::{Listener, reply};
use crate::support::quay::{Bench, PAIR, PLAIN, both};
use crate::support::{Place, Ran};

/// Flags that lead away from where a command looks without them.
const ELSEWHERE: [&str; 8] = [
    "--config",
    "set ups/tidal.toml",
    "--profile",
    "tidal",
    "--logs-dir",
    "it's/logs here",
    "--cooperbench-dir",
    "cb",
];

/// The command in backticks that begins so, as a shell would take it, run in the same directory.
#[track_caller]
fn paste(place: &Place, ran: &Ran, begins: &str) -> Ran {
    let said = format!("{}{}", ran.stdout, ran.stderr);
    let begins = format!("regatta {begins}");
    let mut quoted = said.split('`').skip(1).step_by(2);
    let hint = quoted
        .find(|text| text.starts_with(&begins))
        .unwrap_or_else(|| panic!("no `{begins}` in\n{said}"));
    let words = shlex::split(hint).unwrap();
    let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    let mut command = place.regatta(&words);
    Ran::of(
        &command
            .env("DOCKER_HOST", place.empty_daemon())
            .output()
            .unwrap(),
    )
}

fn regatta(place: &Place, args: &[&str]) -> Ran {
    let args = [args, &ELSEWHERE].concat();
    let mut command = place.regatta(&args);
    Ran::of(
        &command
            .env("DOCKER_HOST", place.empty_daemon())
            .output()
            .unwrap(),
    )
}

/// A native run of one pair in sandboxes that do nothing.
fn run(place: &Place, listener: &Listener, more: &[&str]) -> Ran {
    begin(
        place,
        listener,
        &["run", "--setting", "solo", "--smoke", "1"],
        more,
    )
}

/// A native run in sandboxes that do nothing.
fn begin(place: &Place, listener: &Listener, args: &[&str], more: &[&str]) -> Ran {
    let key = "OPENAI_API_KEY = \"sk-quay\"";
    let text = format!(
        "[profile.tidal.experiment]\nname = \"weir\"\nengine = \"native\"\nbackend = \"fake\"\nmodel = \"openai/m\"\n[profile.tidal.attempts]\nmax_attempts = 1\n[profile.tidal.upstream]\napi_base = \"{}/v1\"\n[profile.tidal.upstream.env]\n{key}\n[profile.tidal.native]\ncall_tries = 1\n",
        listener.base
    );
    place.write("set ups/tidal.toml", text);
    let quietly = ["--no-progress", "--no-preflight"];
    regatta(place, &[args, &quietly, more].concat())
}

#[test]
fn what_a_forced_run_sets_aside_comes_back_by_the_command_that_is_printed() {
    let (place, listener) = (Place::new(), Listener::new());
    run(&place, &listener, &[]).code(0);
    let forced = run(&place, &listener, &["--force"]).code(0);
    assert!(
        !place.join("cb/logs").exists(),
        "it went where no flag led it"
    );
    paste(&place, &forced, "restore weir-smoke1-solo")
        .code(0)
        .prints("weir-smoke1-solo: restored 1 result");
    let refused = regatta(&place, &["restore", "weir-smoke1-solo", "no/such/pair"]).code(2);
    paste(&place, &refused, "restore weir-smoke1-solo --list")
        .code(0)
        .prints("comes back");
}

#[test]
fn why_pairs_failed_is_shown_by_the_command_that_is_printed() {
    let place = Place::new();
    let refuses = Listener::answering(|_| {
        let head = "HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        Some(head.to_owned())
    });
    let ran = run(&place, &refuses, &[]).code(1);
    paste(&place, &ran, "triage --explain weir-smoke1-solo")
        .code(0)
        .prints("infra");
    // What a smoke tells to look at is this endpoint and this model; a run would try again.
    paste(&place, &ran, "doctor")
        .code(0)
        .prints("model openai/m at http://127.0.0.1");
}

#[test]
fn a_forced_evaluation_by_other_rules_is_finished_by_the_command_that_is_printed() {
    let bench = Bench::new(&PLAIN);
    bench.judged(&both(&PLAIN), &[]);
    let from = bench.place.join("regatta.toml");
    std::fs::rename(from, bench.place.join("other.toml")).unwrap();
    let eval = bench
        .place
        .join(&format!("logs/x-solo/solo/{PAIR}/eval.json"));
    let was = regatta::store::eval::digest(&eval).unwrap();
    let covered = json!({"repo": "quay_task", "task_id": 1, "features": [1, 2], "was": was});
    let pass = json!({"begun_at": "2026-11-25T12:00:00Z", "rules": "0.0.11", "pairs": [covered]});
    let file = "logs/x-solo/regatta/eval-pass.json";
    bench.place.write(file, pass.to_string());
    let ran = bench
        .regatta(&["eval", "--config", "other.toml", "--rules", "0.0.29"])
        .code(0)
        .says("nothing to judge");
    paste(&bench.place, &ran, "eval x-solo --rules 0.0.11").code(0);
    let eval = format!("logs/x-solo/solo/{PAIR}/eval.json");
    assert_eq!(bench.place.json(&eval)["regatta"]["rules"], "0.0.11");
}

#[test]
fn a_key_that_is_missing_is_shown_by_the_command_that_is_printed() {
    let (place, listener) = (Place::new(), Listener::answering(|_| Some(reply("ls"))));
    run(&place, &listener, &[]);
    let text = place.read("set ups/tidal.toml");
    place.write("set ups/tidal.toml", text.replace("sk-quay", ""));
    let args = [
        "run",
        "--setting",
        "solo",
        "-m",
        "openai/other",
        "--api-base",
    ];
    let own = "https://api.openai.com/v1";
    let refused = regatta(&place, &[&args[..], &[own, "--name", "x"]].concat())
        .code(3)
        .says("OPENAI_API_KEY is not set");
    paste(&place, &refused, "doctor")
        .code(3)
        .prints("OPENAI_API_KEY is not set")
        .prints("model openai/other");
}

/// The last line of a run is a command, as it is typed.
#[test]
fn the_next_command_of_a_run_comes_to_its_results() {
    let (place, listener) = (Place::new(), Listener::new());
    let ran = begin(&place, &listener, &["run", "--setting", "solo"], &[]).code(0);
    let said = ran.says("results: it's/logs here/weir-solo\n").stderr;
    let last = said.lines().last().unwrap().strip_prefix("next: `");
    let words = shlex::split(last.unwrap().trim_end_matches('`')).unwrap();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_eq!(words[..2], ["regatta", "eval"]);
    let words = [&words[1..], &["--dry-run"]].concat();
    place.run(&words).code(0).prints("weir-solo: 6 to judge");
    // A tree with other runs too: this one is named.
    place.write("it's/logs here/other/solo/a_task/1/f1_f2/result.json", "{}");
    begin(&place, &listener, &["run", "--setting", "solo"], &[])
        .code(0)
        .says("next: `regatta eval weir-solo ");
}
