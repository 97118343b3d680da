//! Who executes trials.

pub mod access;
pub mod dotenv;
pub mod fake;
pub mod native;
mod orders;
pub mod upstream;

use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::bench::{BackendKind, EngineKind, Pair, Setting};
use crate::error::Result;
use crate::store::result::FRAMEWORK;
use crate::store::{Event, RunDir};

pub use access::Access;
pub use orders::{Orders, Stop};

/// An engine: the expensive boundary below the runner, closed.
#[derive(Debug)]
pub enum Engine {
    /// The Python `cooperbench` CLI, watched through a relay.
    Upstream(Box<upstream::Upstream>),
    /// Our own agents and sandboxes.
    Native(Box<native::Native>),
    /// A script, for the runner's own tests.
    Fake(fake::FakeEngine),
}

/// The options of the engine that was chosen.
#[derive(Clone, Debug)]
pub enum EngineOptions {
    /// Those that [`Engine::Upstream`] is made with.
    Upstream(Box<upstream::UpstreamOptions>),
    /// Those that [`Engine::Native`] is made with.
    Native(Box<native::NativeOptions>),
}

impl EngineOptions {
    /// Which engine these options are for.
    #[must_use]
    pub const fn engine(&self) -> EngineKind {
        match self {
            Self::Upstream(_) => EngineKind::Upstream,
            Self::Native(_) => EngineKind::Native,
        }
    }

    /// What makes the sandboxes in which agents' commands run.
    #[must_use]
    pub const fn backend(&self) -> BackendKind {
        match self {
            Self::Upstream(options) => options.backend,
            Self::Native(options) => options.backend,
        }
    }

    /// The version of the upstream CLI, when it is the engine and is installed.
    #[must_use]
    pub fn upstream_version(&self) -> Option<upstream::installed::Version> {
        match self {
            Self::Upstream(options) => options.version,
            Self::Native(_) => None,
        }
    }

    /// Pairs at the same time.
    #[must_use]
    pub const fn concurrency(&self) -> usize {
        match self {
            Self::Upstream(options) => options.concurrency,
            Self::Native(options) => options.concurrency,
        }
    }

    /// The agent framework, as it is registered.
    #[must_use]
    pub fn agent(&self) -> &str {
        match self {
            Self::Upstream(options) => &options.agent,
            Self::Native(_) => FRAMEWORK,
        }
    }

    /// What is passed to upstream's CLI as it is; empty of any other engine.
    #[must_use]
    pub fn args(&self) -> &[String] {
        match self {
            Self::Upstream(options) => &options.args,
            Self::Native(_) => &[],
        }
    }

    /// How the model is reached.
    #[must_use]
    pub const fn access(&self) -> &Access {
        match self {
            Self::Upstream(options) => &options.access,
            Self::Native(options) => &options.access,
        }
    }
}

/// One attempt's work: these pairs, once each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The directory of the run, into which results are written.
    pub run: RunDir,
    /// The run's setting: how many agents a pair has, and whether they talk.
    pub setting: Setting,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// The pairs to run, in the plan's order.
    pub pairs: Vec<Pair>,
    /// Those of them whose sandbox ended before, in an earlier trial, without anybody knowing why:
    /// if it does so again, it is the agent's own end.
    pub ended_before: Vec<Pair>,
    /// Every pair of the plan; the engine may skip those that are not in `pairs`.
    pub plan: Vec<Pair>,
    /// The run whose results they become, where `run` is only where they are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<RunDir>,
}

/// The end of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedAttempt {
    /// How the attempt ended; what came of its pairs stands in the store.
    pub how: AttemptEnd,
    /// When the engine began to be ended by force; what was written after that is void.
    pub killed_at: Option<SystemTime>,
}

/// How an attempt ended, apart from what came of each pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptEnd {
    /// The engine went through its pairs. What came of them stands in the store.
    Done,
    /// The engine ended on its own without going through its pairs: its exit status, and the last
    /// lines it printed.
    Broke {
        /// In words: `exit code 1`, `signal 9`.
        status: String,
        /// The last lines of its output.
        tail: Vec<String>,
        /// Where the whole output is.
        log: PathBuf,
    },
    /// Nothing happened for too long, so it was ended.
    Stalled,
    /// The sandbox's daemon went away, so it was ended.
    DaemonGone(String),
    /// It was asked to stop, and did.
    Stopped,
}

/// Where an engine's events go; called before the engine acts on what it tells.
pub type Reporter = std::sync::Arc<dyn Fn(Event) + Send + Sync>;

impl Engine {
    /// Whether it obeys all orders while an attempt goes on; see [`Orders`].
    #[must_use]
    pub const fn obeys_within(&self) -> bool {
        match self {
            // It gets its pairs at the beginning, and tells of no trial which container is its own.
            Self::Upstream(_) => false,
            Self::Native(_) | Self::Fake(_) => true,
        }
    }

    /// Runs one attempt to its end. Results appear in the store as they come.
    pub async fn attempt(
        &self,
        batch: &Batch,
        orders: watch::Receiver<Orders>,
        report: &Reporter,
    ) -> Result<EndedAttempt> {
        match self {
            Self::Upstream(upstream) => upstream.attempt(batch, orders, report).await,
            Self::Native(native) => native.attempt(batch, orders, report).await,
            Self::Fake(fake) => fake.attempt(batch, orders, report).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::bench::TaskKey;
    use crate::store::LogTree;

    #[test]
    fn a_batch_that_was_written_is_read_back() {
        let pair = |task| Pair::new(TaskKey::new("gull_task", task), 1, 2);
        let batch = Batch {
            run: LogTree::at("/srv/logs").run(&"gull-solo".parse().unwrap()),
            setting: Setting::Solo,
            attempt: 2,
            pairs: vec![pair(7)],
            ended_before: vec![pair(7)],
            plan: vec![pair(3), pair(7)],
            home: None,
        };
        let written = json!({
            "run": "/srv/logs/gull-solo",
            "setting": "solo",
            "attempt": 2,
            "pairs": [{"repo": "gull_task", "task_id": 7, "features": [1, 2]}],
            "ended_before": [{"repo": "gull_task", "task_id": 7, "features": [1, 2]}],
            "plan": [
                {"repo": "gull_task", "task_id": 3, "features": [1, 2]},
                {"repo": "gull_task", "task_id": 7, "features": [1, 2]},
            ],
        });
        assert_eq!(serde_json::to_value(&batch).unwrap(), written);
        assert_eq!(serde_json::from_value::<Batch>(written).unwrap(), batch);
    }
}
