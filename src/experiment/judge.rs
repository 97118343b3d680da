//! The judge that a configuration means, and what evaluations keep for later ones.

use std::path::PathBuf;
use std::sync::Arc;

use super::setup;
use crate::bench::{BackendKind, Word};
use crate::config::Config;
use crate::demo;
use crate::error::{Error, Result};
use crate::evaluation::cache::Cache;
use crate::evaluation::clones::Clones;
use crate::evaluation::{Judge, Venue};
use crate::host;
use crate::sandbox::{Backend, SandboxLimits, namespace};
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

/// Where patches are merged without the task's image, if suites have one and this machine has such a
/// place. To change working trees takes longer than to start a sandbox.
pub async fn clones(suites: &Backend, config: &Config) -> Result<Option<Clones>> {
    let has_images = suites.has_images();
    let Some(dir) = kept(CLONES).filter(|_| has_images) else {
        return Ok(None);
    };
    if namespace::check().await.is_err() {
        return Ok(None);
    }
    let backend = host::backend(BackendKind::Namespace, config)?;
    let limits = SandboxLimits::of_config(&config.native, backend.kind());
    Ok(Some(Clones::new(dir, backend, &limits)))
}

/// Where suites run: on the backend that is asked for, the run's, or the configuration's.
#[must_use]
pub fn suites_on(config: &Config, of_run: Option<Word<BackendKind>>) -> Word<BackendKind> {
    let asked = config.evaluation.suite_backend.map(Word::Known);
    let asked = asked.or(of_run);
    asked.unwrap_or(Word::Known(config.experiment.backend))
}

/// The backend and the dataset that a judge would use, if both are there.
pub async fn check(
    config: &Config,
    of_run: Option<Word<BackendKind>>,
) -> Result<(BackendKind, PathBuf)> {
    let asked = suites_on(config, of_run);
    let Some(kind) = asked.known().filter(|kind| kind.runs_commands()) else {
        return Err(
            Error::usage(format!("no suite runs with --backend {asked}"))
                .hint("docker, oci, namespace and process are there"),
        );
    };
    let dataset = setup::dataset_alone(config)?;
    if !dataset.is_dir() {
        let told = format!("no dataset at {}", dataset.display());
        return Err(Error::usage(told)
            .hint("`dataset_dir` and --dataset-dir name the directory that has the tasks"));
    }
    host::check(kind).await?;
    Ok((kind, dataset))
}

/// The judge that a configuration means, on a backend that is there.
pub async fn judge(
    config: &Config,
    of_run: Option<Word<BackendKind>>,
    rules: &Rules,
    cache: &Arc<Cache>,
) -> Result<Judge> {
    let (kind, dataset) = check(config, of_run).await?;
    let native = &config.native;
    let rules = rules.clone();
    Ok(Judge {
        venue: Venue {
            backend: host::backend(kind, config)?,
            limits: Arc::new(SandboxLimits::of_config(native, kind)),
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
