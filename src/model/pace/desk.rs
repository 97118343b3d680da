//! The desk where workers ask for calls: one pace for all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::words::{PaceAnswer, PaceAsk, duration_of};
use super::{Pace, Permit};

/// A hold that grew by less is not told again: each refusal of a window may name another second.
const TOLD_AGAIN: Duration = Duration::from_secs(1);

/// Answers workers who ask for calls of one endpoint, whoever asked first, first.
pub struct PaceDesk(Arc<Desk>);

impl std::fmt::Debug for PaceDesk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PaceDesk").finish_non_exhaustive()
    }
}

struct Desk {
    pace: Arc<Pace>,
    state: Mutex<State>,
}

struct State {
    /// Among how many the limit is shared.
    sharers: usize,
    workers: HashMap<String, Worker>,
    /// What was told last: until when no call begins, and whether the limit is lowered.
    told: (Instant, bool),
}

struct Worker {
    reply: Reply,
    calls: HashMap<u64, Call>,
}

type Reply = Arc<Mutex<dyn Fn(PaceAnswer) + Send>>;

enum Call {
    Waits(#[expect(dead_code, reason = "dropped, it takes the call out of the line")] InLine),
    Goes(Permit),
}

/// A call's place in the line of those that wait; dropped, it leaves the line.
struct InLine(AbortHandle);

impl Drop for InLine {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl PaceDesk {
    /// A desk that keeps this pace. Who is here may use the pace beside it.
    #[must_use]
    pub fn new(pace: Arc<Pace>) -> Self {
        let told = (Instant::now(), false);
        Self(Arc::new(Desk {
            pace,
            state: Mutex::new(State {
                sharers: 1,
                workers: HashMap::new(),
                told,
            }),
        }))
    }

    /// Among so many workers the limit is shared while they cannot reach the desk.
    pub fn workers(&self, count: usize) {
        self.0.state().sharers = count.max(1);
        self.0.tell();
    }

    /// A worker asks. `reply` brings it what the desk says, now and until it asks again; it must
    /// neither wait nor ask the desk.
    ///
    /// `worker` names one connection: a worker that comes back after its line was lost has another
    /// name, so that the end of the old one, noticed late, takes nothing from the new one.
    pub fn asked(&self, worker: &str, ask: PaceAsk, reply: impl Fn(PaceAnswer) + Send + 'static) {
        let reply: Reply = Arc::new(Mutex::new(reply));
        self.0.welcome(worker, &reply);
        match ask {
            PaceAsk::Enter { id } => self.0.enter(worker, id, reply),
            PaceAsk::GoesOn { id } => {
                let call = Call::Goes(self.0.pace.goes_on());
                self.0.keep(worker, id, call);
            }
            PaceAsk::Succeeded { id } => {
                if let Some(permit) = self.0.ended(worker, id) {
                    permit.succeeded();
                }
            }
            PaceAsk::RateLimited {
                id,
                retry_after_seconds,
            } => {
                if let Some(permit) = self.0.ended(worker, id) {
                    permit.rate_limited(retry_after_seconds.map(duration_of));
                }
            }
            PaceAsk::Held { id } => drop(self.0.ended(worker, id)),
        }
        self.0.tell();
    }

    /// A worker's connection is gone: what it had under way and what waited for it comes free.
    pub fn gone(&self, worker: &str) {
        let gone = self.0.state().workers.remove(worker);
        drop(gone);
        self.0.tell();
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up how a worker is answered; one that is new learns what slows all.
    fn welcome(&self, worker: &str, reply: &Reply) {
        let mut state = self.state();
        if let Some(known) = state.workers.get_mut(worker) {
            known.reply = Arc::clone(reply);
            return;
        }
        let new = Worker {
            reply: Arc::clone(reply),
            calls: HashMap::new(),
        };
        state.workers.insert(worker.to_owned(), new);
        let (hold_until, is_lowered) = self.pace.slowing();
        if is_lowered || hold_until > Instant::now() {
            let word = self.slowed(&state, (hold_until, is_lowered));
            drop(state);
            say(reply, word);
        }
    }

    fn enter(self: &Arc<Self>, worker: &str, id: u64, reply: Reply) {
        let pace = Arc::clone(&self.pace);
        let mut entering = Box::pin(async move { pace.enter().await });
        // It stands in line from here on, not from when a task comes to it.
        if let Some((permit, waited)) = entering.as_mut().now_or_never() {
            if self.keep(worker, id, Call::Goes(permit)) {
                self.answer(id, waited, &reply);
            }
            return;
        }
        let mut state = self.state();
        let Some(known) = state.workers.get_mut(worker) else {
            return;
        };
        let (desk, name) = (Arc::downgrade(self), worker.to_owned());
        let task = tokio::spawn(async move {
            let (permit, waited) = entering.await;
            if let Some(desk) = desk.upgrade()
                && desk.goes(&name, id, permit)
            {
                desk.answer(id, waited, &reply);
            }
        });
        let call = Call::Waits(InLine(task.abort_handle()));
        known.calls.entry(id).or_insert(call);
    }

    /// Keeps a call of a worker that is there; an id that is in use is refused.
    fn keep(&self, worker: &str, id: u64, call: Call) -> bool {
        let mut state = self.state();
        let Some(known) = state.workers.get_mut(worker) else {
            return false;
        };
        if known.calls.contains_key(&id) {
            return false;
        }
        known.calls.insert(id, call);
        true
    }

    /// A call that waited goes; `false` if nobody waits for it any more.
    fn goes(&self, worker: &str, id: u64, permit: Permit) -> bool {
        let mut state = self.state();
        let known = state.workers.get_mut(worker);
        match known.and_then(|known| known.calls.get_mut(&id)) {
            Some(call @ Call::Waits(_)) => {
                *call = Call::Goes(permit);
                true
            }
            _ => false,
        }
    }

    /// Forgets a call; gives its permit if it was under way.
    fn ended(&self, worker: &str, id: u64) -> Option<Permit> {
        let call = self.state().workers.get_mut(worker)?.calls.remove(&id)?;
        match call {
            Call::Goes(permit) => Some(permit),
            Call::Waits(_) => None,
        }
    }

    fn answer(&self, id: u64, waited: Duration, reply: &Reply) {
        let share = self.share(&self.state());
        let answer = PaceAnswer::Enters {
            id,
            waited_seconds: waited.as_secs_f64(),
            share,
            bound: self.pace.bound(),
            was_answered: self.pace.was_answered(),
        };
        say(reply, answer);
    }

    fn share(&self, state: &State) -> usize {
        (self.pace.limit() / state.sharers).max(1)
    }

    fn slowed(&self, state: &State, (hold_until, is_lowered): (Instant, bool)) -> PaceAnswer {
        let hold = hold_until.saturating_duration_since(Instant::now());
        PaceAnswer::Slowed {
            hold_seconds: hold.as_secs_f64(),
            is_lowered,
            share: self.share(state),
        }
    }

    /// Tells all workers what slows them, if that changed.
    fn tell(&self) {
        let mut state = self.state();
        let now = self.pace.slowing();
        let (hold_until, is_lowered) = state.told;
        if now.1 == is_lowered && now.0 < hold_until + TOLD_AGAIN {
            return;
        }
        state.told = now;
        let word = self.slowed(&state, now);
        let workers = state.workers.values();
        let replies: Vec<Reply> = workers.map(|it| Arc::clone(&it.reply)).collect();
        drop(state);
        for reply in &replies {
            say(reply, word);
        }
    }
}

fn say(reply: &Reply, answer: PaceAnswer) {
    let reply = reply.lock().unwrap_or_else(PoisonError::into_inner);
    reply(answer);
}

#[cfg(test)]
mod tests;
