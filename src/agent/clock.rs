//! How much of a trial's time an agent has left.

use std::time::{Duration, Instant};

use super::brief::Times;

/// The time of one agent.
#[derive(Debug)]
pub struct Clock {
    times: Times,
    begun: Instant,
    /// Time spent waiting for the sandbox, which is not the agent's.
    not_counted: Duration,
    /// Time lost to the endpoint's rate limits.
    rate_limited: Duration,
}

impl Clock {
    /// The clock of an agent that begins now; nothing is lost or waited for yet.
    pub fn start(times: Times) -> Self {
        Self {
            times,
            begun: Instant::now(),
            not_counted: Duration::ZERO,
            rate_limited: Duration::ZERO,
        }
    }

    /// How much of the trial's time is left; `None` without a limit.
    pub fn left(&self) -> Option<Duration> {
        self.left_with(Duration::ZERO)
    }

    /// The same, when so much more was lost to rate limits.
    pub fn left_with(&self, lost: Duration) -> Option<Duration> {
        self.left_after(self.begun.elapsed(), lost)
    }

    fn left_after(&self, elapsed: Duration, lost: Duration) -> Option<Duration> {
        let mut limit = self.times.trial?;
        if !self.times.rate_limits_count {
            limit += self.rate_limited + lost;
        }
        Some((limit + self.not_counted).saturating_sub(elapsed))
    }

    /// Whether the trial's time is used up; never, if it has no limit.
    pub fn is_up(&self) -> bool {
        self.left() == Some(Duration::ZERO)
    }

    /// How long the next command may take; `None` when the time is up.
    pub fn for_a_command(&self) -> Option<Duration> {
        within(self.left(), self.times.command)
    }

    /// Whether so much is most of the trial's time.
    pub fn is_most(&self, waited: Duration) -> bool {
        self.times.trial.is_some_and(|limit| waited > limit / 2)
    }

    /// So much went to waiting for the sandbox.
    pub fn waited_for_sandbox(&mut self, time: Duration) {
        self.not_counted += time;
    }

    /// So much was lost to rate limits.
    pub fn lose(&mut self, time: Duration) {
        self.rate_limited += time;
    }

    /// What was lost to rate limits in all.
    pub const fn rate_limited(&self) -> Duration {
        self.rate_limited
    }
}

fn within(left: Option<Duration>, limit: Duration) -> Option<Duration> {
    match left {
        Some(Duration::ZERO) => None,
        Some(left) => Some(left.min(limit)),
        None => Some(limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn clock(trial: Option<u64>, rate_limits_count: bool) -> Clock {
        Clock::start(Times {
            command: seconds(60),
            trial: trial.map(seconds),
            rate_limits_count,
        })
    }

    #[test]
    fn a_trial_has_its_time_and_what_waiting_for_others_took_of_it() {
        let mut clock = clock(Some(100), false);
        let left = |clock: &Clock, elapsed, lost| clock.left_after(seconds(elapsed), seconds(lost));
        assert_eq!(left(&clock, 99, 0), Some(seconds(1)));
        assert_eq!(left(&clock, 100, 0), Some(Duration::ZERO));
        assert_eq!(left(&clock, 1000, 0), Some(Duration::ZERO));
        clock.waited_for_sandbox(seconds(10));
        assert_eq!(left(&clock, 100, 0), Some(seconds(10)));
        clock.lose(seconds(5));
        assert_eq!(left(&clock, 100, 0), Some(seconds(15)));
        assert_eq!(left(&clock, 100, 2), Some(seconds(17)));
        assert_eq!(clock.rate_limited(), seconds(5));
    }

    #[test]
    fn rate_limits_may_count_and_the_sandbox_never_does() {
        let mut clock = clock(Some(100), true);
        clock.lose(seconds(5));
        clock.waited_for_sandbox(seconds(1));
        let left = clock.left_after(seconds(90), seconds(7));
        assert_eq!(left, Some(seconds(11)));
    }

    #[test]
    fn without_a_limit_nothing_is_ever_up() {
        let clock = clock(None, true);
        assert_eq!(clock.left_after(seconds(1 << 40), Duration::ZERO), None);
        assert!(!clock.is_up());
        assert!(!clock.is_most(Duration::MAX));
        assert_eq!(clock.for_a_command(), Some(seconds(60)));
    }

    #[test]
    fn a_command_has_its_own_time_or_what_is_left_of_the_trials() {
        let limit = seconds(60);
        assert_eq!(within(Some(seconds(61)), limit), Some(limit));
        assert_eq!(within(Some(seconds(59)), limit), Some(seconds(59)));
        assert_eq!(within(Some(Duration::ZERO), limit), None);
        assert_eq!(clock(Some(0), true).for_a_command(), None);
        assert!(clock(Some(0), true).is_up());
    }

    #[test]
    fn a_call_that_took_more_than_half_of_the_time_took_most_of_it() {
        let clock = clock(Some(100), true);
        assert!(!clock.is_most(seconds(50)));
        assert!(clock.is_most(seconds(51)));
    }
}
