//! What the attempts of a run obey, and how a run ends.

use std::time::Duration;

/// What the attempts of a run obey.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How many attempts one command makes, the first included. One that a limit of the account
    /// ended counts only if no trial finished in it.
    pub max_attempts: u32,
    /// Pairs at the same time.
    pub concurrency: usize,
    /// The first wait after infrastructure errors.
    pub backoff: Duration,
    /// The longest that doubling makes that wait.
    pub backoff_max: Duration,
    /// The longest wait for a limit of the account to reset.
    pub max_wait: Duration,
    /// Equal errors that trip the breaker.
    pub breaker_trials: usize,
    /// The budget of all runs of the experiment, in USD.
    pub budget: Option<f64>,
    /// What its other runs have spent, in USD.
    pub elsewhere: f64,
    /// Free bytes where the logs are, below which nothing new is begun.
    pub min_free_bytes: u64,
    /// The grace after a first Ctrl-C, to be shown.
    pub grace: Duration,
}

/// How a run ended. It decides the exit code, and whether finished pairs are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// Every pair of the plan finished.
    Complete,
    /// Some pairs still end in an error, or have no result.
    Errors,
    /// The world is not fit; what to mend.
    World(String),
    /// A limit of the account resets only later than the run may wait for; what and when.
    Limit(String),
    /// The runs of the experiment have spent the budget.
    Budget,
    /// The user stopped it by a signal.
    Interrupted,
}

impl RunEnd {
    /// Its name, as in `events.jsonl`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Errors => "errors",
            Self::World(_) => "world",
            Self::Limit(_) => "limit",
            Self::Budget => "budget",
            Self::Interrupted => "interrupted",
        }
    }
}

#[cfg(test)]
impl Policy {
    /// One pair at a time, three attempts, and nothing that is waited for.
    #[must_use]
    pub fn in_haste() -> Self {
        Self {
            max_attempts: 3,
            concurrency: 1,
            backoff: Duration::ZERO,
            backoff_max: Duration::ZERO,
            max_wait: Duration::ZERO,
            breaker_trials: 3,
            budget: None,
            elsewhere: 0.0,
            min_free_bytes: 0,
            grace: Duration::ZERO,
        }
    }
}
