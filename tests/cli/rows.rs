//! `regatta report --format csv` and `--format jsonl`: a row for each pair of each run.

use std::collections::BTreeMap;

use regatta::report::row::cell::ValueKind;
use regatta::report::{Outcome, Row};
use serde_json::{Map, Value, json};

use crate::report::tree;
use crate::support::Place;

type Rows = Vec<BTreeMap<String, String>>;

fn report(place: &Place, args: &[&str]) -> String {
    let all = [&["report", "--cooperbench-dir", "cb"], args].concat();
    place.run(&all).code(0).stdout
}

fn csv_rows(text: &str) -> Rows {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let names = reader.headers().unwrap().clone();
    let of_record = |record: csv::Result<csv::StringRecord>| {
        let record = record.unwrap();
        let cells = names.iter().zip(record.iter());
        cells
            .map(|(name, cell)| (name.to_owned(), cell.to_owned()))
            .collect()
    };
    reader.records().map(of_record).collect()
}

fn json_rows(text: &str) -> Vec<Map<String, Value>> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A value of a row of JSON, as CSV has it.
fn as_cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        // 60.0 is 60.
        Value::Number(number) => number.as_f64().unwrap().to_string(),
        other => other.to_string(),
    }
}

fn sum(rows: &[Map<String, Value>], column: &str) -> f64 {
    rows.iter().filter_map(|row| row[column].as_f64()).sum()
}

fn count(rows: &[Map<String, Value>], column: &str, value: &Value) -> usize {
    rows.iter().filter(|row| row[column] == *value).count()
}

#[test]
fn both_tables_have_the_same_fields_in_the_same_order() {
    let place = tree();
    let csv = report(&place, &["--format", "csv"]);
    let jsonl = report(&place, &["--format", "jsonl"]);
    let names: Vec<&str> = Row::COLUMNS.iter().map(|column| column.name).collect();
    assert_eq!(csv.split_once("\r\n").unwrap().0, names.join(","));
    for line in jsonl.lines() {
        let places = names.iter().map(|name| line.find(&format!("\"{name}\":")));
        let places: Vec<usize> = places.map(Option::unwrap).collect();
        assert!(places.is_sorted(), "{line}");
    }
    let (csv, json) = (csv_rows(&csv), json_rows(&jsonl));
    assert_eq!((csv.len(), json.len()), (7, 7));
    for (cells, row) in csv.iter().zip(&json) {
        for name in &names {
            assert_eq!(cells[*name], as_cell(&row[*name]), "{name}");
        }
    }
}

#[test]
fn every_pair_has_a_row_and_what_is_unknown_is_null() {
    let rows = json_rows(&report(&tree(), &["--format", "jsonl", "x-solo"]));
    let told: Vec<_> = rows
        .iter()
        .map(|row| json!([row["pair"], row["outcome"], row["passed"], row["cost_usd"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!(["harbor_task/1/f1_f2", "pass", true, 0.5]),
            json!(["harbor_task/1/f1_f3", "fail", false, 1.25]),
            json!(["harbor_task/1/f2_f3", "unjudged", null, null]),
            json!(["harbor_task/2/f1_f2", "infra_error", null, 0.25]),
            json!([null, "missing", null, null]),
            json!([null, "missing", null, null]),
        ]
    );
    let error = &rows[3];
    assert_eq!(error["cause"], "infra");
    assert_eq!(error["evidence_source"], "agent.error");
    assert_eq!(error["started_at"], "2026-01-01T10:00:00.000001");
    // A tree that upstream wrote has no manifest and no ledger.
    for name in ["subset", "engine", "trials", "patch_bytes", "arm", "repeat"] {
        assert_eq!(count(&rows, name, &Value::Null), rows.len(), "{name}");
    }
}

/// Asserts that sums over the rows of some runs are what the report of these runs says.
pub fn assert_sums(jsonl: &str, report: &Value) {
    let (rows, totals) = (json_rows(jsonl), &report["totals"]);
    assert_eq!(json!(rows.len()), totals["pairs"]);
    for outcome in Outcome::ALL {
        let of_rows = count(&rows, "outcome", &json!(outcome.name()));
        let of_report = &totals["outcomes"][outcome.name()];
        assert_eq!(of_rows as u64, of_report.as_u64().unwrap_or(0), "{outcome}");
    }
    for (column, of_report) in [
        ("cost_usd", &totals["headline_cost"]["usd"]),
        ("spent_usd", &totals["total_spent"]["usd"]),
        ("spent_unknown_trials", &totals["total_spent"]["unknown"]),
        ("input_tokens", &totals["usage"]["input_tokens"]),
        ("output_tokens", &totals["usage"]["output_tokens"]),
        ("duration_s", &totals["trial_seconds"]),
    ] {
        let difference = sum(&rows, column) - of_report.as_f64().unwrap();
        assert!(difference.abs() < 1e-9, "{column}: {of_report}");
    }
    let unknown = count(&rows, "has_unknown_cost", &json!(true));
    assert_eq!(json!(unknown), totals["headline_cost"]["unknown"]);
    for run in report["runs"].as_array().unwrap() {
        let mut of_run = rows.clone();
        of_run.retain(|row| row["run"] == run["run"]);
        let trials = sum(&of_run, "trials");
        let has_ledger = run["has_ledger"] == true;
        let wanted = if has_ledger {
            run["trials"].as_f64().unwrap()
        } else {
            0.0
        };
        assert!((trials - wanted).abs() < 1e-9, "{run}");
        let passed = sum(&of_run, "features_passed");
        let features = run["rates"]["features"]["passed"].as_f64();
        assert!((passed - features.unwrap_or(0.0)).abs() < 1e-9, "{run}");
    }
}

#[test]
fn sums_over_the_rows_are_the_reports() {
    let place = tree();
    let rows = report(&place, &["--format", "jsonl"]);
    let told = serde_json::from_str(&report(&place, &["--format", "json"])).unwrap();
    assert_sums(&rows, &told);
}

#[test]
fn a_text_of_anybody_is_no_formula_and_hides_nothing() {
    let place = Place::new();
    let error = "=cmd|'/C calc'!A0\n;+1 \u{202e} \"quoted\", and more";
    let result =
        json!({"run_id": "-1", "model": "@cf/a", "agent": {"status": "Error", "error": error}});
    place.write(
        "cb/logs/x-solo/solo/a_task/1/f1_f2/result.json",
        result.to_string(),
    );
    let csv = csv_rows(&report(&place, &["--format", "csv"]));
    assert_eq!(csv[0]["trial"], "'-1");
    assert_eq!(csv[0]["model"], "'@cf/a");
    let told = "'=cmd|'/C calc'!A0\n;'+1 \u{fffd} \"quoted\", and more";
    assert_eq!(csv[0]["evidence"], told);
    let jsonl = report(&place, &["--format", "jsonl"]);
    assert!(jsonl.contains("\\u202e"), "{jsonl}");
    assert_eq!(json_rows(&jsonl)[0]["evidence"], error);
}

#[test]
fn a_table_goes_into_a_file_and_an_error_leaves_the_old_one() {
    let place = tree();
    let text = report(&place, &["--format", "csv"]);
    let said = place.run(&[
        "report",
        "--cooperbench-dir",
        "cb",
        "--format",
        "csv",
        "-o",
        "rows.csv",
    ]);
    said.code(0).says("wrote rows.csv");
    assert_eq!(place.read("rows.csv"), text);
    place.write("cb/logs/y-solo/regatta/manifest.json", "{");
    for args in [["--format", "csv"], ["--format", "jsonl"]] {
        let all = [
            &["report", "--cooperbench-dir", "cb", "-o", "rows.csv"],
            &args[..],
        ]
        .concat();
        place.run(&all).code(2).says("manifest.json cannot be read");
    }
    assert_eq!(place.read("rows.csv"), text);
}

#[test]
fn strictly_a_void_pass_is_a_failure_in_its_row_too() {
    let place = Place::new();
    let dir = "cb/logs/x-solo/solo/a_task/1/f1_f2";
    let result = json!({"run_id": "a", "agent": {"status": "Submitted", "cost": 0.5, "steps": 3}});
    place.write(&format!("{dir}/result.json"), result.to_string());
    let suite = |feature: u64, missing: &[&str]| {
        json!({"feature": feature, "outcome": "passed", "reason": "", "failed_tests": [], "named_tests": 2,
            "tests_compared": "names", "tests_missing": missing, "steering_files": []})
    };
    let verdict = json!({"both_passed": true, "feature1": {"passed": true}, "feature2": {"passed": true},
        "regatta": {"rules": "0.0.29", "trial": "a", "suites": [suite(1, &["gone"]), suite(2, &[])]}});
    place.write(&format!("{dir}/eval.json"), verdict.to_string());
    let of = |args: &[&str]| {
        let rows = json_rows(&report(&place, &[&["--format", "jsonl"], args].concat()));
        json!([
            rows[0]["outcome"],
            rows[0]["flagged"],
            rows[0]["feature1_passed"]
        ])
    };
    assert_eq!(of(&[]), json!(["pass", true, true]));
    assert_eq!(of(&["--strict-verdicts"]), json!(["fail", null, false]));
}

#[test]
fn names_of_columns_have_their_units() {
    for column in Row::COLUMNS {
        let has = |ends: &[&str]| ends.iter().any(|end| column.name.ends_with(end));
        if column.kind == ValueKind::Number {
            assert!(has(&["_usd", "_s"]), "{}", column.name);
        }
        if column.kind == ValueKind::Time {
            assert!(has(&["_at"]), "{}", column.name);
        }
    }
}
