//! What a worker on a cluster is made of: the engine that the driver's configuration means.

use std::sync::Arc;

use super::setup;
use crate::config::{Config, Layers};
use crate::engine::{Engine, EngineOptions};
use crate::error::{Error, Result};
use crate::executor::slurm::messages::WorkOrder;
use crate::executor::worker::{Worker, WorkerTools};
use crate::executor::{Here, worker};
use crate::model::pace::Pace;
use crate::runner::Interrupt;
use crate::secret::Secret;
use crate::store::RunDir;
use crate::store::lease::Holder;

/// Works for a run until its driver lets it go.
pub async fn work(run: RunDir, at_once: usize) -> Result<()> {
    let variable = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
    let job = match (
        variable("SLURM_ARRAY_JOB_ID"),
        variable("SLURM_ARRAY_TASK_ID"),
    ) {
        (Some(job), Some(task)) => Some(format!("{job}_{task}")),
        _ => variable("SLURM_JOB_ID"),
    };
    let restart = variable("SLURM_RESTART_COUNT").and_then(|count| count.parse().ok());
    let holder = Holder::this(job, restart.unwrap_or(0));
    let node = variable("SLURMD_NODENAME").unwrap_or_else(|| holder.host.clone());
    let worker = Worker::of(run, holder, node, at_once);
    let mut signals = Signals(Interrupt::listen()?);
    worker
        .work(
            async |work, pace| tools(work, &pace, at_once).await,
            &mut signals,
        )
        .await
}

struct Signals(Interrupt);

impl worker::Signals for Signals {
    async fn next(&mut self) -> &'static str {
        self.0.changed().await;
        self.0.came().signal
    }
}

/// The engines of a worker's places.
async fn tools(work: &WorkOrder, pace: &Arc<Pace>, places: usize) -> Result<WorkerTools> {
    let config = config_of(work)?;
    let dataset = setup::dataset_alone(&config)?;
    let (prices, _) = setup::prices(&config)?;
    let rules = setup::rules(&config)?;
    let (mut options, _) = setup::of_engine(&config, dataset, &prices, false)?;
    let EngineOptions::Native(native) = &mut options else {
        return Err(Error::usage(
            "a worker runs the native engine, and this run is upstream's",
        ));
    };
    native.client.base.clone_from(&work.base);
    native.client.key = work.key.clone().map(Secret::new);
    native.concurrency = 1;
    let mut engines = Vec::new();
    for _ in 0..places {
        let here = Here::ready(&config, &options, &rules, work.setting).await?;
        let Engine::Native(mut native) = here.into_engine() else {
            continue;
        };
        native.pace = Some(Arc::clone(pace));
        engines.push(Engine::Native(native));
    }
    Ok(WorkerTools { engines })
}

/// The configuration that the driver has told of.
fn config_of(work: &WorkOrder) -> Result<Config> {
    let mut config = Layers::of_values(work.values.clone()).config()?;
    config.experiment.settings = vec![work.setting];
    Ok(config)
}
