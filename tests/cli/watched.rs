//! What `status` says of runs that wait, begin or go on, and `--watch` on a terminal of its own.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use regex::Regex;

use crate::report::judged_at;
use crate::support::terminal::Terminal;
use crate::support::{Ended, Model, Place, REGATTA, wait_until};
use crate::terminal::timeless;

const WATCH: [&str; 4] = ["status", "--watch", "--cooperbench-dir", "cb"];

fn one_run(place: &Place, name: &str) {
    let run = format!("cb/logs/{name}");
    judged_at(place, &run, "solo", &[("a_task/1/f1_f2", true)]);
}

/// A shell that has the terminal, as a user's has, at its prompt.
fn shell(place: &Place) -> Terminal {
    let mut bash = Command::new("bash");
    let rc = place.write("bashrc", "PS1='ready> '\n");
    bash.arg("--rcfile")
        .arg(rc)
        .arg("-i")
        .current_dir(place.path());
    for (name, value) in place.regatta(&[]).get_envs() {
        match value {
            Some(value) => bash.env(name, value),
            None => bash.env_remove(name),
        };
    }
    bash.env("LC_ALL", "C")
        .env("INPUTRC", "/dev/null")
        .env("HISTFILE", "");
    let terminal = Terminal::start(place, &bash, 80, 24);
    terminal.wait_for("a prompt", |screen| screen.contains("ready>"));
    terminal
}

fn shows_run(screen: &str) -> bool {
    screen.starts_with("x-one: complete")
}

#[test]
fn ctrl_z_gives_the_terminal_back_and_fg_takes_it_again() {
    let place = Place::new();
    one_run(&place, "x-one");
    let mut terminal = shell(&place);
    terminal.press(&format!("{REGATTA} {}\n", WATCH.join(" ")));
    terminal.wait_for("the run", shows_run);
    assert!(!terminal.is_given_back());
    for _ in 0..2 {
        terminal.press("\u{1a}");
        let screen = terminal.wait_for("it stops", |screen| screen.contains("Stopped"));
        assert!(terminal.is_given_back(), "{screen}");
        assert!(!screen.contains("x-one: complete"), "{screen}");
        terminal.press("clear; fg\n");
        terminal.wait_for("the run again", shows_run);
        assert!(!terminal.is_given_back());
    }
    terminal.press("\u{3}");
    terminal.wait_for("the last of it, and a prompt", |screen| {
        let last = screen.find("x-one: complete");
        last.is_some_and(|at| screen[at..].contains("ready>"))
    });
    assert!(terminal.is_given_back());
    terminal.press("exit\n");
    terminal.end();
}

#[test]
fn in_the_background_it_leaves_the_terminal_to_the_shell() {
    let place = Place::new();
    one_run(&place, "x-one");
    let mut terminal = shell(&place);
    terminal.press(&format!("{REGATTA} {}\n", WATCH.join(" ")));
    terminal.wait_for("the run", shows_run);
    terminal.press("\u{1a}");
    terminal.wait_for("it stops", |screen| screen.contains("Stopped"));
    terminal.press("clear; bg\n");
    // It goes on, and ends by a signal without having drawn anything.
    terminal.wait_for("it goes on", |screen| screen.contains("status --watch"));
    terminal.press("kill %1; wait %1; echo ended $((1 + 1))\n");
    let screen = terminal.wait_for("its end", |screen| screen.contains("ended 2"));
    assert!(terminal.is_given_back(), "{screen}");
    terminal.press("exit\n");
    let (_, _, written) = terminal.end();
    assert_eq!(written.matches("\u{1b}[?1049h").count(), 1, "{written:?}");
}

#[test]
fn every_signal_that_ends_it_gives_the_terminal_back() {
    for signal in ["TERM", "HUP", "QUIT", "INT"] {
        let place = Place::new();
        one_run(&place, "x-one");
        let mut terminal = shell(&place);
        let inner = format!("{REGATTA} {} & echo $! > pid; fg", WATCH.join(" "));
        terminal.press(&format!("{inner}\n"));
        terminal.wait_for("the run", shows_run);
        let pid = place.read("pid");
        let kill = Command::new("kill")
            .args([&format!("-{signal}"), pid.trim()])
            .status();
        assert!(kill.unwrap().success());
        terminal.wait_for("a prompt", |screen| screen.trim_end().ends_with("ready>"));
        assert!(terminal.is_given_back(), "{signal}");
        terminal.press("exit\n");
        terminal.end();
    }
}

#[test]
fn what_has_not_begun_is_waited_for() {
    for columns in [80, 200] {
        let place = Place::new();
        let mut terminal = Terminal::start(&place, &place.regatta(&WATCH), columns, 24);
        let screen = terminal.wait_for("that nothing has begun", |screen| {
            screen.contains("Ctrl-C ends this")
        });
        insta::assert_snapshot!(format!("nothing_has_begun_in_{columns}_columns"), screen);
        one_run(&place, "x-one");
        terminal.wait_for("the run", shows_run);
        terminal.press("\u{3}");
        let (code, screen, _) = terminal.end();
        assert_eq!(code, Some(0), "{screen}");
    }
}

#[test]
fn a_run_that_has_not_begun_is_waited_for_beside_one_that_has() {
    let place = Place::new();
    one_run(&place, "x-one");
    let args = [&WATCH[..], &["x-one", "x-two"]].concat();
    let mut terminal = Terminal::start(&place, &place.regatta(&args), 80, 24);
    terminal.wait_for("that one of two is there", |screen| {
        shows_run(screen) && screen.contains("no run `x-two` under")
    });
    one_run(&place, "x-two");
    terminal.wait_for("both", |screen| {
        screen.contains("x-two: complete") && !screen.contains("no run")
    });
    terminal.press("\u{3}");
    assert_eq!(terminal.end().0, Some(0));
}

/// The tree that a run of the demo makes is another one than that of a command without a profile.
#[test]
fn the_first_run_below_the_working_directory_is_found() {
    let place = Place::new();
    let mut terminal = Terminal::start(&place, &place.regatta(&["status", "-w"]), 80, 24);
    terminal.wait_for("that nothing has begun", |screen| {
        screen.starts_with("nothing has begun: no runs under repos/CooperBench/logs")
    });
    judged_at(&place, "logs/x-one", "solo", &[("a_task/1/f1_f2", true)]);
    let screen = terminal.wait_for("the run", |screen| screen.contains("x-one: complete"));
    assert!(
        screen.contains("reading ./logs, which has 1 run"),
        "{screen}"
    );
    terminal.press("\u{3}");
    assert_eq!(terminal.end().0, Some(0));
}

#[test]
fn what_is_wrong_with_the_arguments_is_no_wait() {
    let place = Place::new();
    place.write("cb/logs", "");
    let terminal = Terminal::start(&place, &place.regatta(&WATCH), 80, 24);
    let (code, screen, written) = terminal.end();
    assert_eq!(code, Some(2), "{screen}");
    assert!(screen.contains("is a file"), "{screen}");
    assert!(!written.contains("\u{1b}[?1049h"), "{written:?}");
}

/// A run that a command has, by its lock, and what its events say happened so many seconds ago.
fn held(place: &Place, name: &str, events: &[(i64, &str)]) -> File {
    one_run(place, name);
    let own = format!("cb/logs/{name}/regatta");
    let lock = place.write(&format!("{own}/lock"), "process 7 on gull");
    let lock = File::options().write(true).open(lock).unwrap();
    lock.lock().unwrap();
    let before = SystemTime::now() - Duration::from_secs(100_000);
    lock.set_modified(before).unwrap();
    let line = |(ago, event): &(i64, &str)| {
        let at = Timestamp::now() - SignedDuration::from_secs(*ago);
        format!("{{\"at\":\"{at}\",{event}}}\n")
    };
    let started = (
        900,
        r#""event":"run_started","run":"r","setting":"solo","pairs":9,"finished":0,"submitted":0,"to_run":9,"version":"0.1.0""#,
    );
    let events = [&[started], events].concat();
    let text: String = events.iter().map(line).collect();
    place.write(&format!("{own}/events.jsonl"), text);
    lock
}

const ATTEMPT: &str = r#""event":"attempt_started","attempt":1,"nth":1,"of":3,"pairs":["a_task/1/f1_f2","a_task/1/f1_f3","a_task/1/f2_f3","a_task/1/f2_f4"]"#;
const ATTEMPT_ENDED: &str = r#""event":"attempt_ended","attempt":1"#;

fn trial_ended(pair: &str) -> String {
    format!(
        r#""event":"trial_ended","attempt":1,"pair":"{pair}","trial":"t","status":"Submitted","finished":true,"void":false,"diagnosis":null,"cost":1.0,"duration_seconds":1.0"#
    )
}

#[test]
fn a_run_says_what_it_waits_for_and_until_when() {
    let place = Place::new();
    let soon = Timestamp::now() + SignedDuration::from_hours(1);
    let reset = format!(
        r#""event":"waiting_for_reset","until":"{soon}","seconds":3600.0,"why":"You've hit your session limit""#
    );
    let limit = format!(
        r#""event":"limit_met","rule":"session_limit","text":"You've hit your session limit","resets_at":"{soon}""#
    );
    let back_off =
        r#""event":"back_off","seconds":9000.0,"why":"2 infrastructure errors, 3 pairs left""#;
    let slower =
        r#""event":"pace","limit":4,"why":"the endpoint's rate limit: no call begins for 30.0 s""#;
    let note = r#""event":"note","text":"the registry's limit of pulls is reached: registry.example/owner/image:task1 is pulled again in 900 s""#;
    let stopping = r#""event":"stopping","signal":"Ctrl-C","grace_seconds":20.0"#;
    let (one, two) = (trial_ended("a_task/1/f1_f2"), trial_ended("a_task/1/f1_f3"));
    let (one, two) = (one.as_str(), two.as_str());
    let _locks = [
        held(
            &place,
            "a-reset",
            &[(800, ATTEMPT), (90, ATTEMPT_ENDED), (80, &reset)],
        ),
        held(
            &place,
            "b-back-off",
            &[(800, ATTEMPT), (90, ATTEMPT_ENDED), (80, back_off)],
        ),
        held(
            &place,
            "c-limit",
            &[(800, ATTEMPT), (80, one), (80, &limit)],
        ),
        held(
            &place,
            "d-slowed",
            &[(800, ATTEMPT), (700, one), (80, slower)],
        ),
        held(&place, "e-registry", &[(800, ATTEMPT), (80, note)]),
        held(
            &place,
            "f-stopping",
            &[(800, ATTEMPT), (700, one), (10, stopping)],
        ),
        held(&place, "g-eta", &[(800, ATTEMPT), (700, one), (600, two)]),
    ];
    for columns in [80, 200] {
        let args = ["status", "--cooperbench-dir", "cb", "--color", "never"];
        let mut command = place.regatta(&args);
        command.env("TZ", "UTC");
        let terminal = Terminal::start(&place, &command, columns, 60);
        let (code, screen, _) = terminal.end();
        assert_eq!(code, Some(0), "{screen}");
        for line in screen.lines() {
            let width = line.chars().count();
            assert!(width <= usize::from(columns), "{width}: {line}");
        }
        insta::assert_snapshot!(format!("waits_in_{columns}_columns"), timeless(&screen));
    }
}

#[test]
fn a_finished_run_that_force_has_not_come_to_is_not_complete() {
    let place = Place::new();
    let model = Model::of_demo(&place, "");
    let run = |more: &str| {
        let args = format!(
            "run --profile demo --api-base {}/v1 --smoke 1 --no-progress {more}",
            model.base
        );
        let args: Vec<&str> = args.split_whitespace().collect();
        let mut command = place.beside_an_empty_daemon(&args);
        command
            .env("OPENAI_API_KEY", "x")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    let first = run("--setting coop-nocomm").status().unwrap();
    assert!(first.success());
    let later = || {
        place
            .run(&["status", "--profile", "demo", "demo-coop-nocomm"])
            .stdout
    };
    assert!(later().contains(": complete"), "{}", later());
    place.write("faults", "hold when=head -3; ls\n");
    let forced = run("--setting solo --setting coop-nocomm --force").spawn();
    let _forced = Ended(forced.unwrap());
    let status = || {
        place
            .run(&["status", "--profile", "demo", "demo-solo"])
            .stdout
    };
    wait_until("the first setting's pair with an answer", || {
        status().contains("step 1 ")
    });
    let text = later();
    let said = Regex::new(r"demo-coop-nocomm: 1 to run by --force; process \d+ on \S+ comes to it")
        .unwrap();
    assert!(said.is_match(&text), "{text}");
    // One pair runs at a time in each setting, and none is done.
    assert!(status().contains("ETA unknown"), "{}", status());
}
