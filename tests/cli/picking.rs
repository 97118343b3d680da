//! `--repo`, `--task` and `--pair` pick pairs within the subset; the run stays that of all of it.

use serde_json::Value;

use crate::listener::{self, Listener};
use crate::support::{Place, Ran};

const RUN: &str = "t-solo";
const FULL: [&str; 4] = ["run", "--setting", "solo", "--no-progress"];

/// A place whose native runs ask this model, one call a trial.
fn place(listener: &Listener) -> Place {
    let place = Place::new();
    listener::configure(&place, listener, "command-a-03-2025", "call_tries = 1\n");
    place
}

fn run(place: &Place, args: &[&str]) -> Ran {
    regatta(place, &[&FULL[..], args].concat())
}

fn regatta(place: &Place, args: &[&str]) -> Ran {
    Ran::of(&place.beside_an_empty_daemon(args).output().unwrap())
}

/// The pairs of the run's ledger, in its order.
fn ran(place: &Place) -> Vec<String> {
    let of = |entry: &Value| {
        let features = entry["features"].as_array().unwrap();
        let repo = entry["repo"].as_str().unwrap();
        format!(
            "{repo}/{}/f{}_f{}",
            entry["task_id"], features[0], features[1]
        )
    };
    place.lines(RUN, "ledger").iter().map(of).collect()
}

/// The pairs of `lite` that a dry run says it would run with these filters.
fn planned(place: &Place, args: &[&str]) -> String {
    let dry = [
        "run",
        "--dry-run",
        "--cooperbench-dir",
        "cb",
        "--setting",
        "solo",
    ];
    let text = place.run(&[&dry[..], args].concat()).code(0).stdout;
    let begin = text.find(" on lite (").unwrap() + " on lite (".len();
    let end = begin + text[begin..].find(" pair").unwrap();
    text[begin..end].to_owned()
}

#[test]
fn filters_of_one_kind_add_up_and_those_of_two_must_both_fit() {
    let place = Place::new();
    for (args, left) in [
        (&["--repo", "harbor"][..], "5 of 6"),
        (&["--repo", "harbor_task/"], "5 of 6"),
        (&["--repo", "h*", "--repo", "lighthouse"], "6"),
        (&["--task", "harbor/2"], "2 of 6"),
        (&["--task", "2"], "2 of 6"),
        (&["--task", "2", "--task", "harbor_task/task1"], "5 of 6"),
        (&["--pair", "harbor/1/f1_f3"], "1 of 6"),
        (&["--pair", "*/*/f1_*"], "5 of 6"),
        (&["--pair", "*/*/f1_*", "--repo", "harbor"], "4 of 6"),
        (
            &["--pair", "*/*/f1_*", "--repo", "harbor", "--task", "1"],
            "2 of 6",
        ),
        (&["--repo", "harbor", "--smoke", "3"], "3 of 6"),
    ] {
        assert_eq!(planned(&place, args), left, "{args:?}");
    }
}

#[test]
fn a_filtered_run_is_a_part_of_its_run_and_the_full_one_runs_the_rest() {
    let listener = Listener::new();
    let place = place(&listener);
    run(
        &place,
        &["--pair", "harbor/1/f2_f3", "--pair", "lighthouse/7/f1_f2"],
    )
    .code(0)
    .says("asked for: 2 of the 6 pairs of `lite`\n")
    .prints("2 of 6 asked for so far");
    // In the subset's order, not in that of the flags.
    let first = ["lighthouse_task/7/f1_f2", "harbor_task/1/f2_f3"];
    let mut done = ran(&place);
    done.sort_unstable();
    assert_eq!(done, ["harbor_task/1/f2_f3", "lighthouse_task/7/f1_f2"]);
    let manifest = place.json("cb/logs/t-solo/regatta/manifest.json");
    let listed = |field: &str| manifest[field].as_array().unwrap().len();
    assert_eq!((listed("pairs"), listed("asked")), (6, 2));
    assert_eq!(
        manifest["asked"][0]["repo"],
        first[0].split('/').next().unwrap()
    );
    // Set aside is what is asked for, and no other.
    run(
        &place,
        &["--repo", "harbor", "--force", "--task", "1", "--smoke", "3"],
    )
    .code(0)
    .says("--force sets aside 1 result")
    .prints("t-solo: 3 of 3 results exist")
    .prints("next: without --repo, --task and --smoke, the same command runs 2 more pairs");
    run(&place, &[])
        .code(0)
        .says("t-solo: 6 pairs, 4 finished, 2 to run");
    assert_eq!(listener.asked().len(), 7);
    let manifest = place.json("cb/logs/t-solo/regatta/manifest.json");
    assert_eq!(manifest["asked"], Value::Null);
}

#[test]
fn a_filter_that_cannot_be_met_says_which_one_and_why() {
    let place = Place::new();
    let refused = |args: &[&str]| {
        let dry = ["run", "--dry-run", "--cooperbench-dir", "cb"];
        place.run(&[&dry[..], args].concat()).code(2)
    };
    refused(&["--pair", "harbor/1/f1_f9"])
        .says("`--pair harbor/1/f1_f9`: no such pair in the dataset cb/dataset")
        .says("did you mean `harbor_task/1/f1_f2`?");
    refused(&["--repo", "habor"]).says("did you mean `harbor_task`?");
    refused(&["--task", "8"])
        .says("`--task 8`: no such task in the dataset cb/dataset")
        .says("its tasks: harbor_task/1, harbor_task/2, lighthouse_task/7");
    refused(&["--repo", "zzz*"])
        .says("`--repo 'zzz*'`: no repository in the dataset cb/dataset fits")
        .says("its repositories: harbor_task, lighthouse_task");
    // Of the dataset, and not of the subset.
    let outside =
        "`--pair harbor/1/f1_f3`: in the dataset, but no pair of it is in the subset `flash`";
    refused(&["-s", "flash", "--pair", "harbor/1/f1_f3"])
        .says(outside)
        .says("-s names the subset; this pair is in: lite");
    refused(&["--pair", "harbor/2/f2_f3"])
        .says("in the subset `lite`")
        .says("`regatta subset --pair harbor/2/f2_f3 -o mine.json");
    refused(&["-s", "flash", "--pair", "harbor/1/f1_f3", "--repo", "habor"])
        .says("2 filters fit no pair of the subset `flash`:\n")
        .says("did you mean `harbor_task`?")
        .says("this pair is in: lite");
    // Each fits some pair, and no pair fits both.
    refused(&["--repo", "harbor", "--task", "7"])
        .says("`--task 7` leaves none of the 5 pairs that `--repo harbor` leaves")
        .says("a pair must fit one of each");
    refused(&["--repo", "harbor", "--smoke", "6"])
        .says("--smoke 6: `--repo harbor` leaves 5 pairs of the subset `lite`, so give 1 to 5");
    for (args, why) in [
        (["--pair", "harbor/1"], "a pair is written REPO/TASK/fI_fJ"),
        (
            ["--pair", "harbor/1/f2_f1"],
            "the smaller feature comes first: harbor/1/f1_f2",
        ),
        (["--task", "harbor"], "a task is written as in"),
        (["--repo", "harbor/1"], "a repository is written as in"),
    ] {
        refused(&args).says(why);
    }
    assert!(!place.join("cb/logs").exists());
}

#[test]
fn what_is_judged_and_explained_is_picked_by_the_same_words() {
    let listener = Listener::new();
    let place = place(&listener);
    run(&place, &["--repo", "harbor"]).code(0);
    let dry = |args: &[&str]| regatta(&place, &[&["eval", "--dry-run"], args].concat());
    let judges = |args: &[&str], left: usize| {
        let told = format!("t-solo: {left} to judge");
        dry(args).code(0).prints(&told)
    };
    judges(&[], 5);
    judges(&["--task", "harbor/1"], 3).prints("  harbor_task/1/f1_f2\n");
    judges(&["-s", "flash", "--repo", "h*"], 2);
    dry(&["-s", "flash", "--pair", "harbor/1/f2_f3"])
        .code(2)
        .says("this pair is in: lite");
    dry(&["--pair", "harbor/1/f1_f9"])
        .code(2)
        .says("no such pair in these runs")
        .says("did you mean `harbor_task/1/f1_f2`?");
    regatta(&place, &["triage", "--explain", "--dry-run", "--task", "2"])
        .code(0)
        .prints(
            "t-solo: 0 pass, 0 fail, 0 infra_error, 0 missing, 2 unjudged (0 tags would change)",
        );
    regatta(
        &place,
        &["triage", "--dry-run", "--pair", "zzzzzzzzzz/99/f8_f9"],
    )
    .code(2)
    .says("its repositories: harbor_task, lighthouse_task");
}

#[test]
fn a_subset_is_named_by_its_path_with_and_without_its_ending() {
    let listener = Listener::new();
    let place = place(&listener);
    let tasks = r#"{"tasks": [{"repo": "harbor_task", "task_id": 2, "pairs": [[2, 3]]}]}"#;
    let file = place.write("sets/mine.json", tasks);
    let absolute = file.with_extension("").display().to_string();
    for text in ["sets/mine.json", "./sets/mine", &absolute] {
        run(&place, &["-s", text, "--name", "t"]).code(0);
    }
    assert_eq!(ran(&place), ["harbor_task/2/f2_f3"]);
    let manifest = place.json("cb/logs/t-solo/regatta/manifest.json");
    assert_eq!(manifest["subset"], "mine");
    // Upstream gets what it takes for this file.
    let upstream = [
        "run",
        "--dry-run",
        "--engine",
        "upstream",
        "--backend",
        "docker",
        "--name",
        "u",
        "-s",
    ];
    regatta(&place, &[&upstream[..], &["sets/mine.json"]].concat())
        .code(0)
        .prints(&format!(" -s {absolute} "));
    run(&place, &["-s", "sets/other.json"])
        .code(2)
        .says("sets/other.json");
    run(&place, &["-s", "lite.json"])
        .code(2)
        .says("a name without slash and .json is one of the dataset's: did you mean `lite`?");
    place.write("mine.json", tasks);
    run(&place, &["-s", "mine"])
        .code(2)
        .says("did you mean `-s mine.json`, the file here?");
    place.write("sets/plain", tasks);
    run(&place, &["-s", "sets/plain"])
        .code(2)
        .says("upstream adds .json to what it is given: rename sets/plain to end so");
}
