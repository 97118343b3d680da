//! A hand on the wheel: pause, resume, cancel and set on runs that go on, with agents that are held by
//! their model.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::schema::assert_valid;
use crate::support::terminal::Terminal;
use crate::support::{Ended, Model, Place, REGATTA, Ran, interrupt, own_lines, wait_until};
use crate::terminal::timeless;

const RUN: &str = "demo-solo";

/// Held at its second call, with each of its agents, until the faults are empty.
const HELD: &str = "hold when=head -3; ls\n";

/// The demo's pairs behind a model of its own.
struct Wheel {
    place: Place,
    model: Model,
}

impl Wheel {
    fn new() -> Self {
        let place = Place::new();
        let model = Model::of_demo(&place, HELD);
        Self { place, model }
    }

    fn command(&self, more: &str) -> Command {
        let args = format!(
            "run --profile demo --api-base {}/v1 {more}",
            self.model.base
        );
        let args: Vec<&str> = args.split_whitespace().collect();
        let mut command = self.place.beside_an_empty_daemon(&args);
        command
            .env("OPENAI_API_KEY", "x")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn start(&self, more: &str) -> Child {
        let command = format!("--setting solo --no-progress {more}");
        self.command(&command).spawn().unwrap()
    }

    /// Lets the model answer.
    fn release(&self) {
        self.place.write("faults", "");
    }

    fn regatta(&self, line: &str) -> Ran {
        let line = format!("{line} --profile demo");
        self.place.run(&line.split(' ').collect::<Vec<_>>())
    }

    /// The answer, which is valid.
    fn answer(&self, line: &str) -> Value {
        let ran = self.regatta(&format!("{line} --json"));
        let answer = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
        assert_valid("answer.json", &answer);
        assert_eq!(
            ran.code,
            Some(if answer["done"] == json!(true) { 0 } else { 2 })
        );
        answer
    }

    fn own(&self, file: &str) -> PathBuf {
        self.place.join(&format!("logs/{RUN}/regatta/{file}"))
    }

    fn events(&self, kind: &str) -> Vec<Value> {
        let lines = own_lines(&self.place.join("logs"), RUN, "events");
        let of_kind = |event: &Value| event["event"] == kind;
        lines.into_iter().filter(of_kind).collect()
    }

    fn ledger(&self) -> Vec<Value> {
        own_lines(&self.place.join("logs"), RUN, "ledger")
    }

    fn manifest(&self) -> Value {
        let manifest = self
            .place
            .json(&format!("logs/{RUN}/regatta/manifest.json"));
        assert_valid("manifest.json", &manifest);
        manifest
    }

    /// Waits until so many trials have begun and had their first answers.
    fn wait_for_held(&self, trials: usize) {
        wait_until("trials that are held", || {
            let status = self.regatta("status").stdout;
            status.matches("step 1 ").count() == trials
        });
    }
}

fn ended(child: Child) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().unwrap();
    Ran {
        code: status.code(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

#[test]
fn a_run_is_paused_changed_in_part_cancelled_and_resumed_while_it_goes_on() {
    let wheel = Wheel::new();
    let started = wheel.start("--smoke 5 --concurrency 2");
    wheel.wait_for_held(2);
    let mode = wheel.own("wheel.sock").metadata().unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);

    wheel
        .regatta("pause")
        .code(0)
        .prints("demo-solo: nothing new begins; 2 trials go on")
        .says("`regatta resume --profile demo` begins again");
    let paused = wheel.answer("pause demo-solo");
    assert_eq!(
        (&paused["state"], &paused["run"]),
        (&json!("paused"), &json!(RUN))
    );
    let status = wheel.regatta("status").stdout;
    assert!(
        status.contains("demo-solo: paused, by process "),
        "{status}"
    );
    assert!(status.contains(": nothing new begins\n"), "{status}");
    assert!(!status.contains("ETA"), "{status}");

    // Its place is free, and nobody takes it.
    let begun = wheel.events("trial_started");
    let pairs: Vec<&str> = begun
        .iter()
        .map(|it| it["pair"].as_str().unwrap())
        .collect();
    wheel
        .regatta(&format!("cancel {}", pairs[0]))
        .code(0)
        .prints(&format!("demo-solo: {}: its trial is ended\n", pairs[0]))
        .says("what was spent is booked; the next `run` takes what was cancelled");
    wait_until("the trial's line", || wheel.ledger().len() == 1);
    let line = &wheel.ledger()[0];
    assert_eq!(line["status"], "CutOff");
    assert_eq!(line["diagnosis"]["evidence"]["rule"], "cancelled");
    assert!(line["cost"].as_f64().unwrap() > 0.0, "{line}");
    let status = wheel.regatta("status").stdout;
    assert_eq!(status.matches("step 1 ").count(), 1, "{status}");
    assert!(status.contains("(1 cut off, 1 running)"), "{status}");

    let set = wheel.answer("set concurrency=3 max_wait=2h");
    let changes = ["concurrency: 2 → 3", "max_wait: 6h → 2h"];
    assert_eq!(set["said"], json!(changes));
    let manifest = wheel.manifest();
    assert_eq!(manifest["concurrency"], 3);
    let of_concurrency = json!({"setting": "concurrency", "old": 2, "new": 3});
    assert_eq!(manifest["set"][0]["changes"][0], of_concurrency);
    assert_eq!(wheel.events("trial_started").len(), 2);

    // Two of the three that wait begin beside the one that runs.
    wheel
        .regatta("resume demo-solo")
        .code(0)
        .prints("demo-solo: pairs begin again");
    wheel.wait_for_held(3);
    assert_eq!(wheel.events("trial_started").len(), 4);
    wheel.release();
    let ran = ended(started).code(1);
    for told in [
        "paused it: nothing new begins",
        "resumed it",
        "set concurrency: 2 → 3",
    ] {
        assert!(ran.stderr.contains(told), "no {told:?} in\n{}", ran.stderr);
    }
    assert!(
        ran.stderr.contains(&format!("cancelled {}\n", pairs[0])),
        "{}",
        ran.stderr
    );
    assert_eq!(wheel.events("trial_started").len(), 5);
    assert_eq!(wheel.events("attempt_started").len(), 1);
    assert!(!wheel.own("wheel.sock").exists());
    for kind in ["paused", "resumed", "cancelled", "set"] {
        let [event] = &wheel.events(kind)[..] else {
            panic!("{kind}");
        };
        assert_valid("event.json", event);
    }
    wheel
        .regatta("triage demo-solo --explain --dry-run")
        .code(0)
        .prints(": cancelled by ")
        .prints("(cancelled)");

    wheel
        .regatta("report demo-solo")
        .code(0)
        .prints("missing · cancelled · 1 pair, to run again");
    resumes_by_what_is_printed(&wheel);
    assert_eq!(wheel.manifest()["set"][0]["changes"][0], of_concurrency);
}

/// The command that resumes a run is printed, and does.
fn resumes_by_what_is_printed(wheel: &Wheel) {
    let printed = wheel.regatta("resume demo-solo").code(0);
    let printed = printed
        .says("`demo-solo` does not go on; this resumes it (1 pair left)")
        .stdout;
    assert!(
        printed.starts_with("regatta run --profile demo --api-base http://"),
        "{printed}"
    );
    let words: Vec<&str> = printed.split_whitespace().skip(1).collect();
    let mut again = wheel.place.beside_an_empty_daemon(&words);
    let again = again.env("OPENAI_API_KEY", "x").output().unwrap();
    Ran::of(&again).code(0);
    assert_eq!(wheel.events("trial_started").len(), 6);
    let at_rest = wheel.regatta("resume demo-solo --json").code(0).stdout;
    let at_rest: Value = serde_json::from_str(&at_rest).unwrap();
    assert_valid("answer.json", &at_rest);
    assert_eq!(
        (&at_rest["state"], &at_rest["left"]),
        (&json!("at_rest"), &json!(0))
    );
}

#[test]
fn the_whole_run_is_cancelled_and_its_exit_code_says_so() {
    let wheel = Wheel::new();
    let started = wheel.start("--smoke 3 --concurrency 2 --grace 0s");
    wheel.wait_for_held(2);
    wheel.regatta("pause").code(0);
    wheel
        .regatta("cancel demo-solo")
        .code(0)
        .prints("demo-solo: it stops as after the first Ctrl-C; what runs has 0s to finish");
    ended(started).code(130).says(
        "regatta cancel: nothing new is begun; what runs has 0s to finish, Ctrl-C to stop now",
    );
    assert_eq!(wheel.events("stopping")[0]["signal"], "regatta cancel");
    let cancelled = &wheel.events("cancelled")[0];
    assert_eq!(cancelled["pairs"], json!([]));
    // What was ended by it is cut off, as by a signal.
    let rule = |line: &Value| line["diagnosis"]["evidence"]["rule"].clone();
    assert_eq!(
        wheel.ledger().iter().map(rule).collect::<Vec<_>>(),
        ["cut_off", "cut_off"]
    );
    wheel
        .regatta("cancel demo-solo")
        .code(2)
        .says("`demo-solo` does not go on")
        .says("`regatta resume demo-solo --profile demo` prints the command that resumes it");
}

#[test]
fn an_interrupt_ends_a_run_that_is_paused_with_nothing_under_way() {
    let wheel = Wheel::new();
    let started = wheel.start("--smoke 2 --concurrency 1");
    wheel.wait_for_held(1);
    wheel.regatta("pause").code(0);
    let pair = wheel.events("trial_started")[0]["pair"].clone();
    wheel
        .regatta(&format!("cancel {}", pair.as_str().unwrap()))
        .code(0);
    wait_until("the trial's line", || wheel.ledger().len() == 1);
    wheel
        .regatta("pause")
        .code(0)
        .prints("demo-solo: it is paused already, by ");
    assert_eq!(wheel.events("trial_started").len(), 1);
    interrupt(&started);
    ended(started).code(130);
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason_and_changes_nothing() {
    let wheel = Wheel::new();
    let none = wheel.regatta("pause").code(2);
    none.says("no run goes on under logs")
        .says("regatta status --profile demo");
    wheel
        .regatta("resume")
        .code(2)
        .says("no run goes on under logs");
    let started = Ended(wheel.start("--smoke 3 --concurrency 1 --budget 5"));
    wheel.wait_for_held(1);
    let pair = wheel.events("trial_started")[0]["pair"].clone();
    let pair = pair.as_str().unwrap();
    for (line, why) in [
        ("cancel no-such-run", "no run `no-such-run` under"),
        (
            "cancel ferry_task/99/f1_f2",
            "`demo-solo` has no pair `ferry_task/99/f1_f2`",
        ),
        ("cancel ferry_task/f1_f2", "`ferry_task/f1_f2` is no pair"),
        (
            "cancel demo-solo demo-coop",
            "2 runs are named, and one command is asked",
        ),
        ("set demo-solo", "no setting is given"),
        (
            "set concurrency=2 concurrency=3",
            "`concurrency` is set twice",
        ),
        ("set concurrency=0", "must be at least 1"),
        (
            "set concurrency=1000000000",
            "concurrency=1000000000 is more than the run has: 9 pairs",
        ),
        ("set concurrency=two", "is no whole number"),
        ("set budget=0.0000001", "is not more than what is spent"),
        (
            "set concurrency=2 model=openai/other",
            "`model` cannot change while a run goes on",
        ),
        ("set grace=5m", "it is read when the command begins"),
        ("set concurency=2", "there is no setting `concurency`"),
    ] {
        wheel.regatta(line).code(2).says(why);
    }
    let refused = wheel.answer("set concurrency=0");
    assert_eq!(
        (&refused["done"], &refused["state"]),
        (&json!(false), &json!("running"))
    );
    assert!(wheel.manifest().get("set").is_none());
    assert!(wheel.events("set").is_empty() && wheel.events("cancelled").is_empty());

    // A model's command that sees the socket is in another user namespace.
    let mut unshare = Command::new("unshare");
    let inside = unshare
        .args(["--user", REGATTA, "pause", "--profile", "demo"])
        .current_dir(wheel.place.path())
        .output()
        .unwrap();
    let inside = Ran::of(&inside);
    assert!(inside.code != Some(0), "{inside:?}");
    assert!(wheel.events("paused").is_empty());

    // Who writes something else at the socket is told so, and who writes nothing holds up nobody.
    let socket = wheel.own("wheel.sock");
    let silent = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    let mut odd = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    std::io::Write::write_all(
        &mut odd,
        b"{\"ask\":\"fly\",\"user\":\"a\",\"host\":\"b\"}\n",
    )
    .unwrap();
    let mut told = String::new();
    std::io::Read::read_to_string(&mut odd, &mut told).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_valid("answer.json", &told);
    assert!(
        told["said"][0]
            .as_str()
            .unwrap()
            .contains("the request cannot be read"),
        "{told}"
    );
    drop(silent);

    // A socket of a dead command is nobody's.
    drop(started);
    assert!(socket.exists());
    wheel
        .regatta("pause demo-solo")
        .code(2)
        .says("`demo-solo` does not go on");
    wheel.release();
    ended(wheel.start("--smoke 3 --concurrency 1")).code(0);
    assert!(!socket.exists());
    let smoke = ended(wheel.start("--smoke 4 --concurrency 1"));
    smoke.code(0);
    wheel.place.write("faults", HELD);
    let started = wheel.start("--smoke 5 --concurrency 1");
    wheel.wait_for_held(1);
    wheel
        .regatta(&format!("cancel {pair}"))
        .code(2)
        .says(&format!("{pair}: nothing of it is left to run"));
    drop(Ended(started));
}

#[test]
fn of_two_commands_one_is_named_and_a_command_is_asked_by_any_of_its_runs() {
    let wheel = Wheel::new();
    let two = "--setting solo --setting coop-nocomm --smoke 1 --no-progress";
    let first = Ended(wheel.command(two).spawn().unwrap());
    wheel.wait_for_held(1);
    // Its second run has not begun, and is paused with the first.
    wheel
        .regatta("pause demo-coop-nocomm")
        .code(0)
        .prints("demo-solo and 1 more run: nothing new begins; 1 trial goes on");
    let second = Ended(wheel.start("--smoke 1 --name other"));
    let logs = wheel.place.join("logs");
    wait_until("another command", || {
        !own_lines(&logs, "other-solo", "events").is_empty()
    });
    wheel
        .regatta("resume")
        .code(2)
        .says("2 commands have runs:")
        .says("  demo-coop-nocomm, demo-solo (process ")
        .says("  other-solo (process ")
        .says("name a run of the one that is meant: `regatta resume demo-");
    drop(second);
    wheel.release();
    let of_second = || own_lines(&wheel.place.join("logs"), "demo-coop-nocomm", "events");
    let is_paused = |events: &[Value]| events.iter().any(|it| it["event"] == "paused");
    wait_until("the second run, paused", || is_paused(&of_second()));
    let has_begun = of_second()
        .iter()
        .any(|it| it["event"] == "attempt_started");
    assert!(!has_begun);
    wheel
        .regatta("resume demo-solo")
        .code(0)
        .prints("demo-coop-nocomm and 1 more run: ");
    let mut first = first;
    assert!(first.0.wait().unwrap().success());
}

#[test]
fn the_terminal_says_that_it_is_paused_and_by_whom() {
    let wheel = Wheel::new();
    let command = wheel.command("--setting solo --concurrency 2 --budget 5");
    let terminal = Terminal::start(&wheel.place, &command, 80, 24);
    terminal.wait_for("two at their second step", |screen| {
        screen.matches("step 1 ").count() == 2
    });
    wheel.regatta("pause").code(0);
    wheel.regatta("set budget=7.5").code(0);
    let screen = terminal.wait_for("paused", |screen| {
        screen.contains(" · paused") && screen.contains("of $7.50")
    });
    let hand = regex::Regex::new(r"<clock> \S+@\S+ ").unwrap();
    let screen = timeless(&screen);
    let screen = hand.replace_all(&screen, "<clock> <hand> ");
    insta::assert_snapshot!("80_columns_while_it_is_paused", screen);
}

#[test]
fn a_command_that_cannot_be_asked_is_named_with_what_to_do() {
    let wheel = Wheel::new();
    wheel.release();
    ended(wheel.start("--smoke 1")).code(0);
    let lock = std::fs::OpenOptions::new()
        .write(true)
        .open(wheel.own("lock"))
        .unwrap();
    lock.lock().unwrap();
    // It has no socket, and then one at which nobody listens.
    for has_socket in [false, true] {
        if has_socket {
            drop(std::os::unix::net::UnixListener::bind(wheel.own("wheel.sock")).unwrap());
        }
        for line in ["pause demo-solo", "pause", "resume", "set budget=5"] {
            wheel
                .regatta(line)
                .code(3)
                .says("`demo-solo` is in use by process ")
                .says("which cannot be asked for anything");
        }
    }
    std::fs::write(wheel.own("lock"), "process 7 on far-away").unwrap();
    wheel
        .regatta("cancel demo-solo")
        .code(3)
        .says("`demo-solo` goes on on another host: process 7 on far-away")
        .says("type the same command on far-away");
}
