//! The judge that a configuration means, and what evaluations keep for later ones.

use std::path::PathBuf;
use std::sync::Arc;

use super::setup;
use crate::config::{Config, Native};
use crate::demo;
use crate::engine::native::BackendKind;
use crate::error::{Error, Result};
use crate::evaluation::cache::Cache;
use crate::evaluation::clones::Clones;
use crate::evaluation::{Judge, Venue};
use crate::host;
use crate::sandbox::docker::{Docker, Endpoint};
use crate::sandbox::{Backend, Limits, namespace};
use crate::triage::{Cause, Rules};

/// What an evaluation keeps for later ones, in the user's cache: outcomes of suites and merges, and
/// clones of tasks' bases. All of it can be made again.
pub const KEPT: [&str; 2] = [SUITES, CLONES];
const SUITES: &str = "suites";
const CLONES: &str = "clones";

/// Where one of [`KEPT`] is, for a user with a cache.
#[must_use]
pub fn kept(name: &str) -> Option<PathBuf> {
    demo::cache_dir().map(|dir| dir.join("regatta").join(name))
}

/// What is known of earlier evaluations.
#[must_use]
pub fn cache(reads: bool) -> Arc<Cache> {
    Arc::new(Cache::new(kept(SUITES), reads))
}

/// Where patches are merged without a container, if suites have one and this machine has such a
/// place.
pub async fn clones(suites: &Backend, native: &Native) -> Result<Option<Clones>> {
    let (Backend::Docker(_), Some(dir)) = (suites, kept(CLONES)) else {
        return Ok(None);
    };
    if namespace::check().await.is_err() {
        return Ok(None);
    }
    let backend = host::backend(BackendKind::Namespace, &native.rootfs)?;
    let limits = Limits::of_config(native, true);
    Ok(Some(Clones::new(dir, backend, &limits)))
}

/// The judge that a configuration means, on a backend that is there: the one that is asked for, the
/// run's, or the configuration's.
pub async fn judge(
    config: &Config,
    of_run: Option<String>,
    rules: &Rules,
    cache: &Arc<Cache>,
) -> Result<Judge> {
    let asked = config.evaluation.suite_backend.clone();
    let name = asked.or(of_run);
    let name = name.as_ref().unwrap_or(&config.experiment.backend);
    let kind = BackendKind::ALL.iter().find(|(known, _)| known == name);
    let kind = match kind {
        Some((_, kind @ (BackendKind::Docker | BackendKind::Namespace | BackendKind::Process))) => {
            *kind
        }
        _ => {
            return Err(Error::usage(format!("no suite runs with --backend {name}"))
                .hint("docker, namespace and process are there"));
        }
    };
    let dataset = setup::dataset_alone(config)?;
    match kind {
        BackendKind::Docker => {
            Docker::at(Endpoint::from_environment()?)?.version().await?;
        }
        BackendKind::Namespace => namespace::check().await?,
        BackendKind::Process | BackendKind::Fake => {}
    }
    let native = &config.native;
    let rules = rules.clone();
    Ok(Judge {
        venue: Venue {
            backend: host::backend(kind, &native.rootfs)?,
            limits: Arc::new(Limits::of_config(native, kind == BackendKind::Namespace)),
            dataset: std::path::absolute(&dataset).unwrap_or(dataset),
            workspaces: native.workspaces.clone(),
        },
        rules: config.evaluation.rules,
        timeout: config.evaluation.suite_timeout,
        cache: Arc::clone(cache),
        clones: None,
        of_infrastructure: Arc::new(move |line| {
            let rule = rules.find(line, None)?;
            (rule.cause == Cause::Infra).then(|| rule.id.clone())
        }),
    })
}
