//! What stands before an experiment runs.

use crate::bench::{RunName, Total};

/// What stands in all runs, and what may be spent on them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outlook {
    /// The runs, in the order in which they run.
    pub runs: Vec<RunOutlook>,
    /// What all runs may cost together, in USD.
    pub budget: Option<f64>,
}

/// What stands in one run. Each pair is in one of the counts.
#[derive(Clone, Debug, PartialEq)]
pub struct RunOutlook {
    /// The run.
    pub run: RunName,
    /// How many pairs it has.
    pub pairs: usize,
    /// Those whose agents submitted.
    pub submitted: usize,
    /// Those that finished otherwise: a limit ended an agent.
    pub at_limit: usize,
    /// Those that ended in an error which stays: the agent's own.
    pub errors: usize,
    /// Those that will run.
    pub to_run: usize,
    /// What was spent on all its trials.
    pub spent: Total,
}

impl RunOutlook {
    /// A run of which nothing is known.
    #[must_use]
    pub fn unknown(run: RunName) -> Self {
        Self {
            run,
            pairs: 0,
            submitted: 0,
            at_limit: 0,
            errors: 0,
            to_run: 0,
            spent: Total::default(),
        }
    }
}
