//! What both test programs share: a place to work in, the binary, and waiting for a condition.
#![allow(dead_code, reason = "each test program uses its part")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test that cannot read its file may panic"
)]

pub mod http;
pub mod live;
pub mod quay;
pub mod strict;
pub mod terminal;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub const REGATTA: &str = env!("CARGO_BIN_EXE_regatta");

/// The fixtures of this repository.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cooperbench")
}

/// A temporary directory with a checkout in it: the fixture dataset under `cb/`.
pub struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("rg").tempdir().unwrap();
        copy_tree(&fixtures().join("dataset"), &dir.path().join("cb/dataset"));
        Self { dir }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn join(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Writes a program. A child process does: while a file is open for writing here, another
    /// thread's child may hold it open too, and then it cannot be run.
    pub fn write_program(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut shell = Command::new("sh")
            .args(["-c", "cat > \"$0\" && chmod 755 \"$0\""])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = shell.stdin.take().unwrap();
        stdin.write_all(text.as_ref()).unwrap();
        drop(stdin);
        assert!(shell.wait().unwrap().success());
        path
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.join(path)).unwrap()
    }

    pub fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.read(path)).unwrap()
    }

    /// The lines of a run's `regatta/<file>.jsonl`; a torn last line is left out.
    pub fn lines(&self, run: &str, file: &str) -> Vec<Value> {
        own_lines(&self.join("cb/logs"), run, file)
    }

    /// The events of this kind.
    pub fn events(&self, run: &str, kind: &str) -> Vec<Value> {
        self.lines(run, "events")
            .into_iter()
            .filter(|event| event["event"] == kind)
            .collect()
    }

    /// `regatta` with these arguments in this place, with nothing of the caller's environment that
    /// would change what it does.
    pub fn regatta(&self, args: &[&str]) -> Command {
        let mut command = Command::new(REGATTA);
        command.args(args).current_dir(self.path());
        // What was judged before must not be known.
        command.env("XDG_CACHE_HOME", self.join("cache"));
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            if name_text.starts_with("REGATTA_")
                || name_text.ends_with("_API_KEY")
                || name_text.starts_with("MSWEA_")
                || name_text.ends_with("_API_BASE")
                || name_text.ends_with("_BASE_URL")
                || name_text.to_ascii_lowercase().ends_with("_proxy")
            {
                command.env_remove(&name);
            }
        }
        // Whoever asks a provider of the world is told that it is not there.
        command.env("HTTPS_PROXY", "http://127.0.0.1:1");
        command
    }

    /// A stand-in for a Docker daemon that has nothing, so that what is ours can be tested
    /// without one: the value of `DOCKER_HOST`.
    pub fn empty_daemon(&self) -> String {
        let socket = self.join("daemon");
        if !socket.exists() {
            let listener = UnixListener::bind(&socket).unwrap();
            std::thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    answer_nothing(stream);
                }
            });
        }
        format!("unix://{}", socket.display())
    }

    /// The program with these arguments, where a daemon answers that has nothing.
    pub fn beside_an_empty_daemon(&self, args: &[&str]) -> Command {
        let mut command = self.regatta(args);
        command.env("DOCKER_HOST", self.empty_daemon());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&self.regatta(args).output().unwrap())
    }
}

/// The lines of `regatta/<file>.jsonl` of a run in a log tree; a torn last line is left out.
pub fn own_lines(logs: &Path, run: &str, file: &str) -> Vec<Value> {
    let path = logs.join(run).join(format!("regatta/{file}.jsonl"));
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines();
    lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Runs in the order in which they were begun, as often as they were.
pub fn begun_in_order(logs: &Path, runs: &[String]) -> Vec<String> {
    let mut begun = Vec::new();
    for run in runs {
        for event in own_lines(logs, run, "events") {
            if event["event"] == "run_started" {
                begun.push((event["at"].as_str().unwrap().to_owned(), run.clone()));
            }
        }
    }
    begun.sort();
    begun.into_iter().map(|(_, run)| run).collect()
}

/// A command that ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "\n-- stdout\n{}\n-- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text),
            "no {text:?} in\n{}",
            self.stderr
        );
        self
    }

    #[track_caller]
    pub fn prints(self, text: &str) -> Self {
        assert!(
            self.stdout.contains(text),
            "no {text:?} in\n{}",
            self.stdout
        );
        self
    }
}

/// A child that ends with the test.
pub struct Ended(pub std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A scripted model behind an endpoint of its own; it ends with the test.
pub struct Model {
    child: std::process::Child,
    /// Its base URL, without a path.
    pub base: String,
}

impl Model {
    /// Serves the demo's dataset, in which nothing goes wrong at its own time: only what these lines of
    /// the place's file `faults` say.
    pub fn of_demo(place: &Place, faults: &str) -> Self {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/dataset");
        let dataset = place.join("served");
        copy_tree(&demo, &dataset);
        fs::remove_file(dataset.join("script.toml")).unwrap();
        Self::serve(&dataset, &place.write("faults", faults))
    }

    /// Serves a dataset's gold patches; `faults` says how requests fail (CONTRIBUTING.md).
    pub fn serve(dataset: &Path, faults: &Path) -> Self {
        let mut child = Command::new(REGATTA)
            .args(["__model", "--dataset"])
            .arg(dataset)
            .arg("--fault-file")
            .arg(faults)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut base = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut base)
            .unwrap();
        let base = base.trim().to_owned();
        Self { child, base }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `condition` holds; the limit only keeps a broken test from hanging for ever.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(
            begun.elapsed() < Duration::from_mins(5),
            "never came: {what}"
        );
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// Sends Ctrl-C's signal.
pub fn interrupt(started: &std::process::Child) {
    let id = started.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(sent.success());
}

fn answer_nothing(mut stream: UnixStream) {
    let mut request = String::new();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    while lines.read_line(&mut request).is_ok_and(|length| length > 2) {}
    let body = if request.contains("/version") || request.contains("/volumes") {
        "{}"
    } else {
        "[]"
    };
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
    let _ = write!(stream, "{head}\r\nContent-Length: 2\r\n\r\n{body}");
}

pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
