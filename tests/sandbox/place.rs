//! Where the tests' sandboxes are made, and the shortest way to run something in them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use indexmap::IndexMap;
use regatta::config::NetworkBy;
use regatta::sandbox::HostPlace;
use regatta::sandbox::docker::{Docker, DockerEndpoint, DockerPlace};
use regatta::sandbox::group::Groups;
use regatta::sandbox::oci::OciPlace;
use regatta::sandbox::tools::Tools;
use regatta::sandbox::{
    Backend, Command, CommandEnd, Output, Sandbox, SandboxError, SandboxLimits, Source, Spec,
};

/// The backends that this machine must have; Docker's tests are run by `just e2e`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Namespace,
    Oci,
    Process,
    Docker,
}

/// A sandbox and the runtime that it lives in.
pub struct Box_ {
    pub runtime: tokio::runtime::Runtime,
    pub sandbox: Sandbox,
    backend: Backend,
}

fn tools() -> Arc<Tools> {
    static TOOLS: OnceLock<Arc<Tools>> = OnceLock::new();
    Arc::clone(TOOLS.get_or_init(|| {
        regatta::process::set_program(PathBuf::from(crate::support::REGATTA));
        let prefix = regatta::host::reaper::dir_prefix();
        Arc::new(Tools::prepare(&std::env::temp_dir(), &prefix).unwrap())
    }))
}

pub fn backend(kind: Kind) -> Backend {
    let host = || {
        Arc::new(HostPlace {
            rootfs: PathBuf::from("/"),
            tools: tools(),
            groups: Groups::ours().ok(),
            network_by: NetworkBy::Auto,
        })
    };
    match kind {
        Kind::Namespace => Backend::Namespace(host()),
        Kind::Oci => oci(|_| {}),
        Kind::Process => Backend::Process(host()),
        Kind::Docker => {
            let endpoint = DockerEndpoint::from_environment().unwrap();
            let docker = Docker::at(endpoint.clone()).unwrap();
            Backend::Docker(Arc::new(DockerPlace::new(docker, endpoint, tools())))
        }
    }
}

/// The backend without a daemon, with something else about its place.
pub fn oci(change: impl FnOnce(&mut OciPlace)) -> Backend {
    let store = crate::image::store().clone();
    let mut place = OciPlace::of_store(store, tools(), Groups::ours().ok());
    change(&mut place);
    Backend::Oci(Arc::new(place))
}

pub fn limits() -> SandboxLimits {
    SandboxLimits {
        memory_bytes: Some(512 << 20),
        cpus: None,
        pids: 200,
        network: false,
        setup_timeout: Duration::from_mins(2),
    }
}

/// What a sandbox of the fixture is made from on a backend.
pub fn source(backend: &Backend) -> Source {
    backend.source(crate::image::HARBOR.to_owned(), harbor())
}

pub fn spec(source: Source) -> Spec {
    Spec {
        source,
        run: "sandbox-tests".to_owned(),
        trial: format!("{:08x}", std::process::id()),
        agent: "agent1".to_owned(),
        env: IndexMap::from([("PAGER".to_owned(), "cat".to_owned())]),
        messaging: false,
        git: false,
        limits: Arc::new(limits()),
        repository: regatta::sandbox::Repository::ForAgent,
    }
}

/// The fixture's base tree: a plain directory, as the demo's are.
pub fn harbor() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/repos/harbor_task")
}

impl Box_ {
    pub fn start(kind: Kind) -> Self {
        Self::with(kind, |_| {}).unwrap()
    }

    pub fn with(kind: Kind, change: impl FnOnce(&mut Spec)) -> Result<Self, SandboxError> {
        Self::on(backend(kind), change)
    }

    pub fn on(backend: Backend, change: impl FnOnce(&mut Spec)) -> Result<Self, SandboxError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let mut spec = spec(source(&backend));
        change(&mut spec);
        let sandbox = runtime.block_on(async { Sandbox::start(&spec, &backend).await })?;
        Ok(Self {
            runtime,
            sandbox,
            backend,
        })
    }

    pub fn try_run(&mut self, script: &str) -> Result<Output, SandboxError> {
        self.run_for(script, Duration::from_mins(2))
    }

    pub fn run_for(&mut self, script: &str, timeout: Duration) -> Result<Output, SandboxError> {
        let command = Command { script, timeout };
        self.runtime.block_on(self.sandbox.run(command, None))
    }

    /// Runs a command that must succeed; its output.
    #[track_caller]
    pub fn run(&mut self, script: &str) -> String {
        let output = self.try_run(script).unwrap();
        let text = text(&output);
        assert_eq!(output.end, CommandEnd::Exited(0), "{script}: {text}");
        text
    }

    /// Runs a command that must fail.
    #[track_caller]
    pub fn fails(&mut self, script: &str) {
        let output = self.try_run(script).unwrap();
        let text = text(&output);
        assert_ne!(output.end, CommandEnd::Exited(0), "{script}: {text}");
    }

    pub fn write(&mut self, path: &str, bytes: &[u8]) {
        let written = self.sandbox.write(path, bytes);
        self.runtime.block_on(written).unwrap();
    }

    pub fn diff(&mut self) -> String {
        let diff = self.runtime.block_on(self.sandbox.diff()).unwrap();
        String::from_utf8(diff).unwrap()
    }

    pub fn close(self) {
        self.runtime.block_on(async {
            self.sandbox.close().await;
            self.backend.close().await;
        });
    }
}

pub fn text(output: &Output) -> String {
    let mut bytes = output.head.clone();
    bytes.extend(&output.tail);
    String::from_utf8_lossy(&bytes).into_owned()
}
