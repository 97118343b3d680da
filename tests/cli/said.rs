//! What the commands say, word for word.

use std::fmt::Write as _;
use std::process::Command;

use crate::masks::masked;
use crate::plan::install;
use crate::report::tree;
use crate::support::{Place, Ran};

/// What a command ended with and said.
fn said(place: &Place, ran: &Ran) -> String {
    let code = ran.code.unwrap();
    let mut text = format!("exit {code}\n");
    for (name, part) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
        if !part.is_empty() {
            write!(text, "-- {name}\n{part}").unwrap();
        }
    }
    masked(place, &text)
}

/// The program where there is nothing: no tool on `PATH`, no daemon, no key, and nobody's settings.
pub fn bare(place: &Place, args: &[&str]) -> Command {
    let mut command = place.regatta(args);
    command
        .env_clear()
        .env("PATH", place.join("nothing"))
        .env("HOME", place.join("home"))
        .env("XDG_CACHE_HOME", place.join("cache"))
        .env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    command
}

/// `doctor` with an endpoint that refuses connections.
pub const DOCTOR: [&str; 7] = [
    "doctor",
    "--cooperbench-dir",
    "cb",
    "--redis-url",
    "redis://127.0.0.1:1",
    "--api-base",
    "http://127.0.0.1:1/v1",
];

fn doctor(place: &Place, args: &[&str]) -> String {
    let output = bare(place, &[&DOCTOR, args].concat()).output().unwrap();
    said(place, &Ran::of(&output))
}

#[test]
fn doctor_where_all_is_missing() {
    insta::assert_snapshot!(doctor(&Place::new(), &[]));
}

#[test]
fn doctor_of_the_native_engine() {
    let place = Place::new();
    insta::assert_snapshot!(doctor(&place, &["--engine", "native", "-m", "openai/m"]));
}

#[test]
fn doctor_with_an_upstream() {
    let place = Place::new();
    install(
        &place,
        "0.0.29",
        &["mini_swe_agent_v2"],
        &["--backend", "--no-auto-eval", "--log-dir"],
    );
    insta::assert_snapshot!(doctor(&place, &["--setting", "solo"]));
}

/// A tree that upstream alone wrote, and a result that is none.
fn damaged() -> Place {
    let place = tree();
    let dir = "cb/logs/x-coop-comm/coop/harbor_task";
    place.write(&format!("{dir}/1/f1_f2/result.json"), "{\"run_id\": ");
    place
}

#[test]
fn status_of_a_strangers_tree() {
    let place = damaged();
    let ran = place.run(&["status", "--cooperbench-dir", "cb"]);
    insta::assert_snapshot!(said(&place, &ran));
}

#[test]
fn triage_explains() {
    let place = damaged();
    let ran = place.run(&["triage", "--cooperbench-dir", "cb", "--explain"]);
    insta::assert_snapshot!(said(&place, &ran));
}

#[test]
fn dry_run_of_the_native_engine() {
    let place = Place::new();
    let args = ["run", "--dry-run", "--profile", "demo", "--budget", "2"];
    let output = bare(&place, &args).output().unwrap();
    insta::assert_snapshot!(said(&place, &Ran::of(&output)));
    let args = "run --dry-run --cooperbench-dir cb --engine native -m openai/m --smoke 2";
    let args: Vec<&str> = args.split(' ').collect();
    let output = bare(&place, &args).output().unwrap();
    insta::assert_snapshot!("dry_run_on_docker", said(&place, &Ran::of(&output)));
}

/// The visible commands, by the program's help.
fn commands(place: &Place) -> Vec<String> {
    let help = place.run(&["--help"]).code(0).stdout;
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|command| *command != "help")
        .map(str::to_owned)
        .collect()
}

/// The long help of every visible command is `docs/reference/command-line.md` (`book`); this is the
/// short one.
#[test]
fn the_short_help_of_every_command() {
    let place = Place::new();
    let mut text = place.run(&["-h"]).code(0).stdout;
    for command in commands(&place) {
        let help = place.run(&[&*command, "-h"]).code(0).stdout;
        write!(text, "\n$ regatta {command} -h\n{help}").unwrap();
    }
    insta::assert_snapshot!(masked(&place, &text));
}

/// What Regatta calls itself with, inside sandboxes and for tests; `__call` has no flags of its own.
const HIDDEN: [&str; 4] = ["__exec", "__model", "__guest", "__namespace"];

#[test]
fn the_help_of_every_hidden_command() {
    let place = Place::new();
    let mut text = String::new();
    for command in HIDDEN {
        let help = place.run(&[command, "--help"]).code(0).stdout;
        writeln!(text, "$ regatta {command} --help\n{help}").unwrap();
    }
    insta::assert_snapshot!(masked(&place, &text));
}
