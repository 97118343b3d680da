//! The Python `cooperbench` CLI as an engine.
//!
//! Its exit code and its output say nothing about the tasks: results are read from the files it
//! writes. From outside we see its process, its containers (through the relay) and its files; we
//! do not see its model calls, and cannot end one of its tasks but by ending that task's container.

mod agent_file;
mod attempt;
pub mod command;
pub mod installed;
mod invocation;
pub mod relay;
mod run_options;

use std::path::PathBuf;
use std::time::Duration;

pub use agent_file::AgentFile;
pub use command::UpstreamOptions;
pub use installed::Installed;
pub use invocation::Invocation;
pub use relay::Relay;
pub use run_options::RunOptions;

use crate::sandbox::docker::DockerEndpoint;

/// The upstream engine: what to run, and the limits it is watched for.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// The CLI and its arguments.
    pub options: UpstreamOptions,
    /// The daemon that its containers run on.
    pub daemon: DockerEndpoint,
    /// A container older than this is ended; zero is no limit.
    pub task_timeout: Duration,
    /// Without anything happening for this long it is ended; zero is no limit.
    pub stall_timeout: Duration,
    /// How long running trials may finish after a gentle stop.
    pub grace: Duration,
    /// The Redis for coop settings with messages.
    pub redis_url: String,
    /// A private directory for sockets; short, as socket paths are limited to 107 bytes.
    pub runtime_dir: PathBuf,
    /// The prefix of its name, by which a reaper knows its owner.
    pub dir_prefix: String,
}
