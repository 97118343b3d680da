//! A place with everything real in it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use regatta::engine::upstream::Relay;
use regatta::sandbox::docker::{Docker, DockerEndpoint};
use regatta::secret::PageMask;

use crate::support::{Model, Place, Ran, wait_until};

/// The versions of upstream that the tests run against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 0.0.11 with `mini_swe_agent`, over the `OpenAI` wire format.
    V11,
    /// 0.0.29 with `mini_swe_agent_v2`, over Cohere's.
    V29,
    /// The native engine, over Cohere's.
    Native,
}

impl Version {
    fn number(self) -> &'static str {
        match self {
            Self::V11 => "0.0.11",
            // Native trees are judged and resumed by the newer one.
            Self::V29 | Self::Native => "0.0.29",
        }
    }

    /// The program, where `scripts/upstream-venvs` puts it.
    pub fn bin(self) -> PathBuf {
        let path = format!("venv-{}/bin/cooperbench", self.number());
        cached(&path, "upstream-venvs")
    }
}

/// What a script of `scripts/` keeps for these tests.
pub fn cached(path: &str, script: &str) -> PathBuf {
    let cache = std::env::var_os("REGATTA_CACHE").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/regatta"),
        PathBuf::from,
    );
    let path = cache.join(path);
    let shown = path.display();
    assert!(
        path.exists(),
        "{shown} is not there: run scripts/{script} first"
    );
    path
}

/// A place with a scripted endpoint and a configuration for one version.
pub struct Lab {
    pub place: Place,
    pub version: Version,
    model: Model,
    /// Extra environment for regatta.
    pub env: Vec<(String, String)>,
}

impl Lab {
    pub fn new(version: Version) -> Self {
        Self::with(version, |_| {})
    }

    /// One whose dataset is made ready before the endpoint reads it.
    pub fn with(version: Version, prepare: impl FnOnce(&Place)) -> Self {
        let place = Place::new();
        prepare(&place);
        let fault = place.join("fault");
        let model = Model::serve(&place.join("cb/dataset"), &fault);
        let lab = Self {
            place,
            version,
            model,
            env: Vec::new(),
        };
        lab.configure("");
        lab
    }

    /// Writes the configuration; `more` is TOML that goes before the tables of the rest.
    pub fn configure(&self, more: &str) {
        let (model, api_base) = match self.version {
            Version::V11 => ("openai/scripted", format!("{}/v1", self.model.base)),
            Version::V29 | Version::Native => {
                ("command-a-03-2025", format!("{}/v2/chat", self.model.base))
            }
        };
        let engine = match self.version {
            Version::V11 | Version::V29 => "upstream",
            Version::Native => "native",
        };
        let text = format!(
            r#"
[experiment]
name = "t"
engine = "{engine}"
model = "{model}"
[attempts]
backoff = "200ms"
[upstream]
cooperbench_dir = "cb"
cooperbench_bin = "{bin}"
api_base = "{api_base}"
redis_url = "redis://127.0.0.1:1"
[upstream.env]
OPENAI_API_KEY = "x"
COHERE_API_KEY = "x"
MSWEA_MODEL_RETRY_STOP_AFTER_ATTEMPT = "1"
[native]
call_tries = 1
{more}
"#,
            bin = self.version.bin().display()
        );
        self.place.write("regatta.toml", text);
    }

    /// The endpoint's base URL, without a path.
    pub fn base(&self) -> String {
        self.model.base.clone()
    }

    /// From now on requests to the model fail like this; empty: none does.
    pub fn fault(&self, line: &str) {
        // Renamed into place: the endpoint never reads half a line.
        let new = self.place.write("fault.new", line);
        std::fs::rename(new, self.place.join("fault")).unwrap();
    }

    /// From now on every agent waits after its first command, until there is another fault or none.
    pub fn hold(&self) {
        self.fault("hold when=head -3; ls");
    }

    /// Waits until so many requests with this text met with a fault.
    #[track_caller]
    pub fn wait_for_requests(&self, text: &str, count: usize) {
        wait_until(&format!("{count} requests with `{text}`"), || {
            let met = std::fs::read_to_string(self.place.join("fault.met"));
            let met = met.unwrap_or_default();
            met.lines().filter(|request| request.contains(text)).count() >= count
        });
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.place.regatta(args);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&self.command(args).output().unwrap())
    }

    /// Runs upstream's own CLI in the checkout, through a relay: without one its library loses the
    /// output of a command now and then.
    pub fn upstream(&self, args: &[&str]) {
        through_the_relay(
            Command::new(self.version.bin())
                .args(args)
                .current_dir(self.place.join("cb"))
                .envs(self.env.iter().map(|(name, value)| (name, value)))
                .env("LITELLM_LOCAL_MODEL_COST_MAP", "True"),
        );
    }

    /// Starts regatta, to be interrupted; its output goes to files.
    pub fn start(&self, args: &[&str]) -> Started {
        let file = |name: &str| std::fs::File::create(self.place.join(name)).unwrap();
        let child = self
            .command(args)
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap();
        Started {
            child,
            dir: self.place.path().to_owned(),
        }
    }

    /// Waits until a run has so many events of a kind.
    #[track_caller]
    pub fn wait_for_events(&self, run: &str, kind: &str, count: usize) {
        wait_until(&format!("{count} events {kind}"), || {
            self.place.events(run, kind).len() >= count
        });
    }

    /// Runs Docker's client on the daemon that regatta has.
    pub fn docker(&self, args: &[&str]) -> Output {
        let mut docker = Command::new("docker");
        docker
            .args(args)
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        docker.output().unwrap()
    }

    /// The ids of the containers that a run made so far.
    pub fn containers(&self, run: &str) -> Vec<String> {
        self.containers_of(run, "")
    }

    /// The ids of those that it made of images with this text in their names.
    pub fn containers_of(&self, run: &str, image: &str) -> Vec<String> {
        let events = self.place.events(run, "container_created");
        let text = |event: &serde_json::Value, name: &str| event[name].as_str().unwrap().to_owned();
        events
            .iter()
            .filter(|event| text(event, "image").contains(image))
            .map(|event| text(event, "container"))
            .collect()
    }

    /// Those containers of a run that the daemon still has.
    pub fn left_over(&self, run: &str) -> Vec<String> {
        let is_there = |id: &String| self.docker(&["inspect", id]).status.success();
        self.containers(run).into_iter().filter(is_there).collect()
    }

    /// The result of a pair.
    pub fn result(&self, run: &str, tree: &str, pair: &str) -> serde_json::Value {
        self.place
            .json(&format!("cb/logs/{run}/{tree}/{pair}/result.json"))
    }
}

/// A regatta that runs.
pub struct Started {
    child: Child,
    dir: PathBuf,
}

impl Started {
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub fn wait(mut self) -> Ran {
        let code = self.child.wait().unwrap().code();
        let read = |name: &str| {
            std::fs::read_to_string(Path::new(&self.dir).join(name)).unwrap_or_default()
        };
        Ran {
            code,
            stdout: read("stdout"),
            stderr: read("stderr"),
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // A test that failed: what it started would load the machine of the others.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processes that run upstream from this place's configuration and are still there.
pub fn upstream_processes(place: &Place) -> Vec<String> {
    let place = place.path().display().to_string();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| {
            let cwd = std::fs::read_link(entry.path().join("cwd")).ok()?;
            let command = std::fs::read(entry.path().join("cmdline")).ok()?;
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            (cwd.starts_with(&place) && command.contains("cooperbench")).then_some(command)
        })
        .collect()
}

/// Runs a client of Docker's through a relay; gives its standard output.
pub fn through_the_relay(command: &mut Command) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let dir = tempfile::Builder::new().prefix("rgr").tempdir().unwrap();
    let socket = dir.path().join("sock");
    let daemon = DockerEndpoint::from_environment().unwrap();
    let docker = Docker::at(daemon.clone()).unwrap();
    command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    let mut command = std::mem::replace(command, Command::new("true"));
    let output = runtime.block_on(async {
        let relay = Relay::start(
            &socket,
            docker,
            daemon,
            Vec::new(),
            std::sync::Arc::new(|_| {}),
            PageMask::default(),
        )
        .unwrap();
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        drop(relay);
        output
    });
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
