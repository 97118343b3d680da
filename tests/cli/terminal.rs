//! What a terminal shows while runs go on, in a pseudo-terminal with a model that waits.

use std::process::Command;

use regex::Regex;

use crate::masks::without_leftovers;
use crate::support::terminal::Terminal;
use crate::support::{Model, Place, Ran};

/// The demo's dataset behind a model that answers each agent once, and then not until `faults` is
/// empty.
fn held() -> (Place, Model) {
    let place = Place::new();
    let model = Model::of_demo(&place, "hold when=head -3; ls\n");
    (place, model)
}

fn demo(place: &Place, model: &Model, more: &str) -> Command {
    let args = format!("run --profile demo --api-base {}/v1 {more}", model.base);
    let args: Vec<&str> = args.split_whitespace().collect();
    let mut command = place.beside_an_empty_daemon(&args);
    command.env("OPENAI_API_KEY", "x");
    command
}

/// A screen with one word for every time in it, and one for the sum, in which pairs are that are not
/// shown.
pub fn timeless(screen: &str) -> String {
    let clock = Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d").unwrap();
    let time = Regex::new(r" +(\d+h \d\dm|\d+m \d\ds|\d+s)").unwrap();
    let screen = without_leftovers(screen);
    let screen = clock.replace_all(&screen, "<clock>");
    let sum = Regex::new(r"\$[0-9.]+ of ").unwrap();
    let screen = time.replace_all(&screen, " <time>");
    sum.replace_all(&screen, "<sum> of ").into_owned()
}

fn bars(screen: &str) -> usize {
    let is_bar = |line: &&str| line.contains("/27 [");
    screen.lines().filter(is_bar).count()
}

/// Whether each of the pairs that are shown has had its first answer.
fn all_wait(screen: &str) -> bool {
    let rows = screen.lines().filter(|line| line.starts_with("  solo "));
    let (all, waiting): (Vec<_>, Vec<_>) = rows.map(|row| (row, row.contains("step 1"))).unzip();
    all.len() >= 7 && waiting.iter().all(|waits| *waits)
}

#[test]
fn one_bar_stands_over_what_runs_in_80_columns_and_in_200() {
    for (columns, rows) in [(80, 24), (200, 50)] {
        let (place, model) = held();
        let command = demo(&place, &model, "--concurrency 12 --budget 5");
        let mut terminal = Terminal::start(&place, &command, columns, rows);
        let screen = terminal.wait_for("every pair at its second step", all_wait);
        let name = format!("{columns}_columns_while_pairs_run");
        insta::assert_snapshot!(name, timeless(&screen));
        terminal.press("\u{3}");
        terminal.wait_for("it stops, with one bar", |screen| {
            screen.contains("stopping") && bars(screen) == 1
        });
        terminal.press("\u{3}");
        let (code, screen, _) = terminal.end();
        assert_eq!(code, Some(130), "{screen}");
        assert_eq!(bars(&screen), 0, "{screen}");
    }
}

#[test]
fn a_terminal_of_another_size_has_one_bar_that_fits() {
    let (place, model) = held();
    let command = demo(&place, &model, "--concurrency 12");
    let terminal = Terminal::start(&place, &command, 100, 24);
    terminal.wait_for("every pair at its second step", all_wait);
    for (columns, rows) in [(40, 24), (120, 24), (60, 10), (100, 30)] {
        terminal.resize(columns, rows);
        let most = usize::from(rows).saturating_sub(4).min(8);
        let shown = |screen: &str| {
            let begin = screen.find("/27 [").unwrap_or(0);
            screen[begin..].lines().count() == most + 2
        };
        let screen = terminal.wait_for("as many rows as there is room for", shown);
        assert_eq!(bars(&screen), 1, "{columns}x{rows}\n{screen}");
    }
    place.write("faults", "");
    // The bar that the screen had is not among the lines that stay.
    let (code, screen, _) = terminal.end();
    assert_eq!((code, bars(&screen)), (Some(0), 0), "{screen}");
}

#[test]
fn the_counts_add_up_and_no_line_is_wider_than_the_terminal() {
    let place = Place::new();
    let command = place.beside_an_empty_daemon(&["run", "--profile", "demo"]);
    let terminal = Terminal::start(&place, &command, 80, 300);
    let (code, screen, written) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    let counts = Regex::new(r"(\d+) submitted(?:, (\d+) at a limit)?(?:, (\d+) errors?)?").unwrap();
    let bar = Regex::new(r"(\d+)/27 \[").unwrap();
    let number = |text: Option<regex::Match<'_>>| -> usize {
        text.map_or(0, |text| text.as_str().parse().unwrap())
    };
    let mut drawn = 0;
    for frame in written.split("\u{1b}[J") {
        let (Some(bar), Some(counts)) = (bar.captures(frame), counts.captures(frame)) else {
            continue;
        };
        drawn += 1;
        let sum: usize = (1..4).map(|n| number(counts.get(n))).sum();
        assert_eq!(sum, number(bar.get(1)), "{frame:?}");
    }
    assert!(drawn > 27, "{drawn}");
    assert!(written.contains("26 submitted, 1 at a limit"), "{screen}");
    // Wide lines go on in the first column of the next one.
    let (progress, _) = screen.split_once("\nrun  ").expect("a report");
    for line in progress.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn a_terminal_that_is_tiny_or_dumb_or_colourless_gets_plain_lines() {
    let colour = Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
    for (columns, rows, variable, value) in [
        (1, 1, "X", "x"),
        (0, 0, "X", "x"),
        (80, 0, "X", "x"),
        (80, 24, "TERM", "dumb"),
        (80, 24, "NO_COLOR", "1"),
    ] {
        let place = Place::new();
        let args = [
            "run",
            "--profile",
            "demo",
            "--setting",
            "solo",
            "--smoke",
            "1",
        ];
        let mut command = place.beside_an_empty_daemon(&args);
        // A CI server's terminal is no other one.
        command.env(variable, value).env("CI", "true");
        let terminal = Terminal::start(&place, &command, columns, rows);
        let (code, screen, written) = terminal.end();
        assert_eq!(
            code,
            Some(0),
            "{columns}x{rows} {variable}\n{screen}\n{written}"
        );
        match variable {
            "TERM" => assert!(!written.contains('\u{1b}'), "{written:?}"),
            "NO_COLOR" => {
                assert!(!colour.is_match(&written), "{written:?}");
                assert!(written.contains("\u{1b}[J"), "{written:?}");
            }
            _ => assert!(!written.contains("\u{1b}[J"), "{written:?}"),
        }
    }
}

#[test]
fn where_nothing_is_left_to_do_one_sentence_says_so() {
    let place = Place::new();
    let args = [
        "run",
        "--profile",
        "demo",
        "--setting",
        "solo",
        "--no-progress",
    ];
    let first = place.beside_an_empty_daemon(&args).output().unwrap();
    assert!(first.status.success());
    let again = place.beside_an_empty_daemon(&args).output().unwrap();
    let again = Ran::of(&again).code(0);
    assert_eq!(again.stdout, "");
    let said = "nothing to do: 9 of 9 pairs have finished; `regatta report demo-solo --profile demo` shows the report";
    assert!(again.stderr.contains(said), "{}", again.stderr);
}
