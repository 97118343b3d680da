//! What a pass is worth: cheats that upstream's rules let pass, and honest work that touches the same
//! files.

use serde_json::json;

use crate::support::quay::{Bench, PLAIN, both, suite};

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
