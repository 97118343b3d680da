//! What a step costs over the bare `bash -lc` that it runs: the same command many times through the
//! channel, against the same many shells started by a loop inside the same sandbox.
//!
//! `cargo bench --bench step -- docker` measures on Docker as well.
#![allow(clippy::print_stdout, reason = "its output is its result")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use regatta::sandbox::HostPlace;
use regatta::sandbox::docker::{Docker, DockerEndpoint, DockerPlace};
use regatta::sandbox::group::Groups;
use regatta::sandbox::tools::Tools;
use regatta::sandbox::{Backend, Command, Repository, Sandbox, SandboxLimits, Spec};

const STEPS: u32 = 300;
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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    for backend in backends {
        runtime.block_on(measure(&backend));
    }
}

async fn measure(backend: &Backend) {
    let spec = Spec {
        source: backend.source(
            "akhatua/cooperbench-harbor:task1".to_owned(),
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
    };
    let begun = Instant::now();
    let mut sandbox = Sandbox::start(&spec, backend).await.expect("a sandbox");
    let start = begun.elapsed();
    let timeout = TIMEOUT;
    let mut steps = Vec::new();
    let mut bare = Vec::new();
    for _ in 0..3 {
        let begun = Instant::now();
        for _ in 0..STEPS {
            let script = "true";
            sandbox
                .run(Command { script, timeout }, None)
                .await
                .expect("a step");
        }
        steps.push(begun.elapsed() / STEPS);
        let script = format!("for i in {{1..{STEPS}}}; do bash -lc true; done");
        let begun = Instant::now();
        let command = Command {
            script: &script,
            timeout,
        };
        sandbox.run(command, None).await.expect("the loop");
        bare.push(begun.elapsed() / STEPS);
    }
    sandbox.close().await;
    backend.close().await;
    let (step, bare) = (steps.iter().min().copied(), bare.iter().min().copied());
    let (step, bare) = (step.unwrap_or_default(), bare.unwrap_or_default());
    println!(
        "{:<10} start {start:.1?}, a step {step:.2?}, bare bash -lc {bare:.2?}, overhead {:.2?}",
        backend.name(),
        step.saturating_sub(bare)
    );
}
