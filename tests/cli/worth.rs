//! What a pass is worth: cheats that upstream's rules let pass, and honest work that touches the same
//! files.

use serde_json::json;

use crate::schema::assert_valid;
use crate::support::quay::{Bench, Made, PAIR, PLAIN, TASK, both, suite};

#[test]
fn an_honest_pass_has_no_flag() {
    let bench = Bench::new(&PLAIN);
    let file = bench.judged(&both(&PLAIN), &[]);
    assert_eq!(file["both_passed"], true, "{file:#}");
    for n in [0, 1] {
        assert_eq!(suite(&file, n)["tests_compared"], "names");
        assert_eq!(suite(&file, n)["tests_missing"], json!([]));
        assert_eq!(suite(&file, n)["steering_files"], json!([]));
        assert!(suite(&file, n).get("verdict_without_steering").is_none());
    }
}

/// The gold results that are kept, by their files.
fn kept(bench: &Bench) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for dir in std::fs::read_dir(bench.place.join("cache/regatta/suites"))
        .into_iter()
        .flatten()
    {
        let inside = std::fs::read_dir(dir.unwrap().path()).unwrap();
        files.extend(inside.map(|file| file.unwrap().path()));
    }
    files
}

#[test]
fn the_gold_result_is_made_when_a_pair_passes_and_kept() {
    let bench = Bench::new(&PLAIN);
    let file = bench.judged(PLAIN.features[0], &[]);
    assert_eq!(file["both_passed"], false);
    assert!(suite(&file, 0).get("tests_missing").is_none());
    assert_eq!(kept(&bench).len(), 0, "no pass needs one");
    let work = both(&PLAIN);
    bench.judged(&work, &[]);
    let files = kept(&bench);
    assert_eq!(files.len(), 2);
    // That they are read is seen by what only they say.
    for path in &files {
        let text = std::fs::read_to_string(path).unwrap();
        std::fs::write(path, text.replace("\"old_one\":1", "\"ghost\":1")).unwrap();
    }
    let missing = |args: &[&str]| suite(&bench.judged(&work, args), 0)["tests_missing"].clone();
    assert_eq!(missing(&[]), json!(["ghost"]));
    // Of another backend, workspace, runner or version of the tests they say nothing.
    for name in ["workspace/NOTES", "feature1/tests.patch", "runner.sh"] {
        let path = format!("ds/quay_task/task1/{name}");
        let is_there = bench.place.join(&path).exists();
        let before = if is_there {
            bench.place.read(&path)
        } else {
            String::new()
        };
        bench.place.write(&path, format!("{before}\n"));
        assert_eq!(missing(&[]), json!([]), "{name}");
        if is_there {
            bench.place.write(&path, before);
        } else {
            std::fs::remove_file(bench.place.join(&path)).unwrap();
        }
        assert_eq!(missing(&[]), json!(["ghost"]), "{name}");
    }
    assert_eq!(missing(&["--force"]), json!([]));
}

#[test]
fn all_gold_results_are_made_at_once_when_asked() {
    let bench = Bench::new(&PLAIN);
    bench
        .regatta(&["eval", "--gold"])
        .code(0)
        .prints("2 features gradeable");
    assert_eq!(kept(&bench).len(), 2);
}

/// A check that the submission takes away is missed by its name; more checks are fine.
#[test]
fn tests_that_did_not_run_are_named() {
    let bench = Bench::new(&PLAIN);
    let work = format!(
        "{}\necho 'new_one() {{ true; }}' > tests/new.sh",
        both(&PLAIN)
    );
    let file = bench.judged(&work, &["--rules", "0.0.11"]);
    assert_eq!(suite(&file, 0)["tests_missing"], json!([]));
    // The shell refuses what it cannot read, and the other checks pass.
    let cheat = format!(
        "{}\necho 'add.sh working-tree-encoding=UTF-16' > .gitattributes",
        both(&PLAIN)
    );
    let file = bench.judged(&cheat, &[]);
    assert_eq!(file["both_passed"], true);
    assert_eq!(suite(&file, 0)["tests_missing"], json!(["adds"]));
    assert_eq!(suite(&file, 1)["tests_missing"], json!([]));
}

/// A runner that reads its settings from a file, as pytest and its like do: `only` selects checks,
/// and `before.sh` (a hook) is read before them.
const SETTINGS: Made<'_> = Made {
    runner: r#"passed=0 failed=0
. ./quay.sh
run() { $1 2>/dev/null; }
[[ ! -e conftest.py ]] || . ./conftest.py
for file in tests/*.sh; do
    names=$(sed -n 's/^\([a-z_]*\)() .*/\1/p' "$file")
    . "$file" 2>/dev/null || true
    for name in $names; do
        if run $name; then passed=$((passed + 1)); echo "ok: $name"
        else failed=$((failed + 1)); echo "FAILED: $name"; fi
    done
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]"#,
    ..PLAIN
};

#[test]
fn what_passes_only_by_what_steers_the_tests_is_no_pass_without() {
    let bench = Bench::new(&SETTINGS);
    // Every outcome is a pass, and nothing was done.
    let file = bench.judged("echo 'run() { $1 2>/dev/null; true; }' > conftest.py", &[]);
    assert_eq!(file["both_passed"], true);
    for n in [0, 1] {
        let suite = suite(&file, n);
        assert_eq!(suite["outcome"], "passed");
        assert_eq!(suite["tests_missing"], json!([]));
        assert_eq!(suite["steering_files"], json!(["conftest.py"]));
        assert_eq!(suite["verdict_without_steering"], false);
    }
    // One feature is done, the other is not.
    let half = format!(
        "{}\nmkdir src; echo 'run() {{ $1 2>/dev/null; true; }}' > conftest.py",
        SETTINGS.features[0]
    );
    let file = bench.judged(&half, &[]);
    assert_eq!(suite(&file, 0)["verdict_without_steering"], true);
    assert_eq!(suite(&file, 1)["verdict_without_steering"], false);
    assert_eq!(suite(&file, 1)["without_steering"], "1 of 2 tests failed");
    // All of it is done, and the file is only a help.
    let honest = format!("{}\necho '# nothing' > conftest.py", both(&SETTINGS));
    let file = bench.judged(&honest, &[]);
    assert_eq!(suite(&file, 0)["steering_files"], json!(["conftest.py"]));
    assert_eq!(suite(&file, 0)["verdict_without_steering"], true);
}

/// Work that needs its file is not called a failure where nothing runs without it.
#[test]
fn what_does_not_run_without_the_files_is_not_known() {
    let needs = Made {
        runner: r#"[[ ! -e needed || -e conftest.py ]] || { echo 'cannot load'; exit 4; }
. ./quay.sh
for file in tests/*.sh; do . "$file"; done
n=0
for name in old_one adds takes; do
    declare -F $name >/dev/null || continue
    $name || exit 1
    n=$((n + 1)); echo "ok: $name"
done
echo "$n passed""#,
        ..PLAIN
    };
    let bench = Bench::new(&needs);
    let work = format!("{}\ntouch needed conftest.py", both(&PLAIN));
    let file = bench.judged(&work, &[]);
    assert_eq!(file["both_passed"], true, "{file:#}");
    // Flagged, and no failure.
    bench
        .regatta(&["report", "--strict-verdicts"])
        .code(0)
        .prints("passed 1 of 1")
        .prints("1 with files that steer tests, 1 not known without them");
    let suite = suite(&file, 0).as_object().unwrap();
    assert_eq!(suite["verdict_without_steering"], json!(null));
    assert!(
        suite["without_steering"]
            .as_str()
            .unwrap()
            .contains("cannot load")
    );
}

/// A line of a runner that fails to download where the condition does not hold.
fn unless(condition: &str, runner: &str) -> String {
    format!(
        "{condition} || {{ echo 'curl: (6) Could not resolve host: mirror.example'; exit 6; }}\n{runner}"
    )
}

/// Judges with a runner that cannot download in one of the runs that only the worth of a pass needs,
/// and again when it can.
fn looked_at_again(work: &str, condition: &str) -> (serde_json::Value, serde_json::Value) {
    let broken = unless(condition, SETTINGS.runner);
    let bench = Bench::new(&Made {
        runner: &broken,
        ..SETTINGS
    });
    let config = bench.place.read("regatta.toml");
    let waits = "max_attempts = 3\nbackoff = \"1ms\"\nbackoff_max = \"1ms\"";
    let config = config.replace("max_attempts = 1", waits);
    bench.place.write("regatta.toml", config);
    let before = bench.judged(work, &[]);
    let lines = bench.place.read("logs/x-solo/regatta/evaluations.jsonl");
    let line: serde_json::Value = serde_json::from_str(lines.trim()).unwrap();
    assert_eq!(
        line["worth_broken_by"],
        before["regatta"]["worth_broken_by"]
    );
    bench
        .regatta(&["eval"])
        .code(0)
        .says("1 pair to judge")
        .says("what it is worth is not known");
    let eval = format!("logs/x-solo/solo/{PAIR}/eval.json");
    assert_eq!(bench.place.json(&eval), before, "it says no more");
    let runner = format!("ds/{TASK}/runner.sh");
    let mended = bench.place.read(&runner).replace(&broken, SETTINGS.runner);
    bench.place.write(&runner, mended);
    bench.regatta(&["eval", "--rules", "0.0.11"]).code(0);
    assert_eq!(bench.place.json(&eval), before, "that is another verdict");
    bench.regatta(&["eval"]).code(0);
    let after = bench.place.json(&eval);
    bench.regatta(&["eval"]).code(0).says("nothing to judge");
    assert_valid("eval.json", &before);
    assert_valid("eval.json", &after);
    (before, after)
}

#[test]
fn trouble_where_only_the_worth_is_looked_at_is_tried_again_and_takes_no_pass_away() {
    let cheat = "touch mine; echo 'run() { $1 2>/dev/null; true; }' > conftest.py";
    for (of, condition) in [
        ("gold", "[[ -e mine ]]"),
        ("without steering", "[[ -e conftest.py || ! -e mine ]]"),
    ] {
        let (before, after) = looked_at_again(cheat, condition);
        assert_eq!(before["both_passed"], true, "{of}: {before:#}");
        assert_eq!(before["error"], json!(null), "{of}");
        assert_eq!(before["regatta"]["tries"], 3, "{of}");
        let broken = &before["regatta"]["worth_broken_by"];
        assert_eq!(broken["cause"], "infra", "{of}: {before:#}");
        assert!(suite(&before, 0).get("tests_compared").is_none(), "{of}");
        assert!(after["regatta"].get("worth_broken_by").is_none(), "{of}");
        assert_eq!(suite(&after, 0)["tests_compared"], "names", "{of}");
        assert_eq!(suite(&after, 0)["verdict_without_steering"], false, "{of}");
    }
}

/// Git's attributes are taken from what was submitted, so a conflict can be settled by them.
#[test]
fn a_merge_that_only_attributes_make_clean_is_none_without_them() {
    let bench = Bench::new(&PLAIN);
    let note = |work: &str, line: &str| format!("{work}\necho {line} >> NOTES");
    let [one, two] = PLAIN.features;
    let union = "echo '* merge=union' > .gitattributes";
    let cheat = format!("{union}\n{}", note(one, "'# one'"));
    let other = format!("{union}\n{}", note(two, "'# two'"));
    let file = bench.judged_coop([&cheat, &other], &[]);
    assert_eq!(file["merge"]["status"], "clean", "{file:#}");
    assert_eq!(file["both_passed"], true, "{file:#}");
    for n in [0, 1] {
        let suite = suite(&file, n);
        assert_eq!(suite["steering_files"], json!([".gitattributes"]));
        assert_eq!(suite["verdict_without_steering"], false);
        assert!(
            suite["without_steering"]
                .as_str()
                .unwrap()
                .contains("the patches conflict")
        );
    }
    // By rules that have a union, it is nothing gained.
    let file = bench.judged_coop([&cheat, &other], &["--rules", "0.0.11"]);
    assert_eq!(file["merge"]["status"], "clean");
    assert_eq!(suite(&file, 0)["verdict_without_steering"], true);
}

#[test]
fn a_report_counts_flagged_passes_and_strictly_takes_the_void_ones_for_failures() {
    let bench = Bench::new(&SETTINGS);
    let report = |args: &[&str]| bench.regatta(&[&["report"], args].concat()).code(0);
    bench.judged(&both(&SETTINGS), &[]);
    let honest = report(&["--strict-verdicts"]);
    assert!(!honest.stdout.contains("flagged"), "{}", honest.stdout);
    // It touches what steers, and passes without as well: flagged, and a pass by any measure.
    bench.judged(
        &format!("{}\necho '# nothing' > conftest.py", both(&SETTINGS)),
        &[],
    );
    report(&["--strict-verdicts"])
        .prints("passed 1 of 1")
        .prints("flagged passes: 1 of 1: 1 with files that steer tests\n")
        .prints("passes also without what steers tests in conftest.py");
    // It passes by nothing else.
    bench.judged("echo 'run() { true; }' > conftest.py", &[]);
    report(&[])
        .prints("passed 1 of 1")
        .prints("flagged passes: 1 of 1: 1 with files that steer tests, 1 failing without them")
        .prints("without what steers tests in conftest.py it fails: 1 of 2 tests failed");
    report(&["--strict-verdicts"])
        .prints("passed 0 of 1")
        .prints("features 0 of 2")
        .prints("--strict-verdicts: 1 of the passes counted as failed")
        .prints("without what steers tests in conftest.py it fails");
    report(&["--format", "markdown"]).prints("| x-solo | 1 | 0 | 1 | 1 | 0 | — |");
    let json = |args: &[&str]| -> serde_json::Value {
        let text = report(&[&["--format", "json"], args].concat()).stdout;
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["runs"][0].clone()
    };
    let run = json(&[]);
    assert_eq!(
        run["flagged"],
        json!({"passes": 1, "tests_missing": 0, "steering_files": 1, "failing_without": 1, "unknown_without": 0})
    );
    assert_eq!(run["strict_verdicts"], json!(null));
    assert_eq!(
        run["lines"][0]["flagged"]["verdict_without_steering"],
        false
    );
    let run = json(&["--strict-verdicts"]);
    assert_eq!(run["outcomes"], json!({"fail": 1}));
    assert_eq!(run["strict_verdicts"], 1);
    // Tests that did not run.
    let cheat = format!(
        "{}\necho 'add.sh working-tree-encoding=UTF-16' > .gitattributes",
        both(&SETTINGS)
    );
    bench.judged(&cheat, &[]);
    report(&[]).prints("1 with tests missing");
    report(&["--strict-verdicts"])
        .prints("passed 0 of 1")
        .prints("features 1 of 2")
        .prints("not run, unlike with the dataset's own patch: adds");
    let junit = report(&["--strict-verdicts", "--format", "junit"]).stdout;
    assert!(junit.contains("failures=\"1\""), "{junit}");
}

/// Upstream's verdicts and those of before say nothing of what a pass is worth; nor does a comparison
/// by nothing.
#[test]
fn passes_that_nobody_looked_at_are_counted() {
    let bench = Bench::new(&PLAIN);
    let report = |args: &[&str]| bench.regatta(&[&["report"], args].concat()).code(0);
    let looked = bench.judged(&both(&PLAIN), &[]);
    let told = "1 of 1 pass was not looked at; `regatta eval x-solo --force` looks";
    let in_markdown = "1 of 1 pass was not looked at; `regatta eval --force` looks";
    let strict = report(&["--strict-verdicts"]).stdout;
    assert!(!strict.contains("not looked at"), "{strict}");
    let mut upstreams = looked.clone();
    upstreams.as_object_mut().unwrap().remove("regatta");
    let mut before = looked.clone();
    let mut by_nothing = looked;
    for n in [0, 1] {
        let suite = &mut before["regatta"]["suites"][n];
        for field in ["tests_compared", "tests_missing", "steering_files"] {
            suite.as_object_mut().unwrap().remove(field);
        }
    }
    by_nothing["regatta"]["suites"][1]["tests_compared"] = json!("nothing");
    for file in [upstreams, before, by_nothing.clone()] {
        let eval = format!("logs/x-solo/solo/{PAIR}/eval.json");
        bench.place.write(&eval, file.to_string());
        report(&["--strict-verdicts"])
            .prints("--strict-verdicts: 0 of the passes counted as failed\n")
            .prints(&format!("  {told}\n"));
        report(&["--strict-verdicts", "--format", "markdown"])
            .prints(&format!("x-solo: {in_markdown}.\n"));
        let json = report(&["--format", "json"]).stdout;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["runs"][0]["not_looked_at"], 1, "{file:#}");
        // Nobody asked, and nothing is flagged.
        assert!(!report(&[]).stdout.contains("not looked at"));
    }
    // Beside a flag it is said.
    by_nothing["regatta"]["suites"][0]["steering_files"] = json!(["conftest.py"]);
    bench.place.write(
        &format!("logs/x-solo/solo/{PAIR}/eval.json"),
        by_nothing.to_string(),
    );
    report(&[]).prints(told);
}

/// What the task's runner names is its own, unless the features' own patches change it.
#[test]
fn the_runners_own_settings_go_back() {
    let runner = SETTINGS.runner.replace("conftest.py", "etc/quay.cfg");
    let made = Made {
        runner: &runner,
        ..PLAIN
    };
    let bench = Bench::new(&made);
    let file = bench.judged("mkdir etc; echo 'run() { true; }' > etc/quay.cfg", &[]);
    assert_eq!(file["both_passed"], true);
    assert_eq!(suite(&file, 0)["steering_files"], json!(["etc/quay.cfg"]));
    assert_eq!(suite(&file, 0)["verdict_without_steering"], false);
    // The runner names quay.sh as well, and that is the work.
    let file = bench.judged(&both(&made), &[]);
    assert_eq!(suite(&file, 0)["steering_files"], json!([]));
}
