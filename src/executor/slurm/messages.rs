//! What a driver and its workers tell each other.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bench::{Pair, Setting};
use crate::engine::Orders;
use crate::model::pace::{PaceAnswer, PaceAsk};
use crate::store::lease::Holder;
use crate::store::{Event, RunDir};

/// What a worker says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum ToDriver {
    /// The first that it says.
    Hello(Hello),
    /// One of its places is free and asks for a pair.
    Want,
    /// The pair that it was given is somebody else's.
    Taken {
        /// The pair.
        pair: Pair,
        /// Who holds it.
        by: Holder,
    },
    /// Something happened, which its own file has by now.
    Happened {
        /// What.
        event: Event,
    },
    /// A trial came to its end.
    Ended {
        /// Its pair.
        pair: Pair,
        /// Whether it left a result in the worker's tree.
        has_result: bool,
    },
    /// It cannot go on: the pair that it tried, and why.
    Broke {
        /// The pair.
        pair: Pair,
        /// Why.
        why: String,
    },
    /// Of the pace of calls.
    Pace(PaceAsk),
    /// It takes no further pair: a signal came.
    Leaving {
        /// The signal's name.
        signal: String,
    },
    /// The last that it says.
    Bye,
}

/// Who a worker is, and what it holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Who it is.
    pub holder: Holder,
    /// The name of its node, as Slurm has it.
    pub node: String,
    /// Its version of this program.
    pub version: String,
    /// How many pairs it runs at the same time.
    pub at_once: usize,
    /// The pairs whose claims it holds.
    pub running: Vec<Pair>,
}

/// What the driver says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub enum ToWorker {
    /// The worker is one of the run's.
    Welcome(Box<WorkOrder>),
    /// It is not, and why.
    Refused {
        /// Why.
        why: String,
    },
    /// A pair for a place that asked.
    Run {
        /// The pair.
        pair: Pair,
        /// The attempt that it belongs to.
        attempt: u32,
        /// Whether its sandbox ended before, nobody knows why.
        ended_before: bool,
    },
    /// What holds from now on.
    Orders(Orders),
    /// Of the pace of calls.
    Pace(PaceAnswer),
    /// The driver has all that a trial left: its claim can go.
    Collected {
        /// The trial's pair.
        pair: Pair,
    },
    /// There is nothing more to do.
    Leave,
}

/// What a worker needs to know of the run.
#[derive(Clone, Serialize, Deserialize)]
pub struct WorkOrder {
    /// The run.
    pub run: RunDir,
    /// The setting of its trials.
    pub setting: Setting,
    /// The values of its configuration.
    pub values: toml::Table,
    /// The endpoint.
    pub base: String,
    /// The endpoint's key: it is only ever in memory, and sent encrypted.
    pub key: Option<String>,
    /// How many calls the worker may make at once where nobody answers for the pace.
    pub share: usize,
}

impl fmt::Debug for WorkOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkOrder")
            .field("run", &self.run)
            .field("setting", &self.setting)
            .finish_non_exhaustive()
    }
}
