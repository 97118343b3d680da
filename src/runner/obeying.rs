//! What a runner does about the wheel: it holds still, takes over what was set, and leaves out what
//! was cancelled.

use std::collections::BTreeSet;

use super::watching::RunningAttempt;
use super::wheel::GoingRun;
use super::{Plan, Runner};
use crate::bench::Pair;
use crate::engine::{Orders, Stop};
use crate::error::Result;
use crate::store::events::History;
use crate::survey::Surveyed;

impl Runner {
    /// Lets others ask about this run.
    pub(super) fn take_the_wheel(&mut self, obeys_within: bool) {
        self.wheel.take(GoingRun {
            run: self.run.clone(),
            sink: self.sink.clone(),
            policy: self.policy.clone(),
            obeys_within,
            plan: self.plan.clone(),
            left: BTreeSet::new(),
            running: BTreeSet::new(),
            spent: self.spent(),
        });
        self.obey();
    }

    /// Takes over what was set.
    pub(super) fn obey(&mut self) {
        for change in self.wheel.set() {
            change.apply(&mut self.policy);
        }
    }

    /// Waits until nothing is paused, or the user interrupts.
    pub(super) async fn while_paused(&self) {
        let (mut turned, mut interrupt) = (self.wheel.turned(), self.interrupt.clone());
        while self.wheel.is_paused() && interrupt.came().stop == Stop::No {
            tokio::select! {
                _ = turned.changed() => {}
                () = interrupt.changed() => {}
            }
        }
    }

    /// What the engine obeys now.
    pub(super) fn orders(&self, stop: Stop) -> Orders {
        Orders {
            stop,
            paused: self.wheel.is_paused(),
            concurrency: Some(self.policy.concurrency),
            cancelled: self.wheel.cancelled(self.run.name()).into_keys().collect(),
        }
    }

    /// Takes out of a plan what was cancelled: the next command runs it.
    pub(super) fn leave_out_cancelled(&self, plan: &mut Plan) {
        let cancelled = self.wheel.cancelled(self.run.name());
        plan.to_run.retain(|pair| !cancelled.contains_key(pair));
    }

    /// The pairs that another attempt of this command would run.
    pub(super) fn left(&self, surveyed: &[Surveyed]) -> Vec<Pair> {
        let mut plan = Plan::of(surveyed, false, &self.pass);
        self.leave_out_cancelled(&mut plan);
        plan.to_run
    }

    /// Books the trials that were cancelled and have ended, and those that are lost.
    pub(super) fn book_ended(&mut self, running: &mut RunningAttempt) -> Result<()> {
        let agents = self.setting.agents();
        let cancelled = self.wheel.cancelled(self.run.name());
        let has_ended = |pair: &&Pair| running.underway.has_ended(pair, agents);
        let lost = running.underway.lost();
        let mut ended: BTreeSet<Pair> = cancelled.keys().filter(has_ended).cloned().collect();
        ended.extend(lost.iter().cloned());
        if ended.is_empty() {
            return Ok(());
        }
        let Some(open) = History::of_run(&self.run)?.open else {
            return Ok(());
        };
        for pair in &ended {
            self.cut_off_one(&open, pair)?;
            running.underway.forget(pair);
        }
        running.lost.extend(lost);
        Ok(())
    }
}
