//! `regatta restore` on trees with trials that were set aside.

use std::collections::BTreeMap;
use std::path::Path;

use regatta::bench::setting::Tree;
use regatta::bench::{Pair, TaskKey};
use regatta::store::restore::Wanted;
use regatta::store::{LogTree, RunDir};
use serde_json::{Value, json};

use crate::support::Place;

const PAIR: &str = "lock_task/3/f2_f5";
const OTHER: &str = "lock_task/4/f1_f2";

/// Writes a trial's files below `logs/weir-solo/solo/`.
fn trial(place: &Place, dir: &str, id: &str, passed: bool) {
    let dir = format!("logs/weir-solo/solo/{dir}");
    let result = json!({"run_id": id, "agent": {"status": "Submitted", "cost": 0.5, "steps": 4}});
    place.write(&format!("{dir}/result.json"), result.to_string());
    place.write(&format!("{dir}/solo.patch"), format!("patch of {id}"));
    let own = json!({"rules": "0.0.29", "trial": id});
    let verdict = json!({"both_passed": passed, "regatta": own});
    place.write(&format!("{dir}/eval.json"), verdict.to_string());
}

fn place() -> Place {
    let place = Place::new();
    place.write("regatta.toml", "[upstream]\nlogs_dir = \"logs\"\n");
    trial(&place, PAIR, "bbbb2222", false);
    trial(
        &place,
        &format!("{PAIR}/regatta/aaaa1111"),
        "aaaa1111",
        true,
    );
    trial(&place, OTHER, "cccc3333", true);
    place
}

fn standing(place: &Place, pair: &str) -> (String, String, bool) {
    let dir = format!("logs/weir-solo/solo/{pair}");
    let result = place.json(&format!("{dir}/result.json"));
    let eval = place.json(&format!("{dir}/eval.json"));
    let id = result["run_id"].as_str().unwrap().to_owned();
    assert_eq!(
        eval["regatta"]["trial"],
        id.as_str(),
        "another one's verdict"
    );
    let patch = place.read(&format!("{dir}/solo.patch"));
    (id, patch, eval["both_passed"] == true)
}

/// Every file below a directory with what it holds.
fn all_files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                found.insert(path.display().to_string(), bytes);
            }
        }
    }
    found
}

fn run_dir(place: &Place) -> RunDir {
    LogTree::at(place.join("logs")).run(&"weir-solo".parse().unwrap())
}

#[test]
fn restoring_swaps_result_patch_and_verdict_and_twice_is_as_before() {
    let place = place();
    let old = ("aaaa1111".to_owned(), "patch of aaaa1111".to_owned(), true);
    let new = ("bbbb2222".to_owned(), "patch of bbbb2222".to_owned(), false);
    place
        .run(&["restore", "weir-solo"])
        .code(0)
        .prints("weir-solo: restored 1 result; set aside: 1 result (1 judged, cost $0.50)")
        .prints("lock_task/3/f2_f5  aaaa1111, judged, in the place of bbbb2222");
    assert_eq!(standing(&place, PAIR), old);
    assert_eq!(standing(&place, OTHER).0, "cccc3333");
    place.run(&["report"]).code(0).prints("2 pass, 0 fail");
    place.run(&["restore", "weir-solo", PAIR]).code(0);
    assert_eq!(standing(&place, PAIR), new);
    // What was displaced is in the books, once each.
    let short = PAIR.replace("_task", "");
    place.run(&["restore", "weir-solo", &short]).code(0);
    let ledger = place.read("logs/weir-solo/regatta/ledger.jsonl");
    let trials: Vec<Value> = ledger
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["trial"].clone())
        .collect();
    assert_eq!(trials, ["bbbb2222", "aaaa1111"]);
}

#[test]
fn what_cannot_be_restored_is_refused_and_nothing_is_written() {
    let place = place();
    let before = all_files(&place.join("logs"));
    let refused = |args: &[&str]| place.run(&[&["restore"], args].concat()).code(2);
    refused(&["weir-sol"])
        .says("no run `weir-sol`")
        .says("did you mean `weir-solo`?");
    refused(&["weir-solo", "lock_task/3/f2_f6"])
        .says("no pair `lock_task/3/f2_f6`")
        .says("did you mean `lock_task/3/f2_f5`?");
    refused(&["weir-solo", OTHER]).says("nothing to restore of lock_task/4/f1_f2");
    refused(&["weir-solo", PAIR, "--trial", "dddd"])
        .says("no trial `dddd` of lock_task/3/f2_f5")
        .says("set aside are: aaaa1111");
    refused(&["weir-solo", PAIR, OTHER, "--trial", "aaaa1111"]).says("several pairs");
    place
        .run(&["restore", "weir-solo", "--list"])
        .code(0)
        .prints("lock_task/3/f2_f5: bbbb2222 stands")
        .prints("aaaa1111  Submitted, cost $0.50, judged  <- comes back");
    place
        .run(&["restore", "weir-solo", "--dry-run"])
        .code(0)
        .prints("would restore 1 result; would be set aside: 1 result (1 judged, cost $0.50)");
    assert_eq!(all_files(&place.join("logs")), before);
}

#[test]
fn a_run_that_is_locked_is_not_restored() {
    let place = place();
    let lock = regatta::store::lock::RunLock::take(&run_dir(&place)).unwrap();
    place
        .run(&["restore", "weir-solo"])
        .code(2)
        .says("is already running");
    assert_eq!(standing(&place, PAIR).0, "bbbb2222");
    drop(lock);
}

/// The error that stands is no reason to keep the finished one away, and none to fetch an error.
#[test]
fn the_latest_result_that_would_stand_comes_back_and_others_by_their_name() {
    let place = place();
    let broken = format!("logs/weir-solo/solo/{PAIR}/regatta/eeee5555/result.json");
    let error = "litellm.RateLimitError: RateLimitError: OpenAIException - slow down";
    let result = json!({"run_id": "eeee5555", "started_at": "2026-11-25T12:00:00",
        "infra_error": true, "agent": {"status": "Error", "cost": 0.0, "steps": 1, "error": error}});
    place.write(&broken, result.to_string());
    place.run(&["restore", "weir-solo"]).code(0);
    assert_eq!(standing(&place, PAIR).0, "aaaa1111");
    place
        .run(&["restore", "weir-solo", PAIR, "--trial", "eeee5555"])
        .code(0);
    let result = format!("logs/weir-solo/solo/{PAIR}/result.json");
    assert_eq!(place.json(&result)["run_id"], "eeee5555");
    // A verdict of another trial stays with that trial.
    assert!(
        !place
            .join(&format!("logs/weir-solo/solo/{PAIR}/eval.json"))
            .exists()
    );
}

/// Killed after it was begun, the same command ends what it began, and does not swap it back.
#[test]
fn a_restore_that_was_killed_goes_on_and_swaps_nothing_back() {
    let place = place();
    let wanted = Wanted {
        pair: Pair::new(TaskKey::new("lock_task", 3), 2, 5),
        tree: Tree::Solo,
        name: "aaaa1111".to_owned(),
    };
    let text = serde_json::to_string(&[wanted]).unwrap();
    for was_done in [false, true] {
        place.write("logs/weir-solo/regatta/restore.json", &text);
        place
            .run(&["restore", "weir-solo", PAIR])
            .code(0)
            .prints("went on with a restore that was cut off: 1 result back");
        assert_eq!(standing(&place, PAIR).0, "aaaa1111", "{was_done}");
    }
    assert!(!place.join("logs/weir-solo/regatta/restore.json").exists());
}

/// Otherwise the pass would set aside again what was asked back.
#[test]
fn what_is_restored_is_no_longer_replaced_by_an_open_pass() {
    let place = place();
    let covered = |task: u64, features: [u64; 2], was: &str| json!({"repo": "lock_task", "task_id": task, "features": features, "was": was});
    let pairs = [
        covered(3, [2, 5], "aaaa1111"),
        covered(4, [1, 2], "cccc3333"),
    ];
    let pass = json!({"begun_at": "2026-11-25T12:00:00Z", "pairs": pairs});
    let file = "logs/weir-solo/regatta/pass.json";
    place.write(file, pass.to_string());
    place
        .run(&["status"])
        .code(0)
        .prints("a forced pass begun at 2026-11-25T12:00:00Z is not closed: 1 of its 2 pairs left");
    place.run(&["restore", "weir-solo", PAIR]).code(0);
    let left = place.json(file)["pairs"].clone();
    assert_eq!(left, json!([pairs[1]]));
    assert_eq!(standing(&place, PAIR).0, "aaaa1111");
}

/// What the pass has not reached stays, although something older was set aside long before.
#[test]
fn a_pass_is_called_off_also_where_it_has_not_come() {
    let place = place();
    let covered = |task: u64, features: [u64; 2], was: &str| json!({"repo": "lock_task", "task_id": task, "features": features, "was": was});
    let pairs = [
        covered(3, [2, 5], "bbbb2222"),
        covered(4, [1, 2], "cccc3333"),
    ];
    let pass = json!({"begun_at": "2026-11-25T12:00:00Z", "pairs": pairs});
    let file = "logs/weir-solo/regatta/pass.json";
    place.write(file, pass.to_string());
    place
        .run(&["restore", "weir-solo", "--dry-run"])
        .code(0)
        .prints("the forced pass would no longer replace 2 results: what stands there stays");
    place
        .run(&["restore", "weir-solo"])
        .code(0)
        .prints("weir-solo: the forced pass no longer replaces 2 results: what stands there stays");
    assert_eq!(standing(&place, PAIR).0, "bbbb2222");
    assert_eq!(standing(&place, OTHER).0, "cccc3333");
    assert!(place.json(file)["closed_at"].is_string());
}

/// Where it has come, what it replaced comes back, and not what another one replaced before.
#[test]
fn a_pass_is_called_off_to_what_stood_before_it() {
    let place = place();
    let aside = format!("{PAIR}/regatta/dddd4444");
    trial(&place, &aside, "dddd4444", true);
    let covered = json!({"repo": "lock_task", "task_id": 3, "features": [2, 5], "was": "aaaa1111"});
    let pass = json!({"begun_at": "2026-11-25T12:00:00Z", "pairs": [covered]});
    place.write("logs/weir-solo/regatta/pass.json", pass.to_string());
    place.run(&["restore", "weir-solo", PAIR]).code(0);
    assert_eq!(standing(&place, PAIR).0, "aaaa1111");
}

/// What an attempt left that was killed is that attempt's trial, and no other one was cut off.
#[test]
fn what_a_killed_attempt_left_is_recorded_as_of_that_attempt() {
    let place = place();
    let begun = json!({"at": "2026-11-25T12:00:00Z", "event": "attempt_started", "attempt": 4,
        "nth": 1, "of": 3, "completed": 0, "remaining": 1, "pairs": [PAIR], "log": "x"});
    place.write("logs/weir-solo/regatta/events.jsonl", format!("{begun}\n"));
    place.run(&["restore", "weir-solo", PAIR]).code(0);
    let ledger = place.read("logs/weir-solo/regatta/ledger.jsonl");
    let entry: Value = serde_json::from_str(ledger.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&entry["trial"], &entry["attempt"]),
        (&json!("bbbb2222"), &json!(4))
    );
}

/// The old verdict is not one that the forced evaluation has made.
#[test]
fn a_verdict_that_is_restored_is_still_replaced_by_an_open_forced_evaluation() {
    let place = place();
    let covered = json!({"repo": "lock_task", "task_id": 3, "features": [2, 5], "was": "0000"});
    let pass = json!({"begun_at": "2026-11-25T12:00:00Z", "rules": "0.0.29", "pairs": [covered]});
    let file = "logs/weir-solo/regatta/eval-pass.json";
    place.write(file, pass.to_string());
    place.run(&["restore", "weir-solo", PAIR]).code(0);
    let eval = place.join(&format!("logs/weir-solo/solo/{PAIR}/eval.json"));
    let digest = regatta::store::eval::digest(&eval).unwrap().unwrap();
    let pass = place.json(file);
    let mut covered = pass["pairs"].as_array().unwrap().iter();
    assert!(covered.any(|covered| covered["was"] == digest), "{pass:#}");
}

/// A run of a profile is in another log tree than the one that is looked at without it.
#[test]
fn where_there_are_no_runs_the_flags_that_lead_to_another_tree_are_named() {
    let place = Place::new();
    place
        .run(&["restore", "weir-solo"])
        .code(2)
        .says("there are no runs yet there; give the --profile, --config, --logs-dir");
}

/// What `--force` or `restore` did is no sign of a flaky pair.
#[test]
fn a_finished_trial_that_another_one_replaced_makes_no_flaky_pair() {
    let place = place();
    place.run(&["restore", "weir-solo", PAIR]).code(0);
    place.run(&["restore", "weir-solo", PAIR]).code(0);
    let ran = place.run(&["report", "weir-solo"]).code(0);
    assert!(
        !ran.stdout.contains("more than one trial"),
        "{}",
        ran.stdout
    );
}

#[test]
fn books_that_cannot_be_read_are_named_and_nothing_is_moved() {
    let place = place();
    let own = "logs/weir-solo/regatta";
    let bad = [
        ("pass.json", "{", "pass.json cannot be read"),
        ("restore.json", "[{}]", "restore.json cannot be read"),
        (
            "restore.json",
            r#"[{"repo": "lock_task", "task_id": 3, "features": [2, 5], "tree": "solo", "name": "../../x"}]"#,
            "`../../x` is no directory that a trial is set aside in",
        ),
    ];
    let before = all_files(&place.join("logs/weir-solo/solo"));
    for (name, text, why) in bad {
        let file = place.write(&format!("{own}/{name}"), text);
        place
            .run(&["restore", "weir-solo"])
            .code(2)
            .says(why)
            .says("remove");
        std::fs::remove_file(file).unwrap();
    }
    assert_eq!(all_files(&place.join("logs/weir-solo/solo")), before);
    assert!(!place.join(&format!("{own}/ledger.jsonl")).exists());
}

/// What the table says is the provider's own price: at another endpoint nobody knows it.
#[test]
fn what_is_displaced_is_booked_by_whose_endpoint_the_run_asked() {
    for (endpoint, is_known) in [(Value::Null, true), (json!("http://10.1.2.3/v1"), false)] {
        let place = place();
        let manifest = json!({"run": "weir-solo", "setting": "solo", "engine": "upstream",
            "engine_version": null, "agent": "mini_swe_agent", "model": "openai/gpt-4o",
            "backend": "docker", "api_base": endpoint, "agent_config": null, "subset": "weir",
            "subset_digest": "", "pairs": [], "prices": "regatta", "regatta": "0",
            "created_at": "2026-11-25T12:00:00Z"});
        place.write("logs/weir-solo/regatta/manifest.json", manifest.to_string());
        let dir = format!("logs/weir-solo/solo/{PAIR}");
        let unpriced = json!({"run_id": "bbbb2222", "model": "openai/gpt-4o",
            "agent": {"status": "Submitted", "cost": 0, "steps": 1}});
        place.write(&format!("{dir}/result.json"), unpriced.to_string());
        let usage = json!({"prompt_tokens": 1000, "completion_tokens": 100});
        let trajectory = json!({"messages": [
            {"role": "assistant", "content": "Done.", "extra": {"response": {"usage": usage}}},
        ]});
        place.write(&format!("{dir}/solo_traj.json"), trajectory.to_string());
        place.run(&["restore", "weir-solo", PAIR]).code(0);
        let ledger = place.read("logs/weir-solo/regatta/ledger.jsonl");
        let entry: Value = serde_json::from_str(ledger.lines().next().unwrap()).unwrap();
        assert_eq!(entry["trial"], "bbbb2222");
        assert_eq!(entry["cost"].is_f64(), is_known, "{endpoint}: {entry:#}");
    }
}
