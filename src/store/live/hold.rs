//! Why a run begins nothing new, by its events.

use jiff::{SignedDuration, Timestamp};

use crate::store::event::Event;

/// Why a run begins nothing new.
#[derive(Clone, Debug, PartialEq)]
pub enum Hold {
    /// It waits before its next attempt.
    BackOff {
        /// Until when.
        until: Timestamp,
        /// What for.
        why: String,
    },
    /// It waits for a limit of the account to reset.
    Reset {
        /// Until when.
        until: Timestamp,
        /// The limit's words.
        why: String,
    },
    /// Such a limit is met, and what runs comes to its end.
    Limit {
        /// When it resets.
        resets_at: Timestamp,
        /// Its words.
        text: String,
    },
    /// The budget is spent.
    Budget {
        /// What is spent, in USD.
        spent: f64,
        /// The budget, in USD.
        budget: f64,
    },
    /// The breaker tripped.
    Breaker {
        /// How many trials ended in the same error.
        trials: usize,
        /// The error.
        error: String,
    },
    /// It was asked to stop.
    Stopping {
        /// The signal; empty where what runs has no more time.
        signal: String,
        /// When what runs is ended.
        until: Timestamp,
    },
}

impl Hold {
    /// What an event tells of it.
    pub(super) fn of(at: Timestamp, event: &Event) -> Option<Self> {
        let after = |seconds: f64| {
            let span = SignedDuration::try_from_secs_f64(seconds).ok();
            span.and_then(|span| at.checked_add(span).ok())
                .unwrap_or(at)
        };
        Some(match event {
            Event::BackOff { seconds, why } => Self::BackOff {
                until: after(*seconds),
                why: why.clone(),
            },
            Event::WaitingForReset { until, why, .. } => Self::Reset {
                until: *until,
                why: why.clone(),
            },
            Event::LimitMet {
                text, resets_at, ..
            } => Self::Limit {
                resets_at: *resets_at,
                text: text.clone(),
            },
            Event::BudgetSpent { spent, budget } => Self::Budget {
                spent: *spent,
                budget: *budget,
            },
            Event::BreakerTripped { error, trials, .. } => Self::Breaker {
                trials: *trials,
                error: error.clone(),
            },
            Event::Stopping {
                signal,
                grace_seconds,
            } => Self::Stopping {
                signal: signal.clone(),
                until: after(*grace_seconds),
            },
            Event::StoppingNow => Self::Stopping {
                signal: String::new(),
                until: at,
            },
            _ => return None,
        })
    }
}
