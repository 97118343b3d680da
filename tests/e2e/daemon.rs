//! The daemon goes away in mid-run. The daemon is a private one in a network namespace of its own,
//! so that no other test notices.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::evaluation::{HELD, containers, end_of, held};
use crate::lab::{Lab, Version};
use crate::support::wait_until;

struct Daemon {
    dir: tempfile::TempDir,
    process: Child,
}

impl Daemon {
    fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("rgd").tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let log = std::fs::File::create(path("log")).unwrap();
        let process = Command::new("unshare")
            .args([
                "--net",
                "--",
                "dockerd",
                "--iptables=false",
                "--bridge=none",
            ])
            .arg("--data-root")
            .arg(path("data"))
            .arg("--exec-root")
            .arg(path("exec"))
            .arg("--pidfile")
            .arg(path("pid"))
            .arg("-H")
            .arg(format!("unix://{}", path("sock").display()))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let daemon = Self { dir, process };
        wait_until("the private daemon", || {
            daemon.docker(&["info"]).output().unwrap().status.success()
        });
        daemon
    }

    fn host(&self) -> String {
        format!("unix://{}", self.dir.path().join("sock").display())
    }

    fn docker(&self, args: &[&str]) -> Command {
        let mut docker = Command::new("docker");
        docker.args(args).env("DOCKER_HOST", self.host());
        docker
    }

    fn load(&self, images: &[&str]) {
        let archive: PathBuf = self.dir.path().join("images.tar");
        let saved = Command::new("docker")
            .arg("save")
            .args(images)
            .arg("-o")
            .arg(&archive)
            .status();
        assert!(saved.unwrap().success());
        let loaded = self
            .docker(&["load", "-q", "-i", archive.to_str().unwrap()])
            .output()
            .unwrap();
        assert!(loaded.status.success(), "{loaded:?}");
        std::fs::remove_file(archive).unwrap();
    }

    fn kill(&mut self) {
        if self.process.try_wait().unwrap().is_some() {
            return;
        }
        // `unshare` execs dockerd: its process is ours. SIGTERM ends its containers with it.
        let _ = Command::new("kill")
            .args(["-TERM", &self.process.id().to_string()])
            .status();
        let _ = self.process.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

fn daemon_stopped(version: Version) {
    let mut daemon = Daemon::start();
    daemon.load(&[
        "akhatua/cooperbench-lighthouse:task7",
        "akhatua/cooperbench-harbor:task2",
    ]);
    let mut lab = Lab::new(version);
    lab.env.push(("DOCKER_HOST".to_owned(), daemon.host()));
    lab.hold();
    let run = lab.start(&["run", "--setting", "solo", "--smoke", "2", "--no-progress"]);
    lab.wait_for_requests("lighthouse", 1);
    lab.wait_for_requests("harbor", 1);
    daemon.kill();
    lab.fault("");
    let ran = run.wait().code(3);
    assert!(ran.stderr.contains("daemon"), "{}", ran.stderr);
    assert!(
        !ran.stderr.contains("attempt 2"),
        "an attempt was burnt: {}",
        ran.stderr
    );
    for trial in lab.place.lines("t-solo", "ledger") {
        assert_eq!(trial["diagnosis"]["cause"], "infra", "{trial:#}");
    }

    lab.env.clear();
    lab.run(&["run", "--setting", "solo", "--smoke", "2"])
        .code(0);
}

#[test]
#[ignore = "needs root, dockerd and cooperbench 0.0.11: just e2e"]
fn a_stopped_daemon_stops_the_run_on_v11() {
    daemon_stopped(Version::V11);
}

#[test]
#[ignore = "needs root, dockerd and cooperbench 0.0.29: just e2e"]
fn a_stopped_daemon_stops_the_run_on_v29() {
    daemon_stopped(Version::V29);
}

#[test]
#[ignore = "needs root and dockerd: just e2e"]
fn a_stopped_daemon_stops_the_run_on_native() {
    daemon_stopped(Version::Native);
}

/// It goes while suites run: that is no verdict, nothing more is begun, and the same command goes on.
#[test]
#[ignore = "needs root and dockerd: just e2e"]
fn a_stopped_daemon_stops_an_evaluation() {
    let mut daemon = Daemon::start();
    daemon.load(&["akhatua/cooperbench-harbor:task1"]);
    let mut lab = Lab::new(Version::Native);
    lab.env.push(("DOCKER_HOST".to_owned(), daemon.host()));
    held(&lab);
    let args = ["eval", "held-solo"];
    let started = lab.start(&args);
    wait_until("two suites", || containers(&lab, "-q").len() >= 2);
    daemon.kill();
    started
        .wait()
        .code(3)
        .says("the Docker daemon is gone")
        .says("what was judged is kept");
    let eval = format!("cb/logs/held-solo/solo/{HELD}/eval.json");
    assert_eq!(
        lab.place.json(&eval)["regatta"]["broken_by"],
        serde_json::json!({"cause": "infra", "rule": "daemon_unreachable"})
    );
    lab.run(&["report", "held-solo"]).prints("1 eval_error");

    lab.env.clear();
    end_of(&lab, lab.start(&args)).code(0);
    assert_eq!(lab.place.json(&eval)["both_passed"], true);
}
