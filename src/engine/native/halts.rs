//! The trials of an attempt that can be told to halt, each by its pair.

use std::collections::{BTreeSet, HashMap};

use tokio::sync::watch;

use crate::agent::Halt;
use crate::bench::Pair;

/// What tells each trial to halt.
#[derive(Default)]
pub struct Halts(HashMap<Pair, watch::Sender<Halt>>);

impl Halts {
    /// A trial of this pair begins; it hears of its halt here.
    pub fn begin(&mut self, pair: &Pair) -> watch::Receiver<Halt> {
        let (sender, halted) = watch::channel(Halt::No);
        self.0.insert(pair.clone(), sender);
        halted
    }

    /// Halts all of them.
    pub fn all(&self) {
        self.0.values().for_each(halt);
    }

    /// Halts those of these pairs.
    pub fn of(&self, pairs: &BTreeSet<Pair>) {
        pairs
            .iter()
            .filter_map(|pair| self.0.get(pair))
            .for_each(halt);
    }
}

fn halt(trial: &watch::Sender<Halt>) {
    trial.send_if_modified(|halt| {
        let first = *halt != Halt::Abort;
        *halt = Halt::Abort;
        first
    });
}
