//! Files that are none, or too large, and texts that harm: each is refused or made harmless, and
//! nothing waits for it.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::http::{self, Message};
use crate::support::{Place, Ran, wait_until};

const SOLO: &str = "cb/logs/h-solo";
const PAIR: &str = "cb/logs/h-solo/solo/harbor_task/1/f1_f2";

/// A run of one pair, with every file that ours and upstream's write.
fn run_tree() -> Place {
    let place = Place::new();
    let result = json!({"run_id": "a", "run_name": "h-solo", "agent_framework": "mini_swe_agent",
        "model": "openai/m", "started_at": "2026-01-01T10:00:00.000001", "duration_seconds": 60.0,
        "agent": {"status": "Error", "cost": 0.5, "steps": 7, "error": "APIError: x"},
        "total_cost": 0.5});
    place.write(&format!("{PAIR}/result.json"), result.to_string());
    place.write(
        &format!("{PAIR}/eval.json"),
        r#"{"both_passed": true, "error": null}"#,
    );
    place.write(&format!("{PAIR}/solo.patch"), "");
    place.write(&format!("{PAIR}/solo_traj.json"), r#"{"messages": []}"#);
    place.write(&format!("{SOLO}/config.json"), r#"{"total_tasks": 1}"#);
    for name in ["events.jsonl", "ledger.jsonl", "lock"] {
        place.write(&format!("{SOLO}/regatta/{name}"), "");
    }
    place
}

/// The files of a run that commands read.
const FILES: [&str; 14] = [
    "result.json",
    "eval.json",
    "solo.patch",
    "solo_traj.json",
    "solo_stream.jsonl",
    "config.json",
    "summary.json",
    "eval_summary.json",
    "h-solo_console.log",
    "events.jsonl",
    "ledger.jsonl",
    "lock",
    "manifest.json",
    "ungradeable.json",
];

fn path_of(place: &Place, file: &str) -> std::path::PathBuf {
    place.join(&match file {
        "ungradeable.json" | "h-solo_console.log" => format!("cb/logs/{file}"),
        "config.json" | "summary.json" | "eval_summary.json" => format!("{SOLO}/{file}"),
        "events.jsonl" | "ledger.jsonl" | "lock" | "manifest.json" => {
            format!("{SOLO}/regatta/{file}")
        }
        _ => format!("{PAIR}/{file}"),
    })
}

fn make_pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

/// What may stand in the place of a file.
const KINDS: [&str; 7] = [
    "pipe",
    "pipe link",
    "socket",
    "device",
    "directory",
    "loop",
    "zeros",
];

fn put(kind: &str, path: &Path) {
    let _ = fs::remove_file(path);
    match kind {
        "pipe" => make_pipe(path),
        "pipe link" => {
            let pipe = path.with_extension("pipe");
            make_pipe(&pipe);
            symlink(pipe, path).unwrap();
        }
        "socket" => drop(UnixListener::bind(path).unwrap()),
        "device" => symlink("/dev/zero", path).unwrap(),
        "directory" => fs::create_dir(path).unwrap(),
        "loop" => symlink(path, path).unwrap(),
        _ => File::create(path).unwrap().set_len(1 << 41).unwrap(),
    }
}

/// Runs a command that must end by itself, whatever it meets, in bounded memory.
fn ends(place: &Place, args: &[&str]) -> Ran {
    // Three gigabytes of addresses: a file of two terabytes that is read whole does not fit.
    let words = ["ulimit -v 3000000 && exec \"$0\" \"$@\""];
    let program = place.regatta(&[]).get_program().to_owned();
    let mut child = Command::new("sh")
        .arg("-c")
        .args(words)
        .arg(program)
        .args(args)
        .current_dir(place.path())
        .env("XDG_CACHE_HOME", place.join("cache"))
        .env("DOCKER_HOST", "unix:///nonexistent")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(&mut child, &args.join(" "));
    Ran::of(&child.wait_with_output().unwrap())
}

fn wait_for(child: &mut Child, what: &str) {
    wait_until(what, || child.try_wait().unwrap().is_some());
}

#[test]
fn no_file_of_a_run_holds_up_a_report_whatever_stands_in_its_place() {
    // What reads a file refuses all kinds alike, as its own tests show: these are one that waits,
    // one that is large and one that opens.
    for file in FILES {
        for (kind, command) in [
            ("pipe", "report"),
            ("pipe", "triage"),
            ("pipe", "status"),
            ("zeros", "report"),
            ("directory", "report"),
        ] {
            let place = run_tree();
            put(kind, &path_of(&place, file));
            let ran = ends(&place, &[command, "--cooperbench-dir", "cb"]);
            let code = ran
                .code
                .unwrap_or_else(|| panic!("{command}: {kind} as {file}"));
            let told = format!("{command}, {kind} as {file}: {}", ran.stderr);
            assert!([0, 2, 3].contains(&code), "{told}");
            if code != 0 {
                // What, where, why, and what next.
                assert!(
                    ran.stderr.contains(file) && ran.stderr.contains("hint"),
                    "{told}"
                );
            }
            assert!(!ran.stderr.contains("panicked"), "{told}");
        }
    }
}

#[test]
fn a_result_that_is_no_file_is_reported_as_unreadable_with_the_reason() {
    for (kind, why) in [
        ("pipe", "it is a named pipe, not a file"),
        ("device", "it is a device, not a file"),
        ("directory", "it is a directory, not a file"),
        ("zeros", "is larger than 16 MB, which no such file is"),
    ] {
        let place = run_tree();
        put(kind, &path_of(&place, "result.json"));
        let ran = ends(&place, &["report", "--cooperbench-dir", "cb"]).code(0);
        assert!(ran.stdout.contains(why), "{kind}: {}", ran.stdout);
    }
}

#[test]
fn no_input_of_the_user_holds_up_a_plan_whatever_stands_in_its_place() {
    for kind in KINDS {
        let place = Place::new();
        let input = place.join("input.toml");
        put(kind, &input);
        place.write("rules.toml", "[triage]\nrules_file = \"input.toml\"\n");
        place.write("prices.toml", "[prices]\nprice_file = \"input.toml\"\n");
        let dir = ["--cooperbench-dir", "cb"];
        let native = ["--engine", "native", "--backend", "fake", "--dry-run"];
        for args in [
            vec!["report", "--config", "input.toml"],
            vec!["report", "--config", "rules.toml"],
            vec!["report", "--config", "prices.toml"],
            [&["run", "--agent-config", "input.toml"][..], &native].concat(),
        ] {
            // The run that the report is to look at must be there.
            place.write(&format!("{PAIR}/result.json"), "{}");
            let args = [args, dir.to_vec()].concat();
            let ran = ends(&place, &args);
            let told = format!("{kind}, {args:?}: {}", ran.stderr);
            assert!(matches!(ran.code, Some(2 | 3)), "{:?} {told}", ran.code);
            assert!(ran.stderr.contains("input.toml"), "{told}");
        }
        let feature = "cb/dataset/harbor_task/task1/feature1/feature.md";
        put(kind, &place.join(feature));
        let args = [&["run", "--cooperbench-dir", "cb"][..], &native].concat();
        let ran = ends(&place, &args);
        assert_eq!(ran.code, Some(2), "{kind}: {}", ran.stderr);
        assert!(ran.stderr.contains("feature1/feature.md"), "{}", ran.stderr);
    }
}

/// Configurations that would take hours, or all memory, each with a word of its error.
fn bombs() -> Vec<(&'static str, String, &'static str)> {
    let loops =
        "{% for a in range(100000) %}{% for b in range(100000) %}{{ b }}{% endfor %}{% endfor %}";
    let template = |text: &str| format!("agent:\n  instance_template: \"{text}\"\n");
    let mut laughs = "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let before = format!("*a{}, ", n - 1).repeat(10);
        laughs = format!("{laughs}b{n}: &a{n} [{before}]\n");
    }
    vec![
        ("loops", template(loops), "it does too much"),
        (
            "product",
            template("{{ 'x' * 10000000000 }}"),
            "it does too much",
        ),
        (
            "width",
            template("{{ '%2000000000d'|format(1) }}"),
            "it does too much",
        ),
        ("aliases", laughs, "is not YAML"),
        (
            "depth",
            format!("a: {}", "[".repeat(100_000)),
            "is not YAML",
        ),
        (
            "expression",
            "agent:\n  action_regex: '(a{1000}){1000}'\n".to_owned(),
            "is no regular expression",
        ),
    ]
}

fn planning() -> Vec<&'static str> {
    vec![
        "run",
        "--cooperbench-dir",
        "cb",
        "--engine",
        "native",
        "--backend",
        "fake",
        "--no-preflight",
        "--agent-config",
        "agent.yaml",
    ]
}

#[test]
fn a_configuration_that_would_never_end_is_refused_before_anything_runs() {
    for (name, yaml, why) in bombs() {
        let place = Place::new();
        place.write("agent.yaml", yaml);
        let ran = ends(&place, &planning());
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("agent.yaml") && ran.stderr.contains(why),
            "{name}: {}",
            ran.stderr
        );
        assert!(!place.join("cb/logs").exists(), "{name}");
    }
}

#[test]
fn a_signal_ends_the_program_while_it_works_on_a_hostile_input() {
    for (name, yaml, _) in bombs() {
        let place = Place::new();
        place.write("agent.yaml", yaml);
        let mut child = place
            .beside_an_empty_daemon(&planning())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let pid = Pid::from_child(&child);
        // It may have ended by then: it was refused at once.
        let _ = kill_process(pid, Signal::TERM);
        wait_for(&mut child, name);
    }
}

/// A program whose one thread never comes back: this test, started again by itself.
fn hold_up(ready: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let interrupt = regatta::runner::interrupt::Interrupt::listen().unwrap();
        interrupt.end_if_stuck(Duration::from_millis(600), || {});
        File::create(ready).unwrap();
        loop {
            std::thread::park();
        }
    });
}

#[test]
fn a_signal_ends_a_program_whose_thread_is_held_up() {
    if let Some(ready) = std::env::var_os("HOLD_UP") {
        return hold_up(Path::new(&ready));
    }
    let place = Place::new();
    let ready = place.join("ready");
    let name = "hostile::a_signal_ends_a_program_whose_thread_is_held_up";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env("HOLD_UP", &ready)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the program is ready", || ready.exists());
    wait_until("it ends", || {
        let _ = kill_process(Pid::from_child(&child), Signal::TERM);
        child.try_wait().unwrap().is_some()
    });
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_run_refuses_what_is_no_file_in_its_own_directory_before_it_asks_the_model() {
    for file in ["lock", "manifest.json", "ledger.jsonl", "events.jsonl"] {
        for kind in ["pipe", "device", "directory"] {
            let place = Place::new();
            place.write(&format!("{SOLO}/regatta/x"), "");
            put(kind, &path_of(&place, file));
            place.write("agent.yaml", "agent: {}");
            let args = [planning(), vec!["--name", "h", "--setting", "solo"]].concat();
            let nobody = ["--api-base", "http://127.0.0.1:9/v1"];
            let ran = ends(&place, &[&args[..], &nobody].concat());
            let told = format!("{kind} as {file}: {}", ran.stderr);
            assert!(matches!(ran.code, Some(2 | 3)), "{:?} {told}", ran.code);
            assert!(ran.stderr.contains(file), "{told}");
        }
    }
}

/// Controls, bidi, no width, noncharacters.
const HIDDEN: &str = "\u{1b}[2J\u{9b}2J\u{202e}\u{2066}\u{200f}\u{61c}\u{200b}\u{feff}\u{fffe}\u{ffff}\u{7f}\u{85}\u{2028}";

#[test]
fn no_format_of_a_report_shows_what_is_hidden_and_junit_is_xml() {
    let place = run_tree();
    let result = json!({"run_id": "a", "model": "openai/m",
        "agent": {"status": format!("Error{HIDDEN}"), "cost": 0.5, "steps": 7, "error": format!("a{HIDDEN}b")}});
    place.write(&format!("{PAIR}/result.json"), result.to_string());
    let result = json!({"run_id": "b", "model": "openai/m",
        "agent": {"status": "Error", "cost": 0.5, "steps": 7, "error": format!("a{HIDDEN}b")}});
    let other = "cb/logs/h-solo/solo/harbor_task/1/f1_f3/result.json";
    place.write(other, result.to_string());
    for format in ["text", "json", "markdown", "junit", "csv", "jsonl"] {
        let args = ["report", "--cooperbench-dir", "cb", "--format", format];
        let shown = place.run(&args).code(0).stdout;
        let hidden = |c: char| c != '\n' && regatta::text::is_hidden(c);
        // Lines of CSV end in both.
        let found: Vec<char> = shown
            .replace("\r\n", "\n")
            .chars()
            .filter(|c| hidden(*c))
            .collect();
        assert!(found.is_empty(), "{format}: {found:?}");
        assert!(shown.contains("f1_f3"), "{format}: {shown}");
        if format == "json" {
            let json: serde_json::Value = serde_json::from_str(&shown).unwrap();
            assert!(
                json.to_string().contains("\u{202e}"),
                "a program reads what was written"
            );
        }
    }
    for command in ["triage", "status"] {
        let ran = place.run(&[command, "--cooperbench-dir", "cb"]);
        let all = ran.stdout + &ran.stderr;
        let found = all
            .chars()
            .find(|c| *c != '\n' && regatta::text::is_hidden(*c));
        assert_eq!(found, None, "{command}: {all:?}");
    }
}

#[test]
fn absurd_numbers_of_a_strangers_tree_are_unknown_and_not_summed() {
    let place = run_tree();
    let pair = |n: u64| format!("cb/logs/h-solo/solo/harbor_task/{n}/f1_f2");
    let result = |id: &str, cost: &str| {
        format!(
            r#"{{"run_id":"{id}","model":"openai/m","duration_seconds":{cost},
            "agent":{{"status":"Submitted","cost":{cost},"steps":7}},"total_cost":{cost}}}"#
        )
    };
    place.write(
        &format!("{}/result.json", pair(1)),
        result("a", "92000000000000000"),
    );
    place.write(&format!("{}/result.json", pair(2)), result("b", "-5"));
    place.write(&format!("{}/result.json", pair(3)), result("c", "0.25"));
    let trajectory = |tokens: &str| {
        format!(
            r#"{{"messages":[{{"role":"assistant","content":"","extra":{{"response":{{"usage":
            {{"prompt_tokens":{tokens},"completion_tokens":5}}}}}}}}]}}"#
        )
    };
    for (n, tokens) in [
        (1, "18446744073709551615"),
        (2, "18446744073709551615"),
        (3, "7"),
    ] {
        place.write(&format!("{}/solo_traj.json", pair(n)), trajectory(tokens));
    }
    let args = ["report", "--cooperbench-dir", "cb", "--format", "json"];
    let json: serde_json::Value = serde_json::from_str(&place.run(&args).code(0).stdout).unwrap();
    assert_eq!(json["headline_cost"], json!({"usd": 0.25, "unknown": 2}));
    assert_eq!(json["runs"][0]["usage"]["input_tokens"], 7);
    assert_eq!(json["runs"][0]["usage_unknown"], 2);
}

#[test]
fn clean_removes_what_a_killed_process_was_writing_and_nothing_else() {
    let place = run_tree();
    // A process that is dead: its number and start are known, and nobody else can have both.
    let mut child = Command::new("sleep").arg("300").spawn().unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let started = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .nth(19)
        .unwrap()
        .to_owned();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let label = format!("{}_{started}_{}_{}", child.id(), boot.trim(), host.trim());
    let left = [
        format!("{PAIR}/.regatta-{label}-AbCdEf"),
        format!("{SOLO}/regatta/.regatta-{label}-GhIjKl"),
        format!("cb/logs/.regatta-{label}-MnOpQr"),
    ];
    for path in &left {
        place.write(path, "{");
    }
    let aside = place.write(&format!("{SOLO}/.regatta-{label}-StUvWx/removed/file"), "x");
    let others = [
        format!("{PAIR}/.regatta-AbCdEf"),
        format!(
            "{PAIR}/.regatta-{}_{started}_{}_elsewhere-AbCdEf",
            child.id(),
            boot.trim()
        ),
    ];
    for path in &others {
        place.write(path, "{");
    }
    let clean = |args: &[&str]| {
        let args = [&["clean", "--cooperbench-dir", "cb"], args].concat();
        let output = place.beside_an_empty_daemon(&args).output();
        Ran::of(&output.unwrap()).code(0)
    };
    clean(&[]);
    assert!(
        left.iter().all(|path| place.join(path).exists()),
        "its owner lives"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    clean(&["--dry-run"]).prints("would remove half-written");
    assert!(place.join(&left[0]).exists());
    let said = clean(&[]);
    for path in &left {
        assert!(!place.join(path).exists(), "{path}");
        assert!(
            said.stdout.contains(path.rsplit('/').next().unwrap()),
            "{}",
            said.stdout
        );
    }
    assert!(!aside.exists());
    assert!(others.iter().all(|path| place.join(path).exists()));
    assert!(place.join(&format!("{PAIR}/result.json")).exists());
}

#[test]
fn a_file_that_may_not_be_read_says_so() {
    let place = run_tree();
    let ledger = path_of(&place, "ledger.jsonl");
    fs::set_permissions(&ledger, fs::Permissions::from_mode(0o000)).unwrap();
    let ran = ends(&place, &["report", "--cooperbench-dir", "cb"]);
    // Root reads everything.
    if File::open(&ledger).is_err() {
        ran.code(3).says("ledger.jsonl").says("hint");
    }
}

#[test]
fn a_price_that_no_token_has_is_refused() {
    let place = run_tree();
    for price in ["nan", "inf", "-1e-6", "2.5"] {
        place.write(
            "regatta.toml",
            format!("[prices.models]\n\"m\" = {{input_cost_per_token = {price}, output_cost_per_token = 0.0}}\n"),
        );
        place
            .run(&["report", "--cooperbench-dir", "cb"])
            .code(2)
            .says("the prices of `m`")
            .says("e-06");
    }
}

#[test]
fn an_error_does_not_quote_a_line_without_end() {
    let place = run_tree();
    place.write("regatta.toml", format!("a = {}", "[".repeat(200_000)));
    let ran = place.run(&["report", "--cooperbench-dir", "cb"]).code(2);
    assert!(ran.stderr.len() < 10_000, "{} bytes", ran.stderr.len());
    ran.says("is not TOML");
}

/// Serves a chat endpoint that answers every call well, and echoes the key that it was sent, plain
/// and escaped.
fn serve_echo() -> String {
    format!("{}/v1", http::serve(answer_echo))
}

fn answer_echo(mut stream: TcpStream) {
    let asked = Message::read(&stream).unwrap();
    let key = asked.authorization.unwrap_or_default();
    let key = key.trim_start_matches("Bearer ");
    let escape = |text: String, byte: u8| text + &format!("\\u{byte:04x}");
    let escaped = key.bytes().fold(String::new(), escape);
    let body = format!(
        r#"{{"id":"{key}","choices":[{{"message":{{"role":"assistant","content":"{key} {escaped} \\{escaped}"}}}}],
        "usage":{{"prompt_tokens":5,"completion_tokens":5}}}}"#
    );
    let _ = stream.write_all(http::answer(200, "", &body).as_bytes());
}

fn files_below(dir: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn no_file_of_a_run_and_no_tape_has_the_key_that_the_endpoint_echoes() {
    let place = Place::new();
    place.write("agent.yaml", "agent: {step_limit: 2}");
    let base = serve_echo();
    let more = [
        "--model",
        "openai/m",
        "--setting",
        "solo",
        "--name",
        "h",
        "--api-base",
        &base,
    ];
    let args = [
        &planning()[..],
        &more,
        &["--record", "tapes", "--no-progress"],
    ]
    .concat();
    let output = place
        .regatta(&args)
        .env("OPENAI_API_KEY", "sk-Quince-4711")
        .env("DOCKER_HOST", "unix:///nonexistent")
        .output()
        .unwrap();
    let ran = Ran::of(&output);
    let mut files = Vec::new();
    files_below(&place.join("cb/logs"), &mut files);
    files_below(&place.join("tapes"), &mut files);
    let written = |name: &str| {
        let is_it = |path: &&std::path::PathBuf| path.to_string_lossy().contains(name);
        let file = files.iter().find(is_it);
        fs::read_to_string(file.unwrap_or_else(|| panic!("no {name}: {}", ran.stderr))).unwrap()
    };
    for name in ["_traj.json", "tapes/"] {
        assert!(written(name).contains("**** **** "), "no reply in {name}");
    }
    for path in &files {
        let text = fs::read_to_string(path).unwrap();
        for part in ["Quince", "u0051"] {
            assert!(!text.contains(part), "{part} in {}", path.display());
        }
    }
}
