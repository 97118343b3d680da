//! The shared pace of one endpoint: how many calls run at once, and when none may begin.
//!
//! Additive increase and multiplicative decrease, as TCP does it. The calls that are under way when
//! one meets a rate limit are one window: however many of them meet it, the pace slows down once.

mod desk;
mod remote;
mod slowed;
mod words;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep_until};

pub use desk::PaceDesk;
pub use remote::PaceLine;
use remote::{AskedCall, AskedPace};
use slowed::Slowed;
pub use words::{PaceAnswer, PaceAsk};

/// The longest that an endpoint's `Retry-After` is obeyed.
pub const RETRY_AFTER_MAX: Duration = Duration::from_mins(10);

/// The longest hold when the endpoint does not say how long.
const HOLD_MAX: Duration = Duration::from_mins(1);

/// A change of the limit that is worth telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaceChange {
    /// How many calls may run at once from now on.
    pub limit: usize,
    /// Why, for people: a rate limit, or that the endpoint keeps up again.
    pub why: String,
}

/// Who is told of changes; called outside of any lock.
pub type Observer = Arc<dyn Fn(PaceChange) + Send + Sync>;

/// The pace of one endpoint, shared by all who call it, in this process or, asked over a line, in
/// many.
pub struct Pace {
    /// Where the pace is asked over a line, that of the time when nobody answers.
    own: Arc<Shared>,
    line: Option<Arc<AskedPace>>,
}

impl std::fmt::Debug for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pace")
            .field("bound", &self.own.state().bound)
            .finish_non_exhaustive()
    }
}

struct Shared {
    observer: Option<Observer>,
    /// As many as the limit; it serves those who wait in their order.
    slots: Arc<Semaphore>,
    state: Mutex<State>,
}

struct State {
    /// The most that the limit can be.
    bound: usize,
    limit: usize,
    /// Successes since the limit last changed; at `limit` of them it grows by one.
    successes: usize,
    /// Slots over the limit that are still in use, and go when they come free.
    surplus: usize,
    /// Counts the slow-downs. A call belongs to the window in which it began.
    window: u64,
    /// Windows in a row that met a rate limit.
    refusals: u32,
    hold_until: Instant,
    slowed: Slowed,
    /// Whether any call was answered.
    was_answered: bool,
}

impl Pace {
    /// The pace of an endpoint that at most `limit` calls use at once; at least one may.
    #[must_use]
    pub fn new(limit: usize, observer: Option<Observer>) -> Self {
        Self {
            own: Arc::new(Shared::new(limit, observer)),
            line: None,
        }
    }

    /// The pace of an endpoint that a [`PaceDesk`] keeps for many processes: asked over `line`.
    ///
    /// While nobody answers, at most `share` calls run at once here, or as many as the desk's last
    /// answer named. The observer is told of that time's changes only; the others are the desk's.
    #[must_use]
    pub fn asked_of(
        line: mpsc::UnboundedSender<PaceAsk>,
        share: usize,
        observer: Option<Observer>,
    ) -> (Self, PaceLine) {
        let own = Arc::new(Shared::new(share, observer));
        let remote = Arc::new(AskedPace::new(line, share, Arc::clone(&own)));
        let pace = Self {
            own,
            line: Some(Arc::clone(&remote)),
        };
        (pace, PaceLine::of(remote))
    }

    /// How many calls may run at once now; asked over a line, this process's share.
    #[must_use]
    pub fn limit(&self) -> usize {
        match &self.line {
            Some(line) => line.limit(),
            None => self.own.state().limit,
        }
    }

    /// Whether there can be fewer calls at once: only then changes are told.
    #[must_use]
    pub fn can_slow_down(&self) -> bool {
        match &self.line {
            Some(line) => line.can_slow_down(),
            None => self.own.state().bound > 1,
        }
    }

    /// Whether the endpoint answered any call so far.
    #[must_use]
    pub fn was_answered(&self) -> bool {
        match &self.line {
            Some(line) => line.was_answered(),
            None => self.own.state().was_answered,
        }
    }

    /// How long the endpoint has been slowed by its rate limits so far, all in all.
    #[must_use]
    pub fn slowed(&self) -> Duration {
        match &self.line {
            Some(line) => line.slowed(),
            None => self.own.slowed(),
        }
    }

    /// From now on at most so many calls may run at once. A pace that its endpoint has slowed down
    /// grows to it as to the bound that it had. Asked over a line, it holds while nobody answers.
    pub fn bound_by(&self, limit: usize) {
        match &self.line {
            Some(line) => line.bound_by(limit),
            None => self.own.bound_by(limit),
        }
    }

    /// Waits until a call may begin; also how much of the wait the endpoint's rate limits caused.
    ///
    /// That is the time in which a hold or a lowered limit was in force. Waiting at the full
    /// limit is the user's own setting.
    pub async fn enter(&self) -> (Permit, Duration) {
        if let Some(line) = &self.line {
            let (call, waited) = line.enter().await;
            return (Permit(Right::Asked(call)), waited);
        }
        let (slot, waited) = self.own.enter().await;
        (Permit(Right::Own(slot)), waited)
    }

    /// The most that the limit can be.
    fn bound(&self) -> usize {
        self.own.state().bound
    }

    /// Until when no call begins, and whether fewer may run at once than could.
    fn slowing(&self) -> (Instant, bool) {
        let state = self.own.state();
        (state.hold_until, state.limit < state.bound)
    }

    /// A call that began elsewhere and goes on: it counts, also over the limit.
    fn goes_on(&self) -> Permit {
        Permit(Right::Own(self.own.occupy()))
    }
}

/// The right to make one call, which ends with what the call says of the pace.
///
/// Dropping it says nothing, as [`Permit::held`] does.
pub struct Permit(Right);

enum Right {
    Own(Slot),
    Asked(AskedCall),
}

impl Permit {
    /// The call was answered: after enough of these the limit grows.
    pub fn succeeded(self) {
        match self.0 {
            Right::Own(slot) => slot.succeeded(),
            Right::Asked(call) => call.succeeded(),
        }
    }

    /// The endpoint refused the call for its rate limit (429), and may have said for how long.
    pub fn rate_limited(self, retry_after: Option<Duration>) {
        match self.0 {
            Right::Own(slot) => slot.rate_limited(retry_after),
            Right::Asked(call) => call.rate_limited(retry_after),
        }
    }

    /// The call failed for a reason that says nothing of the pace.
    pub fn held(self) {
        drop(self);
    }
}

/// What one call takes of this process's own pace.
struct Slot {
    shared: Arc<Shared>,
    /// `None` for a call that counts without having waited.
    permit: Option<OwnedSemaphorePermit>,
    window: u64,
}

impl Slot {
    fn succeeded(self) {
        self.shared.succeeded(self.window);
    }

    fn rate_limited(self, retry_after: Option<Duration>) {
        self.shared.rate_limited(self.window, retry_after);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if state.surplus > 0 {
            state.surplus -= 1;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        } else if self.permit.is_none() {
            self.shared.slots.add_permits(1);
        }
    }
}

impl Shared {
    fn new(limit: usize, observer: Option<Observer>) -> Self {
        let bound = limit.clamp(1, Semaphore::MAX_PERMITS);
        let now = Instant::now();
        Self {
            observer,
            slots: Arc::new(Semaphore::new(bound)),
            state: Mutex::new(State {
                bound,
                limit: bound,
                successes: 0,
                surplus: 0,
                window: 0,
                refusals: 0,
                hold_until: now,
                slowed: Slowed::not_yet(now),
                was_answered: false,
            }),
        }
    }

    async fn enter(self: &Arc<Self>) -> (Slot, Duration) {
        let before = self.slowed();
        let mut entered = Slot {
            // The semaphore is never closed, so that there always is one.
            permit: Arc::clone(&self.slots).acquire_owned().await.ok(),
            shared: Arc::clone(self),
            window: 0,
        };
        loop {
            // The slot is kept over the hold: whoever waited longest goes first after it.
            let hold_until = {
                let state = self.state();
                let now = Instant::now();
                if now >= state.hold_until {
                    entered.window = state.window;
                    let waited = state.slowed.until(now).saturating_sub(before);
                    return (entered, waited);
                }
                state.hold_until
            };
            sleep_until(hold_until).await;
        }
    }

    /// Counts a call that goes on already. Over the limit it is one of the surplus.
    fn occupy(self: &Arc<Self>) -> Slot {
        let mut state = self.state();
        let permit = Arc::clone(&self.slots).try_acquire_owned().ok();
        if permit.is_none() {
            state.surplus += 1;
        }
        Slot {
            permit,
            shared: Arc::clone(self),
            window: state.window,
        }
    }

    fn slowed(&self) -> Duration {
        self.state().slowed.until(Instant::now())
    }

    fn bound_by(&self, limit: usize) {
        let mut state = self.state();
        let bound = limit.clamp(1, Semaphore::MAX_PERMITS);
        if bound == state.bound {
            return;
        }
        let is_slowed = state.limit < state.bound;
        state.bound = bound;
        let limit = if is_slowed {
            state.limit.min(bound)
        } else {
            bound
        };
        self.set_limit(&mut state, limit);
        if is_slowed && limit == bound {
            let end = state.hold_until.max(Instant::now());
            state.slowed.end(end);
        }
    }

    /// As a pace that has just begun, of at most `limit` calls at once and with nothing but a hold.
    fn begin_anew(&self, limit: usize, hold_until: Instant) {
        let mut state = self.state();
        let now = Instant::now();
        state.bound = limit.clamp(1, Semaphore::MAX_PERMITS);
        let bound = state.bound;
        self.set_limit(&mut state, bound);
        state.window += 1;
        state.refusals = 0;
        state.hold_until = hold_until.max(now);
        state.slowed.begin(now);
        let end = state.hold_until;
        state.slowed.end(end);
    }

    fn set_limit(&self, state: &mut State, limit: usize) {
        if limit > state.limit {
            let more = limit - state.limit;
            let kept = more.min(state.surplus);
            state.surplus -= kept;
            self.slots.add_permits(more - kept);
        } else {
            let less = state.limit - limit;
            state.surplus += less - self.slots.forget_permits(less);
        }
        state.limit = limit;
        state.successes = 0;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn succeeded(&self, window: u64) {
        let (back, bound) = {
            let mut state = self.state();
            state.was_answered = true;
            // One that began before the last refusal says nothing of the endpoint since.
            if window == state.window {
                state.refusals = 0;
            }
            let back = state.limit < state.bound && self.grow(&mut state);
            (back, state.bound)
        };
        if back {
            self.tell(bound, "the endpoint keeps up again".to_owned());
        }
    }

    /// Grows the limit by one over its own number of successes; whether it is at the bound again.
    fn grow(&self, state: &mut State) -> bool {
        state.successes += 1;
        if state.successes < state.limit {
            return false;
        }
        state.successes = 0;
        state.limit += 1;
        if state.surplus > 0 {
            state.surplus -= 1;
        } else {
            self.slots.add_permits(1);
        }
        let back = state.limit == state.bound;
        if back {
            let end = state.hold_until.max(Instant::now());
            state.slowed.end(end);
        }
        back
    }

    fn rate_limited(&self, window: u64, retry_after: Option<Duration>) {
        let lowered = {
            let mut state = self.state();
            let now = Instant::now();
            let first = window == state.window;
            let before = state.limit;
            if first {
                state.window += 1;
                state.refusals = state.refusals.saturating_add(1);
                self.lower(&mut state);
            }
            let hold = match retry_after {
                Some(asked) => asked.min(RETRY_AFTER_MAX),
                None if first => own_hold(state.refusals),
                None => Duration::ZERO,
            };
            state.hold_until = state.hold_until.max(now + hold);
            state.slowed.begin(now);
            if state.limit == state.bound {
                let end = state.hold_until;
                state.slowed.end(end);
            }
            (state.limit != before).then(|| (state.limit, state.hold_until - now))
        };
        if let Some((limit, hold)) = lowered {
            let seconds = hold.as_secs_f64();
            let why = format!("the endpoint's rate limit: no call begins for {seconds:.1} s");
            self.tell(limit, why);
        }
    }

    fn lower(&self, state: &mut State) {
        let less = state.limit - (state.limit / 2).max(1);
        state.limit -= less;
        state.successes = 0;
        // Slots in use cannot be taken away; those go when they come free.
        state.surplus += less - self.slots.forget_permits(less);
    }

    fn tell(&self, limit: usize, why: String) {
        if let Some(observer) = &self.observer {
            observer(PaceChange { limit, why });
        }
    }
}

/// The hold after the `refusals`-th refused window in a row when the endpoint does not say: 1 to
/// 2 s, doubled each time.
fn own_hold(refusals: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(refusals.saturating_sub(1));
    Duration::from_secs(1)
        .mul_f64(1.0 + fastrand::f64())
        .saturating_mul(doubled)
        .min(HOLD_MAX)
}

#[cfg(test)]
mod tests;
