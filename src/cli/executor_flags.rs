//! The flags of the executor, which `run` and `doctor` share.

use clap::Args;

use super::options::set;
use crate::bench::Word;
use crate::config::{ExecutorKind, Layers};
use crate::error::Result;

/// Where attempts run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ExecutorArgs {
    /// Where trials run: in this process, or in workers that Slurm starts; these take the native engine
    /// on oci or namespace [default: here]
    #[arg(long)]
    executor: Option<Word<ExecutorKind>>,
    /// Slurm: at most so many workers, each of which runs -c pairs at a time (1 unless it is given)
    /// [default: 4]
    #[arg(long, value_name = "N")]
    workers: Option<String>,
    /// Slurm: so many workers, each with a node of its own
    #[arg(long, value_name = "N", conflicts_with = "workers")]
    nodes: Option<String>,
    /// Slurm: the partition
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,
    /// Slurm: the account
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Slurm: the time limit of a worker, e.g. 04:00:00. One that ends is begun anew while pairs are
    /// left
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// Slurm: more arguments of sbatch, e.g. '--constraint=avx2 --exclude=n7'
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    sbatch: Option<String>,
}

impl ExecutorArgs {
    /// Adds these flags to the layers.
    pub fn apply(&self, layers: &mut Layers) -> Result<()> {
        if let Some(executor) = &self.executor {
            layers.set("executor.executor", executor.as_str(), "--executor")?;
        }
        let flags = [
            ("executor.workers", "--workers", &self.workers),
            ("executor.nodes", "--nodes", &self.nodes),
            ("executor.partition", "--partition", &self.partition),
            ("executor.account", "--account", &self.account),
            ("executor.time", "--time", &self.time),
            ("executor.sbatch", "--sbatch", &self.sbatch),
        ];
        for (key, flag, value) in flags {
            set(layers, key, flag, value.as_ref())?;
        }
        Ok(())
    }
}
