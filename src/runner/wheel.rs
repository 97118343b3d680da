//! The wheel of a command: what was asked of it while its runs go on, and what its runner tells of
//! the run that goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

use super::policy::Policy;
use super::setting_change::SettingChange;
use super::{Event, Interrupt, Sink};
use crate::bench::{Pair, RunName};
use crate::error::Result;
use crate::store::manifest::SetByHand;
use crate::store::wheel::Hand;
use crate::store::{Manifest, RunDir};

/// The wheel of one command, over all its runs: who asks turns it, and the runner obeys.
#[derive(Clone, Debug)]
pub struct Wheel(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    runs: Vec<RunName>,
    interrupt: Interrupt,
    turns: watch::Sender<u64>,
    state: Mutex<WheelTurns>,
}

/// What was asked so far, and the run that goes on.
#[derive(Debug, Default)]
pub(super) struct WheelTurns {
    /// Since when it is paused, and by whom.
    pub paused: Option<(Timestamp, Hand)>,
    /// What was set, in its order: runs that begin later obey it too.
    pub set: Vec<(SetByHand, Vec<SettingChange>)>,
    /// The pairs that were cancelled, by run.
    pub cancelled: BTreeMap<RunName, BTreeMap<Pair, Hand>>,
    /// The run that goes on.
    pub now: Option<GoingRun>,
}

/// A run that goes on, as far as who asks needs to know.
#[derive(Clone, Debug)]
pub struct GoingRun {
    /// Its place in the log tree.
    pub run: RunDir,
    /// Where its events go.
    pub sink: Sink,
    /// What is obeyed now.
    pub policy: Policy,
    /// Whether its engine obeys all orders while an attempt goes on.
    pub obeys_within: bool,
    /// Every pair of its plan.
    pub plan: Vec<Pair>,
    /// Those that this command still runs, or may.
    pub left: BTreeSet<Pair>,
    /// Those whose trials run, where the engine tells.
    pub running: BTreeSet<Pair>,
    /// What all runs of the experiment have spent, running trials included, in USD.
    pub spent: f64,
}

impl Default for Wheel {
    /// One that nobody turns.
    fn default() -> Self {
        Self::of(Interrupt::never(), Vec::new())
    }
}

impl Wheel {
    /// The wheel of a command over these runs, which is interrupted so.
    #[must_use]
    pub fn of(interrupt: Interrupt, runs: Vec<RunName>) -> Self {
        Self(Arc::new(Inner {
            runs,
            interrupt,
            turns: watch::Sender::default(),
            state: Mutex::default(),
        }))
    }

    /// What interrupts the command.
    #[must_use]
    pub fn interrupt(&self) -> &Interrupt {
        &self.0.interrupt
    }

    /// The runs of the command.
    #[must_use]
    pub fn runs(&self) -> &[RunName] {
        &self.0.runs
    }

    pub(super) fn state(&self) -> MutexGuard<'_, WheelTurns> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the runner: something was asked.
    pub(super) fn turn(&self) {
        self.0.turns.send_modify(|turns| *turns += 1);
    }

    /// Changes with each turn from now on.
    pub(super) fn turned(&self) -> watch::Receiver<u64> {
        self.0.turns.subscribe()
    }

    /// A run begins, under what was asked before it.
    pub(super) fn take(&self, mut going: GoingRun) {
        let mut state = self.state();
        if let Some((_, by)) = &state.paused {
            going.sink.emit(Event::Paused { by: by.clone() });
        }
        for (set, changes) in &state.set {
            for change in changes {
                change.apply(&mut going.policy);
            }
            going.tell_of(set);
        }
        state.now = Some(going);
    }

    /// The run is over.
    pub(super) fn leave(&self) {
        self.state().now = None;
    }

    /// Whether nothing new is to begin for now.
    pub(super) fn is_paused(&self) -> bool {
        self.state().paused.is_some()
    }

    /// All that was set, in its order.
    pub(super) fn set(&self) -> Vec<SettingChange> {
        let state = self.state();
        let set = state.set.iter().flat_map(|(_, changes)| changes);
        set.cloned().collect()
    }

    /// The pairs of a run that were cancelled, and by whom.
    pub(super) fn cancelled(&self, run: &RunName) -> BTreeMap<Pair, Hand> {
        let state = self.state();
        state.cancelled.get(run).cloned().unwrap_or_default()
    }

    /// Whether any of these pairs was cancelled.
    pub(super) fn has_cancelled(&self, run: &RunName, pairs: &[Pair]) -> bool {
        let cancelled = self.cancelled(run);
        pairs.iter().any(|pair| cancelled.contains_key(pair))
    }

    /// An attempt begins over these pairs.
    pub(super) fn begin_attempt(&self, pairs: &[Pair]) {
        if let Some(now) = &mut self.state().now {
            now.left = pairs.iter().cloned().collect();
            now.running.clear();
        }
    }

    /// Takes in what happens to trials.
    pub(super) fn note(&self, event: &Event) {
        let mut state = self.state();
        let Some(now) = &mut state.now else { return };
        match event {
            Event::TrialStarted { pair } => {
                now.running.insert(pair.clone());
            }
            Event::TrialCutOff { pair, .. } => {
                now.running.remove(pair);
            }
            Event::TrialEnded {
                pair,
                finished,
                diagnosis,
                ..
            } => {
                now.running.remove(pair);
                let passes = diagnosis.as_ref().is_some_and(|it| it.cause.passes());
                if *finished || !passes {
                    now.left.remove(pair);
                }
            }
            _ => {}
        }
    }

    /// So much is spent by all runs.
    pub(super) fn spent(&self, usd: f64) {
        if let Some(now) = &mut self.state().now {
            now.spent = usd;
        }
    }
}

impl GoingRun {
    /// Records what was set: as an event, and in the manifest.
    pub(super) fn tell_of(&self, set: &SetByHand) {
        self.sink.emit(Event::Set {
            by: set.by.clone(),
            changes: set.changes.clone(),
        });
        if let Err(error) = self.keep(set) {
            let text = format!("what was set is not in the manifest: {error}");
            self.sink.emit(Event::note(text));
        }
    }

    fn keep(&self, set: &SetByHand) -> Result<()> {
        let Some(mut manifest) = Manifest::read(&self.run)? else {
            return Ok(());
        };
        manifest.set.push(set.clone());
        manifest.concurrency = Some(self.policy.concurrency);
        manifest.write(&self.run)
    }
}
