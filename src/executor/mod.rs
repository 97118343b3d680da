//! Where an attempt's batch is executed.

mod here;
pub mod slurm;
pub mod worker;

use std::collections::BTreeSet;

use tokio::sync::watch;

use crate::bench::Pair;
use crate::engine::{Batch, EndedAttempt, Orders, Reporter};
use crate::error::Result;

pub use here::Here;
pub use slurm::Cluster;

/// A place where batches are executed: the only way in which the runner has trials run.
///
/// A [`Batch`] holds all that the runner knows of an attempt, and can be written to a file and read
/// back. So an executor may run it in another process, wherever the run's directory is seen too.
pub trait Executor {
    /// Executes one batch to its end, or until `orders` end it. Results appear in the run's
    /// directory as they come. `events` is called before anything is done that follows from what it
    /// is told.
    fn attempt(
        &self,
        batch: &Batch,
        orders: watch::Receiver<Orders>,
        events: &Reporter,
    ) -> impl Future<Output = Result<EndedAttempt>>;

    /// Whether all orders are obeyed while an attempt goes on. If not, one that is paused ends its
    /// attempt, no single trial can be ended, and another concurrency is the next attempt's.
    fn obeys_within(&self) -> bool {
        true
    }

    /// The pairs whose trials go on that an earlier command began: the next attempt takes them over.
    fn going_on(&self) -> BTreeSet<Pair> {
        BTreeSet::new()
    }
}
