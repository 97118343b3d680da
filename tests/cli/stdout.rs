//! Where data goes: stdout that is full, stdout that nobody reads, and a file that is none.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileTypeExt as _;
use std::process::{Command, Stdio};

use crate::support::{Place, Ran};

/// A command of each kind that prints data.
const PRINTS: [&[&str]; 11] = [
    &["--help"],
    &["run", "--help"],
    &["--version"],
    &["config", "--default"],
    &["completions", "bash"],
    &["report", "--cooperbench-dir", "cb"],
    &["report", "--cooperbench-dir", "cb", "--format", "csv"],
    &["report", "--cooperbench-dir", "cb", "--format", "jsonl"],
    &["status", "--cooperbench-dir", "cb"],
    &[
        "triage",
        "--cooperbench-dir",
        "cb",
        "--explain",
        "--dry-run",
    ],
    &[
        "run",
        "--cooperbench-dir",
        "cb",
        "--dry-run",
        "--setting",
        "solo",
        "--engine",
        "native",
    ],
];

/// A place with a run of one trial that failed.
fn place() -> Place {
    let place = Place::new();
    place.write("cb/logs/x-solo/solo/harbor_task/1/f1_f2/result.json", "{");
    place
}

fn with_stdout(place: &Place, args: &[&str], stdout: impl Into<Stdio>) -> Ran {
    let mut command = place.beside_an_empty_daemon(args);
    command.env("CO_API_KEY", "a-key").stdout(stdout);
    Ran::of(&command.output().unwrap())
}

#[test]
fn a_full_disk_behind_stdout_is_one_error_of_the_output() {
    let place = place();
    for args in PRINTS {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran = with_stdout(&place, args, full).code(3);
        let said: Vec<&str> = ran
            .stderr
            .lines()
            .filter(|line| line.contains("stdout"))
            .collect();
        assert_eq!(
            said,
            ["error: cannot write to stdout: No space left on device (os error 28)"],
            "{args:?}: {}",
            ran.stderr
        );
        assert!(ran.stderr.contains("hint: send the output"), "{args:?}");
        assert!(!ran.stderr.contains("panicked"), "{args:?}");
    }
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let place = place();
    for args in PRINTS {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ran = with_stdout(&place, args, writer).code(0);
        assert!(!ran.stderr.contains("stdout"), "{args:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("error"), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn a_report_goes_into_a_pipe_that_has_a_name() {
    let place = place();
    let pipe = place.join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let read = {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs::read_to_string(pipe).unwrap())
    };
    let args = ["report", "--cooperbench-dir", "cb", "-o", "pipe"];
    place.run(&args).code(0).says("wrote pipe");
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    assert!(read.join().unwrap().contains("x-solo: 0 pass, 0 fail"));
}
