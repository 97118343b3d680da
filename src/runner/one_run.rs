//! What a run is to its attempts.

use std::cell::RefCell;

use super::{Interrupt, Policy, Sink, Wheel};
use crate::bench::{Pair, Setting};
use crate::model::price::PriceTable;
use crate::store::events::ContainerFacts;
use crate::store::{Ledger, Pass, RunDir};
use crate::triage::Rules;

/// One run with everything its attempts need.
#[derive(Debug)]
pub struct Runner {
    /// The run's place in the log tree.
    pub run: RunDir,
    /// The setting of all pairs. It says in which tree their results appear.
    pub setting: Setting,
    /// Every pair of the run, in the subset's order.
    pub plan: Vec<Pair>,
    /// Those of them that are asked for now: only they run, and only they decide how it ended.
    pub pairs: Vec<Pair>,
    /// What the attempts obey: how many, with which waits, on which budget.
    pub policy: Policy,
    /// The rules of triage. They say which results are retried.
    pub rules: Rules,
    /// Prices in USD per token, for the costs of trials.
    pub prices: PriceTable,
    /// The trials recorded so far. New results go there as they are seen.
    pub ledger: Ledger,
    /// Where events go: to `events.jsonl`, then to who shows them.
    pub sink: Sink,
    /// The signals that came. After the first no attempt begins.
    pub interrupt: Interrupt,
    /// The forced pass that is open; one over nothing without.
    pub pass: Pass,
    /// What the events tell of containers, as far as it was read.
    pub facts: RefCell<ContainerFacts>,
    /// What is asked of it while it goes on.
    pub wheel: Wheel,
}
