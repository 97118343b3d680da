//! The layers: a module imports only from rows below its own.

use std::fs;
use std::path::{Path, PathBuf};

/// Rows, highest first, as docs/design/overview.md draws them.
const ROWS: [&[&str]; 10] = [
    &["cli"],
    &["experiment"],
    &["runner"],
    &["executor"],
    &["host", "report"],
    &["engine", "survey"],
    &["agent", "evaluation", "triage"],
    &["model", "sandbox"],
    &["guest", "store"],
    &[
        "bench", "config", "demo", "error", "files", "hint", "json", "process", "secret", "text",
        "version",
    ],
];

fn row(module: &str) -> usize {
    ROWS.iter()
        .position(|row| row.contains(&module))
        .unwrap_or_else(|| panic!("{module} has no row"))
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn a_module_imports_only_from_rows_below_its_own() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let inside = file.strip_prefix(&src).unwrap();
        let module = inside
            .iter()
            .next()
            .unwrap()
            .to_str()
            .unwrap()
            .trim_end_matches(".rs");
        if ["lib", "main"].contains(&module) {
            continue;
        }
        // Unit tests may reach up for a value to test with.
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        assert!(
            !code.contains("super::super::super"),
            "{}",
            inside.display()
        );
        for rest in code
            .split("crate::")
            .chain(code.split("super::super::"))
            .skip(1)
        {
            let used: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            let is_module = ROWS.iter().any(|row| row.contains(&used.as_str()));
            let leaf = row(module) == ROWS.len() - 1;
            if is_module
                && used != module
                && (row(&used) < row(module) || row(&used) == row(module) && !leaf)
            {
                wrong.push(format!("{} uses {used}", inside.display()));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
