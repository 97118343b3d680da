//! Images that our own store lacks, with a stand-in for a registry that has none.

use std::io::Write as _;
use std::net::TcpStream;
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::listener::{Listener, reply};
use crate::support::http::{self, Message};
use crate::support::{Place, Ran};

const IMAGES: [&str; 3] = [
    "akhatua/cooperbench-harbor:task1",
    "akhatua/cooperbench-harbor:task2",
    "akhatua/cooperbench-lighthouse:task7",
];

/// A registry that has nothing; keeps what it was asked for.
struct Registry {
    base: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Registry {
    fn new() -> Self {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&asked);
        let base = http::serve(move |mut stream: TcpStream| {
            let Some(message) = Message::read(&stream) else {
                return;
            };
            let path = message.second().unwrap_or_default().to_owned();
            let (status, body) = if path == "/v2/" {
                (200, "{}")
            } else {
                let unknown = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no such tag"}]}"#;
                (404, unknown)
            };
            kept.lock().unwrap().push(path);
            let _ = stream.write_all(http::answer(status, "", body).as_bytes());
        });
        Self { base, asked }
    }

    /// How often a manifest was asked for.
    fn manifests(&self) -> usize {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .filter(|path| path.contains("/manifests/"))
            .count()
    }
}

/// A place whose store is below it, and whose registry is this one.
fn place(registry: &Registry) -> Place {
    let place = Place::new();
    place.write(
        "regatta.toml",
        format!(
            "[experiment]\nengine = 'native'\nbackend = 'oci'\nmodel = 'openai/m'\nsubset = 'flash'\n[upstream]\ncooperbench_dir = 'cb'\n[attempts]\nbackoff = '1ms'\n[images]\nstore = 'my images'\n[images.mirrors]\n'docker.io' = '{}'\n",
            registry.base
        ),
    );
    place
}

fn command(place: &Place, args: &[&str]) -> Command {
    let mut command = place.regatta(args);
    command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    command.env("OPENAI_API_KEY", "sk-own");
    command.env_remove("HTTPS_PROXY");
    command
}

fn run(place: &Place, args: &[&str]) -> Ran {
    Ran::of(&command(place, args).output().unwrap())
}

const DOCTOR: [&str; 5] = [
    "doctor",
    "--no-model-call",
    "--api-base",
    "http://127.0.0.1:1",
    "-v",
];

#[test]
fn doctor_says_which_images_are_missing_and_pulls_and_makes_nothing() {
    let registry = Registry::new();
    let place = place(&registry);
    let ran = run(&place, &DOCTOR);
    ran.prints("3 of 3 are yet to be pulled into ")
        .prints("/my images; their size is not known before one is pulled")
        .prints("`regatta images pull -s flash` does it now; a run does it before its first trial")
        .prints("image disk")
        .prints("sandboxes have none");
    assert!(!place.join("my images").exists());
    assert_eq!(registry.manifests(), 0);
}

#[test]
fn doctor_says_that_tasks_install_packages_where_there_is_no_network() {
    let registry = Registry::new();
    let place = place(&registry);
    let runner = "cb/dataset/harbor_task/task1/runner.sh";
    place.write(runner, "pip install -e . || true\npytest\n");
    run(&place, &DOCTOR)
        .prints(
            "sandboxes have no network, and 1 of 3 tasks installs packages before the tests run",
        )
        .prints("→ set network = true in [native]");
    let config = place.read("regatta.toml") + "[native]\nnetwork = true\n";
    place.write("regatta.toml", config);
    run(&place, &DOCTOR).prints("sandboxes have one");
}

#[test]
fn a_daemon_that_does_not_answer_names_the_backend_that_needs_none() {
    let registry = Registry::new();
    let place = place(&registry);
    let of_docker = [&DOCTOR[..], &["--backend", "docker"]].concat();
    run(&place, &of_docker)
        .prints("no Docker daemon answers at unix:///nonexistent/docker.sock")
        .prints("`--engine native --backend oci` runs the same images");
}

#[test]
fn without_a_pull_a_run_names_what_is_missing_and_how_to_get_it() {
    let registry = Registry::new();
    let place = place(&registry);
    let model = Listener::new();
    let base = format!("{}/v1", model.base);
    let args = ["run", "--no-pull", "--no-progress", "--api-base", &base];
    run(&place, &args)
        .code(3)
        .says("images: 3 of 3 are missing in ")
        .says("`regatta images pull -s flash` pulls: a run does not (--no-pull");
    let one = [&args[..], &["--pair", "lighthouse/7/f1_f2"]].concat();
    run(&place, &one)
        .code(3)
        .says("`regatta images pull akhatua/cooperbench-lighthouse:task7` pulls");
    assert_eq!((registry.manifests(), model.asked().len()), (0, 0));
}

#[test]
fn an_image_that_does_not_exist_is_told_before_the_first_trial_and_is_infrastructures() {
    let registry = Registry::new();
    let place = place(&registry);
    let model = Listener::answering(|_| Some(reply("ls")));
    let base = format!("{}/v1", model.base);
    let args = [
        "run",
        "--setting",
        "solo",
        "--no-preflight",
        "--no-progress",
        "--api-base",
        &base,
    ];
    let ran = run(&place, &args).code(1).says("pulling 3 images into ");
    for image in IMAGES {
        let told = format!("docker.io/{image} could not be pulled: ");
        assert!(ran.stderr.contains(&told), "{image}\n{}", ran.stderr);
    }
    let first_told = ran.stderr.find("could not be pulled").unwrap();
    assert!(
        first_told < ran.stderr.find("attempt 1").unwrap(),
        "{}",
        ran.stderr
    );
    // No second attempt is made for what the registry refuses, as with Docker.
    assert!(!ran.stderr.contains("attempt 2"), "{}", ran.stderr);
    for pair in ["harbor_task/1/f1_f2", "lighthouse_task/7/f1_f2"] {
        let result = place.json(&format!("cb/logs/m-solo/solo/{pair}/result.json"));
        assert_eq!(result["infra_error"], true, "{result:#}");
        assert_eq!(result["regatta"]["evidence"]["rule"], "image_refused");
    }
    assert!(model.asked().is_empty(), "a model was paid");
    // Before the trials once, and in each image's first trial once.
    assert_eq!(registry.manifests(), 2 * IMAGES.len());
}
