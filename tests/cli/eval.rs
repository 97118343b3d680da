//! `regatta eval` in namespaces, over the demo's dataset.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::terminal::Terminal;
use crate::support::{Place, Ran, copy_tree, wait_until};
use crate::terminal::timeless;

const CONFIG: &str = r#"
[experiment]
name = "x"
engine = "native"
backend = "namespace"
model = "openai/demo"
subset = "demo"
concurrency = 2
[attempts]
max_attempts = 2
backoff = "10ms"
backoff_max = "10ms"
[upstream]
dataset_dir = "ds"
logs_dir = "logs"
"#;

/// A place with a copy of the demo's dataset, which a test may change.
fn place() -> Place {
    let place = Place::new();
    copy_tree(&demo(""), &place.join("ds"));
    place.write("regatta.toml", CONFIG);
    place
}

fn demo(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("demo/dataset")
        .join(path)
}

fn gold(path: &str) -> Vec<u8> {
    std::fs::read(demo(path)).unwrap()
}

fn combined() -> Vec<u8> {
    gold("ferry_task/task1/combined.patch")
}

/// A finished solo trial.
fn solo(place: &Place, pair: &str, patch: Option<Vec<u8>>) -> String {
    let dir = format!("logs/x-solo/solo/{pair}");
    let result =
        json!({"run_id": "0a0b0c0d", "agent": {"status": "Submitted", "cost": 0.1, "steps": 2}});
    place.write(&format!("{dir}/result.json"), result.to_string());
    if let Some(patch) = patch {
        place.write(&format!("{dir}/solo.patch"), patch);
    }
    format!("{dir}/eval.json")
}

fn eval(place: &Place, args: &[&str]) -> Ran {
    let output = place
        .beside_an_empty_daemon(&[&["eval"], args].concat())
        .output()
        .unwrap();
    Ran::of(&output)
}

fn reasons(file: &Value) -> Vec<String> {
    let suites = file["regatta"]["suites"].as_array().unwrap();
    let line = |suite: &Value| {
        format!(
            "{}: {}",
            suite["outcome"].as_str().unwrap(),
            suite["reason"].as_str().unwrap()
        )
    };
    suites.iter().map(line).collect()
}

const F12: &str = "ferry_task/1/f1_f2";
const F13: &str = "ferry_task/1/f1_f3";
const F23: &str = "ferry_task/1/f2_f3";

#[test]
fn what_is_judged_stays_judged_until_something_changes() {
    let place = place();
    let file = solo(&place, F12, Some(combined()));
    eval(&place, &["--dry-run"])
        .code(0)
        .prints("x-solo: 1 to judge, 0 judged, 0 not finished")
        .prints(F12);
    assert!(!place.join(&file).exists());
    eval(&place, &[]).code(0).prints("passed 1 of 1, 100.0%");
    let judged = place.json(&file);
    assert_eq!(judged["both_passed"], true);
    assert_eq!(judged["regatta"]["rules"], "0.0.29");
    assert_eq!(
        reasons(&judged),
        ["passed: 7 tests passed", "passed: 4 tests passed"]
    );
    // Nothing changed, so nothing is done.
    eval(&place, &[]).code(0).says("nothing to judge");
    // Other rules are no silent mixture.
    eval(&place, &["--rules", "0.0.11"])
        .code(0)
        .says("judged by other rules than 0.0.11")
        .says("nothing to judge");
    eval(&place, &["--rules", "0.0.11", "--force"]).code(0);
    assert_eq!(place.json(&file)["regatta"]["rules"], "0.0.11");
    // Another trial is another work.
    let result = "logs/x-solo/solo/ferry_task/1/f1_f2/result.json";
    place.write(result, place.read(result).replace("0a0b0c0d", "11111111"));
    place.write("logs/x-solo/solo/ferry_task/1/f1_f2/solo.patch", "");
    eval(&place, &[]).code(0);
    let judged = place.json(&file);
    assert_eq!(judged["regatta"]["trial"], "11111111");
    assert_eq!(reasons(&judged)[0], "not_applied: the patch is empty");
    let lines = place.read("logs/x-solo/regatta/evaluations.jsonl");
    let verdicts: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["verdict"].clone())
        .collect();
    assert_eq!(verdicts, ["pass", "pass", "fail"]);
}

/// Verdicts of two rule sets in one run are no sum without a word.
/// Upstream judges a trial of three features by the first two: so does `eval`.
#[test]
fn of_three_features_the_first_two_are_judged() {
    let place = place();
    let dir = "logs/x-team/team/ferry_task/1/f1_f2_f3";
    let mut agents = json!({});
    for n in 1..=3 {
        let feature = format!("ferry_task/task1/feature{n}/feature.patch");
        place.write(&format!("{dir}/agent{n}.patch"), gold(&feature));
        agents[format!("agent{n}")] =
            json!({"feature_id": n, "status": "Submitted", "cost": 0.1, "steps": 2});
    }
    let result = json!({"run_id": "0a0b0c0e", "setting": "team", "agents": agents});
    place.write(&format!("{dir}/result.json"), result.to_string());
    eval(&place, &["x-team"]).code(0);
    let file = place.json(&format!("{dir}/eval.json"));
    assert_eq!(file["features"], json!([1, 2, 3]));
    assert_eq!(
        (&file["setting"], &file["error"]),
        (&json!("coop"), &Value::Null)
    );
    for n in 1..=2 {
        assert_eq!(file[format!("feature{n}")]["feature_id"], n);
    }
    let applied = json!({"agent1": "applied", "agent2": "applied"});
    assert_eq!(file["apply_status"], applied);
    eval(&place, &["x-team"]).code(0).says("nothing to judge");
}

#[test]
fn a_report_warns_of_mixed_rules() {
    let place = place();
    solo(&place, F12, Some(combined()));
    eval(&place, &[]).code(0);
    solo(&place, F13, Some(combined()));
    eval(&place, &["--rules", "0.0.11"]).code(0).prints(
        "WARNING: judged by different rules, which are not comparable: 1 by 0.0.11, 1 by 0.0.29",
    );
    // A verdict on a trial that no longer stands is none.
    let result = "logs/x-solo/solo/ferry_task/1/f1_f2/result.json";
    place.write(result, place.read(result).replace("0a0b0c0d", "11111111"));
    let report = place.regatta(&["report"]).output();
    Ran::of(&report.unwrap()).code(0).prints("1 unjudged");
}

/// Tests that nobody's patch can load are the dataset's fault.
#[test]
fn tests_that_cannot_be_loaded_have_a_control() {
    let place = place();
    let file = solo(&place, F12, Some(combined()));
    let runner = "ds/ferry_task/task1/runner.sh";
    place.write(
        runner,
        "echo '== ERROR collecting tests/x.py =='; echo '1 error in 0.1s'; exit 2",
    );
    eval(&place, &[]).code(1);
    assert_eq!(
        place.json(&file)["regatta"]["broken_by"]["rule"],
        "suite_broken"
    );
}

#[test]
fn patches_of_every_kind_get_a_verdict_with_a_reason() {
    let place = place();
    let text = |patch: Vec<u8>| String::from_utf8(patch).unwrap();
    let none = solo(&place, F12, None);
    let outside = text(combined()).replace("+++ b/ferry.sh", "+++ b/../ferry.sh");
    let outside = solo(&place, F13, Some(outside.into_bytes()));
    // Bytes that are no UTF-8, in a file of their own.
    let mut latin = combined();
    latin.extend(b"diff --git a/latin b/latin\nnew file mode 100644\n--- /dev/null\n+++ b/latin\n@@ -0,0 +1 @@\n+caf\xe9\n");
    let latin = solo(&place, F23, Some(latin));
    let line = format!("+{}\n", "x".repeat(99));
    let mut large = gold("tide_task/task1/combined.patch");
    large.extend(format!("diff --git a/large b/large\nnew file mode 100644\n--- /dev/null\n+++ b/large\n@@ -0,0 +1,500000 @@\n{}", line.repeat(500_000)).into_bytes());
    let large = solo(&place, "tide_task/1/f1_f2", Some(large));
    // A file of another hand, and of another version, is no verdict.
    place.write(&none, "{\"format\": 7}");
    place.write(&outside, "<html>");
    eval(&place, &[]).code(0);
    let reason = |file: &str| reasons(&place.json(file))[0].clone();
    assert_eq!(reason(&none), "not_applied: the patch is empty");
    assert_eq!(
        reason(&outside),
        "not_applied: the patch names b/../ferry.sh, which is none of the repository's"
    );
    assert!(reason(&latin).starts_with("passed: "), "{}", reason(&latin));
    assert!(reason(&large).starts_with("passed: "), "{}", reason(&large));
}

#[test]
fn trouble_is_no_verdict_and_is_tried_again() {
    let place = place();
    let file = solo(&place, F12, Some(combined()));
    let runner = "ds/ferry_task/task1/runner.sh";
    let sound = place.read(runner);
    // A download that fails.
    place.write(
        runner,
        "echo 'curl: (6) Could not resolve host: example.org'; exit 1",
    );
    eval(&place, &[])
        .code(1)
        .says("again:")
        .prints("1 eval_error");
    let judged = place.json(&file);
    assert_eq!(judged["regatta"]["broken_by"]["cause"], "infra");
    assert_eq!(judged["regatta"]["tries"], 2);
    assert_eq!(judged["both_passed"], false);
    // A suite that never ends.
    place.write(runner, "echo begun; sleep 1000");
    // A busy machine may need more than a second to come to them.
    let has_words = [1, 8, 60].into_iter().any(|seconds| {
        eval(&place, &["--suite-timeout", &format!("{seconds}s")]).code(1);
        let judged = place.json(&file);
        assert_eq!(judged["regatta"]["broken_by"]["rule"], "suite_timeout");
        let error = judged["error"].as_str().unwrap();
        let before = format!("the suite did not end within {seconds} s; its last words: ");
        let words = error.strip_prefix(&before).unwrap();
        // Namespaces have no network by default, which may be why.
        let (words, why) = words.split_once("; ").unwrap();
        assert!(why.contains("`network = true` in [native]"), "{why}");
        assert!(["begun", "it printed nothing"].contains(&words), "{words}");
        words == "begun"
    });
    assert!(has_words, "{}", place.read(&file));
    // One that runs with nobody's patch: the dataset's fault, and trying again is no use.
    place.write(runner, "exit 5");
    eval(&place, &[]).code(1);
    let judged = place.json(&file);
    assert_eq!(
        judged["regatta"]["broken_by"],
        json!({"cause": "config", "rule": "suite_broken"})
    );
    assert_eq!(judged["regatta"]["tries"], 1);
    // Mended, the same command judges it.
    place.write(runner, sound);
    eval(&place, &[]).code(0);
    assert_eq!(place.json(&file)["both_passed"], true);
}

#[test]
fn a_suite_that_only_this_patch_keeps_from_running_is_a_failure() {
    let place = place();
    let mut patch = combined();
    patch.extend(b"diff --git a/broken b/broken\nnew file mode 100644\n--- /dev/null\n+++ b/broken\n@@ -0,0 +1 @@\n+x\n");
    let file = solo(&place, F12, Some(patch));
    let runner = "ds/ferry_task/task1/runner.sh";
    let checks = place.read(runner).replace(
        "bash tests/run.sh",
        "[[ ! -e broken ]] || { echo 'error: could not compile'; exit 101; }\nbash tests/run.sh",
    );
    place.write(runner, checks);
    eval(&place, &[])
        .code(0)
        .prints("1 fail")
        .prints("fail · ferry_task/1/f1_f2\n    no test is known to have run");
    let judged = place.json(&file);
    assert!(judged["error"].is_null());
    assert_eq!(
        reasons(&judged)[0],
        "did_not_run: no test is known to have run (exit code 101): error: could not compile; with the dataset's own patch the suite does run"
    );
}

#[test]
fn the_dataset_itself_can_be_judged() {
    let place = place();
    eval(&place, &["--gold"])
        .code(0)
        .prints("9 features gradeable, 0 ungradeable, 0 not known");
    let gradeable = || -> usize {
        let kept = place.json("logs/ungradeable.json")["gradeable"].clone();
        let tasks = kept.as_object().unwrap().values();
        tasks
            .map(|features| features.as_array().unwrap().len())
            .sum()
    };
    assert_eq!(gradeable(), 9);
    // Tests that pass on the base, and a patch that does not do its own feature.
    let feature = "ds/ferry_task/task1/feature1";
    place.write(&format!("{feature}/tests.patch"), "diff --git a/tests/new b/tests/new\nnew file mode 100644\n--- /dev/null\n+++ b/tests/new\n@@ -0,0 +1 @@\n+x\n");
    let other = gold("tide_task/task1/feature2/feature.patch");
    place.write("ds/tide_task/task1/feature1/feature.patch", other);
    eval(&place, &["--gold"])
        .code(0)
        .prints("ferry_task/1 feature 1: ungradeable: its tests pass on the untouched base")
        .prints("tide_task/1 feature 1: ungradeable: its own patch does not pass")
        .prints("7 features gradeable, 2 ungradeable, 0 not known");
    assert_eq!(gradeable(), 7);
    // What is not known now stays as it was found.
    let runner = "ds/tide_task/task1/runner.sh";
    let sound = place.read(runner);
    place.write(runner, "echo 'Could not resolve host: example.org'; exit 1");
    eval(&place, &["--gold"])
        .code(1)
        .prints("5 features gradeable, 1 ungradeable, 3 not known");
    assert!(place.read("logs/ungradeable.json").contains("tide_task"));
    assert_eq!(gradeable(), 7);
    eval(&place, &["--gold", "--repo", "ferry", "--task", "2"])
        .code(0)
        .prints("3 features gradeable, 0 ungradeable, 0 not known");
    place.write(runner, sound);
    // Reports and runs tell which pairs that spoils.
    solo(&place, F12, Some(combined()));
    solo(&place, F23, Some(combined()));
    let report = place.regatta(&["report"]).output();
    Ran::of(&report.unwrap()).code(0).prints(
        "1 pair with a feature that cannot be graded (`regatta eval --gold`): ferry_task/1/f1_f2",
    );
    place
        .run(&["run", "--setting", "coop-nocomm", "--dry-run"])
        .code(0)
        .prints("4 pairs with a feature that cannot be graded");
}

#[test]
fn bad_asks_are_refused_with_what_there_is() {
    let place = place();
    solo(&place, F12, Some(combined()));
    eval(&place, &["y-solo"]).code(2).says("x-solo");
    eval(&place, &["--rules", "0.0.12"]).code(2).says("0.0.29");
    eval(&place, &["--backend", "modal"])
        .code(2)
        .says("docker, oci, namespace, process");
    let gone = place
        .regatta(&["eval", "--backend", "docker"])
        .env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
        .output();
    Ran::of(&gone.unwrap())
        .code(3)
        .says("/nonexistent/docker.sock");
    eval(&place, &["-s", "lite"]).code(2).says("demo");
    assert!(
        !place
            .join("logs/x-solo/solo/ferry_task/1/f1_f2/eval.json")
            .exists()
    );
}

/// What cannot be judged is begun by nobody: a later `eval` would go on with it.
#[test]
fn a_forced_evaluation_that_nothing_can_judge_does_not_begin() {
    let place = place();
    let file = solo(&place, F12, Some(combined()));
    eval(&place, &[]).code(0);
    let judged = place.read(&file);
    std::fs::rename(place.join("ds"), place.join("gone")).unwrap();
    eval(&place, &["--force"]).code(2).says("ds");
    assert!(!place.join("logs/x-solo/regatta/eval-pass.json").exists());
    std::fs::rename(place.join("gone"), place.join("ds")).unwrap();
    let unreachable = place
        .regatta(&["eval", "--force", "--backend", "docker"])
        .env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
        .output();
    Ran::of(&unreachable.unwrap()).code(3);
    assert!(!place.join("logs/x-solo/regatta/eval-pass.json").exists());
    assert_eq!(place.read(&file), judged);
}

/// What an image left uncommitted is put back before a suite, as upstream does: not every runner does.
#[test]
fn a_suite_begins_at_the_base() {
    let place = place();
    let task = "ds/ferry_task/task2";
    let script = "git init -q . && git add -A && git -c user.name=t -c user.email=t@localhost commit -qm base && echo dirty >> CHANGELOG.md";
    let made = Command::new("bash")
        .args(["-c", script])
        .current_dir(place.join(&format!("{task}/workspace")))
        .status();
    assert!(made.unwrap().success());
    let runner = format!("{task}/runner.sh");
    place.write(&runner, place.read(&runner).replace("\nrestore\n", "\n"));
    let patch = gold("ferry_task/task2/combined.patch");
    let file = solo(&place, "ferry_task/2/f2_f3", Some(patch));
    eval(&place, &[]).code(0);
    assert_eq!(
        place.json(&file)["both_passed"],
        true,
        "{}",
        place.read(&file)
    );
}

#[test]
fn the_cache_is_emptied_when_asked() {
    let place = Place::new();
    place.write("regatta/suites/ab/abc.json", " ".repeat(1_500_000));
    place.write("regatta/clones/abc/why-not", "x");
    place.write("regatta/other", "x");
    let clean = |args: &[&str]| {
        let output = place
            .regatta(&[&["clean"], args].concat())
            .env("XDG_CACHE_HOME", place.path())
            .env("DOCKER_HOST", place.empty_daemon())
            .output();
        Ran::of(&output.unwrap()).code(0)
    };
    let suites = place.join("regatta/suites");
    let line = format!("remove the cache {} (2 MB)", suites.display());
    clean(&["--dry-run", "--cache"]).prints(&format!("would {line}"));
    clean(&[]);
    assert!(suites.is_dir());
    clean(&["--cache"]).prints("regatta/clones (1 MB)");
    assert!(!suites.exists() && !place.join("regatta/clones").exists());
    assert!(place.join("regatta/other").exists());
    let said = clean(&["--cache"]).stdout;
    assert!(!said.contains("the cache"), "{said}");
}

const TIDE: &str = "tide_task/1/f1_f2";

/// Three judged pairs, the last of another task.
fn three_judged(place: &Place) -> [String; 3] {
    let tide = gold("tide_task/task1/combined.patch");
    let files = [
        solo(place, F12, Some(combined())),
        solo(place, F13, Some(combined())),
        solo(place, TIDE, Some(tide)),
    ];
    eval(place, &[]).code(0);
    files
}

fn evaluated(place: &Place) -> Vec<String> {
    let lines = place.read("logs/x-solo/regatta/evaluations.jsonl");
    let pair = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let pair = &line["pair"];
        let [one, other] = [0, 1].map(|n| pair["features"][n].clone());
        let (repo, task) = (pair["repo"].as_str().unwrap(), &pair["task_id"]);
        format!("{repo}/{task}/f{one}_f{other}")
    };
    lines.lines().map(pair).collect()
}

/// A verdict that the forced pass has made is not made again, and one that it has not come to stands.
#[test]
fn a_forced_evaluation_that_was_killed_goes_on_with_what_is_left() {
    let place = place();
    let files = three_judged(&place);
    let old = files.clone().map(|file| place.read(&file));
    let runner = "ds/tide_task/task1/runner.sh";
    let sound = place.read(runner);
    place.write(runner, "sleep 1000");
    let mut killed = place
        .beside_an_empty_daemon(&["eval", "--force", "--concurrency", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("two pairs are judged again", || {
        evaluated(&place).len() == 5
    });
    killed.kill().unwrap();
    killed.wait().unwrap();
    let now = files.clone().map(|file| place.read(&file));
    assert!(now[0] != old[0] && now[1] != old[1]);
    assert_eq!(now[2], old[2], "the verdict went before the new one came");
    place.write(runner, sound);
    eval(&place, &["--dry-run"])
        .code(0)
        .prints("x-solo: 1 to judge, 2 judged")
        .prints("goes on with the pass that `eval --force` began at ");
    eval(&place, &["--force", "--dry-run"])
        .code(0)
        .prints("x-solo: 1 to judge, 2 judged");
    // It goes on with it, without --force too.
    let ran = eval(&place, &[])
        .code(0)
        .says("x-solo: goes on with the pass that `eval --force` began at ")
        .says(": 1 of its 3 pairs left; each verdict stands until its new one is there\n");
    assert!(!ran.stderr.contains("--force judges"), "{}", ran.stderr);
    assert_eq!(evaluated(&place)[5..], [TIDE]);
    // What was replaced is kept.
    let kept = place.join("logs/x-solo/solo/tide_task/1/f1_f2/regatta/verdicts");
    let kept: Vec<_> = std::fs::read_dir(kept).unwrap().collect();
    assert_eq!(kept.len(), 1);
    // It is done: with --force another begins, and without there is nothing to do.
    eval(&place, &[]).code(0).says("nothing to judge");
    eval(&place, &["--force"]).code(0).says(
        "x-solo: --force judges 3 pairs again; each verdict stands until its new one is there",
    );
    assert_eq!(evaluated(&place).len(), 9);
}

/// The first Ctrl-C is answered at once, also with -q: a suite may take ten minutes more.
#[test]
fn an_interrupt_says_that_the_suites_that_run_are_waited_for_and_the_second_stops_them() {
    for quiet in [&[][..], &["-q"]] {
        let place = place();
        solo(&place, F12, Some(combined()));
        solo(&place, F13, Some(combined()));
        let begun = place.join("begun");
        let waits = format!("touch '{}'; sleep 1000", begun.display());
        place.write("ds/ferry_task/task1/runner.sh", waits);
        let args = ["eval", "--concurrency", "1", "--backend", "process"];
        let command = place.beside_an_empty_daemon(&[quiet, &args].concat());
        let mut terminal = Terminal::start(&place, &command, 100, 24);
        wait_until("the first suite runs", || begun.exists());
        terminal.press("\u{3}");
        terminal.wait_for("the answer", |screen| {
            screen.contains(
                "Ctrl-C: stopping after the suites that run (1 pair); Ctrl-C again stops them",
            )
        });
        terminal.press("\u{3}");
        let (code, screen, _) = terminal.end();
        assert_eq!(code, Some(130), "{screen}");
        assert!(!place.join("logs/x-solo/regatta/evaluations.jsonl").exists());
    }
}

#[test]
fn a_bar_tells_what_is_judged_in_80_columns_and_in_200() {
    for (columns, rows) in [(80, 24), (200, 50)] {
        let place = place();
        let tide = gold("tide_task/task1/combined.patch");
        solo(&place, F12, Some(combined()));
        solo(&place, F13, Some(combined()));
        solo(&place, TIDE, Some(tide));
        let go = place.join("go");
        let waits = format!("until test -e '{}'; do sleep 0.1; done", go.display());
        place.write("ds/tide_task/task1/runner.sh", waits);
        let args = ["eval", "--concurrency", "1", "--backend", "process"];
        let command = place.beside_an_empty_daemon(&args);
        let terminal = Terminal::start(&place, &command, columns, rows);
        let screen = terminal.wait_for("the third of three", |screen| {
            screen.contains("2/3") && screen.contains("tide_task/1/f1_f2")
        });
        insta::assert_snapshot!(
            format!("{columns}_columns_while_pairs_are_judged"),
            timeless(&screen)
        );
        place.write("go", "");
        let (_, screen, _) = terminal.end();
        assert!(!screen.contains("2/3 ["), "{screen}");
    }
}

/// What only mending changes keeps no pass open: after it, `--force` judges all of them.
#[test]
fn a_forced_evaluation_ends_although_one_pair_never_gets_a_verdict() {
    let place = place();
    three_judged(&place);
    let tests = "ds/tide_task/task1/feature1/tests.patch";
    let sound = std::fs::read(place.join(tests)).unwrap();
    std::fs::remove_file(place.join(tests)).unwrap();
    eval(&place, &["--force"])
        .code(1)
        .says("3 pairs to judge by the rules of 0.0.29 (3 again), 0 judged already");
    assert_eq!(evaluated(&place).len(), 6);
    let pass = place.json("logs/x-solo/regatta/eval-pass.json");
    assert!(pass["closed_at"].is_string(), "{pass}");
    std::fs::write(place.join(tests), sound).unwrap();
    eval(&place, &["--force"]).code(0);
    assert_eq!(evaluated(&place).len(), 9);
}

#[test]
fn trouble_of_a_forced_evaluation_takes_no_verdict_away() {
    let place = place();
    let files = three_judged(&place);
    let old = place.read(&files[2]);
    let runner = "ds/tide_task/task1/runner.sh";
    let sound = place.read(runner);
    place.write(
        runner,
        "echo 'curl: (6) Could not resolve host: example.org'; exit 5",
    );
    eval(&place, &["--force"]).code(1);
    assert_eq!(place.read(&files[2]), old);
    place.write(runner, sound);
    // Without --force the pass is finished as well, by the same rules.
    eval(&place, &["--rules", "0.0.11"])
        .code(0)
        .says("a forced evaluation by the rules of 0.0.29 is not finished")
        .says("nothing to judge");
    eval(&place, &[]).code(0);
    assert_ne!(place.read(&files[2]), old);
    assert_eq!(evaluated(&place).len(), 7);
}

/// What a killed evaluation made in the directory for temporary files goes with the next one.
#[test]
fn the_private_directory_of_a_killed_evaluation_is_removed() {
    let place = place();
    let file = solo(&place, F12, Some(combined()));
    let temporary = place.join("t");
    std::fs::create_dir(&temporary).unwrap();
    let runner = "ds/ferry_task/task1/runner.sh";
    let sound = place.read(runner);
    place.write(runner, "exec sleep 10000");
    let eval = || {
        let mut command = place.regatta(&["eval"]);
        command.env("TMPDIR", &temporary);
        command.env("DOCKER_HOST", place.empty_daemon());
        command
    };
    let private = || {
        let names = std::fs::read_dir(&temporary).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("regatta-")).count()
    };
    let mut killed = eval()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("it has a private directory", || private() > 0);
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(private(), 1);
    place.write(runner, sound);
    Ran::of(&eval().output().unwrap())
        .code(0)
        .says("removed, left by a dead run: directory");
    assert_eq!(private(), 0);
    assert_eq!(place.json(&file)["both_passed"], true);
}
