//! What a sandbox is made from, and what it may use.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use serde::Serialize;

use crate::bench::BackendKind;
use crate::config;

/// What one agent's sandbox is made from.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Where its repository comes from; [`Backend::source`](super::Backend::source) says which of the two.
    pub source: Source,
    /// The run, for the label.
    pub run: String,
    /// The trial, for the label.
    pub trial: String,
    /// The agent's id, which names its branch.
    pub agent: String,
    /// Variables that commands see, beside those of the image.
    pub env: IndexMap<String, String>,
    /// Whether its commands find the program `send_message`.
    pub messaging: bool,
    /// Whether there is a git remote that the harness keeps in step.
    pub git: bool,
    /// What it may use of memory, processors, processes and network.
    pub limits: Arc<SandboxLimits>,
    /// What becomes of the repository before the first command.
    pub repository: Repository,
}

/// Where a sandbox's repository comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An image by its name, with the tools and the runner of its task.
    Image(String),
    /// A directory of this machine with the repository, which is copied.
    Tree(PathBuf),
}

impl Source {
    /// Whether it is an image.
    #[must_use]
    pub const fn is_image(&self) -> bool {
        matches!(self, Self::Image(_))
    }
}

/// What becomes of a sandbox's repository before its first command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repository {
    /// The future goes away and the base is pinned, for an agent.
    #[default]
    ForAgent,
    /// It stays as the image has it, for the hidden tests; a plain tree becomes a repository.
    AsItIs,
}

impl Spec {
    /// Whether programs in the sandbox call the harness.
    #[must_use]
    pub const fn calls_harness(&self) -> bool {
        self.messaging || self.git
    }
}

/// What a sandbox may use; recorded in every result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SandboxLimits {
    /// Memory in bytes. For namespaces, what processes hold and, as much again, what is written to
    /// the workspace and `/tmp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// CPUs; outside of Docker, rounded up to whole ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
    /// Processes and threads at the same time.
    pub pids: u32,
    /// Whether the network can be reached.
    pub network: bool,
    /// How long readying the repository may take.
    #[serde(skip)]
    pub setup_timeout: Duration,
}

impl SandboxLimits {
    /// The limits that a configuration means; where nothing is said, what is made of namespaces has a limit
    /// of memory and no network.
    #[must_use]
    pub fn of_config(native: &config::NativeConfig, kind: BackendKind) -> Self {
        let is_namespace = kind.needs_namespaces();
        Self {
            memory_bytes: native
                .memory_gb
                .map(config::gb_in_bytes)
                .or(is_namespace.then_some(NAMESPACE_BYTES)),
            cpus: native.cpus,
            pids: native.pids,
            network: native.network.unwrap_or(!is_namespace),
            setup_timeout: native.setup_timeout,
        }
    }
}

#[cfg(test)]
impl SandboxLimits {
    /// Those of a scripted sandbox, which uses nothing.
    #[must_use]
    pub fn of_a_script() -> Self {
        Self {
            memory_bytes: None,
            cpus: None,
            pids: 1,
            network: false,
            setup_timeout: Duration::from_mins(1),
        }
    }
}

/// What a namespace's processes may hold, and what may be written there (memory as well, taken as
/// it is written), when no limit is given.
const NAMESPACE_BYTES: u64 = 4_000_000_000;
