//! `regatta subset` makes subsets that `run -s` takes.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::terminal::Terminal;
use crate::support::{Place, Ran};

const FLAGS: [&str; 3] = ["subset", "--cooperbench-dir", "cb"];

fn subset(place: &Place, args: &[&str]) -> Ran {
    place.run(&[&FLAGS[..], args].concat())
}

/// The same with a text on stdin.
fn with_stdin(place: &Place, args: &[&str], text: &str) -> Ran {
    let mut child = place
        .regatta(&[&FLAGS[..], args].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    Ran::of(&child.wait_with_output().unwrap())
}

/// The pairs of a subset's text, as `harbor 1 [1,2]`.
fn pairs(text: &str) -> Vec<String> {
    let file: Value = serde_json::from_str(text).unwrap();
    let tasks = file["tasks"].as_array().unwrap();
    let of_task = |task: &Value| -> Vec<String> {
        let repo = task["repo"].as_str().unwrap().trim_end_matches("_task");
        let pairs = task["pairs"].as_array().unwrap().iter();
        pairs
            .map(|pair| format!("{repo} {} {pair}", task["task_id"]))
            .collect()
    };
    tasks.iter().flat_map(of_task).collect()
}

/// How many pairs a run over a subset would have.
fn planned(place: &Place, subset: &str) -> String {
    let flags = ["run", "--dry-run", "--cooperbench-dir", "cb", "-s", subset];
    place.run(&flags).code(0).stdout
}

#[test]
fn a_seed_draws_the_same_pairs_each_time_and_more_of_them_hold_fewer() {
    let place = Place::new();
    let draw = |args: &[&str]| subset(&place, args).code(0).stdout;
    let three = draw(&["--sample", "3", "--seed", "7"]);
    assert_eq!(three, draw(&["--seed", "7", "--sample", "3"]));
    // By `sorted(pairs, key=lambda pair: sha256(f"7 {pair}".encode()).hexdigest())[:3]`.
    let drawn = ["harbor 1 [1,3]", "harbor 1 [2,3]", "harbor 2 [1,2]"];
    assert_eq!(pairs(&three), drawn);
    let five = pairs(&draw(&["--sample", "5", "--seed", "7"]));
    assert!(drawn.iter().all(|pair| five.contains(&(*pair).to_owned())));
    let others = (0..20).map(|seed| draw(&["--sample", "3", "--seed", &seed.to_string()]));
    assert!(others.map(|text| pairs(&text)).any(|pairs| pairs != drawn));
    let one_a_task = pairs(&draw(&["--per-task", "1"]));
    assert_eq!(one_a_task.len(), 3);
    assert_eq!(pairs(&draw(&[])).len(), 7, "all of the dataset");
}

#[test]
fn what_is_made_runs_by_its_path_and_goes_into_the_dataset_only_when_asked() {
    let place = Place::new();
    let there = || {
        std::fs::read_dir(place.join("cb/dataset/subsets"))
            .unwrap()
            .count()
    };
    let absolute = place.join("mine").display().to_string();
    subset(
        &place,
        &["--repo", "harbor", "--per-task", "2", "-o", "mine"],
    )
    .code(0)
    .says("wrote mine.json: 4 pairs of 2 tasks in 1 repository\n")
    .says("of 7 pairs of the dataset; left out: 1 by --repo, 2 by --per-task 2\n")
    .says("next: `regatta run -s mine.json --dry-run --cooperbench-dir cb`\n")
    .says(&format!("upstream takes it as `-s {absolute}`\n"));
    assert_eq!(there(), 2);
    let text = place.read("mine.json");
    assert_eq!(pairs(&text).len(), 4);
    for name in ["mine.json", "./mine", &absolute] {
        let text = planned(&place, name);
        assert!(text.contains("runs on mine (4 pairs)"), "{text}");
        assert!(text.contains(&format!(" -s {absolute} ")), "{text}");
    }
    let file: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(file["selection"]["picked"], json!(["--repo harbor"]));
    assert_eq!(file["stats"], json!({"tasks": 2, "pairs": 4, "repos": 1}));
    subset(
        &place,
        &[
            "--from",
            "mine.json",
            "--sample",
            "2",
            "--into-dataset",
            "two",
        ],
    )
    .code(0)
    .says("wrote cb/dataset/subsets/two.json: 2 pairs of ")
    .says("of 4 pairs of the subset mine; left out: 2 not drawn by seed 0\n")
    .says("upstream takes it as `-s two`");
    assert_eq!(there(), 3);
    assert!(planned(&place, "two").contains("runs on two (2 pairs)"));
    subset(&place, &["--from", "two", "-o", "-"])
        .code(0)
        .prints("\"tasks\"");
}

#[test]
fn a_file_is_replaced_only_if_it_was_made_so_and_not_changed_since() {
    let place = Place::new();
    let make = |args: &[&str]| subset(&place, &[args, &["-o", "mine"]].concat());
    make(&["--sample", "2"]).code(0).says("wrote mine.json");
    make(&["--sample", "3"])
        .code(0)
        .says("replaced mine.json: 3 pairs");
    let ours = place.read("mine.json");
    let lite = place.read("cb/dataset/subsets/lite.json");
    for other in ["", "{}", &lite, &ours.replacen("harbor", "lighthouse", 1)] {
        place.write("mine.json", other);
        make(&["--sample", "2"])
            .code(2)
            .says("mine.json is there, and is not as `regatta subset` made it")
            .says("name another file, or move this one away");
        assert_eq!(place.read("mine.json"), other);
    }
    subset(&place, &["--into-dataset", "lite"])
        .code(2)
        .says("subsets/lite.json is there, and is not as");
    assert_eq!(place.read("cb/dataset/subsets/lite.json"), lite);
}

#[test]
fn on_a_terminal_what_upstream_takes_is_whole() {
    let place = Place::new();
    let command = place.regatta(&[&FLAGS[..], &["-o", "mine"]].concat());
    let (code, _, written) = Terminal::start(&place, &command, 40, 24).end();
    let absolute = place.join("mine").display().to_string();
    let told = format!("upstream takes it as `-s {absolute}`\r\n");
    assert!(code == Some(0) && written.contains(&told), "{written}");
}

#[test]
fn a_list_is_read_line_by_line_from_a_file_or_stdin() {
    let place = Place::new();
    let list = "# hard ones\nlighthouse/7/f1_f2\nharbor_task/2/f2_f3  # never passes\n\nharbor/2/f2_f3\r\n";
    let wanted = ["lighthouse 7 [1,2]", "harbor 2 [2,3]"];
    place.write("pairs.txt", list);
    let from_file = subset(&place, &["--list", "pairs.txt"])
        .code(0)
        .says("of 3 pairs of the list pairs.txt; left out: 1 given twice");
    assert_eq!(pairs(&from_file.stdout), wanted);
    let from_stdin = with_stdin(&place, &["--list", "-", "--repo", "harbor"], list).code(0);
    assert_eq!(pairs(&from_stdin.stdout), wanted[1..]);
    with_stdin(
        &place,
        &["--list", "-"],
        "harbor/1/f1_f2\nharbor/1\nharbor/2/f1_f9\nharbor/*/f1_f2\n",
    )
    .code(2)
    .says("stdin: 3 lines with no pair of the dataset:\n  line 2: `harbor/1`: a pair is written")
    .says("\n  line 3: `harbor/2/f1_f9`: no such pair; did you mean `harbor_task/2/f1_f2`?")
    .says("\n  line 4: `harbor/*/f1_f2`: a list names each pair");
    with_stdin(&place, &["--list", "-"], "# none\n")
        .code(2)
        .says("stdin has no pairs");
    with_stdin(&place, &["--list", "-"], "harbor/1/f1_f2\n").code(0);
    subset(&place, &["--list", "none.txt"])
        .code(2)
        .says("cannot read none.txt");
    subset(
        &place,
        &["--list", "pairs.txt", "--repo", "harbor", "--task", "1"],
    )
    .code(2)
    .says("`--task 1`: in the dataset, but no pair of it is in the list pairs.txt");
}

#[test]
fn gradeable_pairs_are_those_of_which_both_features_were_graded() {
    let place = Place::new();
    subset(&place, &["--gradeable", "--from", "lite"])
        .code(2)
        .says("cb/logs/ungradeable.json, so it is not known which features can be graded")
        .says(
            "`regatta eval --gold -s lite --cooperbench-dir cb` grades the features of this subset",
        );
    subset(&place, &["--gradeable"])
        .code(2)
        .says("write them to a FILE without --gradeable first; `regatta eval --gold -s FILE");
    let graded = json!({
        "at": "2026-01-01T00:00:00Z", "subset": "flash", "features": 5,
        "ungradeable": [{"repo": "harbor_task", "task_id": 1, "feature": 3, "why": "x"}],
        "gradeable": {"harbor_task/1": [1, 2], "harbor_task/2": [1, 2]},
    });
    place.write("cb/logs/ungradeable.json", graded.to_string());
    let sound = subset(&place, &["--gradeable"]).code(0).says(
        "left out: 2 with a feature that cannot be graded, 3 with a feature that was not graded yet",
    );
    assert_eq!(pairs(&sound.stdout), ["harbor 1 [1,2]", "harbor 2 [1,2]"]);
    // A file from before it was kept what can be graded says nothing of the others.
    let mut older = graded;
    older.as_object_mut().unwrap().remove("gradeable");
    place.write("cb/logs/ungradeable.json", older.to_string());
    subset(&place, &["--gradeable"])
        .code(2)
        .says("--gradeable leaves no pair, by ")
        .says("5 with a feature that was not graded yet");
}

#[test]
fn what_cannot_be_made_is_said_with_what_there_is() {
    let place = Place::new();
    for (args, why) in [
        (
            &["--sample", "9"][..],
            "--sample 9: the dataset has 7 pairs, so give 1 to 7",
        ),
        (&["--sample", "0"], "so give 1 to 7"),
        (
            &["--sample", "9", "--per-task", "2", "--repo", "harbor"],
            "--sample 9: 4 pairs of the dataset left (left out: 1 by --repo, 2 by --per-task 2), so give 1 to 4",
        ),
        (
            &["--sample", "many"],
            "a number of pairs is wanted, e.g. 20",
        ),
        (
            &["--per-task", "0"],
            "--per-task 0 leaves nothing: give 1 or more",
        ),
        (
            &["--sample", "1", "--seed", "x"],
            "a whole number from 0 is wanted, e.g. 7",
        ),
        (&["--seed", "7"], "<--sample <N>|--per-task <K>>"),
        (&["--from", "lit"], "did you mean `lite`?"),
        (&["--from", "nope.json"], "nope.json"),
        (&["--from", "lite", "--list", "-"], "cannot be used with"),
        (
            &["--from", "flash", "--pair", "harbor/1/f1_f3"],
            "--from names the subset; this pair is in: lite",
        ),
        (&["--repo", "habor"], "did you mean `harbor_task`?"),
        (&["-o", "cb"], "-o cb: it is a directory"),
        (&["-o", "no/such/dir/mine"], "cannot write "),
        (
            &["--into-dataset", "../x"],
            "--into-dataset ../x: no name of a subset",
        ),
        (&["-o", "a", "--into-dataset", "b"], "cannot be used with"),
        (&["--dataset-dir", "cb"], "no dataset at cb"),
    ] {
        subset(&place, args).code(2).says(why);
    }
    place
        .run(&["subset", "--profile", "demo", "--into-dataset", "x"])
        .code(2)
        .says("the demo's dataset is built in");
    place.write("cb/dataset/harbor_task/task1/feature3/feature.md", "");
    subset(&place, &[])
        .code(2)
        .says("harbor_task/task1/feature3/feature.md: empty")
        .says("leave these tasks out");
    subset(&place, &["--pair", "*/*/f1_f2"]).code(0);
}
