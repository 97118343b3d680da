//! How fast things get done, and how long the rest takes. Pure.

use std::time::{Duration, Instant};

/// The pace of a count that goes up, without the time in which nothing could be done.
#[derive(Debug, Default)]
pub struct Tempo {
    /// What was spent at work before the last rest.
    before: Duration,
    /// Since when it is at work; `None` while it rests.
    since: Option<Instant>,
    steps: u32,
    /// What had been spent at work when the last step was done.
    at_step: Duration,
}

impl Tempo {
    /// Work begins, or goes on.
    pub fn go(&mut self, now: Instant) {
        self.since = self.since.or(Some(now));
    }

    /// Work rests: nothing can be done until it goes on.
    pub fn rest(&mut self, now: Instant) {
        self.before = self.at_work(now);
        self.since = None;
    }

    /// One more is done.
    pub fn step(&mut self, now: Instant) {
        self.steps += 1;
        self.at_step = self.at_work(now);
    }

    fn at_work(&self, now: Instant) -> Duration {
        let since = self.since.map(|since| now.saturating_duration_since(since));
        self.before + since.unwrap_or_default()
    }

    /// How long `left` more steps take, if the pace so far says it: nothing is known before the first
    /// step, and while it rests.
    ///
    /// It goes down between steps. Where the next step is overdue it goes up, as if that step were
    /// done now.
    #[must_use]
    pub fn eta(&self, left: usize, now: Instant) -> Option<Duration> {
        self.since?;
        eta(self.steps, self.at_step, self.at_work(now), left)
    }
}

/// How long `left` more steps take where so many took `at_step`, and work has gone on for `at_work`;
/// `None` before the first.
#[must_use]
pub fn eta(steps: u32, at_step: Duration, at_work: Duration, left: usize) -> Option<Duration> {
    let left = u32::try_from(left).ok()?;
    let planned = at_step.checked_div(steps)?.saturating_mul(left);
    let counted_down = planned.saturating_sub(at_work.saturating_sub(at_step));
    let overdue = (at_work / (steps + 1)).saturating_mul(left.saturating_sub(1));
    Some(counted_down.max(overdue))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(begun: Instant, seconds: u64) -> Instant {
        begun + Duration::from_secs(seconds)
    }

    fn seconds(tempo: &Tempo, left: usize, now: Instant) -> Option<u64> {
        tempo.eta(left, now).map(|eta| eta.as_secs())
    }

    #[test]
    fn it_goes_down_between_steps_and_up_where_one_is_overdue() {
        let begun = Instant::now();
        let mut tempo = Tempo::default();
        assert_eq!(seconds(&tempo, 9, begun), None);
        tempo.go(begun);
        assert_eq!(seconds(&tempo, 9, at(begun, 5)), None);
        tempo.step(at(begun, 10));
        assert_eq!(seconds(&tempo, 9, at(begun, 10)), Some(90));
        assert_eq!(seconds(&tempo, 9, at(begun, 15)), Some(85));
        // The second took 30 s so far: 15 s each.
        assert_eq!(seconds(&tempo, 9, at(begun, 40)), Some(160));
        tempo.step(at(begun, 40));
        assert_eq!(seconds(&tempo, 8, at(begun, 40)), Some(160));
        assert_eq!(seconds(&tempo, 0, at(begun, 40)), Some(0));
    }

    #[test]
    fn a_rest_does_not_count() {
        let begun = Instant::now();
        let mut tempo = Tempo::default();
        tempo.go(begun);
        tempo.step(at(begun, 10));
        tempo.rest(at(begun, 10));
        assert_eq!(seconds(&tempo, 2, at(begun, 500)), None);
        tempo.go(at(begun, 1000));
        assert_eq!(seconds(&tempo, 2, at(begun, 1000)), Some(20));
    }
}
