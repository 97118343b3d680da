//! What has become so far of the call that a client has under way. Who ends it in the middle learns
//! it here.

use std::time::Duration;

use tokio::time::Instant;

use super::chat::ChatError;
use crate::bench::Usage;

/// A call that is not at the endpoint for the moment: it waits for its next try.
#[derive(Clone, Debug, Default)]
pub struct Waiting {
    /// How the last try failed; `None` before the first.
    pub failed: Option<ChatError>,
}

impl Waiting {
    /// Whether an earlier try of the call may be billed.
    #[must_use]
    pub fn may_be_billed(&self) -> bool {
        self.failed.as_ref().is_some_and(ChatError::may_be_billed)
    }
}

/// The calls of one client, which makes one after the other.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    waiting: Option<Waiting>,
    /// Time lost to the pauses that the endpoint caused, those of now apart.
    lost: Duration,
    /// Such a pause that goes on: since when, and how long the pace had been slowed until then.
    pause: Option<(Instant, Duration)>,
    /// The tokens of generations that were no reply, one by one, until they are booked.
    wasted: Vec<Usage>,
}

impl UnderWay {
    /// It waits for a try, with what the last one failed with.
    pub fn waits(&mut self, failed: Option<ChatError>) {
        self.waiting = Some(Waiting { failed });
    }

    /// A try of the call goes to the endpoint: it waits no more.
    pub fn goes_out(&mut self) {
        self.waiting = None;
    }

    /// A generation was no reply, and told its tokens.
    pub fn wastes(&mut self, usages: impl IntoIterator<Item = Usage>) {
        self.wasted.extend(usages);
    }

    /// Those that are not booked yet.
    pub fn wasted(&mut self) -> &mut Vec<Usage> {
        &mut self.wasted
    }

    /// What the call waits for; `None` while a try of it is at the endpoint.
    pub fn waiting(&self) -> Option<&Waiting> {
        self.waiting.as_ref()
    }

    /// A pause begins whose time is lost to the endpoint; `slowed` is how long the pace has been
    /// slowed in all, which is lost already.
    pub fn pauses(&mut self, slowed: Duration) {
        self.pause = Some((Instant::now(), slowed));
    }

    /// It is over; gives what was lost in it beside what the pace was slowed by.
    pub fn goes_on(&mut self, slowed: Duration) -> Duration {
        let before = self.lost;
        self.lost = self.lost(slowed);
        self.pause = None;
        self.lost.saturating_sub(before)
    }

    /// What was lost in all, beside what the pace was slowed by.
    pub fn lost(&self, slowed: Duration) -> Duration {
        let now = self.pause.map_or(Duration::ZERO, |(since, before)| {
            let by_the_pace = slowed.saturating_sub(before);
            since.elapsed().saturating_sub(by_the_pace)
        });
        self.lost + now
    }
}
