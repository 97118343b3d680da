//! Runs on a real Slurm of three nodes: what comes out, what Slurm does to trials, and what a driver
//! does that dies.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::slurm::cluster::{Cluster, cancel, tool};
use crate::support::{Model, Place, Ran, own_lines, wait_until};

/// Held at its second call, with each of its agents, until the faults are empty.
const HELD: &str = "hold when=head -3; ls\n";

/// Two workers of one pair each.
const WORKERS: &str = "--executor slurm -c 1 --workers 2 --no-progress";

/// The demo's pairs behind a model of its own, and the cluster that `scripts/with-slurm` has started.
struct Site {
    place: Place,
    model: Model,
    cluster: Cluster,
    /// What a worker asks of Slurm.
    asked: String,
}

impl Site {
    /// On one node, with memory enough.
    fn new(faults: &str) -> Self {
        Self::of(1, "--mem=1000", faults)
    }

    fn of(nodes: usize, asked: &str, faults: &str) -> Self {
        let cluster = Cluster::of(nodes);
        let place = Place::new();
        let model = Model::of_demo(&place, faults);
        let only = cluster.here_only().join(" ");
        Self {
            place,
            model,
            cluster,
            asked: format!("--sbatch={asked} {only}"),
        }
    }

    fn command(&self, line: &str) -> Command {
        let base = format!("--api-base {}/v1", self.model.base);
        let line = format!("{line} --profile demo {base}");
        let mut words: Vec<&str> = line.split_whitespace().collect();
        if line.contains("--executor slurm") {
            words.push(&self.asked);
        }
        let mut command = self.place.regatta(&words);
        command.env("OPENAI_API_KEY", "sk-hush-4711-0815");
        command
    }

    /// A run of one setting in two workers.
    fn run(&self, more: &str) -> Ran {
        let line = format!("run --setting solo {WORKERS} {more}");
        Ran::of(&self.command(&line).output().unwrap())
    }

    fn start(&self, more: &str) -> Driver {
        let line = format!("run --setting solo {WORKERS} {more}");
        let file = |name: &str| std::fs::File::create(self.place.join(name)).unwrap();
        let mut command = self.command(&line);
        command
            .stdin(Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"));
        Driver {
            child: command.spawn().unwrap(),
            dir: self.place.path().to_owned(),
        }
    }

    /// Lets the model answer.
    fn release(&self) {
        self.place.write("faults", "");
    }

    fn events(&self, kind: &str) -> Vec<Value> {
        let lines = own_lines(&self.place.join("logs"), "demo-solo", "events");
        let of_kind = |event: &Value| event["event"] == kind;
        lines.into_iter().filter(of_kind).collect()
    }

    fn ledger(&self) -> Vec<Value> {
        own_lines(&self.place.join("logs"), "demo-solo", "ledger")
    }

    fn wait_for(&self, kind: &str, count: usize) {
        wait_until(&format!("{count} events {kind}"), || {
            self.events(kind).len() >= count
        });
    }

    /// Waits until so many trials are held by the model.
    fn wait_for_held(&self, count: usize) {
        wait_until("trials that are held", || {
            let met = std::fs::read_to_string(self.place.join("faults.met"));
            met.unwrap_or_default().lines().count() >= count
        });
    }

    /// The jobs of the run, as the driver has noted them.
    fn jobs(&self) -> Vec<u64> {
        let file = self
            .place
            .json("logs/demo-solo/regatta/cluster/driver.json");
        let jobs = file["jobs"].as_array().unwrap();
        jobs.iter().map(|job| job.as_u64().unwrap()).collect()
    }

    /// The last line of the ledger of each pair: its status or why it has none.
    fn causes(&self) -> BTreeMap<String, usize> {
        let mut causes = BTreeMap::new();
        for line in self.ledger() {
            let rule = line["diagnosis"]["evidence"]["rule"].as_str();
            *causes.entry(rule.unwrap_or("none").to_owned()).or_default() += 1;
        }
        causes
    }
}

/// A command that runs.
struct Driver {
    child: Child,
    dir: PathBuf,
}

impl Driver {
    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    fn wait(mut self) -> Ran {
        let code = self.child.wait().unwrap().code();
        let read = |name: &str| std::fs::read_to_string(self.dir.join(name)).unwrap_or_default();
        Ran {
            code,
            stdout: read("stdout"),
            stderr: read("stderr"),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the results of a run say, but for what is another one each time.
fn results(logs: &Path, run: &str) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![logs.join(run)];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("regatta") {
                dirs.push(path);
            } else if path.ends_with("result.json") {
                let text = std::fs::read_to_string(&path).unwrap();
                let result: Value = serde_json::from_str(&text).unwrap();
                let dir = path.parent().unwrap();
                let below = dir.strip_prefix(logs).unwrap();
                assert_eq!(Path::new(result["log_dir"].as_str().unwrap()), dir);
                let agents = [&result["agent"], &result["agents"]];
                let told = json!([
                    result["setting"],
                    result["total_steps"],
                    agents.map(statuses)
                ]);
                let patches: Vec<String> = std::fs::read_dir(dir)
                    .unwrap()
                    .flatten()
                    .filter(|entry| entry.path().extension().is_some_and(|it| it == "patch"))
                    .map(|entry| std::fs::read_to_string(entry.path()).unwrap())
                    .collect();
                found.insert(below.display().to_string(), json!([told, patches]));
            }
        }
    }
    found
}

/// The status of an agent, or of several.
fn statuses(agents: &Value) -> Value {
    match agents {
        Value::Object(fields) if fields.contains_key("status") => fields["status"].clone(),
        Value::Object(agents) => agents.values().map(statuses).collect(),
        other => other.clone(),
    }
}

#[test]
#[ignore = "end to end"]
fn slurm_three_settings_come_out_as_on_one_machine() {
    let site = Site::of(3, "--mem=3000", "");
    let line = "run --eval";
    let there = format!("{line} --executor slurm -c 1 --nodes 3 --no-progress --logs-dir logs");
    Ran::of(&site.command(&there).output().unwrap()).code(0);
    let here = format!("{line} --no-progress --logs-dir here");
    Ran::of(&site.command(&here).output().unwrap()).code(0);
    for run in ["demo-solo", "demo-coop-comm", "demo-coop-nocomm"] {
        let (there, here) = (site.place.join("logs"), site.place.join("here"));
        let there = results(&there, run);
        assert!(!there.is_empty());
        assert_eq!(there, results(&here, run), "{run}");
    }
    let nodes: std::collections::BTreeSet<String> = site
        .events("worker_started")
        .iter()
        .map(|event| event["node"].to_string())
        .collect();
    assert!(nodes.len() > 1, "{nodes:?}");
    assert_eq!(
        site.events("worker_ended").len(),
        site.events("worker_started").len()
    );
}

#[test]
#[ignore = "end to end"]
fn slurm_preempts_a_trial_which_runs_again() {
    let site = Site::new(HELD);
    let driver = site.start("--smoke 2");
    site.wait_for_held(2);
    let rivals = site.cluster.compete();
    site.wait_for("trial_lost", 2);
    site.release();
    cancel(&rivals);
    driver.wait().code(0);
    let lost = site.events("trial_lost");
    assert!(
        lost.iter().all(|event| event["rule"] == "preempted"),
        "{lost:?}"
    );
    let causes = site.causes();
    assert_eq!(causes.get("preempted"), Some(&2), "{causes:?}");
    assert_eq!(causes.get("none"), Some(&2), "{causes:?}");
}

#[test]
#[ignore = "end to end"]
fn slurm_cancels_a_worker_and_its_pair_runs_again() {
    let site = Site::new(HELD);
    let driver = site.start("--smoke 2");
    site.wait_for_held(2);
    let job = site.jobs()[0];
    tool("scancel", &[&format!("{job}_0")]);
    site.wait_for("trial_lost", 1);
    site.release();
    driver.wait().code(0);
    assert_eq!(site.events("trial_lost")[0]["rule"], "slurm_cancelled");
}

#[test]
#[ignore = "end to end"]
fn slurm_workers_outlive_a_driver_and_are_taken_over() {
    let site = Site::new(HELD);
    let driver = site.start("--smoke 3");
    site.wait_for_held(2);
    driver.signal("-KILL");
    driver.wait();
    let jobs = site.jobs();
    let again = site.start("--smoke 3");
    wait_until("the workers come in again", || {
        site.events("attempt_started").len() == 2 && site.events("trial_started").len() == 4
    });
    site.release();
    again.wait().code(0);
    // Nothing was submitted anew for what ran, and nothing ran twice.
    assert_eq!(site.jobs().first(), jobs.first());
    let pairs: Vec<String> = site
        .ledger()
        .iter()
        .map(|line| line["pair"].to_string())
        .collect();
    assert_eq!(pairs.len(), 3, "{pairs:?}");
    assert!(site.events("trial_cut_off").is_empty());
}

#[test]
#[ignore = "end to end"]
fn slurm_results_of_a_dead_drivers_workers_are_collected() {
    let site = Site::new(HELD);
    let driver = site.start("--smoke 2");
    site.wait_for_held(2);
    driver.signal("-KILL");
    driver.wait();
    site.release();
    let cluster = site.place.join("logs/demo-solo/regatta/cluster/workers");
    wait_until("both have results in their own trees", || {
        let found = Command::new("find")
            .arg(&cluster)
            .args(["-name", "result.json"])
            .output();
        String::from_utf8(found.unwrap().stdout)
            .unwrap()
            .lines()
            .count()
            == 2
    });
    site.run("--smoke 2").code(0);
    assert_eq!(site.ledger().len(), 2);
    assert_eq!(results(&site.place.join("logs"), "demo-solo").len(), 2);
}

#[test]
#[ignore = "end to end"]
fn slurm_no_key_is_in_what_slurm_keeps() {
    let site = Site::new(HELD);
    let driver = site.start("--smoke 2");
    site.wait_for_held(2);
    let slurm_dir = site.cluster.dir();
    for dir in [
        slurm_dir.join("state"),
        slurm_dir.join("spool"),
        site.place.join("logs"),
    ] {
        let found = Command::new("grep")
            .args(["-rlaF", "sk-hush-4711"])
            .arg(&dir)
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(found.stdout).unwrap(),
            "",
            "{}",
            dir.display()
        );
    }
    let shown = tool(
        "scontrol",
        &["show", "job", "-d", &site.jobs()[0].to_string()],
    );
    assert!(!shown.contains("sk-hush"), "{shown}");
    site.release();
    driver.wait().code(0);
    let asked = std::fs::read_to_string(site.place.join("faults.met")).unwrap();
    assert!(!asked.is_empty());
}

#[test]
#[ignore = "end to end"]
fn slurm_a_wrong_key_ends_the_whole_array() {
    let site = Site::new("401\n");
    let ran = site.run("--no-preflight");
    ran.code(3);
    // What has ended is still in the queue for a moment.
    let jobs = site.jobs();
    wait_until("no job is left", || {
        let queue = tool("squeue", &["-h", "-r", "-o", "%F"]);
        !queue
            .lines()
            .any(|line| jobs.iter().any(|job| line == job.to_string()))
    });
}

#[test]
#[ignore = "end to end"]
fn slurm_a_rate_limit_holds_over_all_workers() {
    let site = Site::new("429 retry-after=1 until=3\n");
    let driver = site.start("");
    driver.wait().code(0);
    assert!(!site.events("pace").is_empty());
}

#[test]
#[ignore = "end to end"]
fn slurm_first_ctrl_c_lets_trials_end_and_the_second_cancels() {
    let site = Site::new(HELD);
    let driver = site.start("--smoke 2 --grace 10m");
    site.wait_for_held(2);
    driver.signal("-INT");
    site.wait_for("stopping", 1);
    driver.signal("-INT");
    driver.wait().code(130);
    let jobs = site.jobs();
    wait_until("no job is left", || {
        let queue = tool("squeue", &["-h", "-r", "-o", "%A %F"]);
        !queue
            .lines()
            .any(|line| jobs.iter().any(|job| line.ends_with(&format!(" {job}"))))
    });
    site.release();
    site.run("--smoke 2").code(0);
}

#[test]
#[ignore = "end to end"]
fn slurm_a_driver_that_is_a_job_itself() {
    let site = Site::new("");
    site.place.write("key", "sk-hush-4711-0815");
    let private = Command::new("chmod")
        .arg("600")
        .arg(site.place.join("key"))
        .status();
    assert!(private.unwrap().success());
    let line = &format!("run --setting solo {WORKERS} --smoke 2 --detach");
    let mut command = site.command(line);
    command.env("OPENAI_API_KEY", "sk-hush-4711-0815");
    Ran::of(&command.output().unwrap())
        .code(2)
        .says("api_key_file");
    let config = "[upstream]\napi_key_file = \"key\"\n";
    let mut text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/demo.toml"))
            .unwrap();
    text = text.replace("[upstream]\n", config);
    text = text.replace(
        "builtin:demo\"\n\n[native]",
        &format!("{}/v1\"\n\n[native]", site.model.base),
    );
    site.place.write("regatta.toml", text);
    let words: Vec<&str> = line.split(' ').collect();
    let mut words = words;
    words.push(&site.asked);
    site.place.run(&words).code(0).prints("the driver is job");
    wait_until("the run is over", || !site.events("run_ended").is_empty());
    assert_eq!(site.events("run_ended")[0]["end"], "complete");
    let status = site.place.run(&["status"]);
    status.code(0);
}

#[test]
#[ignore = "end to end"]
fn slurm_bad_input_is_told() {
    let site = Site::new("");
    site.run("--partition nest")
        .code(3)
        .says("nest")
        .says("main");
    let line = "run --setting solo --executor slurm --no-progress --dry-run";
    Ran::of(&site.command(line).output().unwrap())
        .code(0)
        .prints("sbatch ")
        .prints("--export=NONE");
    let docker = "run --setting solo --executor slurm --backend docker --dry-run";
    Ran::of(&site.command(docker).output().unwrap())
        .code(2)
        .says("executor.executor is slurm");
    let mut without = site.command("run --setting solo --executor slurm --no-progress");
    without.env("PATH", "/nonexistent");
    Ran::of(&without.output().unwrap()).code(3).says("Slurm");
}

#[test]
#[ignore = "end to end"]
fn slurm_loses_a_node_and_its_pairs_run_again() {
    let site = Site::new(HELD);
    let driver = site.start("--smoke 2");
    site.wait_for_held(2);
    let node = site.cluster.nodes()[0];
    site.cluster.kill_node(node);
    site.wait_for("trial_lost", 2);
    site.cluster.start_node(node);
    site.release();
    driver.wait().code(0);
    let lost = site.events("trial_lost");
    assert!(
        lost.iter().all(|event| event["rule"] == "node_fail"),
        "{lost:?}"
    );
}

#[test]
#[ignore = "end to end"]
fn slurm_ends_a_worker_at_its_time_limit_and_its_pair_runs_again() {
    let site = Site::new(HELD);
    // Slurm tells two minutes before the end, and up to a minute early.
    let driver = site.start("--smoke 1 --time 00:03:00 --grace 1s");
    site.wait_for_held(1);
    site.wait_for("trial_lost", 1);
    site.release();
    driver.wait().code(0);
    assert_eq!(site.events("trial_lost")[0]["rule"], "slurm_timeout");
}

#[test]
#[ignore = "end to end"]
fn slurm_ends_a_worker_for_its_memory() {
    let site = Site::of(1, "--mem=40", HELD);
    let driver = site.start("--smoke 1");
    site.wait_for("trial_lost", 1);
    assert_eq!(site.events("trial_lost")[0]["rule"], "slurm_oom");
    driver.signal("-INT");
    driver.signal("-INT");
    driver.wait().code(130);
}

#[test]
#[ignore = "end to end"]
fn slurms_controller_goes_and_comes_while_trials_go_on() {
    let site = Site::of(3, "--mem=1000", HELD);
    let driver = site.start("--smoke 2");
    site.wait_for_held(2);
    site.cluster.stop_controller();
    site.cluster.start_controller();
    site.release();
    driver.wait().code(0);
    assert!(site.events("trial_lost").is_empty());
}

#[test]
#[ignore = "end to end"]
fn slurm_jobs_of_a_dead_driver_are_cleaned_up() {
    let site = Site::new(HELD);
    let driver = site.start("--smoke 1");
    site.wait_for_held(1);
    let clean = || site.place.run(&["clean", "--profile", "demo"]);
    let told = format!("cancelled job {} of demo-solo", site.jobs()[0]);
    assert!(!clean().stdout.contains(&told), "its driver lives");
    driver.signal("-KILL");
    driver.wait();
    // Where no Docker answers it is half a look, and says so by its code.
    clean().prints(&told);
    site.release();
    site.run("--smoke 1").code(0);
}

#[test]
#[ignore = "end to end"]
fn slurm_gets_no_longer_array_than_it_takes() {
    let site = Site::new("");
    // 51 tasks are the most here.
    let line = "run --setting solo --executor slurm -c 1 --workers 400 --smoke 1 --no-progress";
    Ran::of(&site.command(line).output().unwrap()).code(0);
    let line = "doctor --executor slurm --workers 400 --no-model-call";
    Ran::of(&site.command(line).output().unwrap())
        .code(0)
        .prints("at most 51 workers");
}

#[test]
#[ignore = "end to end"]
fn slurm_workers_share_one_budget() {
    let site = Site::new("");
    site.run("--budget 0.03").code(4).says("budget");
    let ledger = site.ledger();
    let spent: f64 = ledger.iter().filter_map(|line| line["cost"].as_f64()).sum();
    // A pair costs about a cent; two run at a time.
    assert!(
        (0.03..0.06).contains(&spent),
        "{spent} in {} trials",
        ledger.len()
    );
}
