//! How long an endpoint was slow.

use std::time::Duration;

use tokio::time::Instant;

/// The time in which rate limits slowed calls, in all.
pub(super) struct Slowed {
    before: Duration,
    begin: Instant,
    /// `None` while it goes on.
    pub(super) end: Option<Instant>,
}

impl Slowed {
    pub fn not_yet(now: Instant) -> Self {
        Self {
            before: Duration::ZERO,
            begin: now,
            end: Some(now),
        }
    }

    pub fn begin(&mut self, now: Instant) {
        self.before = self.until(now);
        self.begin = now;
        self.end = None;
    }

    pub fn end(&mut self, at: Instant) {
        self.end = Some(at);
    }

    pub fn until(&self, now: Instant) -> Duration {
        let end = self.end.map_or(now, |end| end.min(now));
        self.before + end.saturating_duration_since(self.begin)
    }
}
