//! The schemas of `docs/schema/`: what the program writes and prints is valid by them, and a field
//! that they do not have is not.

use std::fs;
use std::path::{Path, PathBuf};

use boon::{Compiler, Schemas};
use regatta::report::row::cell::ValueKind;
use regatta::report::{Outcome, Row};
use serde_json::{Value, json};

use crate::report::tree;
use crate::rows::assert_sums;
use crate::support::{Place, Ran};

fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema")
}

/// Why a value is not valid by a schema; nothing where it is.
fn flaw(schema: &str, value: &Value) -> Option<String> {
    let (mut compiler, mut known) = (Compiler::new(), Schemas::new());
    compiler.enable_format_assertions();
    let path = schemas().join(schema);
    let index = compiler
        .compile(path.to_str().unwrap(), &mut known)
        .unwrap_or_else(|error| panic!("{schema}: {error:#}"));
    let checked = known.validate(value, index);
    checked.err().map(|error| error.to_string())
}

/// Asserts that a value is valid by a schema.
pub fn assert_valid(schema: &str, value: &Value) {
    if let Some(flaw) = flaw(schema, value) {
        panic!("docs/schema/{schema}: {flaw}\n{value}");
    }
}

fn assert_valid_lines(schema: &str, text: &str) {
    assert!(!text.is_empty(), "{schema}");
    for line in text.lines() {
        assert_valid(schema, &serde_json::from_str(line).unwrap());
    }
}

/// The files below a directory that have this name.
fn named(dir: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(named(&path, name));
        } else if path.ends_with(name) {
            found.push(path);
        }
    }
    found
}

/// Runs a command on the demo.
fn demo(place: &Place, args: &[&str]) -> String {
    let all = [args, &["--profile", "demo"]].concat();
    let output = place.beside_an_empty_daemon(&all).output().unwrap();
    Ran::of(&output).code(0).stdout
}

#[test]
fn what_the_demo_writes_and_prints_is_valid() {
    let place = Place::new();
    demo(&place, &["run", "--no-progress"]);
    demo(&place, &["eval", "--alone", "--no-progress"]);
    let logs = place.join("logs");
    for (name, schema) in [
        ("manifest.json", "manifest.json"),
        ("result.json", "result.json"),
        ("eval.json", "eval.json"),
    ] {
        let files = named(&logs, name);
        assert!(files.len() >= 3, "{files:?}");
        for file in files {
            let text = fs::read_to_string(file).unwrap();
            assert_valid(schema, &serde_json::from_str(&text).unwrap());
        }
    }
    for (name, schema) in [
        ("ledger.jsonl", "ledger.json"),
        ("events.jsonl", "event.json"),
        ("evaluations.jsonl", "evaluation.json"),
    ] {
        for file in named(&logs, name) {
            assert_valid_lines(schema, &fs::read_to_string(file).unwrap());
        }
    }
    let report = demo(&place, &["report", "--format", "json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_valid("report.json", &report);
    let rows = demo(&place, &["report", "--format", "jsonl"]);
    assert_valid_lines("row.json", &rows);
    // Trials that no longer stand are in them.
    assert_sums(&rows, &report);
    let audit = demo(&place, &["audit", "--format", "json"]);
    assert_valid("audit.json", &serde_json::from_str(&audit).unwrap());
    for (args, schema) in [
        (&["compare", "--format", "json"][..], "compare.json"),
        (&["report", "--by", "arm", "--format", "json"], "arms.json"),
    ] {
        assert_valid(schema, &serde_json::from_str(&demo(&place, args)).unwrap());
    }
    let power = demo(&place, &["power", "--format", "json"]);
    assert_valid("power.json", &serde_json::from_str(&power).unwrap());
    let checks = demo(&place, &["doctor", "--no-model-call", "--format", "json"]);
    assert_valid("doctor.json", &serde_json::from_str(&checks).unwrap());
}

#[test]
fn what_is_told_of_a_tree_of_upstreams_is_valid() {
    let place = tree();
    place.write("cb/logs/x-solo/team/a_task/1/f1_f2/result.json", "{}");
    let report = |format| {
        let args = ["report", "--cooperbench-dir", "cb", "--format", format];
        place.run(&args).code(0).stdout
    };
    let json: Value = serde_json::from_str(&report("json")).unwrap();
    assert_valid("report.json", &json);
    assert_valid_lines("row.json", &report("jsonl"));
}

#[test]
fn every_event_is_valid() {
    assert_valid_lines("event.json", include_str!("../data/every-event.jsonl"));
}

#[test]
fn what_triage_adds_to_a_result_is_valid() {
    let place = tree();
    place.run(&["triage", "--cooperbench-dir", "cb"]).code(0);
    let file = "cb/logs/x-solo/solo/harbor_task/2/f1_f2/result.json";
    let mut result = place.json(file);
    assert_eq!(result["regatta"]["cause"], "infra");
    assert_valid("result.json", &result);
    result["regatta"]["another"] = json!(1);
    assert!(flaw("result.json", &result).is_some());
}

#[test]
fn a_field_that_a_schema_does_not_have_is_not_valid() {
    let row = json!(Row::default());
    assert_valid("row.json", &row);
    for change in [
        |row: &mut Value| row["another"] = json!(1),
        |row: &mut Value| row["outcome"] = json!("won"),
        |row: &mut Value| row["cost_usd"] = json!("0.5"),
        |row: &mut Value| row["started_at"] = json!("yesterday"),
        |row: &mut Value| drop(row.as_object_mut().unwrap().remove("asked")),
    ] {
        let mut changed = row.clone();
        change(&mut changed);
        assert!(flaw("row.json", &changed).is_some(), "{changed}");
    }
    let at = "2026-11-28T12:00:00Z";
    let mut note = json!({"at": at, "event": "note", "text": "x"});
    assert_valid("event.json", &note);
    note["another"] = json!(1);
    assert!(flaw("event.json", &note).is_some());
}

#[test]
fn the_schema_of_a_row_has_the_columns() {
    let text = fs::read_to_string(schemas().join("row.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    let names: Vec<&str> = Row::COLUMNS.iter().map(|column| column.name).collect();
    assert_eq!(schema["required"], json!(names));
    let properties = schema["properties"].as_object().unwrap();
    assert_eq!(properties.len(), names.len());
    for column in Row::COLUMNS {
        let property = &properties[column.name];
        // Text that Markdown links is plain there.
        let plain = |text: &str| {
            text.split(['[', ']', '('])
                .next()
                .unwrap()
                .trim()
                .to_owned()
        };
        let about = property["description"].as_str().unwrap();
        assert!(about.starts_with(&plain(column.about)), "{about}");
        let mut valid = json!(Row::default());
        valid[column.name] = match column.kind {
            ValueKind::Text => continue,
            ValueKind::Time => json!("2026-01-31T10:00:00.000000"),
            ValueKind::Integer => json!(1),
            ValueKind::Number => json!(0.5),
            ValueKind::Boolean => json!(true),
        };
        assert_valid("row.json", &valid);
    }
    let common = fs::read_to_string(schemas().join("common.json")).unwrap();
    let common: Value = serde_json::from_str(&common).unwrap();
    let outcomes = Outcome::ALL.map(Outcome::name);
    assert_eq!(common["$defs"]["outcome"]["enum"], json!(outcomes));
}
