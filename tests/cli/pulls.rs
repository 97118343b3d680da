//! Images that a daemon does not have and cannot get, by a stand-in for the daemon that counts.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::listener::{Listener, reply};
use crate::support::{Place, Ran, interrupt, wait_until};

const UNKNOWN: &str = "manifest for akhatua/cooperbench-harbor:task1 not found: manifest unknown: a long word of the registry that must be read to its end";

/// A daemon that has no image; keeps what it was asked to pull. If it is told so, a pull never ends.
struct Daemon {
    host: String,
    pulls: Arc<Mutex<Vec<String>>>,
}

impl Daemon {
    fn new(place: &Place) -> Self {
        Self::that(place, false)
    }

    fn that(place: &Place, holds_pulls: bool) -> Self {
        let socket = place.join("docker.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let pulls = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&pulls);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || answer(stream, &kept, holds_pulls));
            }
        });
        let host = format!("unix://{}", socket.display());
        Self { host, pulls }
    }

    fn command(&self, place: &Place, args: &[&str]) -> Command {
        let mut command = place.regatta(args);
        command.env("DOCKER_HOST", &self.host);
        command.env("OPENAI_API_KEY", "sk-own");
        command
    }

    fn run(&self, place: &Place, args: &[&str]) -> Ran {
        Ran::of(&self.command(place, args).output().unwrap())
    }

    fn pulls(&self) -> Vec<String> {
        let mut pulls = self.pulls.lock().unwrap().clone();
        pulls.sort();
        pulls
    }
}

fn answer(mut stream: UnixStream, pulls: &Mutex<Vec<String>>, holds_pulls: bool) {
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let (mut request, mut length) = (String::new(), 0);
    if lines.read_line(&mut request).is_err() {
        return;
    }
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).is_err() || line.trim().is_empty() {
            break;
        }
        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = text.trim().parse().unwrap();
        }
    }
    let _ = lines.take(length).read_to_end(&mut Vec::new());
    let (status, body) = if request.contains("/version") || request.contains("/volumes") {
        (200, json!({}))
    } else if request.contains("/images/create") {
        pulls.lock().unwrap().push(request);
        if holds_pulls {
            // Until the other side hangs up.
            let _ = stream.read(&mut [0]);
            return;
        }
        (404, json!({"message": UNKNOWN}))
    } else if request.contains("/images/")
        && request.contains("/json")
        && !request.contains("/images/json")
    {
        (404, json!({"message": "no such image"}))
    } else {
        (200, json!([]))
    };
    let body = body.to_string();
    let _ = write!(
        stream,
        "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
}

const NATIVE: [&str; 7] = [
    "--cooperbench-dir",
    "cb",
    "--engine",
    "native",
    "-m",
    "openai/m",
    "--api-base",
];

#[test]
fn an_image_that_the_registry_does_not_have_is_asked_for_once_by_all_pairs_and_settings() {
    let place = Place::new();
    place.write("regatta.toml", "[attempts]\nbackoff = '1ms'\n");
    let daemon = Daemon::new(&place);
    let model = Listener::answering(|_| Some(reply("ls")));
    let base = format!("{}/v1", model.base);
    let args = [&["run", "--no-progress"], &NATIVE[..], &[&base]].concat();
    let ran = daemon.run(&place, &args);
    // Six pairs of three images, in three settings.
    assert_eq!(daemon.pulls().len(), 3, "{ran:#?}");
    assert_eq!(place.events("m-solo", "attempt_started").len(), 1);
    let why = "the registry does not give the images of the 6 pairs that are left";
    assert_eq!(ran.stderr.matches(why).count(), 3, "{}", ran.stderr);
    assert_eq!(place.events("m-solo", "back_off"), Vec::<Value>::new());
    assert!(model.asked().is_empty(), "a model was paid");
    let result = place.json("cb/logs/m-solo/solo/harbor_task/1/f1_f2/result.json");
    let error = result["agent"]["error"].as_str().unwrap();
    assert!(error.contains(UNKNOWN), "{error}");
    let explained = daemon.run(
        &place,
        &[
            "triage",
            "--explain",
            "--dry-run",
            "--cooperbench-dir",
            "cb",
            "m-solo",
        ],
    );
    explained.code(0).prints(UNKNOWN);
}

#[test]
fn a_trial_that_is_stopped_while_its_image_is_pulled_costs_nothing() {
    let place = Place::new();
    let daemon = Daemon::that(&place, true);
    let model = Listener::new();
    let base = format!("{}/v1", model.base);
    let short = [
        "run",
        "--no-progress",
        "--setting",
        "coop-comm",
        "--grace",
        "0s",
    ];
    let args = [&short, &NATIVE[..], &[&base, "--smoke", "1"]].concat();
    let mut started = daemon
        .command(&place, &args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the pull", || !daemon.pulls().is_empty());
    interrupt(&started);
    started.wait().unwrap();
    let line = place.lines("m-coop-comm", "ledger").remove(0);
    assert_eq!(
        (&line["status"], &line["cost"]),
        (&json!("CutOff"), &json!(0.0))
    );
    assert!(line.get("usage_unknown").is_none(), "{line}");
}

#[test]
fn doctor_names_every_missing_image_with_the_command_that_gets_it() {
    let place = Place::new();
    let pairs: Vec<Value> = (1..=6)
        .map(|task| json!({"repo": "buoy_task", "task_id": task, "pairs": [[1, 2]]}))
        .collect();
    for task in 1..=6 {
        for feature in 1..=2 {
            let file = format!("cb/dataset/buoy_task/task{task}/feature{feature}/feature.md");
            place.write(&file, "A feature.\n");
        }
    }
    let subset = json!({"tasks": pairs}).to_string();
    place.write("cb/dataset/subsets/lite.json", subset);
    let daemon = Daemon::new(&place);
    let doctor = |more: &[&str]| {
        let base = ["http://127.0.0.1:1/v1", "--no-model-call"];
        let args = [&["doctor"], &NATIVE[..], &base, more].concat();
        daemon.run(&place, &args)
    };
    let pull = "pull akhatua/cooperbench-buoy:task";
    let short = doctor(&[]);
    assert_eq!(short.stdout.matches(pull).count(), 4, "{}", short.stdout);
    let short = short.prints("6 of 6 are missing");
    let all = "and 2 more: `regatta doctor -v";
    assert!(short.stdout.contains(all), "{}", short.stdout);
    let long = doctor(&["-v"]).stdout;
    assert_eq!(long.matches(pull).count(), 6, "{long}");
    let told: Value = serde_json::from_str(&doctor(&["--format", "json"]).stdout).unwrap();
    let checks = told.as_array().unwrap();
    let images = checks
        .iter()
        .find(|check| check["name"] == "images")
        .unwrap();
    assert_eq!(images["commands"].as_array().unwrap().len(), 6);
}
