//! Where an attempt's batch is executed.

mod here;

use tokio::sync::watch;

use crate::engine::{Batch, EndedAttempt, Reporter, Stop};
use crate::error::Result;

pub use here::Here;

/// A place where batches are executed: the only way in which the runner has trials run.
///
/// A [`Batch`] holds all that the runner knows of an attempt, and can be written to a file and read
/// back. So an executor may run it in another process, wherever the run's directory is seen too.
pub trait Executor {
    /// Executes one batch to its end, or until `stop` ends it. Results appear in the run's
    /// directory as they come. `events` is called before anything is done that follows from what it
    /// is told.
    fn attempt(
        &self,
        batch: &Batch,
        stop: watch::Receiver<Stop>,
        events: &Reporter,
    ) -> impl Future<Output = Result<EndedAttempt>>;
}
