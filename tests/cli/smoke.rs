//! A smoke is a part of its run: `--smoke N` asks for the first pairs, and the run goes on with the rest.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::listener::{self, Listener, SUBMITS, answer, reply};
use crate::schema::assert_valid;
use crate::support::{Place, Ran, wait_until};

const RUN: &str = "t-solo";
const MODEL: &str = "command-a-03-2025";
const FULL: [&str; 4] = ["run", "--setting", "solo", "--no-progress"];
/// Of the subset's order.
const FIRST: &str = "cb/logs/t-solo/solo/lighthouse_task/7/f1_f2/result.json";

/// A place whose native runs ask this model, one call a trial.
fn place(listener: &Listener) -> Place {
    let place = Place::new();
    listener::configure(&place, listener, MODEL, "call_tries = 1\n");
    place
}

fn run(place: &Place, args: &[&str]) -> Ran {
    let args = [&FULL[..], args].concat();
    Ran::of(&place.beside_an_empty_daemon(&args).output().unwrap())
}

fn regatta(place: &Place, args: &[&str]) -> Ran {
    Ran::of(&place.beside_an_empty_daemon(args).output().unwrap())
}

fn manifest(place: &Place) -> Value {
    let manifest = place.json("cb/logs/t-solo/regatta/manifest.json");
    assert_valid("manifest.json", &manifest);
    manifest
}

fn report(place: &Place) -> Value {
    let ran = regatta(place, &["report", "--format", "json"]).code(0);
    let report = serde_json::from_str(&ran.stdout).unwrap();
    assert_valid("report.json", &report);
    report["runs"][0].clone()
}

/// The `result.json` files below a directory.
fn results(below: &Path) -> Vec<Value> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(below).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(results(&entry.path()));
        } else if entry.file_name() == "result.json" {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            found.push(serde_json::from_str(&text).unwrap());
        }
    }
    found
}

#[test]
fn a_smoke_leaves_whole_results_in_its_run_and_the_full_run_runs_the_rest() {
    let listener = Listener::new();
    let place = place(&listener);
    run(&place, &["--smoke", "5"])
        .code(0)
        .says("asked for: 5 of the 6 pairs of `lite`\n")
        .prints("t-solo: 5 of 5 results exist")
        .prints("t-solo: 5 of 5 parse and have status, agent and cost")
        .prints("next: without --smoke, the same command runs 1 more pair\n");
    let logs = place.join("cb/logs");
    let left = results(&logs.join(RUN));
    assert_eq!(left.len(), 5);
    for result in &left {
        assert_eq!(result["agent"]["status"], "Submitted", "{result:#}");
        assert_eq!(result["agent_framework"], "regatta");
        assert!(result["total_cost"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(std::fs::read_dir(&logs).unwrap().count(), 1, "another run");
    assert_eq!(listener.asked().len(), 5);
    let before = manifest(&place);
    assert_eq!(before["subset"], "lite");
    let listed = |field: &str| before[field].as_array().unwrap().len();
    assert_eq!((listed("pairs"), listed("asked")), (6, 5));
    assert_eq!(before["tasks"].as_object().unwrap().len(), 3);
    run(&place, &[])
        .code(0)
        .says("t-solo: 6 pairs, 5 finished, 1 to run");
    assert_eq!(listener.asked().len(), 6);
    let after = manifest(&place);
    assert_eq!(after["asked"], Value::Null);
    assert_eq!(after["created_at"], before["created_at"]);
    assert_eq!(after["pairs"], before["pairs"]);
    // On top of the finished run it checks what is there.
    run(&place, &["--smoke", "5"])
        .code(0)
        .says("nothing to do: 5 of 5 pairs have finished")
        .prints("t-solo: 5 of 5 results exist");
    assert_eq!(listener.asked().len(), 6);
    assert_eq!(manifest(&place)["asked"], Value::Null);
}

#[test]
fn every_report_says_how_much_of_a_run_was_asked_for_until_all_of_it_is() {
    let listener = Listener::new();
    let place = place(&listener);
    let said = "2 of 6 asked for so far";
    run(&place, &["--smoke", "2"]).code(0).prints(said);
    let text = regatta(&place, &["report"]).code(0).prints(said).stdout;
    assert!(!text.contains("missing:"), "{text}");
    let markdown = regatta(&place, &["report", "--format", "markdown"]);
    let markdown = markdown.code(0).prints(&format!("\nt-solo: {said}.\n"));
    assert!(!markdown.stdout.contains("harbor_task/1/f1_f2"));
    regatta(&place, &["report", "--format", "junit"])
        .code(0)
        .prints("not asked for so far");
    let rows = regatta(&place, &["report", "--format", "jsonl"]).code(0);
    assert_eq!(rows.stdout.matches(r#""asked":false"#).count(), 4);
    regatta(&place, &["status"]).code(0).prints(
        "t-solo: complete, as far as it was asked for\n  2 of 6 asked for so far: 4 not yet",
    );
    regatta(&place, &["triage", "--dry-run", "--explain"])
        .code(0)
        .prints("t-solo: 4 pairs not asked for so far\n");
    let run_of_json = report(&place);
    assert_eq!(
        (&run_of_json["asked"], &run_of_json["pairs"]),
        (&2.into(), &6.into())
    );
    // What an earlier smoke asked for stays asked for.
    run(&place, &["--smoke", "1"]).code(0);
    regatta(&place, &["report"]).prints(said);
    run(&place, &["--smoke", "3"])
        .code(0)
        .prints("3 of 6 asked for so far");
    let full = run(&place, &[]).code(0);
    assert!(!full.stdout.contains("asked for"), "{}", full.stdout);
    assert_eq!(report(&place)["asked"], Value::Null);
    assert_eq!(listener.asked().len(), 6);
}

/// The first pair's agent is refused, the others submit.
fn refuses_the_first() -> Listener {
    Listener::answering(|number| {
        Some(match number {
            0 => answer(500, "", r#"{"message":"scripted"}"#),
            _ => reply(SUBMITS),
        })
    })
}

#[test]
fn the_exit_code_of_a_smoke_is_that_of_its_pairs() {
    let listener = refuses_the_first();
    let place = place(&listener);
    run(&place, &["--smoke", "2"])
        .code(1)
        .says("1 pair did not finish")
        .prints("t-solo: 2 of 2 results exist")
        .prints("t-solo: 1 finished");
    // Another pair's error is none of it: the first one is run again, and the full run is not.
    run(&place, &["--smoke", "1"]).code(0);
    assert_eq!(listener.asked().len(), 3);
    std::fs::remove_file(place.join(FIRST)).unwrap();
    run(&place, &["--smoke", "1", "--budget", "0.0001"]).code(4);
    assert_eq!(listener.asked().len(), 3, "what the run has spent counts");
}

#[test]
fn a_smoke_books_what_died_with_regatta_in_pairs_that_it_is_not_about() {
    let listener = Listener::answering(|number| (number != 2).then(|| reply(SUBMITS)));
    let place = place(&listener);
    let mut started = place
        .beside_an_empty_daemon(&FULL)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the third call", || {
        listener.asked().len() == 3 && place.lines(RUN, "ledger").len() == 2
    });
    started.kill().unwrap();
    started.wait().unwrap();
    run(&place, &["--smoke", "1"]).code(0);
    assert_eq!(listener.asked().len(), 3);
    let ledger = place.lines(RUN, "ledger");
    assert_eq!(ledger.len(), 3);
    assert_eq!(ledger[2]["status"], "CutOff");
    // The full run had begun: nothing of it is asked for by the smoke alone.
    assert_eq!(manifest(&place)["asked"], Value::Null);
}

#[test]
fn a_run_of_which_nothing_finished_begins_anew_with_other_settings() {
    // Each trial has an answer, which is billed, and then none.
    let wrong = Listener::answering(|number| {
        Some(match number % 2 {
            0 => reply("ls"),
            _ => answer(500, "", r#"{"message":"scripted"}"#),
        })
    });
    let place = place(&wrong);
    run(&place, &["--smoke", "2"]).code(1);
    let paid = place.lines(RUN, "ledger");
    assert_eq!(paid.len(), 2);
    assert!(
        paid.iter().all(|trial| trial["cost"] == 0.0035),
        "{paid:#?}"
    );
    let right = Listener::new();
    let base = format!("{}/v1/chat/completions", right.base);
    let other = ["--api-base", &base, "--smoke", "2"];
    let told = "no trial of `t-solo` has finished, so it begins anew with other settings";
    run(&place, &[&other[..], &["--dry-run"]].concat())
        .code(0)
        .prints(told);
    run(&place, &other)
        .code(0)
        .says(told)
        .says(&format!("api base: {}", wrong.base));
    assert_eq!(place.lines(RUN, "ledger")[..2], paid[..]);
    assert_eq!(place.lines(RUN, "ledger").len(), 4);
    let spent = &report(&place)["total_spent"]["usd"];
    assert!((spent.as_f64().unwrap() - 0.014).abs() < 1e-9, "{spent}");
    let now = manifest(&place);
    assert_eq!(now["api_base"], base);
    assert_eq!(now["accepted"], Value::Null);
    let change = now["begun_anew"][0]["changes"][0].as_str().unwrap();
    assert!(change.starts_with("api base: "), "{change}");
    // Now something stands, and other settings ask for a word.
    run(&place, &["--smoke", "2"])
        .code(2)
        .says("--accept-changes");
    // Also where it was set aside, and may come back.
    let aside = ["--smoke", "2", "--force", "--accept-changes"];
    run(&place, &aside).code(1);
    run(&place, &other).code(2).says("--accept-changes");
    assert_eq!(right.asked().len(), 2);
}

#[test]
fn a_dataset_that_changed_before_anything_finished_is_the_new_one() {
    let listener = refuses_the_first();
    let place = place(&listener);
    run(&place, &["--smoke", "1"]).code(1);
    let pins = manifest(&place)["tasks"].clone();
    let runner = "cb/dataset/harbor_task/task1/runner.sh";
    place.write(runner, place.read(runner) + "# another line\n");
    run(&place, &["--smoke", "1"])
        .code(0)
        .says("begins anew")
        .says("task harbor_task/1: runner.sh ");
    assert_ne!(
        manifest(&place)["tasks"]["harbor_task/1"],
        pins["harbor_task/1"]
    );
    let told = "WARNING";
    let text = regatta(&place, &["report"]).code(0).stdout;
    assert!(!text.contains(told), "{text}");
}

/// Whatever is forced next: what is over is over, and all that is asked for is set aside.
#[test]
fn after_a_forced_pass_that_is_done_force_sets_aside_all_that_is_asked_for() {
    let listener = Listener::new();
    let place = place(&listener);
    run(&place, &["--smoke", "2", "--force"]).code(0);
    let plain = run(&place, &[]).code(0);
    assert!(!plain.stderr.contains("force"), "{}", plain.stderr);
    assert_eq!(listener.asked().len(), 6);
    for (args, sets_aside, calls) in [
        (&["--force"][..], "6 results", 12),
        (&["--smoke", "2", "--force"], "2 results", 14),
        (&["--smoke", "4", "--force"], "4 results", 18),
        (&["--smoke", "4", "--force"], "4 results", 22),
        (&["--smoke", "1", "--force"], "1 result", 23),
        (&["--force"], "6 results", 29),
    ] {
        let told = format!("--force sets aside {sets_aside} (0 judged");
        run(&place, &[args, &["--dry-run"]].concat()).prints(&told);
        let ran = run(&place, args).code(0).says(&told);
        ran.says("is done; --force begins another");
        assert_eq!(listener.asked().len(), calls, "{args:?}");
    }
    assert_eq!(place.lines(RUN, "ledger").len(), 29, "a trial is lost");
    regatta(&place, &["report"])
        .code(0)
        .prints("t-solo: 0 pass, 0 fail, 0 infra_error, 0 missing, 6 unjudged");
}

/// Kills a run while a call of it is held, when so many calls have come and trials are booked.
fn kill_at(place: &Place, listener: &Listener, args: &[&str], calls: usize, booked: usize) {
    let mut started = place
        .beside_an_empty_daemon(&[&FULL[..], args].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the held call", || {
        listener.asked().len() == calls && place.lines(RUN, "ledger").len() == booked
    });
    started.kill().unwrap();
    started.wait().unwrap();
}

/// A listener that holds these calls.
fn holds(calls: &'static [usize]) -> Listener {
    Listener::answering(|number| (!calls.contains(&number)).then(|| reply(SUBMITS)))
}

#[test]
fn a_forced_run_that_was_killed_is_finished_with_force_or_without_and_then_it_is_over() {
    for finishes in [&[][..], &["--force"]] {
        let listener = holds(&[7]);
        let place = place(&listener);
        run(&place, &[]).code(0);
        kill_at(&place, &listener, &["--force"], 8, 7);
        // All of it was set aside, so that either runs the rest.
        let ran = run(&place, finishes).code(0);
        assert_eq!(listener.asked().len(), 13, "{finishes:?}");
        let ran = ran.says("is done; --force begins another");
        if !finishes.is_empty() {
            ran.says("goes on: 1 of its 6 pairs finished, and stands");
        }
        run(&place, &["--force"])
            .code(0)
            .says("--force sets aside 6 results");
        assert_eq!(listener.asked().len(), 19, "{finishes:?}");
    }
}

#[test]
fn a_forced_smoke_that_was_killed_goes_on_and_so_does_the_forced_run_around_it() {
    // In the second trial of a forced smoke, the third of a forced run, and the second of a smoke.
    let listener = holds(&[7, 11, 17]);
    let place = place(&listener);
    let killed_at = |args: &[&str], calls, booked| kill_at(&place, &listener, args, calls, booked);
    run(&place, &[]).code(0);
    killed_at(&["--smoke", "2", "--force"], 8, 7);
    run(&place, &["--smoke", "2", "--force"]).code(0);
    assert_eq!(listener.asked().len(), 9, "one of two was left");
    killed_at(&["--force"], 12, 11);
    // Its pairs are done in the pass that is open: nothing of it is made again.
    run(&place, &["--smoke", "2", "--force"]).code(0);
    assert_eq!(listener.asked().len(), 12);
    run(&place, &["--force"]).code(0);
    assert_eq!(listener.asked().len(), 16);
    let pass = place.json("cb/logs/t-solo/regatta/pass.json");
    assert!(pass["closed_at"].is_string(), "{pass:#}");
    // Who asks for more goes on with a smoke that was killed.
    killed_at(&["--smoke", "2", "--force"], 18, 17);
    run(&place, &["--force"])
        .code(0)
        .says("goes on: 1 of its 6 pairs finished, and stands");
    assert_eq!(listener.asked().len(), 23);
}

/// The setting after the one that an interrupt ends has not begun, and nothing is said of it.
#[test]
fn an_interrupted_smoke_says_nothing_of_the_settings_that_it_does_not_come_to() {
    let may_answer = Arc::new(AtomicBool::new(false));
    let may = Arc::clone(&may_answer);
    let listener = Listener::answering(move |_| {
        wait_until("the answer may come", || may.load(Ordering::SeqCst));
        Some(reply(SUBMITS))
    });
    let place = place(&listener);
    let words = "run --setting solo --setting coop-nocomm --smoke 1 --force --no-progress";
    let words: Vec<&str> = words.split(' ').collect();
    let started = place
        .beside_an_empty_daemon(&words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("the first call", || listener.asked().len() == 1);
    let process = started.id().to_string();
    let interrupt = Command::new("kill").args(["-INT", &process]).status();
    assert!(interrupt.unwrap().success());
    wait_until("the interrupt to be heard", || {
        !place.events("t-solo", "stopping").is_empty()
    });
    may_answer.store(true, Ordering::SeqCst);
    let ran = Ran::of(&started.wait_with_output().unwrap())
        .code(130)
        .says("1 completed, 0 remaining")
        .says("interrupted; the same command resumes");
    assert!(!ran.stderr.contains("t-coop-nocomm"), "{}", ran.stderr);
    regatta(&place, &["status"])
        .code(0)
        .prints(
            "is not closed: its 1 pair ran, and verdicts or other runs are left; --force goes on",
        )
        .prints("t-coop-nocomm: not begun, 1 to run");
}

#[test]
fn the_end_of_a_smoke_counts_what_is_left_to_run_and_no_error_of_an_agent() {
    let full = r#"{"error":{"message":"This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens.","code":"context_length_exceeded"}}"#;
    // The second pair's agent fails after its first step.
    let listener = Listener::answering(move |number| {
        Some(match number {
            1 => reply("ls"),
            2 => answer(400, "", full),
            _ => reply(SUBMITS),
        })
    });
    let place = place(&listener);
    run(&place, &["--smoke", "1"])
        .code(0)
        .prints("next: without --smoke, the same command runs 5 more pairs\n");
    run(&place, &[])
        .code(1)
        .says("1 pair did not finish (0 for infrastructure)")
        .says("it is the agent's own error, and stays");
    let ran = run(&place, &["--smoke", "1"]).code(0);
    assert!(!ran.stdout.contains("next:"), "{}", ran.stdout);
}

#[test]
fn what_a_spent_budget_ended_is_told_of_the_budget() {
    let listener = Listener::new();
    let place = place(&listener);
    let ran = run(&place, &["--smoke", "2", "--budget", "0.0001"])
        .code(4)
        .says("of the budget of $0.0001 is spent")
        .prints("look at: --budget, which was spent before all of these pairs had run\n");
    assert!(!ran.stdout.contains("is the key set"), "{}", ran.stdout);
    // All that was asked for may have finished all the same.
    run(&place, &["--smoke", "1", "--budget", "0.0001"]).code(0);
    let one = Listener::new();
    let place_of_one = crate::smoke::place(&one);
    run(&place_of_one, &["--smoke", "1", "--budget", "0.0001"])
        .code(4)
        .prints("next: without --smoke and with a larger --budget, the same command runs 5 more pairs\n");
    // What finished can be judged all the same.
    run(&place, &["--budget", "0.0001"])
        .code(4)
        .says("results: cb/logs/t-solo\n")
        .says("next: `regatta eval`\n");
}

#[test]
fn another_task_timeout_is_another_experiment() {
    let listener = Listener::new();
    let place = place(&listener);
    run(&place, &["--smoke", "1"]).code(0);
    assert_eq!(manifest(&place)["limits"]["task_timeout_seconds"], 600.0);
    run(&place, &["--task-timeout", "5m"])
        .code(2)
        .says("limit task_timeout_seconds: 600.0 → 300.0")
        .says("--accept-changes");
    // A manifest from before this was kept says nothing of it.
    let mut older = manifest(&place);
    older["limits"]
        .as_object_mut()
        .unwrap()
        .remove("task_timeout_seconds");
    place.write("cb/logs/t-solo/regatta/manifest.json", older.to_string());
    run(&place, &["--smoke", "2", "--task-timeout", "5m"]).code(0);
    assert_eq!(manifest(&place)["limits"]["task_timeout_seconds"], 300.0);
}

#[test]
fn a_smoke_under_a_name_of_its_own_is_another_run() {
    let listener = Listener::new();
    let place = place(&listener);
    run(&place, &["--smoke", "1"]).code(0);
    run(&place, &["--smoke", "1", "--name", "apart"]).code(0);
    assert_eq!(listener.asked().len(), 2);
    regatta(&place, &["report"])
        .code(0)
        .prints("apart-solo")
        .prints("t-solo");
}

#[test]
fn a_smoke_judges_its_own_pairs_only_and_so_does_a_forced_one() {
    let place = Place::new();
    let demo = [
        "run",
        "--profile",
        "demo",
        "--backend",
        "process",
        "--setting",
        "solo",
    ];
    let demo = |args: &[&str]| regatta(&place, &[&demo[..], args].concat());
    let judged = || {
        let text = std::fs::read_to_string(place.join("logs/demo-solo/regatta/evaluations.jsonl"));
        text.map_or(0, |text| text.lines().count())
    };
    demo(&["--smoke", "3"]).code(0);
    assert_eq!(judged(), 3, "the demo judges what it runs");
    std::fs::remove_file(place.join("logs/demo-solo/solo/ferry_task/1/f1_f3/eval.json")).unwrap();
    // The second pair is open, and none of this one's.
    demo(&["--smoke", "1"]).code(0);
    assert_eq!(judged(), 3);
    demo(&["--smoke", "1", "--force"]).code(0);
    assert_eq!(judged(), 4);
    let forced = demo(&["--smoke", "3", "--force"]).code(0);
    assert_eq!(judged(), 7, "{}", forced.stderr);
}

/// The pass is open until its last pair has finished, and those that are judged stay so.
#[test]
fn a_forced_run_that_is_resumed_judges_each_pair_once() {
    let place = Place::new();
    let demo = |more: &[&str]| {
        let words = "run --profile demo --backend process --setting coop-comm --force";
        let words: Vec<&str> = words.split(' ').collect();
        regatta(&place, &[&words[..], more].concat())
    };
    let judged = || {
        let path = "logs/demo-coop-comm/regatta/evaluations.jsonl";
        place.read(path).lines().count()
    };
    // One sandbox dies in the first attempt.
    demo(&["--max-attempts", "1"])
        .code(1)
        .says("1 pair did not finish (1 for infrastructure)");
    assert_eq!(judged(), 8);
    demo(&[])
        .code(0)
        .says("goes on: 8 of its 9 pairs finished, and stand\n")
        .says("demo-coop-comm: 1 pair to judge by the rules of 0.0.29, 8 judged already")
        .says("is done; --force begins another");
    assert_eq!(judged(), 9);
    assert!(
        !place
            .join("logs/demo-coop-comm/regatta/eval-pass.json")
            .exists()
    );
    demo(&[]).code(0).says("--force sets aside 9 results");
    assert_eq!(judged(), 18);
}

#[test]
fn a_smoke_of_no_number_is_told_what_is_wanted() {
    let place = Place::new();
    place
        .run(&["run", "--smoke", "x"])
        .code(2)
        .says("invalid value 'x' for '--smoke <N>': a number of pairs is wanted, e.g. 5");
}
