//! What a run leaves on disk, whole: the files, their keys in order, and every value that is the
//! same each time. Other programs and older logs read these formats.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::masks::masked;
use crate::support::{Place, Ran};

/// One pair of the demo in this setting, run and judged.
fn ran(setting: &str) -> Place {
    let place = Place::new();
    let args = "run --profile demo --no-progress --smoke 1 --setting";
    let args: Vec<&str> = args.split(' ').chain([setting]).collect();
    let output = place.beside_an_empty_daemon(&args).output().unwrap();
    Ran::of(&output).code(0);
    place
}

fn files(dir: &Path, below: &str, found: &mut Vec<String>) {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in names {
        let (path, inside) = (dir.join(&name), format!("{below}{name}"));
        if path.is_dir() {
            files(&path, &format!("{inside}/"), found);
        } else {
            found.push(inside);
        }
    }
}

/// The log tree's files by their paths, and what these of them say.
fn recorded(place: &Place, shown: &[&str]) -> String {
    let mut all = Vec::new();
    files(&place.join("logs"), "", &mut all);
    let mut text = all.join("\n");
    for end in shown {
        let path = all.iter().find(|path| path.ends_with(end)).unwrap();
        let said = masked(place, &place.read(&format!("logs/{path}")));
        write!(text, "\n\n-- {path}\n{}", said.trim_end()).unwrap();
    }
    text
}

/// The events, each kind's by themselves: the model's first answer and the sandbox race.
fn events(place: &Place, run: &str) -> String {
    let text = place.read(&format!("logs/{run}/regatta/events.jsonl"));
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let kind = event["event"].as_str().unwrap().to_owned();
        kinds.entry(kind).or_default().push(masked(place, line));
    }
    let kinds: Vec<String> = kinds.into_values().map(|lines| lines.join("\n")).collect();
    kinds.join("\n\n")
}

const RUN_FILES: [&str; 5] = [
    "config.json",
    "summary.json",
    "manifest.json",
    "ledger.jsonl",
    "evaluations.jsonl",
];

#[test]
fn a_lone_agents_run_leaves_these_files() {
    let place = ran("solo");
    let shown = [&RUN_FILES[..], &["result.json", "eval.json"]].concat();
    insta::assert_snapshot!(recorded(&place, &shown));
    insta::assert_snapshot!("events", events(&place, "demo-solo"));
}

/// Their patches conflict, so that the judgment has all its parts.
#[test]
fn a_pairs_run_leaves_these_files() {
    let place = ran("coop-nocomm");
    let shown = [
        &RUN_FILES[..],
        &["result.json", "eval.json", "conversation.json"],
    ]
    .concat();
    insta::assert_snapshot!(recorded(&place, &shown));
}
