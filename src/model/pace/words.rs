//! What a worker and the desk of a pace say to each other.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a worker says of one of its calls. The ids are the worker's own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaceAsk {
    /// A call wants to begin, and waits for [`PaceAnswer::Enters`].
    Enter {
        /// Of the call.
        id: u64,
    },
    /// A call that began while nobody answered goes on: it counts from now on, without an answer.
    GoesOn {
        /// Of the call.
        id: u64,
    },
    /// The call was answered.
    Succeeded {
        /// Of the call.
        id: u64,
    },
    /// The endpoint refused the call for its rate limit.
    RateLimited {
        /// Of the call.
        id: u64,
        /// Its `Retry-After`, if it had one.
        retry_after_seconds: Option<f64>,
    },
    /// The call ended in another way, or waits no more.
    Held {
        /// Of the call.
        id: u64,
    },
}

/// What the desk says to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaceAnswer {
    /// The call may begin.
    Enters {
        /// Of the call.
        id: u64,
        /// How much of its wait the endpoint's rate limits caused.
        waited_seconds: f64,
        /// How many calls the worker may have at once while the desk cannot be reached.
        share: usize,
        /// How many calls of all workers may run at once when the endpoint keeps up.
        bound: usize,
        /// Whether the endpoint answered a call of any worker.
        was_answered: bool,
    },
    /// The endpoint's rate limits slow all workers from now on, or slow them no more.
    Slowed {
        /// For how long no call begins.
        hold_seconds: f64,
        /// Whether fewer calls run at once, until another word comes.
        is_lowered: bool,
        /// As of [`PaceAnswer::Enters`].
        share: usize,
    },
}

/// A time that another process told; none where it makes no sense.
pub(super) fn duration_of(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
