//! Jobs whose driver is dead.

use crate::error::Result;
use crate::slurm::{JobId, Slurm};
use crate::store::lease::{ClaimKey, Claims};
use crate::store::{LogTree, RunDir};

/// Jobs of a log tree's runs that nobody drives any more.
#[derive(Debug)]
pub struct JobsLeft {
    slurm: Slurm,
    /// The jobs, each with its run.
    pub jobs: Vec<(JobId, RunDir)>,
}

impl JobsLeft {
    /// Looks for them; `None` where no run of the tree ever was on a cluster. A driver of another host
    /// is taken to live.
    pub async fn find(tree: &LogTree) -> Result<Option<Self>> {
        let runs = tree.runs()?.into_iter();
        let of_cluster: Vec<RunDir> = runs.filter(|run| run.cluster_driver().exists()).collect();
        if of_cluster.is_empty() {
            return Ok(None);
        }
        let slurm = Slurm::find().await?;
        let mut jobs = Vec::new();
        for job in slurm.ours().await? {
            let is_its = |run: &&RunDir| job.comment == super::comment_of(run.path());
            let Some(run) = of_cluster.iter().find(is_its) else {
                continue;
            };
            let driver = Claims::of(run).holder(&ClaimKey::Driver)?;
            if driver.is_none_or(|holder| holder.is_dead()) {
                jobs.push((job.job, run.clone()));
            }
        }
        Ok(Some(Self { slurm, jobs }))
    }

    /// Cancels them.
    pub async fn cancel(&self) -> Result<()> {
        let ids: Vec<JobId> = self.jobs.iter().map(|(id, _)| *id).collect();
        self.slurm.cancel(&ids).await
    }
}
