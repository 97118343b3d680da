//! The Slurm of `scripts/with-slurm`. Tests that run beside each other have nodes of their own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::support::wait_until;

const NODES: [&str; 3] = ["n1", "n2", "n3"];

/// Who has which node, first come, first served.
struct Desk {
    is_taken: [bool; 3],
    next: u64,
    called: u64,
}

static DESK: Mutex<Desk> = Mutex::new(Desk {
    is_taken: [false; 3],
    next: 0,
    called: 0,
});
static CHANGED: Condvar = Condvar::new();

fn desk() -> MutexGuard<'static, Desk> {
    DESK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Some nodes of the cluster, which no other test has. At the end what runs on them is cancelled, and
/// what was killed is started again.
pub struct Cluster {
    dir: PathBuf,
    nodes: Vec<usize>,
    jobs: Mutex<Vec<u64>>,
}

impl Cluster {
    /// Waits until so many nodes are free: one, or all three for a test that disturbs slurmctld.
    pub fn of(count: usize) -> Self {
        let dir = std::env::var_os("REGATTA_SLURM_DIR")
            .expect("there is no Slurm: `just slurm`, or scripts/with-slurm COMMAND");
        assert!((1..=NODES.len()).contains(&count));
        let mut desk = desk();
        let turn = desk.next;
        desk.next += 1;
        loop {
            let free: Vec<usize> = (0..NODES.len()).filter(|n| !desk.is_taken[*n]).collect();
            if desk.called == turn && free.len() >= count {
                let nodes = free[..count].to_vec();
                for node in &nodes {
                    desk.is_taken[*node] = true;
                }
                desk.called += 1;
                CHANGED.notify_all();
                return Self {
                    dir: dir.into(),
                    nodes,
                    jobs: Mutex::default(),
                };
            }
            desk = CHANGED.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The names of the nodes.
    pub fn nodes(&self) -> Vec<&'static str> {
        self.nodes.iter().map(|node| NODES[*node]).collect()
    }

    /// The arguments of `sbatch` that keep a job off other tests' nodes.
    pub fn here_only(&self) -> Vec<String> {
        let others = (0..NODES.len()).filter(|node| !self.nodes.contains(node));
        let others: Vec<&str> = others.map(|node| NODES[node]).collect();
        if others.is_empty() {
            return Vec::new();
        }
        vec![format!("--exclude={}", others.join(","))]
    }

    /// The directory of the cluster: programs' logs, `state` and `spool` as Slurm keeps them.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Cancels this job at the end.
    pub fn own(&self, job: u64) -> u64 {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.push(job);
        job
    }

    /// Jobs of the partition `high` that take each of the nodes whole, from whoever has them.
    pub fn compete(&self) -> Vec<u64> {
        let submit = |node: &str| {
            let id = tool(
                "sbatch",
                &[
                    "--parsable",
                    "--partition=high",
                    "--export=NONE",
                    "--output=/dev/null",
                    "--job-name=rival",
                    "--cpus-per-task=4",
                    &format!("--nodelist={node}"),
                    "--wrap=exec sleep 600",
                ],
            );
            self.own(id.trim().parse().unwrap())
        };
        let rivals: Vec<u64> = self.nodes().into_iter().map(submit).collect();
        for rival in &rivals {
            wait_until("the rival runs", || {
                pause();
                tool(
                    "squeue",
                    &["--noheader", "--format=%T", &format!("--jobs={rival}")],
                )
                .trim()
                    == "RUNNING"
            });
        }
        rivals
    }

    /// Kills a node as a broken power supply does: slurmd, the steps, and all that they run.
    pub fn kill_node(&self, node: &str) {
        assert!(self.nodes().contains(&node), "{node} is another test's");
        signal("-KILL", &[self.pid(&format!("slurmd-{node}"))]);
        let conf = format!("SLURM_CONF={}/slurm.conf", self.dir.display());
        let mark = format!("SLURMD_NODENAME={node}");
        wait_until("the node is silent", || {
            let jobs = processes_with(&conf, &mark);
            // The steps first: one that sees its job die tells slurmctld of it.
            let parents = jobs.iter().filter_map(|pid| regatta::process::stat(*pid));
            let mut steps: Vec<u32> = parents.map(|it| it.parent).collect();
            steps.retain(|pid| is_step(*pid));
            signal("-KILL", &steps);
            signal("-KILL", &jobs);
            jobs.is_empty()
        });
    }

    /// Starts a node again that was killed, and waits until it takes jobs.
    pub fn start_node(&self, node: &str) {
        self.start(&format!("slurmd-{node}"));
        wait_until("the node is back", || {
            pause();
            !state_of(node).contains(['*', '~']) && !state_of(node).starts_with("down")
        });
    }

    /// Stops slurmctld as an administrator does. All nodes must be this test's. One that is killed
    /// forgets what happened in its last seconds, and ends the jobs that it started in them.
    pub fn stop_controller(&self) {
        assert_eq!(self.nodes.len(), NODES.len(), "other tests need slurmctld");
        signal("-TERM", &[self.pid("slurmctld")]);
        wait_until("slurmctld is gone", || !self.is_alive("slurmctld"));
    }

    /// Starts slurmctld again, and waits until it answers.
    pub fn start_controller(&self) {
        self.start("slurmctld");
        wait_until("slurmctld answers", || {
            pause();
            let mut ping = Command::new("squeue");
            ping.output().unwrap().status.success()
        });
    }

    fn start(&self, program: &str) {
        let mut start = Command::new(self.dir.join("start"));
        assert!(start.arg(program).status().unwrap().success());
    }

    fn pid(&self, program: &str) -> u32 {
        let file = self.dir.join(format!("{program}.pid"));
        std::fs::read_to_string(file)
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    }

    fn is_alive(&self, program: &str) -> bool {
        regatta::process::stat(self.pid(program)).is_some()
    }
}

impl Drop for Cluster {
    /// No assertion in here: a test that fails must not end all of them.
    fn drop(&mut self) {
        if !self.is_alive("slurmctld") {
            self.start_quietly("slurmctld");
        }
        let nodes = self.nodes();
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = Command::new("scancel")
            .args(jobs.iter().map(u64::to_string))
            .output();
        for node in &nodes {
            let _ = Command::new("scancel")
                .arg(format!("--nodelist={node}"))
                .output();
            if !self.is_alive(&format!("slurmd-{node}")) {
                self.start_quietly(&format!("slurmd-{node}"));
            }
        }
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_mins(1)
            && !nodes.iter().all(|node| state_of(node) == "idle")
        {
            pause();
        }
        let mut desk = desk();
        for node in &self.nodes {
            desk.is_taken[*node] = false;
        }
        CHANGED.notify_all();
    }
}

impl Cluster {
    fn start_quietly(&self, program: &str) {
        let _ = Command::new(self.dir.join("start")).arg(program).output();
    }
}

/// Between two questions to slurmctld, so that tests leave it time for its work.
pub fn pause() {
    std::thread::sleep(Duration::from_millis(250));
}

/// Cancels jobs, whoever handed them in.
pub fn cancel(jobs: &[u64]) {
    let jobs: Vec<String> = jobs.iter().map(u64::to_string).collect();
    let jobs: Vec<&str> = jobs.iter().map(String::as_str).collect();
    tool("scancel", &jobs);
}

/// What a command of Slurm's prints.
pub fn tool(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// `idle`, `mixed`, `down*`; empty where slurmctld does not answer.
fn state_of(node: &str) -> String {
    let args = [
        "--noheader",
        "--partition=main",
        "--format=%T",
        "--nodes",
        node,
    ];
    let output = Command::new("sinfo").args(args).output();
    output.map_or_else(
        |_| String::new(),
        |it| String::from_utf8_lossy(&it.stdout).trim().to_owned(),
    )
}

fn processes_with(conf: &str, mark: &str) -> Vec<u32> {
    let is_marked = |pid: &u32| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let has = |mark: &str| {
            let mut words = environ.split(|byte| *byte == 0);
            words.any(|it| it == mark.as_bytes())
        };
        has(conf) && has(mark)
    };
    let mut pids = regatta::process::pids();
    pids.retain(|pid| is_marked(pid) && regatta::process::stat(*pid).is_some());
    pids
}

fn is_step(pid: u32) -> bool {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
    name.is_ok_and(|name| name.starts_with("slurmstepd"))
}

fn signal(name: &str, pids: &[u32]) {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    if !pids.is_empty() {
        // One that is gone already is no matter.
        let _ = Command::new("kill").arg(name).args(pids).output();
    }
}
