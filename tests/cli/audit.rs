//! `regatta audit`: damage that is planted is found, with the contrasts that it turns.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::schema::assert_valid;
use crate::support::{Place, Ran};

/// What becomes of a pair of a run.
#[derive(Clone, Copy)]
enum Trial {
    Judged(bool),
    /// The login ended, and upstream judged what there was.
    LoginExpired,
    Unjudged,
}

const LOGIN: &str = "Failed to authenticate. API Error: 401 The session of this login is over";

/// A pair of a run as a fork of upstream's leaves it: it ends so many minutes after ten.
fn pair(place: &Place, run: &str, task: u64, minute: u64, trial: Trial) {
    let dir = format!("logs/{run}/coop/harbor_task/{task}/f1_f2");
    let agent = |feature: u64| match trial {
        Trial::LoginExpired => {
            json!({"feature_id": feature, "status": "Error", "cost": 0.0, "steps": 0, "error": LOGIN})
        }
        Trial::Judged(_) | Trial::Unjudged => {
            json!({"feature_id": feature, "status": "Submitted", "cost": 0.5, "steps": 3, "error": null})
        }
    };
    let result = json!({"repo": "harbor_task", "task_id": task, "features": [1, 2],
        "run_id": format!("{run}-{task}"), "agent_framework": "claude_code", "model": "m",
        "started_at": format!("2026-01-01T10:{minute:02}:00"),
        "ended_at": format!("2026-01-01T10:{minute:02}:30"),
        "agents": {"agent1": agent(1), "agent2": agent(2)}});
    place.write(&format!("{dir}/result.json"), result.to_string());
    let passes = match trial {
        Trial::Judged(passes) => passes,
        Trial::LoginExpired => false,
        Trial::Unjudged => return,
    };
    let suite = json!({"passed": passes, "exit_code": i32::from(!passes), "tests_passed": 4,
        "tests_failed": i32::from(!passes), "test_output": "4 passed"});
    let eval = json!({"both_passed": passes, "error": null, "merge": {"status": "clean"},
        "evaluated_at": "2026-01-01T12:00:00", "feature1": suite, "feature2": suite});
    place.write(&format!("{dir}/eval.json"), eval.to_string());
    for feature in [1, 2] {
        let patch = "diff --git a/x b/x\n";
        place.write(&format!("{dir}/agent{feature}.patch"), patch);
    }
}

/// Three arms, three repeats and ten tasks. `control` and `quiet` pass eight of them, `talk` all.
fn study(place: &Place) {
    for (n, arm) in ["control", "quiet", "talk"].into_iter().enumerate() {
        for repeat in 1..=3 {
            for task in 1..=10 {
                let run = format!("{arm}_{repeat}");
                let minute = 3 * (task - 1) + n as u64;
                let passes = arm == "talk" || task <= 8;
                pair(place, &run, task, minute, Trial::Judged(passes));
            }
        }
    }
}

/// The same with a login that expired during a repeat of one arm.
fn damaged() -> Place {
    let place = Place::new();
    study(&place);
    for task in 1..=10 {
        let minute = 30 + task;
        pair(&place, "control_2", task, minute, Trial::LoginExpired);
    }
    place
}

fn audit(place: &Place, args: &[&str]) -> Ran {
    place.run(&[&["audit", "--logs-dir", "logs"], args].concat())
}

fn json_of(place: &Place, args: &[&str], code: i32) -> Value {
    let ran = audit(place, &[args, &["--format", "json"]].concat()).code(code);
    let json = serde_json::from_str(&ran.stdout).unwrap();
    assert_valid("audit.json", &json);
    json
}

/// The contrasts that turn: arm, measure and what.
fn turned(audit: &Value) -> Vec<String> {
    let contrasts = audit["contrasts"].as_array().unwrap().iter();
    let turned = contrasts.flat_map(|it| {
        let turns = it["turns"].as_array().unwrap().iter();
        turns.map(move |turn| {
            let words = [&it["arm"], &it["measure"], &turn["by"], &turn["what"]];
            words.map(|word| word.as_str().unwrap()).join(" ")
        })
    });
    turned.collect()
}

#[test]
fn a_login_that_expired_is_found_with_what_it_turns() {
    let place = damaged();
    let ran = audit(&place, &[]).code(1);
    insta::assert_snapshot!(ran.stdout);
    let markdown = audit(&place, &["--format", "markdown", "-o", "audit.md"]).code(1);
    assert!(
        markdown.stderr.contains("wrote audit.md"),
        "{}",
        markdown.stderr
    );
    let markdown = fs::read_to_string(place.join("audit.md")).unwrap();
    insta::assert_snapshot!("the_same_as_markdown", markdown);
    let json = json_of(&place, &[], 1);
    for by in ["undamaged", "unflagged"] {
        for what in ["these_pairs", "tasks_like_these"] {
            let wanted = format!("quiet pass {by} {what}");
            assert!(
                turned(&json).contains(&wanted),
                "{wanted}: {:?}",
                turned(&json)
            );
        }
    }
    let incident = &json["incidents"]["together"][0];
    assert_eq!(incident["rule"], "login_expired");
    assert_eq!(incident["from"], "2026-01-01T10:31:00.000000");
    assert_eq!(incident["to"], "2026-01-01T10:40:30.000000");
    assert_eq!(
        (&incident["trials"], &incident["of"]),
        (&json!(10), &json!(10))
    );
    let pairs = incident["arms"][0]["runs"]["control_2"].as_array().unwrap();
    assert_eq!(pairs.len(), 10);
}

#[test]
fn without_damage_it_says_what_is_said_without_the_damaged_pairs() {
    let place = damaged();
    let before = json_of(&place, &[], 1);
    fs::remove_dir_all(place.join("logs/control_2")).unwrap();
    let after = json_of(&place, &[], 0);
    assert_eq!(turned(&after), Vec::<String>::new());
    let [before, after] = [&before, &after].map(|it| it["contrasts"].as_array().unwrap());
    assert_eq!((before.len(), after.len()), (4, 4));
    for (before, after) in before.iter().zip(after) {
        assert_ne!(before["undamaged"], Value::Null);
        assert_eq!(before["undamaged"], after["published"]);
    }
}

#[test]
fn what_is_whole_stands_as_published() {
    let place = Place::new();
    study(&place);
    let ran = audit(&place, &["control", "talk"]).code(0);
    let first = ran.stdout.lines().next().unwrap();
    assert_eq!(
        first,
        "None of 60 verdicts is damaged or doubtful: 2 contrasts with control stand as published."
    );
    assert!(!ran.stdout.contains("FOUND, "), "{}", ran.stdout);
    let one = audit(&place, &["talk"]).code(0).stdout;
    assert!(
        one.contains("One arm: there is nothing to compare."),
        "{one}"
    );
}

#[test]
fn what_cannot_be_compared_is_said() {
    let place = Place::new();
    for task in 1..=2 {
        pair(&place, "a_1", task, 1, Trial::Judged(true));
        pair(&place, "b_1", task + 4, 1, Trial::Judged(true));
        pair(&place, "c_1", task, 1, Trial::Unjudged);
    }
    let apart = audit(&place, &["a_1", "b_1"]).code(0).stdout;
    assert!(
        apart.contains("No arm shares a judged pair with a_1"),
        "{apart}"
    );
    assert!(
        apart.contains("passes: no judged pair in common with a_1: b_1"),
        "{apart}"
    );
    let none = audit(&place, &["c_1", "a_1"]).code(0).stdout;
    assert!(
        none.contains("results without a verdict (gap): 2 of 4 trials"),
        "{none}"
    );
    let unknown = audit(&place, &["--baseline", "a_2"]).code(2);
    assert!(
        unknown
            .stderr
            .contains("--baseline a_2: no such arm among those that are looked at"),
        "{}",
        unknown.stderr
    );
    assert!(
        unknown.stderr.contains("did you mean `a_1`?"),
        "{}",
        unknown.stderr
    );
    let few = json_of(&place, &["a_1", "c_1"], 0);
    assert_eq!(few["baseline_by"], "name");
    assert_eq!(few["contrasts"][0]["published"], Value::Null);
}

/// A change of a JSON file.
fn edit(place: &Place, path: &str, change: impl FnOnce(&mut Value)) {
    let mut json = place.json(path);
    change(&mut json);
    place.write(path, json.to_string());
}

/// The directories of the pairs of two agents of a run, in order.
fn pairs_of(place: &Place, run: &str) -> Vec<String> {
    let mut dirs = vec![format!("logs/{run}/coop")];
    // Repository, task, pair.
    for _ in 0..3 {
        let below = dirs.iter().flat_map(|dir| {
            let entries = fs::read_dir(place.join(dir)).unwrap();
            entries.map(move |it| format!("{dir}/{}", it.unwrap().file_name().to_str().unwrap()))
        });
        dirs = below.collect();
    }
    dirs.sort();
    dirs
}

#[test]
fn damage_that_is_planted_in_the_demo_is_found() {
    let place = Place::new();
    let demo = |args: &[&str]| {
        let args = [args, &["--profile", "demo"]].concat();
        Ran::of(&place.beside_an_empty_daemon(&args).output().unwrap())
    };
    demo(&["run", "--no-progress"]).code(0);
    let whole = demo(&["audit"]).code(0).stdout;
    assert!(
        whole.starts_with("None of 27 verdicts is damaged or doubtful"),
        "{whole}"
    );

    let run = "demo-coop-comm";
    let pairs = pairs_of(&place, run);
    let result = |n: usize| format!("{}/result.json", pairs[n]);
    let eval = |n: usize| format!("{}/eval.json", pairs[n]);
    let gone = |path: String| -> PathBuf { place.join(&path) };
    edit(&place, &result(0), |it| {
        it["agents"]["agent1"]["status"] = json!("Error");
        it["agents"]["agent1"]["error"] = json!("the boat leaks");
    });
    fs::remove_file(gone(result(1))).unwrap();
    edit(&place, &eval(2), |it| {
        it["regatta"]["trial"] = json!("another");
    });
    fs::remove_file(gone(eval(3))).unwrap();
    fs::remove_file(gone(result(4))).unwrap();
    fs::remove_file(gone(eval(4))).unwrap();
    edit(&place, &result(5), |it| {
        it["agents"]["agent1"]["status"] = json!("TimeLimitExceeded");
    });
    edit(&place, &eval(6), |it| {
        it["regatta"]["rules"] = json!("0.0.11");
    });
    for file in fs::read_dir(gone(pairs[7].clone())).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|it| it == "patch") {
            fs::write(path, "\n").unwrap();
            break;
        }
    }
    edit(&place, &format!("logs/{run}/regatta/manifest.json"), |it| {
        it["regatta"] = json!("0.0.1");
    });
    let ran = demo(&["audit", "--format", "json", "--baseline", "solo"]);
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_valid("audit.json", &json);
    let found = json["found"].as_array().unwrap().iter();
    let mut found: Vec<String> = found
        .map(|it| format!("{} {}", it["concern"].as_str().unwrap(), it["trials"]))
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            "empty_submission 1",
            "judged_error 1",
            "no_result 1",
            "no_verdict 1",
            "outdated_verdict 1",
            "verdict_without_result 1",
        ]
    );
    let mixed = json["mixed"].as_array().unwrap().iter();
    let mixed: Vec<&str> = mixed.map(|it| it["what"].as_str().unwrap()).collect();
    assert_eq!(mixed, ["rule sets", "versions of regatta"]);
}
