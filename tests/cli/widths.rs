//! What report and status look like on terminals of 80 and 200 columns, and in a pipe.

use std::process::Command;

use regex::Regex;

use crate::masks::masked;
use crate::report::{judged_at, tree};
use crate::said::{DOCTOR, bare};
use crate::support::terminal::Terminal;
use crate::support::{Ended, Model, Place, Ran, wait_until};

/// What a command writes to a terminal of so many columns.
fn on_terminal(place: &Place, columns: u16, args: &[&str]) -> String {
    let command = place.regatta(args);
    let (code, _, written) = Terminal::start(place, &command, columns, 50).end();
    assert_eq!(code, Some(0), "{written}");
    written.replace('\r', "")
}

/// [`tree`], with a third run, whose pairs are all judged.
fn runs() -> Place {
    let place = tree();
    let pairs = [
        ("harbor_task/1/f1_f2", false),
        ("harbor_task/1/f1_f3", true),
    ];
    judged_at(&place, "cb/logs/x-coop-nocomm", "coop", &pairs);
    place
}

fn seen_at_each_width(place: &Place, name: &str, args: &[&str]) {
    let args = [args, &["--cooperbench-dir", "cb", "--color", "never"]].concat();
    for columns in [80, 200] {
        let text = on_terminal(place, columns, &args);
        for line in text.lines() {
            let width = line.chars().count();
            assert!(width <= columns.into(), "{width} in {columns}: {line}");
        }
        insta::assert_snapshot!(format!("{name}_in_{columns}_columns"), text);
    }
    let piped = place.run(&args).code(0).stdout;
    insta::assert_snapshot!(format!("{name}_in_a_pipe"), piped);
}

#[test]
fn a_report_fits_its_terminal_and_is_whole_in_a_pipe() {
    seen_at_each_width(&runs(), "report", &["report"]);
}

#[test]
fn a_status_fits_its_terminal_and_is_whole_in_a_pipe() {
    seen_at_each_width(&runs(), "status", &["status"]);
}

/// What a command without our environment writes to a terminal of so many columns, and no line wider
/// than it, but for commands.
fn fitted(place: &Place, columns: u16, command: &Command) -> String {
    let mut alone = Command::new("env");
    alone.arg("-i");
    for (name, value) in command.get_envs() {
        let value = value.unwrap_or_default().to_str().unwrap();
        alone.arg(format!("{}={value}", name.to_str().unwrap()));
    }
    alone.arg(command.get_program()).args(command.get_args());
    alone.current_dir(command.get_current_dir().unwrap());
    let (_, _, written) = Terminal::start(place, &alone, columns, 100).end();
    let text = written.replace('\r', "");
    for line in text.lines() {
        let width = line.chars().count();
        let fits = width <= columns.into() || line.contains('`') || line.starts_with("  command ");
        assert!(fits, "{width} in {columns}: {line}");
    }
    text
}

#[test]
fn a_doctor_with_much_to_say_fits_its_terminal() {
    let place = Place::new();
    let args = [&DOCTOR[..], &["--color", "never"]].concat();
    for columns in [80, 200] {
        let text = fitted(&place, columns, &bare(&place, &args));
        let name = format!("doctor_in_{columns}_columns");
        insta::assert_snapshot!(name, masked(&place, &text));
    }
}

#[test]
fn a_dry_run_fits_its_terminal_and_its_command_stays_a_line() {
    let place = Place::new();
    let args = "run --dry-run --profile demo --color never";
    let args: Vec<&str> = args.split(' ').collect();
    for columns in [80, 200] {
        let text = fitted(&place, columns, &bare(&place, &args));
        insta::assert_snapshot!(format!("dry_run_in_{columns}_columns"), text);
    }
    let args = "run --dry-run --cooperbench-dir cb --setting solo --color never";
    let args: Vec<&str> = args.split(' ').collect();
    let text = fitted(&place, 80, &bare(&place, &args));
    let piped = Ran::of(&bare(&place, &args).output().unwrap()).code(0);
    let command = |text: &str| {
        let mut lines = text.lines().map(str::to_owned);
        lines.find(|line| line.starts_with("  command "))
    };
    assert!(command(&text).is_some_and(|line| line.len() > 80), "{text}");
    assert_eq!(command(&text), command(&piped.stdout));
}

#[test]
fn a_pipe_has_no_width_whatever_columns_says() {
    let place = runs();
    let args = ["report", "--cooperbench-dir", "cb"];
    let mut command = place.regatta(&args);
    let told = Ran::of(&command.env("COLUMNS", "40").output().unwrap());
    assert_eq!(told.code(0).stdout, place.run(&args).code(0).stdout);
}

#[test]
fn colours_tell_outcomes_where_they_are_wanted_and_nowhere_else() {
    let place = runs();
    let (green, red, yellow, dim) = ("\u{1b}[32m", "\u{1b}[31m", "\u{1b}[33m", "\u{1b}[2m");
    let run = |command: &str, args: &[&str]| {
        let all = [&[command, "--cooperbench-dir", "cb"], args].concat();
        let mut command = place.regatta(&all);
        Ran::of(&command.env_remove("NO_COLOR").output().unwrap()).code(0)
    };
    let report = run("report", &["--color", "always"]).stdout;
    for colour in [green, red, yellow, dim] {
        assert!(report.contains(colour), "{report}");
    }
    assert!(report.contains(&format!("{green}1 pass")), "{report}");
    assert!(report.contains(&format!("{yellow}infra_error")), "{report}");
    assert!(report.contains(&format!("{dim}0 infra_error")), "{report}");
    let status = run("status", &["--color", "always"]).stdout;
    assert!(status.contains(&format!("{yellow}1 in error")), "{status}");
    for command in ["report", "status"] {
        for args in [&[][..], &["--color", "never"]] {
            assert!(!run(command, args).stdout.contains('\u{1b}'));
        }
        let args = [command, "--cooperbench-dir", "cb"];
        let mut quiet = place.regatta(&args);
        quiet.env("NO_COLOR", "1");
        let (_, _, written) = Terminal::start(&place, &quiet, 80, 50).end();
        // The helper's terminal would show them.
        assert!(on_terminal(&place, 80, &args).contains(dim));
        assert!(!written.contains('\u{1b}'), "{written}");
    }
    for format in ["markdown", "json", "junit"] {
        let text = run("report", &["--format", format, "--color", "always"]).stdout;
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    run("report", &["-o", "out.txt", "--color", "always"]);
    assert!(!place.read("out.txt").contains('\u{1b}'));
}

#[test]
fn status_is_watched_until_ctrl_c_and_the_terminal_is_given_back() {
    let place = runs();
    let args = ["status", "--watch", "--cooperbench-dir", "cb"];
    let mut terminal = Terminal::start(&place, &place.regatta(&args), 80, 24);
    terminal.wait_for("the runs", |screen| {
        screen.contains("x-coop-nocomm: complete") && !screen.contains("x-late")
    });
    judged_at(
        &place,
        "cb/logs/x-late",
        "solo",
        &[("a_task/1/f1_f2", true)],
    );
    terminal.wait_for("the new run", |screen| screen.contains("x-late: complete"));
    terminal.resize(40, 10);
    terminal.wait_for("what has no room", |screen| screen.contains("more lines"));
    terminal.press("\u{3}");
    let (code, screen, written) = terminal.end();
    assert_eq!(code, Some(0));
    // The other screen is left, the cursor is back, and the last status stays.
    assert!(written.contains("\u{1b}[?25h\u{1b}[?1049l"), "{written}");
    assert!(screen.contains("total (4 runs)"), "{screen}");
}

#[test]
fn what_is_no_terminal_cannot_be_watched() {
    runs()
        .run(&["status", "--watch", "--cooperbench-dir", "cb"])
        .code(2)
        .says("--watch needs a terminal")
        .says("`regatta status --cooperbench-dir cb` shows it once");
}

/// The pairs that run have one answer each, and are held there.
#[test]
fn a_native_run_tells_which_pairs_run_and_which_settings_have_not_begun() {
    let place = Place::new();
    let model = Model::of_demo(&place, "hold when=head -3; ls\n");
    let base = format!("{}/v1", model.base);
    let args = [
        "run",
        "--profile",
        "demo",
        "--api-base",
        &base,
        "--concurrency",
        "2",
        "--no-progress",
    ];
    let mut command: Command = place.beside_an_empty_daemon(&args);
    let _ended = Ended(
        command
            .env("OPENAI_API_KEY", "x")
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap(),
    );
    // Before it has begun there is no run.
    let status = || place.run(&["status", "--profile", "demo"]).stdout;
    wait_until("two pairs with an answer each", || {
        status().matches("step 1 ").count() == 2
    });
    let text = status();
    let holder = Regex::new(r"process \d+ on [^, \n]+").unwrap();
    let text = holder.replace_all(&text, "<process>");
    let time = Regex::new(r" +(\d+h \d\dm|\d+m \d\ds|\d+s)").unwrap();
    let text = time.replace_all(&text, " <time>").into_owned();
    let text = text.replace(&base, "<base>");
    insta::assert_snapshot!(text);
}
