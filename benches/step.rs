//! What a step costs over the bare `bash -lc` that it runs: the same command many times through the
//! channel, against the same many shells started by a loop inside the same sandbox.
//!
//! Also how long a warm start takes to its first command, beside an `unshare` that mounts the same
//! image and enters it, and what sandboxes at rest hold of memory.
//!
//! `cargo bench --bench step -- docker` measures on Docker as well, and `-- oci STORE` on a store of
//! images that has the fixture's (`regatta images pull --from docker`).
#![allow(clippy::print_stdout, reason = "its output is its result")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use regatta::images::Store;
use regatta::sandbox::HostPlace;
use regatta::sandbox::docker::{Docker, DockerEndpoint, DockerPlace};
use regatta::sandbox::group::Groups;
use regatta::sandbox::oci::OciPlace;
use regatta::sandbox::tools::Tools;
use regatta::sandbox::{Backend, Command, Repository, Sandbox, SandboxLimits, Spec};

/// How often each is measured, by turns, as others use the machine too.
const TURNS: usize = 30;
/// Steps of one turn.
const STEPS: u32 = 30;
const IMAGE: &str = "akhatua/cooperbench-harbor:task1";
const TIMEOUT: Duration = Duration::from_mins(5);

fn main() {
    regatta::process::set_program(PathBuf::from(env!("CARGO_BIN_EXE_regatta")));
    let prefix = regatta::host::reaper::dir_prefix();
    let tools = Arc::new(Tools::prepare(&std::env::temp_dir(), &prefix).expect("the tools"));
    let host = || {
        Arc::new(HostPlace {
            rootfs: PathBuf::from("/"),
            tools: Arc::clone(&tools),
            groups: Groups::ours().ok(),
        })
    };
    let mut backends = vec![Backend::Namespace(host())];
    if std::env::args().any(|arg| arg == "docker") {
        let endpoint = DockerEndpoint::from_environment().expect("an endpoint");
        let docker = Docker::at(endpoint.clone()).expect("a client");
        let place = DockerPlace::new(docker, endpoint, Arc::clone(&tools));
        backends.push(Backend::Docker(Arc::new(place)));
    }
    if let Some(store) = std::env::args().skip_while(|arg| arg != "oci").nth(1) {
        let store = Store::open(Path::new(&store)).expect("a store");
        let place = OciPlace::of_store(store, Arc::clone(&tools), Groups::ours().ok());
        backends.push(Backend::Oci(Arc::new(place)));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    for backend in backends {
        runtime.block_on(async {
            measure(&backend).await;
            starts(&backend).await;
            if !matches!(backend, Backend::Docker(_)) {
                idle(&backend).await;
            }
        });
    }
}

/// How long a start takes to the answer of its first command, when others were before.
async fn starts(backend: &Backend) {
    let spec = spec(backend);
    let unshare = Unshare::of(backend);
    let (mut times, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let begun = Instant::now();
        let mut sandbox = Sandbox::start(&spec, backend).await.expect("a sandbox");
        let command = Command {
            script: "true",
            timeout: TIMEOUT,
        };
        sandbox.run(command, None).await.expect("a command");
        let elapsed = begun.elapsed();
        sandbox.close().await;
        times.push(elapsed);
        bare.extend(unshare.as_ref().map(Unshare::measured));
    }
    times.sort_unstable();
    bare.sort_unstable();
    let (least, median) = (times[0], times[TURNS / 2]);
    println!(
        "{:<10} warm start to the first command: least {least:.1?}, median {median:.1?}",
        backend.name(),
    );
    if !bare.is_empty() {
        println!(
            "{:<10} `unshare` to the same: least {:.1?}, median {:.1?}, the start takes {:.2} times that",
            backend.name(),
            bare[0],
            bare[TURNS / 2],
            median.as_secs_f64() / bare[TURNS / 2].as_secs_f64()
        );
    }
}

/// `unshare -Urmpf` that mounts an image as a sandbox does, and enters it for one command.
struct Unshare {
    script: String,
    /// Who starts a sandbox as root is nobody in it.
    user: Option<u32>,
    _dirs: [tempfile::TempDir; 2],
}

impl Unshare {
    fn of(backend: &Backend) -> Option<Self> {
        let Backend::Oci(place) = backend else {
            return None;
        };
        let held = place.hold(IMAGE).expect("the image");
        let user = rustix::process::getuid().is_root().then_some(65534);
        let dirs = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
        let mut trees = held.trees().to_vec();
        if user.is_some() {
            for (number, tree) in trees.iter_mut().enumerate() {
                let copy = dirs[0].path().join(number.to_string());
                let copied = std::process::Command::new("cp")
                    .arg("-a")
                    .args([&*tree, &copy])
                    .status();
                assert!(copied.expect("cp").success());
                *tree = copy;
            }
            for dir in &dirs {
                std::os::unix::fs::chown(dir.path(), user, user).expect("its owner");
            }
        }
        let trees: Vec<String> = trees
            .iter()
            .map(|tree| tree.display().to_string())
            .collect();
        let script = format!(
            "cd '{dir}' && mount -t tmpfs tmpfs . && cd '{dir}' && mkdir upper work root && mount -t overlay overlay \
                -o 'userxattr,lowerdir={trees},upperdir=upper,workdir=work' root && exec chroot root bash -lc true",
            dir = dirs[1].path().display(),
            trees = trees.join(":"),
        );
        Some(Self {
            script,
            user,
            _dirs: dirs,
        })
    }

    fn measured(&self) -> Duration {
        use std::os::unix::process::CommandExt as _;
        let mut command = std::process::Command::new("unshare");
        command.args(["-Urmpf", "sh", "-c", &self.script]);
        // What the command says is of a `/dev` that is not there.
        command.stderr(std::process::Stdio::null());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        let begun = Instant::now();
        assert!(
            command.status().expect("unshare").success(),
            "{}",
            self.script
        );
        begun.elapsed()
    }
}

/// What a hundred sandboxes at rest hold, each process's share of what it shares with others.
async fn idle(backend: &Backend) {
    const COUNT: usize = 100;
    let own = std::process::id();
    let before = held(&[own]);
    let others = children(own);
    let mut sandboxes = Vec::new();
    for _ in 0..COUNT {
        let started = Sandbox::start(&spec(backend), backend).await;
        sandboxes.push(started.expect("a sandbox"));
    }
    let processes: Vec<u32> = children(own)
        .into_iter()
        .filter(|pid| !others.contains(pid))
        .collect();
    println!(
        "{:<10} {COUNT} at rest: {} KB each in {} processes; ours {} KB, {before} KB before",
        backend.name(),
        held(&processes) / COUNT,
        processes.len() / COUNT,
        held(&[own]),
    );
    for sandbox in sandboxes {
        sandbox.close().await;
    }
}

/// The descendants of a process.
fn children(of: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for pid in regatta::process::pids() {
        if regatta::process::stat(pid).is_some_and(|stat| stat.parent == of) {
            found.push(pid);
            found.extend(children(pid));
        }
    }
    found
}

/// What processes hold together, in KB (`Pss` of `smaps_rollup`).
fn held(processes: &[u32]) -> usize {
    let of = |pid: &u32| {
        let path = regatta::process::about(pid, "smaps_rollup");
        let text = regatta::files::read_text(&path).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.split_whitespace().next()?.parse::<usize>().ok()
    };
    processes.iter().filter_map(of).sum()
}

fn spec(backend: &Backend) -> Spec {
    Spec {
        source: backend.source(
            IMAGE.to_owned(),
            Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/repos/harbor_task"),
        ),
        run: "bench".to_owned(),
        trial: "bench".to_owned(),
        agent: "solo".to_owned(),
        env: IndexMap::new(),
        messaging: false,
        git: false,
        limits: Arc::new(SandboxLimits {
            memory_bytes: None,
            cpus: None,
            pids: 512,
            network: false,
            setup_timeout: TIMEOUT,
        }),
        repository: Repository::ForAgent,
    }
}

async fn measure(backend: &Backend) {
    let spec = spec(backend);
    let begun = Instant::now();
    let mut sandbox = Sandbox::start(&spec, backend).await.expect("a sandbox");
    let start = begun.elapsed();
    let timeout = TIMEOUT;
    let (mut steps, mut bare, mut over) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let begun = Instant::now();
        for _ in 0..STEPS {
            let script = "true";
            sandbox
                .run(Command { script, timeout }, None)
                .await
                .expect("a step");
        }
        let step = begun.elapsed() / STEPS;
        let script = format!("for i in {{1..{STEPS}}}; do bash -lc true; done");
        let begun = Instant::now();
        let command = Command {
            script: &script,
            timeout,
        };
        sandbox.run(command, None).await.expect("the loop");
        let one = begun.elapsed() / STEPS;
        steps.push(step);
        bare.push(one);
        over.push(step.as_secs_f64() - one.as_secs_f64());
    }
    sandbox.close().await;
    backend.close().await;
    steps.sort_unstable();
    bare.sort_unstable();
    over.sort_unstable_by(f64::total_cmp);
    let middle = TURNS / 2;
    println!(
        "{:<10} start {start:.1?}, a step {:.2?}, bare bash -lc {:.2?}, overhead {:.0} µs (medians)",
        backend.name(),
        steps[middle],
        bare[middle],
        over[middle] * 1e6
    );
}
