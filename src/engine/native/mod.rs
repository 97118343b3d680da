//! Our own engine: agents, sandboxes, mailbox and model client in this process.

mod crew;
mod gate;
mod halts;
mod journal;
pub mod options;
mod record;
mod refined;
mod tapes;
#[cfg(test)]
mod tests;
mod trial;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::task::JoinSet;

use self::gate::Gate;
use self::halts::Halts;
use self::journal::Journals;
use super::{AttemptEnd, Batch, EndedAttempt, Orders, Reporter, Stop};
use crate::agent::Halt;
use crate::bench::Pair;
use crate::error::{Error, Result};
use crate::model::client::{ClientOptions, http};
use crate::model::pace::{Pace, PaceChange};
use crate::model::retries::{CallRetry, Retries};
use crate::sandbox::Backend;
use crate::secret::Mask;
use crate::store::Event;
use crate::triage::Rules;

pub use options::{NativeOptions, TapeMode};
pub use refined::refined;

/// How long an attempt waits for the removal of its last sandboxes; the reaper removes the rest.
const CLOSING: Duration = Duration::from_secs(30);

/// The native engine: what trials are made of, and where they run.
#[derive(Debug)]
pub struct Native {
    /// What is the same for every attempt.
    pub options: NativeOptions,
    /// The backend in which every agent of the engine gets its sandbox.
    pub backend: Backend,
    /// The model's endpoint: the options' own, or one that was started for them.
    pub base: String,
    /// The rules, which say whether a failure is the pair's or the agent's.
    pub rules: Arc<Rules>,
    /// How long running trials may finish after a gentle stop.
    pub grace: Duration,
    /// The pace of calls, where others obey the same; otherwise each attempt has its own.
    pub pace: Option<Arc<Pace>>,
    /// How many trials of each pair a replay has played.
    pub played: Arc<Mutex<HashMap<String, usize>>>,
}

/// What the trials of one attempt share.
struct Shared {
    options: NativeOptions,
    backend: Backend,
    rules: Arc<Rules>,
    http: reqwest::Client,
    client: ClientOptions,
    batch: Batch,
    report: Reporter,
    journals: Journals,
    /// How many trials of each pair a replay has played.
    played: Arc<Mutex<HashMap<String, usize>>>,
    /// What the endpoint refused of its own replies, as far as it was said.
    left_out: Arc<Mutex<BTreeSet<String>>>,
}

impl Shared {
    /// What takes the endpoint's key out of whatever is written.
    fn mask(&self) -> Mask {
        Mask::of(self.client.key.as_ref())
    }
}

/// Runs a trial until its sandboxes are removed too, or will not be soon.
async fn run_and_close(
    shared: Arc<Shared>,
    pair: Pair,
    permit: OwnedSemaphorePermit,
    halted: watch::Receiver<Halt>,
) -> Result<trial::TrialEnd> {
    let mut end = trial::run(&shared, &pair, permit, halted).await;
    let closing = end.iter_mut().flat_map(|end| end.closing.drain(..));
    let closing: Vec<_> = closing.collect();
    let all = async {
        for one in closing {
            // A removal that broke has left what the reaper finds.
            let _ = one.await;
        }
    };
    let _ = tokio::time::timeout(CLOSING, all).await;
    end
}

impl Native {
    /// Runs the batch's pairs, as many at once as the orders or else the options say; see
    /// [`super::Engine::attempt`].
    pub async fn attempt(
        &self,
        batch: &Batch,
        mut orders: watch::Receiver<Orders>,
        report: &Reporter,
    ) -> Result<EndedAttempt> {
        let shared = Arc::new(self.shared(batch, report)?);
        record::begin(&shared)?;
        self.backend.forget_failed_pulls();
        let mut gate = Gate::of(self.options.concurrency);
        let mut halts = Halts::default();
        let mut trials = JoinSet::new();
        let mut waiting: VecDeque<&Pair> = batch.pairs.iter().collect();
        let mut failed: Option<Error> = None;
        let mut daemon_gone = None;
        // When what still runs is ended after a gentle stop.
        let mut deadline = None;
        loop {
            let asked = orders.borrow_and_update().clone();
            if asked.stop > Stop::No || failed.is_some() || daemon_gone.is_some() {
                waiting.clear();
            }
            waiting.retain(|pair| !asked.cancelled.contains(*pair));
            self.resize(&mut gate, &asked, &shared);
            if asked.stop == Stop::Gently && deadline.is_none() {
                deadline = Some(tokio::time::Instant::now() + self.grace);
            }
            if asked.stop == Stop::Now || failed.is_some() {
                halts.all();
            }
            halts.of(&asked.cancelled);
            if waiting.is_empty() && trials.is_empty() {
                break;
            }
            let may_begin = !waiting.is_empty() && !asked.paused && !gate.is_too_wide();
            let over = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                permit = gate.enter(), if may_begin => {
                    if let (Some(permit), Some(pair)) = (permit, waiting.pop_front()) {
                        let halted = halts.begin(pair);
                        trials.spawn(run_and_close(Arc::clone(&shared), pair.clone(), permit, halted));
                    }
                }
                Some(ended) = trials.join_next() => match ended {
                    Ok(Ok(end)) => daemon_gone = daemon_gone.or(end.daemon_gone),
                    Ok(Err(error)) => failed = failed.or(Some(error)),
                    Err(error) => failed = failed.or(Some(Error::world(format!("a trial broke: {error}")))),
                },
                () = over => {
                    halts.all();
                    deadline = None;
                }
                Ok(()) = orders.changed() => {}
            }
        }
        self.backend.close().await;
        record::end(&shared)?;
        if let Some(error) = failed {
            return Err(error);
        }
        let how = match daemon_gone {
            Some(why) => AttemptEnd::DaemonGone(why),
            None if orders.borrow().stop > Stop::No => AttemptEnd::Stopped,
            None => AttemptEnd::Done,
        };
        // A trial that is ended writes no result: there is none to be void.
        let killed_at = None;
        Ok(EndedAttempt { how, killed_at })
    }

    /// Lets as many trials in as are ordered, with the calls that they make.
    fn resize(&self, gate: &mut Gate, orders: &Orders, shared: &Shared) {
        let at_once = orders.concurrency.unwrap_or(self.options.concurrency);
        gate.resize(at_once);
        let calls = at_once.saturating_mul(shared.batch.setting.agents());
        shared.client.pace.bound_by(calls);
    }

    fn shared(&self, batch: &Batch, report: &Reporter) -> Result<Shared> {
        let options = &self.options;
        let (observer, of_retries) = (Arc::clone(report), Arc::clone(report));
        let most = options.concurrency * batch.setting.agents();
        let own = || {
            let observer = move |PaceChange { limit, why }| observer(Event::Pace { limit, why });
            Arc::new(Pace::new(most, Some(Arc::new(observer))))
        };
        let pace = self.pace.clone().unwrap_or_else(own);
        let retries = Retries::told_to(Arc::new(move |CallRetry { rule, text, tries }| {
            let rule = rule.to_string();
            of_retries(Event::CallRetried { rule, text, tries });
        }));
        Ok(Shared {
            options: options.clone(),
            backend: self.backend.clone(),
            rules: Arc::clone(&self.rules),
            http: http(&self.base)?,
            client: ClientOptions {
                base: self.base.clone(),
                pace,
                retries: Arc::new(retries),
                ..options.client.clone()
            },
            batch: batch.clone(),
            report: Arc::clone(report),
            journals: Journals::start(Arc::clone(report))?,
            played: Arc::clone(&self.played),
            left_out: Arc::default(),
        })
    }
}
