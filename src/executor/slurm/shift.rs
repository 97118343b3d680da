//! One attempt on a cluster: pairs are handed out to workers, and what they leave is collected.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::lost::LostTrial;
use super::messages::{ToDriver, ToWorker};
use super::reception::{Heard, next};
use super::{Driver, Yard};
use crate::bench::Pair;
use crate::engine::{AttemptEnd, Batch, EndedAttempt, Orders, Reporter, Stop};
use crate::error::Result;
use crate::store::Event;
use crate::store::lease::BEAT;

/// How often the driver looks at heartbeats, and at what it waits for.
const TICK: Duration = Duration::from_secs(1);

/// How long workers may take to obey a stop that is meant to be now.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long a file that a worker has written may take to be seen here: caches of NFS.
const SEEN_WITHIN: Duration = Duration::from_mins(2);

/// An attempt that goes on.
pub struct ClusterAttempt<'a> {
    /// What does not change from attempt to attempt.
    pub place: &'a Yard,
    /// What goes on over attempts.
    pub driver: &'a mut Driver,
    /// The attempt's pairs.
    pub batch: &'a Batch,
    /// Where its events go.
    pub events: &'a Reporter,
    /// The pairs that nobody has yet.
    pub waiting: VecDeque<Pair>,
    /// What was ordered last.
    pub orders: Orders,
    /// Results that are said to be there and are not seen yet, with who left them.
    pub unseen: Vec<(Pair, String, Instant)>,
    /// When a stop that is meant to be now is given up.
    pub give_up_at: Option<Instant>,
    /// The pairs whose trials were told to have begun.
    pub told: BTreeSet<Pair>,
    /// When heartbeats are looked at next.
    pub look_at: Instant,
}

impl<'a> ClusterAttempt<'a> {
    /// An attempt over a batch.
    pub fn of(
        place: &'a Yard,
        driver: &'a mut Driver,
        batch: &'a Batch,
        events: &'a Reporter,
    ) -> Self {
        let mut shift = Self {
            place,
            driver,
            batch,
            events,
            waiting: batch.pairs.iter().cloned().collect(),
            orders: Orders::default(),
            unseen: Vec::new(),
            give_up_at: None,
            told: BTreeSet::new(),
            look_at: Instant::now(),
        };
        shift.take_over();
        shift
    }

    /// Runs it to its end.
    pub async fn run(mut self, mut orders: watch::Receiver<Orders>) -> Result<EndedAttempt> {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let how = loop {
            let ordered = orders.borrow_and_update().clone();
            self.obey(ordered);
            self.hand_out();
            if self.is_over() {
                let stopped = self.orders.stop > Stop::No || self.orders.paused;
                let has_more = self.batch.pairs.len() > self.done();
                break if stopped && has_more {
                    AttemptEnd::Stopped
                } else {
                    AttemptEnd::Done
                };
            }
            if let Some(end) = self.care_for_workers().await? {
                break end;
            }
            tokio::select! {
                heard = next(&mut self.driver.heard) => self.take_in(heard)?,
                Ok(()) = orders.changed() => {}
                _ = tick.tick() => self.look()?,
            }
        };
        self.part(&mut tick).await?;
        Ok(EndedAttempt {
            how,
            killed_at: None,
        })
    }

    /// Lets all workers go, and waits until they have gone. Those that do not go are cancelled.
    async fn part(&mut self, tick: &mut Interval) -> Result<()> {
        self.driver.jobs.leave_the_queue().await;
        let begun = Instant::now();
        loop {
            self.driver.crew.let_all_go();
            let members = self.driver.crew.members.values();
            let stay = members.filter(|member| member.cut_at.is_none()).count();
            if stay == 0 {
                break;
            }
            if begun.elapsed() > PATIENCE {
                self.driver.jobs.cancel();
                break;
            }
            tokio::select! {
                heard = next(&mut self.driver.heard) => self.take_in(heard)?,
                _ = tick.tick() => {}
            }
        }
        self.driver.crew.members.clear();
        Ok(())
    }

    /// How many pairs have come to an end, whatever it was.
    fn done(&self) -> usize {
        let open = self.waiting.len() + self.driver.crew.running().count();
        self.batch
            .pairs
            .len()
            .saturating_sub(open + self.driver.skipped)
    }

    /// Pairs that workers run already are theirs: their trials go on in this attempt.
    fn take_over(&mut self) {
        self.driver.skipped = 0;
        let mut running = Vec::new();
        for member in self.driver.crew.members.values() {
            let id = &member.holder.id;
            // They came in before the run told that it goes on.
            (self.events)(Event::WorkerStarted {
                worker: id.clone(),
                node: member.node.clone(),
                job: member.holder.job.clone(),
                at_once: member.at_once,
            });
            running.extend(member.running.iter().map(|pair| (pair.clone(), id.clone())));
        }
        for (pair, worker) in running {
            self.waiting.retain(|waiting| *waiting != pair);
            self.tell_of_begin(&pair, &worker);
        }
    }

    /// Obeys what was ordered, and passes it on.
    fn obey(&mut self, ordered: Orders) {
        if ordered == self.orders {
            return;
        }
        self.orders = ordered;
        let orders = self.orders_of_workers();
        self.driver.crew.tell(&ToWorker::Orders(orders));
        let before = self.waiting.len();
        if self.orders.stop > Stop::No {
            self.waiting.clear();
        }
        let cancelled = &self.orders.cancelled;
        self.waiting.retain(|pair| !cancelled.contains(pair));
        self.driver.skipped += before - self.waiting.len();
        if let Some(most) = self.orders.concurrency {
            self.place.pace.bound_by(most * self.batch.setting.agents());
        }
        if self.orders.stop == Stop::Now && self.give_up_at.is_none() {
            self.give_up_at = Some(Instant::now() + PATIENCE);
        }
    }

    /// What workers are ordered: each has its own number of places.
    fn orders_of_workers(&self) -> Orders {
        Orders {
            concurrency: None,
            ..self.orders.clone()
        }
    }

    /// Gives pairs to workers that ask.
    fn hand_out(&mut self) {
        let most = self.orders.concurrency.unwrap_or(usize::MAX);
        let mut running = self.driver.crew.running().count();
        while running < most && !self.orders.paused && !self.waiting.is_empty() {
            let Some(member) = self.driver.crew.with_a_place() else {
                break;
            };
            let Some(pair) = self.waiting.pop_front() else {
                break;
            };
            member.free -= 1;
            member.running.insert(pair.clone());
            member.tell(ToWorker::Run {
                ended_before: self.batch.ended_before.contains(&pair),
                attempt: self.batch.attempt,
                pair,
            });
            running += 1;
        }
        if self.waiting.is_empty() {
            self.driver.crew.let_idle_go();
        }
    }

    fn is_over(&self) -> bool {
        self.waiting.is_empty()
            && self.driver.crew.running().next().is_none()
            && self.driver.lost.is_empty()
            && self.unseen.is_empty()
    }

    pub fn take_in(&mut self, heard: Heard) -> Result<()> {
        match heard {
            Heard::Joined {
                hello,
                connection,
                to,
            } => self.let_in(hello, connection, to)?,
            Heard::Said { worker, said } => self.hear(&worker, said)?,
            Heard::Gone { worker, connection } => {
                self.driver.crew.cut(&worker, connection);
                self.driver.jobs.want_news();
            }
            Heard::Queue(seen) => self.driver.jobs.take_in_queue(seen, self.events),
            Heard::Accounted(seen) => self.driver.jobs.take_in_accounts(seen),
        }
        self.name_lost();
        Ok(())
    }

    /// A worker has come in.
    fn let_in(
        &mut self,
        hello: super::messages::Hello,
        connection: u64,
        to: tokio::sync::mpsc::UnboundedSender<ToWorker>,
    ) -> Result<()> {
        let id = hello.holder.id.clone();
        // A job that Slurm began again is another worker, and the one before it is no more.
        let earlier = self.driver.crew.members.values().find(|member| {
            let holder = &member.holder;
            let is_same_task = holder.job.is_some() && holder.job == hello.holder.job;
            is_same_task && holder.restart < hello.holder.restart
        });
        let earlier = earlier.map(|member| member.holder.id.clone());
        if let Some(earlier) = earlier {
            self.lose(&earlier, "Slurm began its job again")?;
        }
        for pair in &hello.running {
            self.waiting.retain(|waiting| waiting != pair);
            self.tell_of_begin(pair, &id);
        }
        let event = Event::WorkerStarted {
            worker: id.clone(),
            node: hello.node.clone(),
            job: hello.holder.job.clone(),
            at_once: hello.at_once,
        };
        if self.driver.crew.join(hello, connection, to) {
            (self.events)(event);
        }
        let orders = self.orders_of_workers();
        if let Some(member) = self.driver.crew.members.get(&id) {
            member.tell(ToWorker::Orders(orders));
        }
        let workers = self.driver.crew.members.len();
        self.place.reception.desk.workers(workers);
        Ok(())
    }

    fn hear(&mut self, worker: &str, said: ToDriver) -> Result<()> {
        let Some(member) = self.driver.crew.members.get_mut(worker) else {
            return Ok(());
        };
        match said {
            ToDriver::Want => member.free = (member.free + 1).min(member.at_once),
            ToDriver::Taken { pair, by } => {
                member.running.remove(&pair);
                self.wait_for_another(pair, &by);
            }
            ToDriver::Happened { event } => {
                if let Event::TrialStarted { pair } = &event {
                    self.tell_of_begin(pair, worker);
                } else {
                    (self.events)(event);
                }
            }
            ToDriver::Ended { pair, has_result } => {
                let leaving = member.leaving.clone();
                self.end(worker, &pair, has_result, leaving.as_deref())?;
            }
            ToDriver::Broke { pair, why } => {
                member.leaving = Some(why.clone());
                (self.events)(Event::note(format!(
                    "a worker on {} cannot go on: {why}",
                    member.node
                )));
                self.end(worker, &pair, false, Some(&why))?;
            }
            ToDriver::Leaving { signal } => member.leaving = Some(signal),
            ToDriver::Bye => {
                let why = member.leaving.clone();
                self.part_from(worker, why)?;
            }
            ToDriver::Hello(_) | ToDriver::Pace(_) => {}
        }
        Ok(())
    }

    /// A pair is somebody else's: of a worker that an earlier command began and that has not come in.
    fn wait_for_another(&mut self, pair: Pair, by: &crate::store::lease::Holder) {
        if let Some(member) = self.driver.crew.members.get_mut(&by.id) {
            // It was given twice; who holds it runs it.
            member.running.insert(pair);
            return;
        }
        (self.events)(Event::note(format!(
            "{pair} is held by a worker on {} that nobody hears: it runs again when that is known to be gone",
            by.host
        )));
        self.driver.held.insert(pair, by.id.clone());
    }

    /// A trial came to its end.
    fn end(
        &mut self,
        worker: &str,
        pair: &Pair,
        has_result: bool,
        leaving: Option<&str>,
    ) -> Result<()> {
        if has_result && !self.is_collected(worker, pair)? {
            self.unseen
                .push((pair.clone(), worker.to_owned(), Instant::now()));
            return Ok(());
        }
        self.let_claim_go(worker, pair)?;
        let was_ordered = self.orders.stop > Stop::No || self.orders.cancelled.contains(pair);
        if let (false, Some(why), false) = (has_result, leaving, was_ordered) {
            self.driver.lost.push(LostTrial::of(
                pair.clone(),
                self.driver.crew.members.get(worker),
                why.to_owned(),
            ));
            self.driver.jobs.want_news();
        }
        self.is_done_with(worker, pair);
        Ok(())
    }

    /// Heartbeats, files that were waited for, orders that are not obeyed.
    pub fn look(&mut self) -> Result<()> {
        let now = Instant::now();
        for (pair, worker, since) in std::mem::take(&mut self.unseen) {
            if self.is_collected(&worker, &pair)? {
                self.let_claim_go(&worker, &pair)?;
                self.is_done_with(&worker, &pair);
            } else if now.duration_since(since) < SEEN_WITHIN {
                self.unseen.push((pair, worker, since));
            } else {
                (self.events)(Event::note(format!(
                    "a worker says that {pair} has a result, and none is seen here: do all machines share {}?",
                    self.batch.run.path().display()
                )));
                self.let_claim_go(&worker, &pair)?;
                self.is_done_with(&worker, &pair);
            }
        }
        let gone = if now >= self.look_at {
            self.look_at = now + BEAT;
            self.driver.watcher.look(&self.batch.run, now)?
        } else {
            Vec::new()
        };
        for holder in gone {
            if self.driver.crew.members.contains_key(&holder.id) {
                self.lose(&holder.id, "its heart has stopped beating")?;
            }
            self.free_held(&holder.id)?;
        }
        if self.give_up_at.is_some_and(|at| now >= at) {
            self.give_up_at = None;
            self.driver.jobs.cancel();
            let all: Vec<String> = self.driver.crew.members.keys().cloned().collect();
            for worker in all {
                self.lose(&worker, "it was cancelled")?;
            }
        }
        for gone in self.gone_by_slurms_word() {
            self.lose(&gone, "its job is over")?;
        }
        self.driver.jobs.look(now, &self.place.reception.heard);
        self.name_lost();
        Ok(())
    }

    /// Sees to it that somebody can run what waits. The attempt's end, where nobody will.
    async fn care_for_workers(&mut self) -> Result<Option<AttemptEnd>> {
        if self.waiting.is_empty() || self.orders.paused {
            return Ok(None);
        }
        let members = self.driver.crew.members.values();
        let there = members
            .filter(|it| it.leaving.is_none() && !it.is_let_go)
            .count();
        let wanted = self.waiting.len();
        let jobs = &mut self.driver.jobs;
        jobs.care(
            there,
            self.driver.crew.joined,
            wanted,
            &self.place.script,
            self.events,
        )
        .await
    }

    /// Tells of a trial that a worker runs, once.
    fn tell_of_begin(&mut self, pair: &Pair, worker: &str) {
        if self.told.insert(pair.clone()) {
            (self.events)(Event::TrialStarted { pair: pair.clone() });
            let (pair, worker) = (pair.clone(), worker.to_owned());
            (self.events)(Event::TrialPlaced { pair, worker });
        }
    }
}
