//! What a run and its verdicts were made with: a dataset or an image that changed is seen.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use regatta::store::workspace::older_world_of;
use serde_json::{Value, json};

use crate::listener::Listener;
use crate::schema::assert_valid;
use crate::support::{Place, Ran, copy_tree};

const CONFIG: &str = r#"
[experiment]
name = "x"
engine = "native"
backend = "namespace"
model = "openai/m"
subset = "three"
[native]
call_tries = 1
[upstream]
dataset_dir = "ds"
logs_dir = "logs"
"#;

const SUBSET: &str = r#"{"tasks": [
    {"repo": "ferry_task", "task_id": 1, "pairs": [[1, 2], [2, 3]]},
    {"repo": "tide_task", "task_id": 1, "pairs": [[1, 2]]}]}"#;

const RUNNER: &str = "ds/ferry_task/task1/runner.sh";
const MANIFEST: &str = "logs/x-solo/regatta/manifest.json";
const TIDE: &str = "logs/x-solo/solo/tide_task/1/f1_f2";

/// A copy of the demo's dataset, and a model whose agents submit at once.
struct World {
    place: Place,
    model: Listener,
}

impl World {
    fn new() -> Self {
        let place = Place::new();
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/dataset");
        copy_tree(&demo, &place.join("ds"));
        place.write("ds/subsets/three.json", SUBSET);
        place.write("regatta.toml", CONFIG);
        Self {
            place,
            model: Listener::new(),
        }
    }

    fn regatta(&self, args: &[&str]) -> Ran {
        self.with_daemon(args, &self.place.empty_daemon())
    }

    fn with_daemon(&self, args: &[&str], daemon: &str) -> Ran {
        let mut regatta = self.place.regatta(args);
        regatta
            .env("DOCKER_HOST", daemon)
            .env("OPENAI_API_BASE", format!("{}/v1", self.model.base))
            .env("OPENAI_API_KEY", "sk-own");
        Ran::of(&regatta.output().unwrap())
    }

    fn run(&self, args: &[&str]) -> Ran {
        let args = [&["run", "--setting", "solo", "--no-progress"], args].concat();
        self.regatta(&args)
    }

    /// What a task of the run is pinned to.
    fn pin(&self, task: &str) -> Value {
        self.place.json(MANIFEST)["tasks"][task].clone()
    }

    /// Adds a line to a file.
    fn change(&self, path: &str) {
        let text = self.place.read(path);
        self.place.write(path, format!("{text}# another line\n"));
    }

    /// Takes a pair's result away, so that it is to run.
    fn reopen(&self, dir: &str) {
        std::fs::remove_dir_all(self.place.join(dir)).unwrap();
    }
}

fn is_digest(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() == 64)
}

#[test]
fn a_resume_over_a_changed_dataset_is_refused_with_what_differs() {
    let world = World::new();
    world.run(&[]).code(0);
    let pin = world.pin("ferry_task/1");
    let files = pin["files"].as_object().unwrap();
    assert_eq!(files.len(), 10, "three features, and the runner: {files:?}");
    assert!(files.values().all(is_digest), "{files:?}");
    assert!(is_digest(&pin["world"]["work_tree"]), "{pin}");
    // The same again is the same.
    world.reopen(TIDE);
    world.run(&[]).code(0);
    world.reopen(TIDE);
    world.change(RUNNER);
    world.change("ds/ferry_task/task1/feature3/tests.patch");
    for args in [&["--dry-run"][..], &[]] {
        let ran = world
            .run(args)
            .code(2)
            .says("task ferry_task/1: feature3/tests.patch ")
            .says(", runner.sh ")
            .says("--accept-changes");
        assert!(!ran.stderr.contains("tide_task"), "{}", ran.stderr);
    }
    assert_eq!(world.pin("ferry_task/1"), pin);
    world.run(&["--accept-changes"]).code(0);
    let manifest = world.place.json(MANIFEST);
    assert_valid("manifest.json", &manifest);
    let change = manifest["accepted"][0]["changes"][0].as_str().unwrap();
    assert!(change.starts_with("task ferry_task/1: "), "{change}");
    assert_ne!(world.pin("ferry_task/1")["files"], pin["files"]);
    assert_eq!(world.pin("ferry_task/1")["world"], pin["world"]);
    let told = "WARNING: its trials ran on different datasets or images";
    world.regatta(&["report"]).code(0).prints(told);
    world
        .regatta(&["report", "--format", "markdown"])
        .prints(told);
    // It is accepted once.
    world.reopen(TIDE);
    world.run(&[]).code(0);
}

/// What a trial's results follow from is another experiment; how long is waited before a trial is
/// given up, and runs again, is none.
#[test]
fn a_resume_with_other_limits_of_calls_or_tools_is_refused_and_with_other_waits_goes_on() {
    let world = World::new();
    world.run(&[]).code(0);
    let pinned = world.place.json(MANIFEST)["limits"].clone();
    assert_eq!(pinned["call_timeout_seconds"], 300.0);
    assert_eq!(pinned["rootfs"], "/");
    let with = |key: &str| {
        let config = CONFIG.replace("[native]", &format!("[native]\n{key}"));
        world.place.write("regatta.toml", config);
        world.reopen(TIDE);
        world.run(&[])
    };
    for (key, said) in [
        (
            "call_timeout = '1m'",
            "limit call_timeout_seconds: 300.0 → 60.0",
        ),
        ("rootfs = '/opt/old'", "limit rootfs: \"/\" → \"/opt/old\""),
    ] {
        with(key).code(2).says(said);
        world.place.write("regatta.toml", CONFIG);
        world.run(&[]).code(0);
    }
    let waits = "setup_timeout = '3m'";
    with(waits).code(0);
    let config = CONFIG.replace("call_tries = 1", "call_tries = 2");
    world.place.write("regatta.toml", config);
    world.reopen(TIDE);
    world.run(&[]).code(0);
}

#[test]
fn a_workspace_that_changed_is_another_world() {
    let world = World::new();
    world.run(&[]).code(0);
    world.reopen(TIDE);
    world.place.write("ds/tide_task/task1/workspace/new", "x");
    world.run(&[]).code(2).says("task tide_task/1: workspace ");
}

/// Runs git in a directory, with nothing of this machine's configuration.
fn git(dir: &Path, args: &[&str]) {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=t", "-c", "user.email=t@localhost"]);
    git.args(args).current_dir(dir);
    for (name, value) in [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
    ] {
        git.env(name, value);
    }
    let ran = git.output().unwrap();
    assert!(ran.status.success(), "git {args:?}: {ran:?}");
}

const TIDE_WORKSPACE: &str = "ds/tide_task/task1/workspace";

/// What git keeps of the same commit is another thing after each of these.
#[test]
fn a_workspace_that_git_cleaned_up_or_cloned_is_the_same() {
    let world = World::new();
    let workspace = world.place.join(TIDE_WORKSPACE);
    git(&workspace, &["init", "-q", "-b", "main"]);
    git(&workspace, &["add", "-A"]);
    git(&workspace, &["commit", "-qm", "The base"]);
    world.run(&["--eval"]).code(0);
    let pin = world.pin("tide_task/1");
    let goes_on = || {
        world.regatta(&["eval"]).code(0).says("nothing to judge");
        world.reopen(TIDE);
        world.run(&["--eval"]).code(0);
        assert_eq!(world.pin("tide_task/1"), pin);
    };
    git(&workspace, &["gc", "-q"]);
    git(&workspace, &["update-server-info"]);
    git(&workspace, &["checkout", "-q", "--detach"]);
    goes_on();
    world.place.write(
        &format!("{TIDE_WORKSPACE}/.git/info/exclude"),
        "# nothing\n",
    );
    std::fs::create_dir(workspace.join("__pycache__")).unwrap();
    goes_on();
    let moved = world.place.join("moved");
    std::fs::rename(&workspace, &moved).unwrap();
    git(
        world.place.path(),
        &["clone", "-q", "moved", TIDE_WORKSPACE],
    );
    goes_on();
    // What has a say in what agents submit is another workspace, and so is another commit.
    world.reopen(TIDE);
    let attributes = format!("{TIDE_WORKSPACE}/.git/info/attributes");
    world.place.write(&attributes, "*.py text eol=crlf\n");
    world.run(&[]).code(2).says("task tide_task/1: workspace ");
    std::fs::remove_file(world.place.join(&attributes)).unwrap();
    git(&workspace, &["commit", "-q", "--allow-empty", "-m", "More"]);
    world.run(&[]).code(2).says("task tide_task/1: workspace ");
}

#[test]
fn what_an_older_version_pinned_is_held_against_its_own_digest() {
    let world = judged();
    let older = older_world_of(&world.place.join(TIDE_WORKSPACE)).unwrap();
    let older = serde_json::to_value(older).unwrap();
    assert!(is_digest(&older["workspace"]), "{older}");
    let mut manifest = world.place.json(MANIFEST);
    let pin = manifest["tasks"]["tide_task/1"].clone();
    manifest["tasks"]["tide_task/1"]["world"] = older.clone();
    let manifest = manifest.to_string();
    world.place.write(MANIFEST, &manifest);
    let file = format!("{TIDE}/eval.json");
    let mut judged = world.place.json(&file);
    judged["regatta"]["judged_with"]["world"] = older;
    world.place.write(&file, judged.to_string());
    world.regatta(&["eval"]).code(0).says("nothing to judge");
    world.reopen("logs/x-solo/solo/ferry_task/1/f1_f2");
    world.run(&[]).code(0);
    // From then on it is pinned by today's.
    assert_eq!(world.pin("tide_task/1"), pin);
    // A change since is seen.
    world.place.write(MANIFEST, &manifest);
    world.place.write(&format!("{TIDE_WORKSPACE}/new"), "x");
    let told = "tide_task/1: workspace (by an older digest)";
    world.regatta(&["eval", "--dry-run"]).prints(told);
    world.reopen(TIDE);
    world.run(&[]).code(2).says(told);
}

#[test]
fn where_nothing_is_left_to_run_a_changed_dataset_is_a_warning() {
    let world = World::new();
    world.run(&[]).code(0);
    let before = world.pin("ferry_task/1");
    world.change("ds/ferry_task/task1/feature1/feature.md");
    let told = "task ferry_task/1: feature1/feature.md ";
    world
        .run(&[])
        .code(0)
        .says("nothing is left to run")
        .says(told);
    world.run(&["--dry-run"]).code(0).prints(told);
    // Nothing ran with it: the run is still what it was.
    assert_eq!(world.pin("ferry_task/1"), before);
    assert!(world.place.json(MANIFEST)["accepted"].is_null());
    // With --force all of it is to run.
    world.run(&["--force"]).code(2).says(told);
}

#[test]
fn older_manifests_match_any_dataset() {
    let world = World::new();
    world.run(&[]).code(0);
    let mut manifest = world.place.json(MANIFEST);
    manifest.as_object_mut().unwrap().remove("tasks");
    world.place.write(MANIFEST, manifest.to_string());
    world.change(RUNNER);
    world.reopen(TIDE);
    world.run(&[]).code(0);
    let pin = world.pin("tide_task/1");
    assert!(is_digest(&pin["files"]["runner.sh"]), "{pin}");
    assert!(is_digest(&pin["world"]["work_tree"]), "{pin}");
    // What was not used since is not known.
    assert!(world.pin("ferry_task/1")["world"].is_null());
}

#[test]
fn what_was_not_there_is_filled_later_and_no_change() {
    let world = World::new();
    let tests = "ds/tide_task/task1/feature1/tests.patch";
    let sound = world.place.read(tests);
    std::fs::remove_file(world.place.join(tests)).unwrap();
    world.run(&[]).code(0);
    let digest = || world.pin("tide_task/1")["files"]["feature1/tests.patch"].clone();
    assert!(digest().is_null());
    world.place.write(tests, sound);
    world.reopen(TIDE);
    world.run(&[]).code(0);
    assert!(is_digest(&digest()));
    // What is gone again is a change.
    std::fs::remove_file(world.place.join(tests)).unwrap();
    world.reopen(TIDE);
    world
        .run(&[])
        .code(2)
        .says("feature1/tests.patch")
        .says("→ none");
    // Accepted, it is so from then on.
    world.run(&["--accept-changes"]).code(0);
    assert!(digest().is_null());
}

/// A place with three judged pairs.
fn judged() -> World {
    let world = World::new();
    world.run(&["--eval"]).code(0);
    world
}

fn evaluated(world: &World) -> usize {
    world
        .place
        .read("logs/x-solo/regatta/evaluations.jsonl")
        .lines()
        .count()
}

#[test]
fn what_was_judged_with_another_dataset_is_judged_anew() {
    let world = judged();
    let file = "logs/x-solo/solo/ferry_task/1/f1_f2/eval.json";
    let with = |file: &str| world.place.json(file)["regatta"]["judged_with"].clone();
    let before = with(file);
    let names: Vec<_> = before["files"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    assert_eq!(
        names,
        [
            "feature1/feature.patch",
            "feature1/tests.patch",
            "feature2/feature.patch",
            "feature2/tests.patch",
            "runner.sh"
        ]
    );
    assert!(is_digest(&before["world"]["work_tree"]), "{before}");
    assert_eq!(evaluated(&world), 3);
    // The text is the agents' business: no verdict depends on it.
    world.change("ds/ferry_task/task1/feature1/feature.md");
    world.regatta(&["eval"]).code(0).says("nothing to judge");
    // Tests of one feature: of the pairs with that feature.
    let tests = "ds/ferry_task/task1/feature1/tests.patch";
    world.change(tests);
    let told = "1 pair judged with another dataset or image, and judged again";
    world
        .regatta(&["eval", "--dry-run"])
        .code(0)
        .prints("x-solo: 1 to judge, 2 judged")
        .prints(told)
        .prints("ferry_task/1: feature1/tests.patch");
    // By other rules it would be another verdict as well.
    world
        .regatta(&["eval", "--rules", "0.0.11"])
        .code(0)
        .says("nothing to judge");
    world.regatta(&["eval"]).code(0).says(told);
    assert_eq!(evaluated(&world), 4);
    assert_ne!(with(file), before);
    world.regatta(&["eval"]).code(0).says("nothing to judge");
    // A runner is every pair's of its task.
    world.change(RUNNER);
    world
        .regatta(&["eval"])
        .code(0)
        .says("2 pairs judged with another");
    assert_eq!(evaluated(&world), 6);
    // The dataset is gone: nothing says that it is another one.
    let gone = ["eval", "--dry-run", "--dataset-dir", "nowhere"];
    world.regatta(&gone).code(0).prints("0 to judge, 3 judged");
}

#[test]
fn a_verdict_that_does_not_say_what_it_was_judged_with_stands() {
    let world = judged();
    let file = "logs/x-solo/solo/tide_task/1/f1_f2/eval.json";
    let mut older = world.place.json(file);
    older["regatta"]
        .as_object_mut()
        .unwrap()
        .remove("judged_with");
    world.place.write(file, older.to_string());
    world.change("ds/tide_task/task1/runner.sh");
    world.regatta(&["eval"]).code(0).says("nothing to judge");
    let report = world.regatta(&["report"]).code(0);
    assert!(!report.stdout.contains("WARNING"), "{}", report.stdout);
}

/// Trouble takes no verdict away, also not one that is to be replaced.
#[test]
fn a_verdict_stands_until_its_new_one_is_there() {
    let world = World::new();
    world.run(&[]).code(0);
    let work = world.place.read("ds/tide_task/task1/combined.patch");
    world.place.write(&format!("{TIDE}/solo.patch"), work);
    world.regatta(&["eval"]).code(0);
    let file = "logs/x-solo/solo/tide_task/1/f1_f2/eval.json";
    let before = world.place.read(file);
    let runner = "ds/tide_task/task1/runner.sh";
    let sound = world.place.read(runner);
    world.place.write(
        runner,
        "echo 'curl: (6) Could not resolve host: example.org'; exit 1\n",
    );
    let quick = ["eval", "--config", "quick.toml"];
    world.place.write(
        "quick.toml",
        format!("{CONFIG}[attempts]\nmax_attempts = 1\n"),
    );
    world.regatta(&quick).code(1);
    assert_eq!(world.place.read(file), before);
    world.place.write(runner, format!("{sound}# mended\n"));
    world.regatta(&["eval"]).code(0);
    assert_ne!(world.place.read(file), before);
}

#[test]
fn reports_warn_of_runs_and_differences_that_mix_datasets() {
    let world = World::new();
    let all = [
        "run",
        "--no-progress",
        "--setting",
        "solo",
        "--setting",
        "coop-nocomm",
        "--eval",
    ];
    world.regatta(&all).code(0);
    let report = world.regatta(&["report"]).code(0);
    assert!(!report.stdout.contains("WARNING"), "{}", report.stdout);
    world.change(RUNNER);
    world.regatta(&["eval", "x-solo"]).code(0);
    let told = "WARNING: 2 of 3 verdicts were made with another dataset or image than the run was begun with: ferry_task/1 (runner.sh)";
    let report = world.regatta(&["report"]).code(0).prints(told);
    assert_eq!(report.stdout.matches(told).count(), 1, "{}", report.stdout);
    assert!(
        report
            .stdout
            .contains("WARNING: different datasets or images"),
        "{}",
        report.stdout
    );
    world
        .regatta(&["report", "--format", "markdown"])
        .code(0)
        .prints("x-coop-nocomm less x-solo (different datasets or images)");
    let report = world.regatta(&["report", "--format", "json"]).code(0);
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    assert_eq!(report["comparisons"][0]["same_tasks"], false);
    let runs = report["runs"].as_array().unwrap();
    let mixed = runs
        .iter()
        .map(|run| run["mixed"].as_array().unwrap().len());
    assert_eq!(mixed.sum::<usize>(), 1);
    // Without a manifest that says, the verdicts of one task still tell of each other.
    let mut older = world.place.json(MANIFEST);
    older.as_object_mut().unwrap().remove("tasks");
    world.place.write(MANIFEST, older.to_string());
    world.change(RUNNER);
    world
        .place
        .write("ds/subsets/one.json", SUBSET.replace(", [2, 3]", ""));
    world.regatta(&["eval", "x-solo", "-s", "one"]).code(0);
    world
        .regatta(&["report", "x-solo"])
        .code(0)
        .prints("WARNING: verdicts on one task were made with different datasets or images: ferry_task/1 (runner.sh)");
}

/// A daemon that has one image of the task, with this id.
fn daemon(place: &Place, name: &str, id: &str, is_manifest: bool) -> String {
    let path = place.join(name);
    let listener = UnixListener::bind(&path).unwrap();
    let digest = if is_manifest { id } else { "sha256:other" };
    let image = "akhatua/cooperbench-tide:task1";
    let images = json!([{
        "Id": id, "ParentId": "", "RepoTags": [image], "Created": 0, "Size": 1,
        "RepoDigests": [format!("akhatua/cooperbench-tide@{digest}")],
        "SharedSize": 0, "Labels": {}, "Containers": 0,
    }])
    .to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = String::new();
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            while lines.read_line(&mut request).is_ok_and(|length| length > 2) {}
            let body = if request.contains("/images/json") {
                &images
            } else if request.contains("/version") {
                "{}"
            } else {
                "[]"
            };
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
            let length = body.len();
            let _ = write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n{body}");
        }
    });
    format!("unix://{}", path.display())
}

#[test]
fn an_image_that_changed_is_another_world_and_kinds_of_digests_are_not_compared() {
    let world = judged();
    let config = CONFIG.replace("namespace", "docker");
    world.place.write("regatta.toml", config);
    let of_image = json!({"image_config": "sha256:aaaa"});
    let mut manifest = world.place.json(MANIFEST);
    manifest["backend"] = "docker".into();
    for limit in ["memory_bytes", "cpus", "network"] {
        manifest["limits"].as_object_mut().unwrap().remove(limit);
    }
    manifest["tasks"]["tide_task/1"]["world"] = of_image.clone();
    world.place.write(MANIFEST, manifest.to_string());
    let file = format!("{TIDE}/eval.json");
    let mut judged = world.place.json(&file);
    judged["regatta"]["judged_with"]["world"] = of_image;
    world.place.write(&file, judged.to_string());
    let same = daemon(&world.place, "same", "sha256:aaaa", false);
    let other = daemon(&world.place, "other", "sha256:bbbb", false);
    let by_manifest = daemon(&world.place, "manifest", "sha256:bbbb", true);
    let eval = |daemon: &str| world.with_daemon(&["eval", "--dry-run"], daemon).code(0);
    for daemon in [
        &same,
        &by_manifest,
        &world.place.empty_daemon(),
        "unix:///nowhere",
    ] {
        eval(daemon).prints("0 to judge, 3 judged");
    }
    eval(&other)
        .prints("1 to judge, 2 judged")
        .prints("tide_task/1: image (config)");
    world.reopen("logs/x-solo/solo/ferry_task/1/f1_f2");
    let run = |daemon: &str| world.with_daemon(&["run", "--setting", "solo", "--dry-run"], daemon);
    for daemon in [&same, &by_manifest, &world.place.empty_daemon()] {
        run(daemon).code(0);
    }
    run(&other)
        .code(2)
        .says("task tide_task/1: image (config) aaaa → bbbb");
}
