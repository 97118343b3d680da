//! The layers: a module imports only from rows below its own. The sources are parsed, so that no
//! form of an import goes unseen.

mod arrows;
mod circles;
mod house;
mod rules;
mod scopes;
mod walk;

use std::path::Path;

use house::House;
use rules::{Inspection, Rule};

/// Rows, highest first, as docs/design/overview.md draws them.
const ROWS: [&[&str]; 11] = [
    &["cli"],
    &["experiment"],
    &["runner"],
    &["view"],
    &["executor", "study"],
    &["host", "report"],
    &["engine", "survey"],
    &["agent", "evaluation", "triage"],
    &["model", "sandbox"],
    &["guest", "images", "slurm", "store"],
    &[
        "bench",
        "config",
        "demo",
        "error",
        "files",
        "hint",
        "json",
        "link",
        "process",
        "secret",
        "statistics",
        "text",
        "version",
    ],
];

/// Rules that do not hold yet. One that holds must go from here; one that is taken from here says
/// what breaks it.
const NOT_YET: &[Rule] = &[];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_rules_of_the_house_hold() {
    let house = House::at(&root().join("src"));
    assert!(house.astray().is_empty(), "{:?}", house.astray());
    let inspection = Inspection::of(&house, &ROWS);
    for rule in Rule::ALL {
        let wrong = inspection.against(rule);
        let holds = wrong.is_empty();
        if NOT_YET.contains(&rule) {
            assert!(!holds, "{rule:?} holds: NOT_YET names it still");
        } else {
            assert!(holds, "{rule:?}\n{}", wrong.join("\n"));
        }
    }
}

#[test]
fn every_room_stands_on_one_floor() {
    let house = House::at(&root().join("src"));
    let there = house.sources.iter().filter(|it| it.module.len() == 1);
    let mut there: Vec<&str> = there.map(|it| it.module[0].as_str()).collect();
    there.retain(|room| *room != "main");
    there.sort_unstable();
    let mut drawn = ROWS.concat();
    drawn.sort_unstable();
    assert_eq!(there, drawn);
}

/// The floors in the table of the page: its rows by their first cell, the highest first.
fn floors_of_the_table(page: &str) -> Vec<Vec<String>> {
    let rows = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let floor: usize = cells.next()?.parse().ok()?;
        let rooms = cells.next()?.split(", ");
        let rooms = rooms.map(|room| room.trim_matches('`').to_owned());
        Some((floor, rooms.collect::<Vec<_>>()))
    });
    let mut floors: Vec<Vec<String>> = Vec::new();
    let mut last = None;
    for (floor, rooms) in rows {
        if last == Some(floor) {
            floors.last_mut().unwrap().extend(rooms);
        } else {
            assert!(last.is_none_or(|last| last == floor + 1), "{floor}");
            floors.push(rooms);
        }
        last = Some(floor);
    }
    assert_eq!(last, Some(1), "the lowest floor is the first");
    floors
}

/// The floors in the drawing of the page; of the leaves it shows some.
fn floors_of_the_drawing(page: &str) -> Vec<Vec<String>> {
    let lines = page.lines().skip_while(|line| !line.starts_with(" ┌"));
    let inside = lines.skip(1).take_while(|line| !line.starts_with(" └"));
    inside
        .map(|line| {
            let drawn = line.split('│').nth(1).unwrap();
            let words = drawn.split([' ', '·', '…']);
            words
                .filter(|it| !it.is_empty())
                .map(str::to_owned)
                .collect()
        })
        .collect()
}

#[test]
fn the_overview_draws_the_floors_that_are_checked() {
    let page = std::fs::read_to_string(root().join("docs/design/overview.md")).unwrap();
    let sorted = |floors: Vec<Vec<String>>| -> Vec<Vec<String>> {
        floors
            .into_iter()
            .map(|mut rooms| {
                rooms.sort_unstable();
                rooms
            })
            .collect()
    };
    let rows: Vec<Vec<String>> = ROWS
        .iter()
        .map(|row| row.iter().map(|room| (*room).to_owned()).collect())
        .collect();
    let rows = sorted(rows);
    assert_eq!(sorted(floors_of_the_table(&page)), rows);
    let drawing = sorted(floors_of_the_drawing(&page));
    let (leaves, floors) = drawing.split_last().unwrap();
    let (all_leaves, upper) = rows.split_last().unwrap();
    assert_eq!(floors, upper);
    assert!(
        leaves.iter().all(|leaf| all_leaves.contains(leaf)),
        "{leaves:?}"
    );
}
