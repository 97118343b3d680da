//! Is this machine fit? Each check with its evidence and what to do.

mod connection;
mod docker;
mod model;
mod sandboxes;
mod slurm;
mod upstream;

use std::path::Path;

use rustix::process::{Resource, getrlimit};
use serde::{Serialize, Serializer};

use crate::bench::Pair;
use crate::config::{Config, ExecutorKind};
use crate::engine::EngineOptions;
use crate::error::Error;
use crate::text::by_number;

pub use connection::connection;
pub use model::{Refusal, endpoint, model};
pub use slurm::{NODE_COMMAND, look_around, on_a_node, slurm};
pub use upstream::{cooperbench, python};

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Fit for a run, with nothing to mend.
    Pass,
    /// A run would work, but the user should read the evidence.
    Warn,
    /// A run would not work. `run` does not start, unless without preflight.
    Fail,
}

/// One check of this machine, or of a service that a run needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked, in a word or two, e.g. `free disk`.
    pub name: &'static str,
    /// Whether a run would work.
    pub level: Level,
    /// What was seen, e.g. a version, a path or an error's text.
    pub evidence: String,
    /// What to do about it, one step or choice each; empty for a pass.
    #[serde(rename = "remedy", serialize_with = "joined")]
    pub remedies: Vec<String>,
    /// The remedy's commands, where it is one for each of many things: all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
}

impl Check {
    /// A check that passed. It has no remedy.
    pub fn pass(name: &'static str, evidence: impl Into<String>) -> Self {
        Self::new(name, Level::Pass, evidence, "")
    }

    /// A check with a remedy.
    pub fn new(
        name: &'static str,
        level: Level,
        evidence: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = remedy.into();
        let remedies = Some(remedy).filter(|remedy| !remedy.is_empty());
        Self {
            name,
            level,
            evidence: evidence.into(),
            remedies: remedies.into_iter().collect(),
            commands: Vec::new(),
        }
    }

    /// A check that failed with an error.
    #[must_use]
    pub fn failed(name: &'static str, error: &Error) -> Self {
        Self {
            remedies: error.hints().to_vec(),
            ..Self::new(name, Level::Fail, error.to_string(), "")
        }
    }

    /// What to do about it, in one line; empty for a pass.
    #[must_use]
    pub fn remedy(&self) -> String {
        self.remedies.join("; ")
    }
}

fn joined<S: Serializer>(remedies: &[String], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&remedies.join("; "))
}

/// The usual soft limit of open files. Every agent takes sockets to the model and the relay, and a
/// coop pair is two agents.
const WANTED_FILES: u64 = 1024;

/// The checks that cost nothing: before every run.
pub async fn cheap(config: &Config, options: &EngineOptions, pairs: &[Pair]) -> Vec<Check> {
    let mut checks = vec![model::key(options), free_disk(config), open_files()];
    match options {
        EngineOptions::Upstream(options) => {
            checks.push(upstream::prompts(&options.dir));
            if config.experiment.settings.iter().any(|it| it.messaging()) {
                checks.push(upstream::redis(&config.upstream.redis_url).await);
            }
            checks.extend(docker::docker(pairs, true).await);
        }
        EngineOptions::Native(options) => {
            checks.extend(sandboxes::sandboxes(config, options, pairs).await);
            if config.executor.executor == ExecutorKind::Slurm {
                // Sandboxes are made on the nodes, whatever this machine can do.
                checks.retain(|check| check.name != sandboxes::NAMESPACES);
            }
        }
    }
    checks
}

/// The checks of several arms as one list: what is so in all of them once, and else with the arms that
/// it is about.
#[must_use]
pub fn of_all(arms: Vec<(&str, Vec<Check>)>) -> Vec<Check> {
    let count = arms.len();
    let mut found: Vec<(Check, Vec<&str>)> = Vec::new();
    for (arm, checks) in arms {
        for check in checks {
            match found.iter_mut().find(|(known, _)| *known == check) {
                Some((_, by)) => by.push(arm),
                None => found.push((check, vec![arm])),
            }
        }
    }
    let about = |(check, by): (Check, Vec<&str>)| {
        if by.len() == count {
            return check;
        }
        let word = by_number(by.len(), "arm", "arms");
        let evidence = format!("{word} {}: {}", by.join(", "), check.evidence);
        Check { evidence, ..check }
    };
    found.into_iter().map(about).collect()
}

fn free_disk(config: &Config) -> Check {
    let logs = config
        .upstream
        .logs_dir
        .clone()
        .unwrap_or_else(|| config.upstream.cooperbench_dir.join("logs"));
    disk("free disk", &logs, config.limits.min_free_disk_gb)
}

/// How many bytes are free where something is or will be: it may not be there yet, and then it will
/// be on the disk of its nearest ancestor.
fn free_at(place: &Path) -> Option<u64> {
    let existing = place.ancestors().find(|dir| dir.exists());
    let existing = existing.filter(|dir| !dir.as_os_str().is_empty());
    let stat = rustix::fs::statvfs(existing.unwrap_or(Path::new("."))).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}

/// Whether there is room where something is or will be; `wanted` in GB.
fn disk(name: &'static str, place: &Path, wanted: f64) -> Check {
    let Some(free) = free_at(place) else {
        return Check::new(
            name,
            Level::Warn,
            format!("{} cannot be asked", place.display()),
            "check it by hand",
        );
    };
    let free = free as f64 / 1e9;
    let evidence = format!("{free:.1} GB where {} is", place.display());
    if free < wanted {
        let remedy = format!("free some: at least {wanted} GB are wanted (min_free_disk_gb)");
        return Check::new(name, Level::Fail, evidence, remedy);
    }
    Check::pass(name, evidence)
}

fn open_files() -> Check {
    let limit = getrlimit(Resource::Nofile).current;
    match limit {
        Some(limit) if limit < WANTED_FILES => Check::new(
            "open files",
            Level::Warn,
            format!("the limit is {limit}"),
            format!("raise it: `ulimit -n {}`", WANTED_FILES * 4),
        ),
        Some(limit) => Check::pass("open files", format!("the limit is {limit}")),
        None => Check::pass("open files", "no limit"),
    }
}
