//! A pace that is asked over a line. While nobody answers, calls begin at the last share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::slowed::Slowed;
use super::words::{PaceAnswer, PaceAsk, duration_of};
use super::{RETRY_AFTER_MAX, Shared, Slot};

/// Where the answers for an asked pace come in, and the news of its line.
pub struct PaceLine(Arc<AskedPace>);

impl std::fmt::Debug for PaceLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PaceLine").finish_non_exhaustive()
    }
}

impl PaceLine {
    pub(super) fn of(pace: Arc<AskedPace>) -> Self {
        Self(pace)
    }

    /// The desk said something.
    pub fn answered(&self, answer: PaceAnswer) {
        self.0.answered(answer);
    }

    /// Nobody answers. Calls that wait, and later ones, begin at the last share; those that are
    /// under way count in it.
    pub fn lost(&self) {
        self.0.lost();
    }

    /// The desk is there again, and knows nothing of this worker: what waits is asked for, and what
    /// is under way is told.
    pub fn back(&self) {
        self.0.back();
    }
}

/// The worker's side of a pace that a desk keeps.
pub(super) struct AskedPace {
    line: mpsc::UnboundedSender<PaceAsk>,
    /// Of the time when nobody answers.
    own: Arc<Shared>,
    /// Whether somebody answers; changes only under the lock of `state`.
    is_asked: watch::Sender<bool>,
    state: Mutex<State>,
}

struct State {
    last_id: u64,
    waits: HashMap<u64, Wait>,
    under_way: HashMap<u64, UnderWay>,
    /// As the desk told it last.
    share: usize,
    /// As this process's user bounds it.
    most: usize,
    /// The desk's, once it is told.
    bound: Option<usize>,
    was_answered: bool,
    /// By what the desk tells.
    slowed: Slowed,
    hold_until: Instant,
}

struct Wait {
    since: Instant,
    answer: oneshot::Sender<Duration>,
}

/// Where a call that is under way counts.
enum UnderWay {
    AtTheDesk,
    Here(Slot),
}

/// What a call says of the pace at its end.
#[derive(Clone, Copy)]
enum Verdict {
    Succeeded,
    RateLimited(Option<Duration>),
    Held,
}

/// A call that waits at an asked pace or is under way; dropped, it does so no more.
pub(super) struct AskedCall {
    pace: Arc<AskedPace>,
    id: u64,
}

impl AskedCall {
    pub fn succeeded(self) {
        self.pace.end(self.id, Verdict::Succeeded);
    }

    pub fn rate_limited(self, retry_after: Option<Duration>) {
        self.pace.end(self.id, Verdict::RateLimited(retry_after));
    }
}

impl Drop for AskedCall {
    fn drop(&mut self) {
        // One that ended otherwise is not known any more.
        self.pace.end(self.id, Verdict::Held);
    }
}

impl AskedPace {
    pub fn new(line: mpsc::UnboundedSender<PaceAsk>, share: usize, own: Arc<Shared>) -> Self {
        let now = Instant::now();
        Self {
            line,
            own,
            is_asked: watch::Sender::new(true),
            state: Mutex::new(State {
                last_id: 0,
                waits: HashMap::new(),
                under_way: HashMap::new(),
                share: share.max(1),
                most: usize::MAX,
                bound: None,
                was_answered: false,
                slowed: Slowed::not_yet(now),
                hold_until: now,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_asked(&self) -> bool {
        *self.is_asked.borrow()
    }

    pub fn limit(&self) -> usize {
        let state = self.state();
        if self.is_asked() {
            state.fallback()
        } else {
            self.own.state().limit
        }
    }

    pub fn can_slow_down(&self) -> bool {
        let state = self.state();
        if self.is_asked() {
            state.bound.is_none_or(|bound| bound > 1)
        } else {
            self.own.state().bound > 1
        }
    }

    pub fn was_answered(&self) -> bool {
        self.state().was_answered
    }

    pub fn slowed(&self) -> Duration {
        let told = self.state().slowed.until(Instant::now());
        told + self.own.slowed()
    }

    pub fn bound_by(&self, limit: usize) {
        let mut state = self.state();
        state.most = limit.max(1);
        if !self.is_asked() {
            self.own.bound_by(state.fallback());
        }
    }

    pub async fn enter(self: &Arc<Self>) -> (AskedCall, Duration) {
        let mut is_asked = self.is_asked.subscribe();
        let mut waited = Duration::ZERO;
        loop {
            let before = self.slowed();
            if *is_asked.borrow_and_update() {
                if let Some((call, answer)) = self.ask()
                    && let Ok(told) = answer.await
                {
                    return (call, waited + told);
                }
            } else {
                let call = tokio::select! {
                    biased;
                    _ = is_asked.changed() => None,
                    (slot, _) = self.own.enter() => self.begin(slot),
                };
                if let Some(call) = call {
                    return (call, waited + self.slowed().saturating_sub(before));
                }
            }
            waited += self.slowed().saturating_sub(before);
        }
    }

    /// Asks for a call; `None` where nobody answers. The answer never comes if the line is lost.
    fn ask(self: &Arc<Self>) -> Option<(AskedCall, oneshot::Receiver<Duration>)> {
        let mut state = self.state();
        if !self.is_asked() {
            return None;
        }
        let id = state.next_id();
        let (answer, answered) = oneshot::channel();
        let since = Instant::now();
        state.waits.insert(id, Wait { since, answer });
        let is_sent = self.line.send(PaceAsk::Enter { id }).is_ok();
        drop(state);
        if !is_sent {
            self.lost();
            return None;
        }
        let pace = Arc::clone(self);
        Some((AskedCall { pace, id }, answered))
    }

    /// A call begins that nobody was asked for; `None` if somebody can be asked by now.
    fn begin(self: &Arc<Self>, slot: Slot) -> Option<AskedCall> {
        let mut state = self.state();
        if self.is_asked() {
            return None;
        }
        let id = state.next_id();
        state.under_way.insert(id, UnderWay::Here(slot));
        let pace = Arc::clone(self);
        Some(AskedCall { pace, id })
    }

    fn end(&self, id: u64, verdict: Verdict) {
        let mut state = self.state();
        if matches!(verdict, Verdict::Succeeded) {
            state.was_answered = true;
        }
        let is_waiting = state.waits.remove(&id).is_some();
        match state.under_way.remove(&id) {
            Some(UnderWay::Here(slot)) => {
                // Its observer is called outside of the lock.
                drop(state);
                match verdict {
                    Verdict::Succeeded => slot.succeeded(),
                    Verdict::RateLimited(retry_after) => slot.rate_limited(retry_after),
                    Verdict::Held => {}
                }
            }
            None if !is_waiting => {}
            _ => self.say(verdict.word(id)),
        }
    }

    /// Who does not hear it will see the line end.
    fn say(&self, word: PaceAsk) {
        let _ = self.line.send(word);
    }

    fn answered(&self, answer: PaceAnswer) {
        let mut state = self.state();
        // What comes late is of a desk that has given this worker up.
        if !self.is_asked() {
            return;
        }
        match answer {
            PaceAnswer::Enters {
                id,
                waited_seconds,
                share,
                bound,
                was_answered,
            } => {
                state.share = share.max(1);
                state.bound = Some(bound);
                state.was_answered |= was_answered;
                if let Some(wait) = state.waits.remove(&id) {
                    state.under_way.insert(id, UnderWay::AtTheDesk);
                    let waited = duration_of(waited_seconds).min(wait.since.elapsed());
                    // Whoever waits no more finds the call under way, and ends it.
                    let _ = wait.answer.send(waited);
                } else if !state.under_way.contains_key(&id) {
                    self.say(PaceAsk::Held { id });
                }
            }
            PaceAnswer::Slowed {
                hold_seconds,
                is_lowered,
                share,
            } => {
                let now = Instant::now();
                state.share = share.max(1);
                state.hold_until = now + duration_of(hold_seconds).min(RETRY_AFTER_MAX);
                state.slowed.begin(now);
                if !is_lowered {
                    let end = state.hold_until;
                    state.slowed.end(end);
                }
            }
        }
    }

    fn lost(&self) {
        let mut state = self.state();
        if !self.is_asked() {
            return;
        }
        let now = Instant::now();
        state.slowed.begin(now);
        state.slowed.end(now);
        self.own.begin_anew(state.fallback(), state.hold_until);
        for call in state.under_way.values_mut() {
            *call = UnderWay::Here(self.own.occupy());
        }
        state.waits.clear();
        self.is_asked.send_replace(false);
    }

    fn back(&self) {
        let mut state = self.state();
        if self.is_asked() || self.line.is_closed() {
            return;
        }
        for (id, call) in &mut state.under_way {
            *call = UnderWay::AtTheDesk;
            self.say(PaceAsk::GoesOn { id: *id });
        }
        let now = Instant::now();
        state.hold_until = now;
        self.own.begin_anew(state.fallback(), now);
        self.is_asked.send_replace(true);
    }
}

impl State {
    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// How many calls may run at once while nobody answers.
    fn fallback(&self) -> usize {
        self.share.min(self.most)
    }
}

impl Verdict {
    fn word(self, id: u64) -> PaceAsk {
        match self {
            Self::Succeeded => PaceAsk::Succeeded { id },
            Self::RateLimited(retry_after) => PaceAsk::RateLimited {
                id,
                retry_after_seconds: retry_after.map(|it| it.as_secs_f64()),
            },
            Self::Held => PaceAsk::Held { id },
        }
    }
}

#[cfg(test)]
mod tests;
