//! The book and the pages beside it: every page is listed, every link holds, and what is generated
//! is what the program says today. `INSTA_UPDATE=always` writes the generated pages anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use regatta::error::exit;
use regatta::report::Row;

use crate::support::Place;

/// A page says nothing of the machine it was written on, and one screen of it is enough.
const README_BYTES: u64 = 8 * 1024;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// The pages under `docs/`, by their paths there.
fn pages() -> BTreeSet<String> {
    let docs = root().join("docs");
    let mut dirs = vec![docs.clone()];
    let mut pages = BTreeSet::new();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                pages.insert(path.strip_prefix(&docs).unwrap().display().to_string());
            }
        }
    }
    pages
}

fn links(text: &str) -> Vec<String> {
    let links = Parser::new(text).filter_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. }) => Some(dest_url.into_string()),
        _ => None,
    });
    links.collect()
}

/// The anchors of a page's headings, as GitHub and mdBook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in Parser::new(text) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
                let anchor: String = heading.take().unwrap().chars().filter(kept).collect();
                let anchor = anchor.to_lowercase().replace(' ', "-");
                assert!(anchors.insert(anchor.clone()), "two headings `{anchor}`");
            }
            _ => {}
        }
    }
    anchors
}

#[test]
fn every_page_is_in_the_summary_and_every_entry_is_a_page() {
    let listed: BTreeSet<String> = links(&read("docs/SUMMARY.md")).into_iter().collect();
    let mut there = pages();
    assert!(there.remove("SUMMARY.md"));
    assert_eq!(listed, there);
}

#[test]
fn every_link_holds() {
    let beside = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "demo/README.md",
    ];
    let pages = pages().into_iter().map(|page| format!("docs/{page}"));
    let mut broken = Vec::new();
    for page in pages.chain(beside.map(str::to_owned)) {
        for link in links(&read(&page)) {
            if link.starts_with("https://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() {
                PathBuf::from(&page)
            } else {
                Path::new(&page).parent().unwrap().join(path)
            };
            let there = root().join(&target);
            let holds = there.exists()
                && (anchor.is_empty()
                    || anchors(&fs::read_to_string(&there).unwrap()).contains(anchor));
            if !holds {
                broken.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_readme_is_short() {
    assert!(root().join("README.md").metadata().unwrap().len() <= README_BYTES);
}

#[test]
fn exit_codes_are_worded_in_one_way() {
    let help = Place::new().run(&["--help"]).stdout;
    let (readme, page) = (read("README.md"), read("docs/reference/exit-codes.md"));
    for (code, meaning) in exit::MEANINGS {
        assert!(help.contains(&format!("{code:<4} {meaning}")), "{help}");
        let row = format!("| {code} | {meaning} |");
        assert!(readme.contains(&row) && page.contains(&row), "{row}");
    }
}

/// Compares a generated page with what it should be, or writes it.
fn is_generated(page: &str, wanted: &str) {
    if std::env::var("INSTA_UPDATE").is_ok_and(|how| how == "always") {
        fs::write(root().join(page), wanted).unwrap();
    }
    let there = fs::read_to_string(root().join(page)).unwrap_or_default();
    assert!(
        there == wanted,
        "{page} is not what the program says: `INSTA_UPDATE=always cargo test --test cli book` writes it anew"
    );
}

#[test]
fn the_command_line_is_described_as_it_is() {
    let place = Place::new();
    let help = place.run(&["--help"]).code(0).stdout;
    let commands_of = |help: &str| -> Vec<String> {
        let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let names = lines
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_whitespace().next());
        let names = names.filter(|command| *command != "help");
        names.map(str::to_owned).collect()
    };
    let mut page = "# Command line\n\nThis page is what `regatta --help` and `regatta COMMAND --help` print.\n".to_owned();
    let mut section = |title: &str, help: &str| {
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        write!(
            page,
            "\n## {title}\n\n```text\n{}\n```\n",
            lines.join("\n").trim_end()
        )
        .unwrap();
    };
    section("regatta", &help);
    for command in commands_of(&help) {
        let help = place.run(&[&command, "--help"]).code(0).stdout;
        section(&format!("regatta {command}"), &help);
        for inner in commands_of(&help) {
            let help = place.run(&[&command, &inner, "--help"]).code(0).stdout;
            section(&format!("regatta {command} {inner}"), &help);
        }
    }
    is_generated("docs/reference/command-line.md", &page);
}

#[test]
fn the_configuration_is_described_as_it_is() {
    let file = Place::new().run(&["config", "--default"]).code(0).stdout;
    let mut page = "# Configuration\n\nThis page is what `regatta config --default` prints, table by table.\n\n".to_owned();
    let mut parts = file.split("\n[");
    let prose = parts
        .next()
        .unwrap()
        .lines()
        .map(|line| line.trim_start_matches('#').trim_start());
    page.push_str(&prose.collect::<Vec<_>>().join("\n"));
    page.push('\n');
    for part in parts {
        let (name, keys) = part.split_once("]\n").unwrap();
        write!(
            page,
            "\n## {name}\n\n```toml\n[{name}]\n{}\n```\n",
            keys.trim_end()
        )
        .unwrap();
    }
    is_generated("docs/reference/configuration.md", &page);
}

#[test]
fn the_columns_are_described_as_they_are() {
    let mut page = "# Columns

This page lists what `regatta report --format csv` and `--format jsonl` write for each pair of each run, in their order. [Tables](../guide/tables.md) shows how to read them.

A column that may be empty has nothing in CSV and `null` in JSONL where its value is not known, or where there is none. Unknown is never 0. Later versions may add columns, so read them by name.

| column | type | may be empty | meaning |
|---|---|---|---|
"
    .to_owned();
    for column in Row::COLUMNS {
        let about = column.about.trim().replace("  ", " ");
        let (name, kind) = (column.name, column.kind.name());
        let may_be_empty = if column.may_be_empty { "yes" } else { "no" };
        writeln!(page, "| `{name}` | {kind} | {may_be_empty} | {about} |").unwrap();
    }
    is_generated("docs/reference/columns.md", &page);
}
