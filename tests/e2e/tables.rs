//! The tables of a report, read by pandas, polars, `DuckDB` and R with the lines of the documentation.

use std::process::Command;

use serde_json::Value;

use crate::lab::cached;
use crate::support::{Place, Ran};

const PAGE: &str = include_str!("../../docs/guide/tables.md");

/// What each program says of the rows it read: how many, what they cost, how many passed, and the
/// types of some columns.
const IN_PYTHON: &str = r#"
names = ["trial", "passed", "steps", "cost_usd", "started_at", "outcome"]
print(len(rows), f'{rows["cost_usd"].sum():.6f}', int(rows["passed"].sum()), *[str(rows[name].dtype) for name in names])
"#;
const IN_SQL: &str = r#"
print(*duckdb.sql("""SELECT count(*), printf('%.6f', sum(cost_usd)), count_if(passed), typeof(any_value(trial)),
    typeof(any_value(passed)), typeof(any_value(steps)), typeof(any_value(cost_usd)),
    typeof(any_value(started_at)), typeof(any_value(outcome)) FROM pairs""").fetchall()[0])
"#;
const IN_R: &str = r#"
names <- c("trial", "passed", "steps", "cost_usd", "started_at", "outcome")
types <- sapply(rows[names], function(x) class(x)[1])
cat(nrow(rows), sprintf("%.6f", sum(rows$cost_usd, na.rm = TRUE)), sum(rows$passed, na.rm = TRUE), types)
"#;

/// The lines of the page in this language that read a table.
fn blocks(language: &str) -> Vec<&'static str> {
    let begin = format!("```{language}\n");
    let blocks = PAGE.split(begin.as_str()).skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    blocks
        .filter(|block| block.contains("rows.csv") || block.contains("rows.jsonl"))
        .collect()
}

/// The demo's rows as both tables, and what its report says of them.
fn tables() -> (Place, String) {
    let place = Place::new();
    let regatta = |args: &[&str]| {
        let all = [args, &["--profile", "demo"]].concat();
        Ran::of(&place.beside_an_empty_daemon(&all).output().unwrap())
            .code(0)
            .stdout
    };
    regatta(&["run", "--no-progress"]);
    for format in ["csv", "jsonl"] {
        let file = format!("rows.{format}");
        regatta(&["report", "--format", format, "-o", &file]);
    }
    let report: Value = serde_json::from_str(&regatta(&["report", "--format", "json"])).unwrap();
    let totals = &report["totals"];
    let told = format!(
        "{} {:.6} {}",
        totals["pairs"],
        totals["headline_cost"]["usd"].as_f64().unwrap(),
        totals["outcomes"]["pass"]
    );
    (place, told)
}

/// What a program prints in the place.
fn printed(place: &Place, program: &mut Command) -> String {
    let output = program.current_dir(place.path()).output().unwrap();
    let ran = Ran::of(&output).code(0);
    assert_eq!(ran.stderr, "");
    ran.stdout.trim().to_owned()
}

#[test]
#[ignore = "needs scripts/tables-venv"]
fn python_and_duckdb_read_both_tables_as_the_documentation_says() {
    let (place, told) = tables();
    let python = cached("venv-tables/bin/python", "tables-venv");
    let run = |code: String| {
        printed(
            &place,
            Command::new(&python).args(["-W", "error", "-c", &code]),
        )
    };
    let pandas = "string boolean Int64 Float64 datetime64[us] string";
    let polars = "String Boolean Int64 Float64 Datetime(time_unit='us', time_zone=None) String";
    let blocks_of_python = blocks("python");
    assert_eq!(blocks_of_python.len(), 4);
    for block in blocks_of_python {
        let types = if block.contains("pandas") {
            pandas
        } else {
            polars
        };
        assert_eq!(
            run(format!("{block}{IN_PYTHON}")),
            format!("{told} {types}"),
            "{block}"
        );
    }
    let blocks_of_sql = blocks("sql");
    assert_eq!(blocks_of_sql.len(), 2);
    for block in blocks_of_sql {
        let code = format!("import duckdb\nduckdb.sql(\"\"\"{block}\"\"\"){IN_SQL}");
        let types = "VARCHAR BOOLEAN BIGINT DOUBLE TIMESTAMP VARCHAR";
        assert_eq!(run(code), format!("{told} {types}"), "{block}");
    }
}

#[test]
#[ignore = "needs Rscript and its jsonlite"]
fn r_reads_both_tables_as_the_documentation_says() {
    let (place, told) = tables();
    let blocks = blocks("r");
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let code = format!("{block}{IN_R}");
        let types = "character logical integer numeric POSIXct character";
        let said = printed(&place, Command::new("Rscript").args(["-e", &code]));
        assert_eq!(said, format!("{told} {types}"), "{block}");
    }
}
