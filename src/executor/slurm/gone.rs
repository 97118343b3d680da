//! Workers that are gone: what they finished is collected, and what they did not is lost.

use std::collections::BTreeSet;

use super::crew::Member;
use super::lost::LostTrial;
use super::messages::ToWorker;
use super::shift::ClusterAttempt;
use crate::bench::Pair;
use crate::engine::Stop;
use crate::error::Result;
use crate::store::cluster::{collect, workers_run};
use crate::store::lease::ClaimKey;
use crate::store::{Event, events};

impl ClusterAttempt<'_> {
    /// Pairs that somebody who is gone held are free again.
    pub fn free_held(&mut self, id: &str) -> Result<()> {
        let freed: Vec<Pair> = {
            let held = self.driver.held.iter().filter(|(_, by)| *by == id);
            held.map(|(pair, _)| pair.clone()).collect()
        };
        let tree = self.batch.setting.tree();
        for (key, holder) in self.driver.claims.standing()? {
            let ClaimKey::Pair(pair) = &key else { continue };
            if holder.id != id {
                continue;
            }
            let theirs = workers_run(&self.batch.run, id).pair(tree, pair);
            if theirs.result().exists() && self.driver.claims.settle(&key, &holder)? {
                collect(&theirs, &self.batch.run.pair(tree, pair))?;
                self.driver.claims.clear(&key, &holder)?;
            } else {
                self.driver.claims.break_claim(&key, &holder)?;
            }
        }
        for pair in freed {
            self.driver.held.remove(&pair);
            if self.orders.stop == Stop::No && self.batch.pairs.contains(&pair) {
                self.waiting.push_back(pair);
            }
        }
        Ok(())
    }

    /// The workers without a connection whose jobs are over.
    pub fn gone_by_slurms_word(&self) -> Vec<String> {
        let members = self.driver.crew.members.values();
        let cut = members.filter(|member| member.cut_at.is_some());
        let over = cut.filter(|member| self.driver.jobs.is_over(&member.holder));
        over.map(|member| member.holder.id.clone()).collect()
    }

    /// A worker is gone: what it finished is collected, and its other trials are lost.
    pub fn lose(&mut self, worker: &str, why: &str) -> Result<()> {
        let Some(member) = self.driver.crew.members.get(worker) else {
            return Ok(());
        };
        let (running, left): (BTreeSet<Pair>, _) = (member.running.clone(), member.leaving.clone());
        for pair in running {
            let is_collected = self.is_collected(worker, &pair)?;
            if !is_collected {
                self.tell_of_spending(worker, &pair);
                let member = self.driver.crew.members.get(worker);
                let lost = LostTrial::of(pair.clone(), member, why.to_owned());
                self.driver.lost.push(lost);
            }
            self.let_claim_go(worker, &pair)?;
        }
        self.driver.jobs.want_news();
        let why = left.unwrap_or_else(|| why.to_owned());
        self.part_from(worker, Some(why))
    }

    /// What a trial of a worker that is gone had spent, by the worker's own file: what it said last may
    /// not have been heard.
    pub fn tell_of_spending(&self, worker: &str, pair: &Pair) {
        let run = workers_run(&self.batch.run, worker);
        let mut last = Vec::new();
        let read = events::each(&run, |line| {
            if let Event::Spent {
                pair: of, agent, ..
            } = &line.event
                && of == pair
            {
                let agent = agent.clone();
                last.retain(|(of, _)| *of != agent);
                last.push((agent, line.event.clone()));
            }
        });
        if let Err(error) = read {
            let text = format!("what {pair} cost is known as far as it was heard: {error}");
            (self.events)(Event::note(text));
        }
        for (_, event) in last {
            (self.events)(event);
        }
    }

    /// A worker is no more.
    pub fn part_from(&mut self, worker: &str, why: Option<String>) -> Result<()> {
        let Some(member) = self.driver.crew.members.remove(worker) else {
            return Ok(());
        };
        for pair in &member.running {
            let key = ClaimKey::Pair(pair.clone());
            self.driver.claims.break_claim(&key, &member.holder)?;
        }
        let Member { node, .. } = member;
        let worker = worker.to_owned();
        (self.events)(Event::WorkerEnded { worker, node, why });
        let workers = self.driver.crew.members.len();
        self.place.reception.desk.workers(workers);
        Ok(())
    }

    /// Tells why trials were lost, as soon as Slurm has said it or is not waited for any longer.
    pub fn name_lost(&mut self) {
        let lost = std::mem::take(&mut self.driver.lost);
        for one in lost {
            match one.named(&self.driver.jobs, &self.place.script) {
                Ok(event) => (self.events)(event),
                Err(unnamed) => self.driver.lost.push(*unnamed),
            }
        }
    }

    /// Takes what a trial left into the run, if its worker's claim stands; whether it did.
    pub fn is_collected(&self, worker: &str, pair: &Pair) -> Result<bool> {
        let tree = self.batch.setting.tree();
        let from = workers_run(&self.batch.run, worker).pair(tree, pair);
        if !from.result().exists() {
            return Ok(false);
        }
        let Some(member) = self.driver.crew.members.get(worker) else {
            return Ok(false);
        };
        let key = ClaimKey::Pair(pair.clone());
        if !self.driver.claims.settle(&key, &member.holder)? {
            (self.events)(Event::note(format!(
                "a result of {pair} is void: its worker had lost the pair; it is kept in {}",
                from.path().display()
            )));
            return Ok(true);
        }
        collect(&from, &self.batch.run.pair(tree, pair))?;
        self.driver.claims.clear(&key, &member.holder)?;
        Ok(true)
    }

    /// The worker's claim on a pair goes, and the worker is told that all it left is here.
    pub fn let_claim_go(&mut self, worker: &str, pair: &Pair) -> Result<()> {
        if let Some(member) = self.driver.crew.members.get(worker) {
            let key = ClaimKey::Pair(pair.clone());
            self.driver.claims.break_claim(&key, &member.holder)?;
            member.tell(ToWorker::Collected { pair: pair.clone() });
        }
        Ok(())
    }

    pub fn is_done_with(&mut self, worker: &str, pair: &Pair) {
        if let Some(member) = self.driver.crew.members.get_mut(worker) {
            member.running.remove(pair);
        }
    }
}
