//! Images without a daemon and without root: what comes out is what comes out of Docker.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::lab::{Lab, Version};
use crate::registry::Registry;
use crate::support::{Place, Ran, copy_tree, wait_until};

/// An ordinary user that owns nothing but its place; no account needs to exist.
const USER: &str = "61234";
/// The images of the fixtures, and one of musl and busybox.
const IMAGES: [&str; 4] = [
    "akhatua/cooperbench-harbor:task1",
    "akhatua/cooperbench-harbor:task2",
    "akhatua/cooperbench-lighthouse:task7",
    "akhatua/cooperbench-quay:task1",
];
/// A subset with a pair of each.
const SUBSET: &str = "each";
const RUNS: [(&str, &str); 3] = [
    ("t-solo", "solo"),
    ("t-coop-comm", "coop"),
    ("t-coop-nocomm", "coop"),
];
/// What both backends may use: with other limits, outcomes are other outcomes.
const LIMITS: &str = "memory_gb = 4.0\nnetwork = false\n";

/// A lab of the native engine whose dataset has the task of musl's image too.
fn lab() -> Lab {
    Lab::with(Version::Native, |place| {
        let musl = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/musl/dataset");
        copy_tree(&musl, &place.join("cb/dataset"));
        let subset = format!("cb/dataset/subsets/{SUBSET}.json");
        place.write(&subset, each(place).to_string());
    })
}

/// The pairs of two subsets.
fn each(place: &Place) -> Value {
    let tasks = ["flash", "quay"].map(|subset| {
        let subset = place.json(&format!("cb/dataset/subsets/{subset}.json"));
        subset["tasks"].as_array().unwrap().clone()
    });
    serde_json::json!({ "tasks": tasks.concat() })
}

/// Makes a directory the ordinary user's.
fn give(dir: &Path) {
    let owned = Command::new("chown")
        .args(["-R", &format!("{USER}:{USER}")])
        .arg(dir)
        .status();
    assert!(owned.unwrap().success());
}

/// A lab of the native engine whose regatta is an ordinary user's, where no daemon answers.
struct Rootless {
    lab: Lab,
    program: PathBuf,
}

impl Rootless {
    /// One with the images in its store, pulled from a registry on loopback.
    fn new() -> Self {
        Self::with("")
    }

    /// The same with more of the configuration.
    fn with(more: &str) -> Self {
        let registry = Registry::start();
        for image in IMAGES {
            registry.push(image);
        }
        let lab = lab();
        lab.configure(&format!(
            "{LIMITS}{more}[images]\nstore = \"my store\"\n[images.mirrors]\n\"docker.io\" = \"http://{}\"\n",
            registry.at
        ));
        let program = lab.place.join("regatta");
        std::fs::copy(crate::support::REGATTA, &program).unwrap();
        give(lab.place.path());
        let rootless = Self { lab, program };
        let pulled = rootless.run(&["images", "pull", "-s", SUBSET]).code(0);
        pulled.says("4 images pulled");
        rootless
    }

    fn command(&self, args: &[&str]) -> Command {
        let asked = self.lab.place.regatta(args);
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", USER, "--regid", USER, "--clear-groups", "--"])
            .arg(&self.program)
            .args(asked.get_args())
            .current_dir(self.lab.place.path())
            .env("HOME", self.lab.place.path())
            .env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
        for (name, value) in asked.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&self.command(args).output().unwrap())
    }

    /// Runs where the store's directory is mounted read-only.
    fn with_read_only_store(&self, args: &[&str]) -> Ran {
        let asked = self.command(args);
        let script = "mount --bind 'my store' 'my store'
mount -o remount,bind,ro 'my store'
exec \"$0\" \"$@\"";
        let mut command = Command::new("unshare");
        command
            .args(["-m", "sh", "-e", "-c", script, "setpriv"])
            .args(asked.get_args())
            .current_dir(self.lab.place.path());
        for (name, value) in asked.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Ran::of(&command.output().unwrap())
    }

    fn start(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }
}

/// What an evaluation says, without what is another one each time: when, for how long, where.
fn told(eval: &Value) -> Value {
    const ELSEWHERE: [&str; 6] = [
        "evaluated_at",
        "trial",
        "backend",
        "merged_in",
        "test_output",
        "duration_seconds",
    ];
    match eval {
        Value::Object(fields) => {
            let same = fields.iter();
            let same = same.filter(|(name, _)| !ELSEWHERE.contains(&name.as_str()));
            same.map(|(name, value)| (name.clone(), told(value)))
                .collect()
        }
        Value::Array(values) => values.iter().map(told).collect(),
        other => other.clone(),
    }
}

/// What a result says of its agents, without what is another one each time.
fn result(lab: &Lab, run: &str, tree: &str, pair: &str) -> Value {
    let result = lab.result(run, tree, pair);
    let of_agent = |agent: &Value| {
        let names = ["status", "steps", "cost", "patch_lines", "error"];
        names.map(|name| agent[name].clone())
    };
    let agents = match (&result["agent"], &result["agents"]) {
        (Value::Null, Value::Object(agents)) => agents.values().map(of_agent).collect(),
        (agent, _) => vec![of_agent(agent)],
    };
    serde_json::json!([
        result["setting"],
        result["repo"],
        result["features"],
        agents
    ])
}

/// The files of a directory, at any depth.
fn files_below(dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                found.insert(path);
            }
        }
    }
    found
}

/// Every pair's directory in a run.
fn pairs(lab: &Lab, run: &str, tree: &str) -> Vec<String> {
    let root = lab.place.join(&format!("cb/logs/{run}/{tree}"));
    let found = files_below(&root);
    let results = found.iter().filter(|path| path.ends_with("result.json"));
    let dirs = results.filter_map(|path| path.parent()?.strip_prefix(&root).ok());
    dirs.map(|dir| dir.display().to_string()).collect()
}

#[test]
#[ignore = "needs root and Docker: just e2e"]
fn results_and_verdicts_without_daemon_and_root_are_dockers() {
    let docker = lab();
    docker.configure(LIMITS);
    docker.run(&["run", "-s", SUBSET, "--eval"]).code(0);
    let rootless = Rootless::new();
    let oci = &rootless.lab;
    let shown = rootless.run(&[
        "doctor",
        "--backend",
        "oci",
        "-s",
        SUBSET,
        "--no-model-call",
    ]);
    shown.prints("all 4 are in").prints("sandboxes have none");
    let run = ["run", "--backend", "oci", "-s", SUBSET, "--eval"];
    rootless.run(&run).code(0);
    for (run, tree) in RUNS {
        let there = pairs(&docker, run, tree);
        assert_eq!(there.len(), IMAGES.len(), "{run}");
        assert_eq!(pairs(oci, run, tree), there, "{run}");
        for pair in there {
            let about = format!("{run} {pair}");
            assert_eq!(
                result(oci, run, tree, &pair),
                result(&docker, run, tree, &pair),
                "{about}"
            );
            let read = |lab: &Lab, file: &str| {
                let path = format!("cb/logs/{run}/{tree}/{pair}/{file}");
                std::fs::read(lab.place.join(&path)).ok()
            };
            for patch in ["solo.patch", "agent1.patch", "agent2.patch"] {
                assert_eq!(read(oci, patch), read(&docker, patch), "{about} {patch}");
            }
            let eval = |lab: &Lab| {
                let path = format!("cb/logs/{run}/{tree}/{pair}/eval.json");
                told(&lab.place.json(&path))
            };
            assert_eq!(eval(oci), eval(&docker), "{about}");
        }
    }
    let gold = ["eval", "--gold", "-s", SUBSET, "--force"];
    let of_docker = docker.run(&gold).code(0);
    let of_oci = rootless
        .run(&[&gold[..], &["--backend", "oci"]].concat())
        .code(0);
    assert_eq!(of_oci.stdout, of_docker.stdout);
    finds_what_docker_kept(&docker, &rootless);
}

/// The same image is the same ground: nothing is run again that Docker's evaluation has kept.
fn finds_what_docker_kept(docker: &Lab, rootless: &Rootless) {
    let place = &rootless.lab.place;
    let cache = place.join("cache of docker");
    copy_tree(&docker.place.join("cache"), &cache);
    give(&cache);
    let kept = files_below(&cache.join("regatta/suites"));
    assert!(!kept.is_empty());
    for (run, tree) in RUNS {
        for pair in pairs(&rootless.lab, run, tree) {
            std::fs::remove_file(place.join(&format!("cb/logs/{run}/{tree}/{pair}/eval.json")))
                .unwrap();
        }
    }
    let mut eval = rootless.command(&["eval", "--backend", "oci"]);
    eval.env("XDG_CACHE_HOME", &cache);
    Ran::of(&eval.output().unwrap()).code(0);
    assert_eq!(files_below(&cache.join("regatta/suites")), kept);
}

/// The processes whose environment has this text.
fn processes(text: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let marked = entries.filter_map(|entry| {
        let environ = std::fs::read(entry.path().join("environ")).ok()?;
        let environ = String::from_utf8_lossy(&environ).into_owned();
        environ
            .contains(text)
            .then(|| entry.file_name().to_string_lossy().into_owned())
    });
    marked.collect()
}

#[test]
#[ignore = "needs root and Docker: just e2e"]
fn nothing_is_left_of_eight_sandboxes_whose_regatta_was_killed() {
    // A directory that an overlay can be written to: what is under `/tmp` may be one itself.
    let scratch = tempfile::tempdir_in("/dev/shm").unwrap();
    give(scratch.path());
    let rootless = Rootless::with(&format!("scratch = '{}'\n", scratch.path().display()));
    let written = || std::fs::read_dir(scratch.path()).unwrap().count();
    let lab = &rootless.lab;
    lab.hold();
    let args = [
        "run",
        "--backend",
        "oci",
        "--setting",
        "coop-nocomm",
        "--smoke",
        "4",
        "-c",
        "4",
        "--no-progress",
    ];
    let mut run = rootless.start(&args);
    lab.wait_for_requests("You are agent", 8);
    // setpriv executes it: its process is ours.
    let mark = format!("REGATTA_OWNER={}:", run.id());
    assert!(processes(&mark).len() >= 8, "{:?}", processes(&mark));
    // One for each, and what images were made ready in.
    assert!(written() >= 8, "{}", written());
    run.kill().unwrap();
    run.wait().unwrap();
    wait_until("the sandboxes to end with it", || {
        processes(&mark).is_empty()
    });
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let place = lab.place.path().display().to_string();
    assert!(!mounts.contains(&place), "{mounts}");
    lab.fault("");
    rootless.run(&args).code(0);
    let runtime_dirs = std::fs::read_dir(std::env::temp_dir()).unwrap().flatten();
    let own = format!("regatta-{}_", run.id());
    let left: Vec<_> = runtime_dirs
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(&own))
        .collect();
    assert_eq!(left, [""; 0]);
    assert_eq!(written(), 0);
    let clean = rootless.run(&["clean", "--dry-run"]).stdout;
    assert!(!clean.contains(&own) && !clean.contains(&place), "{clean}");
}

/// A store that another machine fills, and that is only read here.
#[test]
#[ignore = "needs root and Docker: just e2e"]
fn a_store_on_a_read_only_file_system_serves_runs_that_lack_nothing() {
    let rootless = Rootless::new();
    let run = [
        "run",
        "--backend",
        "oci",
        "--setting",
        "solo",
        "-s",
        "quay",
        "--eval",
    ];
    rootless.with_read_only_store(&run).code(0);
    let eval = "cb/logs/t-solo/solo/quay_task/1/f1_f2/eval.json";
    let eval = rootless.lab.place.json(eval);
    assert_eq!(eval["both_passed"], true, "{eval:#}");
    rootless
        .with_read_only_store(&["images", "pull", "-s", "quay"])
        .code(0)
        .says("the image is there");
    rootless
        .with_read_only_store(&["images", "verify", IMAGES[3]])
        .code(0)
        .says("as they were unpacked");
    rootless.run(&["images", "remove", IMAGES[0]]).code(0);
    rootless
        .with_read_only_store(&[
            "doctor",
            "--backend",
            "oci",
            "-s",
            "flash",
            "--no-model-call",
        ])
        .prints("1 of 3 is missing in the read-only store ")
        .prints("on a machine that may write there");
    for args in [
        &["images", "pull", "a/b"][..],
        &["images", "prune"],
        &["images", "remove", IMAGES[3]],
    ] {
        rootless
            .with_read_only_store(args)
            .code(3)
            .says("is on a file system that is read-only here");
    }
}
