//! A worker: it asks a run's driver for pairs, and runs them into a tree of its own.

mod line;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;
use tokio::time::{Instant, interval, sleep};

use self::line::{DriverLine, next_of, say};
use super::slurm::messages::{Hello, ToDriver, ToWorker, WorkOrder};
use crate::bench::Pair;
use crate::engine::{Batch, Engine, Orders, Reporter, Stop};
use crate::error::{Error, Result};
use crate::files::{self, Appender};
use crate::link::{self, LinkSecret};
use crate::model::pace::{Pace, PaceAsk, PaceLine};
use crate::store::cluster::{DriverFile, has_error, workers_run};
use crate::store::lease::{BEAT, Claim, ClaimKey, Claims, Heart, Holder, Took};
use crate::store::{Event, RunDir, events};
use crate::version::VERSION;

/// How long a worker goes on without its driver. Then it ends what it runs and leaves.
pub const DRIVER_LEASE: Duration = Duration::from_mins(10);

/// How long after a sandbox the signal that ended it may come.
const SIGNAL_WITHIN: Duration = Duration::from_millis(500);

/// How long one try to reach the driver may take.
const WITHIN: Duration = Duration::from_secs(10);

/// How long a file may be older than what another machine has written: NFS asks again after a minute at
/// most (`acregmax`, nfs(5)).
const OVER: Duration = Duration::from_secs(70);

/// The wait between tries.
const AGAIN: Duration = Duration::from_secs(2);

/// What asks a worker to leave.
pub trait Signals {
    /// Waits for the next signal; its name.
    fn next(&mut self) -> impl Future<Output = &'static str>;
}

/// What a worker is made of, once the driver has told it of the run.
#[derive(Debug)]
pub struct WorkerTools {
    /// The engine of each of its places.
    pub engines: Vec<Engine>,
}

/// A worker of a run.
pub struct Worker {
    run: RunDir,
    holder: Holder,
    node: String,
    at_once: usize,
}

/// A connection on which a worker was welcomed, with what it was told.
type Welcomed = (DriverLine, Box<WorkOrder>);

/// A try to come in again.
type Try<'a> = Pin<Box<dyn Future<Output = Result<Option<Welcomed>>> + 'a>>;

/// A place's trial that came to its end: the place, the pair, and whether it left a result.
type Ended = (usize, Pair, Result<bool>);

impl Worker {
    /// A worker of a run with so many places.
    #[must_use]
    pub fn of(run: RunDir, holder: Holder, node: String, at_once: usize) -> Self {
        Self {
            run,
            holder,
            node,
            at_once: at_once.max(1),
        }
    }

    /// Works until the driver lets it go, a signal comes, or the driver is gone for too long. `make`
    /// makes its tools of what the driver tells, with the pace that calls obey.
    pub async fn work(
        self,
        make: impl AsyncFnOnce(&WorkOrder, Arc<Pace>) -> Result<WorkerTools>,
        signals: &mut impl Signals,
    ) -> Result<()> {
        let mut heart = Heart::begin(&self.run, &self.holder)?;
        let worked = self.work_with(make, signals, &mut heart).await;
        heart.stop()?;
        worked
    }

    async fn work_with(
        &self,
        make: impl AsyncFnOnce(&WorkOrder, Arc<Pace>) -> Result<WorkerTools>,
        signals: &mut impl Signals,
        heart: &mut Heart,
    ) -> Result<()> {
        let begun = Instant::now();
        let (line, work) = loop {
            match self.come_in(Vec::new()).await {
                Ok(Some(came)) => break came,
                // The run is over, or the file is an old one that this machine still has.
                Ok(None) if begun.elapsed() > OVER => return Ok(()),
                Ok(None) => sleep(AGAIN).await,
                Err(error) if error.kind() == crate::error::Kind::Usage => return Err(error),
                Err(error) if begun.elapsed() > DRIVER_LEASE => return Err(error),
                Err(_) => tokio::select! {
                    () = sleep(AGAIN) => {}
                    _ = signals.next() => return Ok(()),
                },
            }
        };
        let (asks, asked) = mpsc::unbounded_channel();
        let (pace, pace_line) = Pace::asked_of(asks, work.share, None);
        let tools = make(&work, Arc::new(pace)).await?;
        let bench = Bench::of(self, &work, pace_line);
        bench.serve(tools, line, asked, signals, heart).await
    }

    /// Connects to the driver that there is now, and is welcomed; `None` where the last one has ended in
    /// order.
    async fn come_in(&self, running: Vec<Pair>) -> Result<Option<Welcomed>> {
        let file = DriverFile::read(&self.run)?.ok_or_else(|| {
            Error::world(format!(
                "{} names no driver",
                self.run.cluster_driver().display()
            ))
        })?;
        let Some(address) = file.address else {
            return Ok(None);
        };
        let secret = LinkSecret::from_hex(&file.secret)?;
        let connection = link::connect(address, &secret, WITHIN).await?;
        let (mut sender, mut receiver) = connection.split();
        let hello = Hello {
            holder: self.holder.clone(),
            node: self.node.clone(),
            version: VERSION.to_owned(),
            at_once: self.at_once,
            running,
        };
        sender.send(&ToDriver::Hello(hello)).await?;
        let answered = tokio::time::timeout(WITHIN, receiver.receive::<ToWorker>()).await;
        match answered.unwrap_or(Ok(None))? {
            Some(ToWorker::Welcome(work)) => Ok(Some((DriverLine::of(sender, receiver), work))),
            Some(ToWorker::Refused { why }) => Err(Error::usage(why).hint(
                "all machines must see one program: run it from a file system that they share",
            )),
            _ => Err(Error::world("the driver said nothing that a worker knows")),
        }
    }
}

/// What a worker's places share.
struct Bench<'a> {
    worker: &'a Worker,
    work: &'a WorkOrder,
    /// Its own tree's run.
    own: RunDir,
    claims: Claims,
    pace: PaceLine,
    orders: watch::Sender<Orders>,
    /// What is to be said to the driver.
    say: UnboundedSender<ToDriver>,
    said: RefCell<Option<UnboundedReceiver<ToDriver>>>,
    /// What was last heard of the spending of running trials, by pair and agent: it is said again where
    /// a connection was lost.
    spent: Arc<Mutex<BTreeMap<(Pair, String), Event>>>,
    file: Arc<Appender>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// The claims that it holds.
    claims: BTreeMap<Pair, Claim>,
    /// Trials that have ended, with what the driver was told of them: until it has collected them.
    ended: BTreeMap<Pair, bool>,
    /// Places without a pair.
    idle: BTreeSet<usize>,
    leaving: Option<String>,
    /// Whether the driver has nothing more to do for it.
    is_let_go: bool,
}

type Place<'a> = Pin<Box<dyn Future<Output = Ended> + 'a>>;

impl<'a> Bench<'a> {
    fn of(worker: &'a Worker, work: &'a WorkOrder, pace: PaceLine) -> Self {
        let own = workers_run(&worker.run, &worker.holder.id);
        let (say, said) = mpsc::unbounded_channel();
        Self {
            worker,
            work,
            claims: Claims::of(&worker.run),
            pace,
            orders: watch::Sender::default(),
            say,
            said: RefCell::new(Some(said)),
            spent: Arc::default(),
            file: Arc::new(Appender::new(own.events())),
            own,
            state: RefCell::default(),
        }
    }

    async fn serve(
        &self,
        tools: WorkerTools,
        line: DriverLine,
        mut asked: UnboundedReceiver<PaceAsk>,
        signals: &mut impl Signals,
        heart: &mut Heart,
    ) -> Result<()> {
        let mut line = Some(line);
        let mut said = self
            .said
            .take()
            .unwrap_or_else(|| mpsc::unbounded_channel().1);
        let mut lost_at = Instant::now();
        let mut places: FuturesUnordered<Place<'_>> = FuturesUnordered::new();
        // One at most: a driver that does not answer holds nothing else up.
        let mut tries: FuturesUnordered<Try<'_>> = FuturesUnordered::new();
        let mut beats = interval(BEAT);
        let mut again = interval(AGAIN);
        self.ask_for_pairs(0..tools.engines.len());
        while !self.is_over(&places) {
            let is_cut = line.is_none();
            tokio::select! {
                message = next_of(&mut line) => {
                    if let Some(message) = message {
                        self.hear(message, &tools, &mut places);
                    } else {
                        line = None;
                        lost_at = Instant::now();
                        self.pace.lost();
                    }
                }
                Some(message) = said.recv(), if !is_cut => say(line.as_ref(), message),
                Some(ask) = asked.recv(), if !is_cut => say(line.as_ref(), ToDriver::Pace(ask)),
                Some(ended) = places.next() => self.end(ended),
                signal = signals.next() => self.leave(signal),
                // One that cannot be written is tried again by the next.
                _ = beats.tick() => drop(heart.beat()),
                Some(came) = tries.next() => {
                    if let Ok(Some((came, _))) = came {
                        line = Some(came);
                        self.pace.back();
                        self.say_again(&mut said);
                    }
                }
                _ = again.tick(), if is_cut => {
                    if lost_at.elapsed() > DRIVER_LEASE {
                        self.leave("its driver is gone");
                        if places.is_empty() {
                            // What has ended is in its tree, for the next driver.
                            break;
                        }
                    }
                    if tries.is_empty() {
                        let running = self.state.borrow().claims.keys().cloned().collect();
                        tries.push(Box::pin(self.worker.come_in(running)));
                    }
                }
            }
        }
        drop(places);
        if let Some(line) = line {
            // What was said last is heard before it goes.
            while let Ok(message) = said.try_recv() {
                say(Some(&line), message);
            }
            say(Some(&line), ToDriver::Bye);
            line.end().await;
        }
        Ok(())
    }

    /// Whether nothing more comes: it leaves, runs nothing, and the driver has everything, or is gone.
    fn is_over(&self, places: &FuturesUnordered<Place<'_>>) -> bool {
        let state = self.state.borrow();
        let goes = state.leaving.is_some() || state.is_let_go;
        goes && places.is_empty() && state.ended.is_empty()
    }

    /// Each of these places asks for a pair.
    fn ask_for_pairs(&self, places: impl IntoIterator<Item = usize>) {
        let mut state = self.state.borrow_mut();
        for place in places {
            state.idle.insert(place);
            if state.leaving.is_none() {
                let _ = self.say.send(ToDriver::Want);
            }
        }
    }

    /// After a connection was lost: all that may not have been heard.
    fn say_again(&self, said: &mut UnboundedReceiver<ToDriver>) {
        // What was not sent yet is said anew, or is in the hello.
        while let Ok(message) = said.try_recv() {
            if let ToDriver::Taken { .. } | ToDriver::Broke { .. } = message {
                let _ = self.say.send(message);
                break;
            }
        }
        let state = self.state.borrow();
        // It says first that it leaves: that is why a trial has ended without a result.
        if let Some(signal) = &state.leaving {
            let signal = signal.clone();
            let _ = self.say.send(ToDriver::Leaving { signal });
        }
        for (pair, has_result) in &state.ended {
            let _ = self.say.send(ToDriver::Ended {
                pair: pair.clone(),
                has_result: *has_result,
            });
        }
        let spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        for event in spent.values().cloned() {
            let _ = self.say.send(ToDriver::Happened { event });
        }
        if state.leaving.is_none() {
            for _ in &state.idle {
                let _ = self.say.send(ToDriver::Want);
            }
        }
    }

    /// What the driver says.
    fn hear<'b>(
        &'b self,
        message: ToWorker,
        tools: &'b WorkerTools,
        places: &mut FuturesUnordered<Place<'b>>,
    ) {
        match message {
            ToWorker::Run {
                pair,
                attempt,
                ended_before,
            } => {
                let place = self.state.borrow_mut().idle.pop_first();
                let Some(place) = place else { return };
                let engine = &tools.engines[place];
                let key = ClaimKey::Pair(pair.clone());
                match self.claims.take(&key, &self.worker.holder) {
                    // The other places go on.
                    Err(error) => self.end((place, pair, Err(error))),
                    Ok(Took::Ours(claim)) => {
                        self.state.borrow_mut().claims.insert(pair.clone(), claim);
                        let trial = self.trial(place, engine, pair, attempt, ended_before);
                        places.push(Box::pin(trial));
                    }
                    Ok(Took::Theirs(by)) => {
                        let _ = self.say.send(ToDriver::Taken { pair, by });
                        self.ask_for_pairs([place]);
                    }
                }
            }
            ToWorker::Orders(orders) => {
                let leaving = self.state.borrow().leaving.is_some();
                self.orders.send_modify(|now| {
                    let stop = if leaving {
                        orders.stop.max(Stop::Gently)
                    } else {
                        orders.stop
                    };
                    *now = Orders { stop, ..orders };
                });
            }
            ToWorker::Pace(answer) => self.pace.answered(answer),
            ToWorker::Collected { pair } => {
                let mut state = self.state.borrow_mut();
                state.ended.remove(&pair);
                // The driver has let go of it already, where it lives.
                if let Some(claim) = state.claims.remove(&pair) {
                    let _ = claim.give_back();
                }
            }
            ToWorker::Leave => self.state.borrow_mut().is_let_go = true,
            ToWorker::Welcome(_) | ToWorker::Refused { .. } => {}
        }
    }

    /// Runs one pair in a place.
    async fn trial(
        &self,
        place: usize,
        engine: &Engine,
        pair: Pair,
        attempt: u32,
        ended_before: bool,
    ) -> Ended {
        let batch = Batch {
            run: self.own.clone(),
            home: Some(self.work.run.clone()),
            setting: self.work.setting,
            attempt,
            pairs: vec![pair.clone()],
            ended_before: if ended_before {
                vec![pair.clone()]
            } else {
                Vec::new()
            },
            plan: vec![pair.clone()],
        };
        let orders = self.orders.subscribe();
        let ended = engine.attempt(&batch, orders, &self.reporter()).await;
        let dir = self.own.pair(self.work.setting.tree(), &pair);
        if has_error(&dir) {
            // Who ends a job ends all of its processes at once: a sandbox may be seen to end before the
            // signal that ended it.
            sleep(SIGNAL_WITHIN).await;
        }
        (place, pair, ended.map(|_| dir.result().exists()))
    }

    /// Where the events of its trials go: into its own file first.
    fn reporter(&self) -> Reporter {
        let (file, say) = (Arc::clone(&self.file), self.say.clone());
        let spent = Arc::clone(&self.spent);
        Arc::new(move |event| {
            if let Err(error) = events::append(&file, &event) {
                let text = format!("an event of a worker was not recorded: {error}");
                let event = Event::note(text);
                let _ = say.send(ToDriver::Happened { event });
            }
            if let Event::Spent { pair, agent, .. } = &event {
                let key = (pair.clone(), agent.clone());
                let mut spent = spent.lock().unwrap_or_else(PoisonError::into_inner);
                spent.insert(key, event.clone());
            }
            let _ = say.send(ToDriver::Happened { event });
        })
    }

    /// A trial came to its end.
    fn end(&self, (place, pair, ended): Ended) {
        {
            let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
            spent.retain(|(of, _), _| *of != pair);
        }
        match ended {
            Ok(has_result) => {
                let has_result = has_result && !self.is_spoilt(&pair);
                self.state
                    .borrow_mut()
                    .ended
                    .insert(pair.clone(), has_result);
                let _ = self.say.send(ToDriver::Ended { pair, has_result });
                self.ask_for_pairs([place]);
            }
            Err(error) => {
                self.state.borrow_mut().ended.insert(pair.clone(), false);
                let why = std::iter::once(error.to_string()).chain(error.hints().to_vec());
                let why = why.collect::<Vec<_>>().join("; ");
                let _ = self.say.send(ToDriver::Broke { pair, why });
                self.state.borrow_mut().leaving = Some("it broke".to_owned());
            }
        }
    }

    /// Whether a trial's error is that of the worker, which is being ended. What it left stays in the
    /// worker's tree.
    fn is_spoilt(&self, pair: &Pair) -> bool {
        let dir = self.own.pair(self.work.setting.tree(), pair);
        let is_spoilt = self.state.borrow().leaving.is_some() && has_error(&dir);
        // Nobody is to take it for a result later.
        is_spoilt && files::rename(&dir.result(), &dir.path().join("result.void.json")).is_ok()
    }

    /// It takes no further pair; what runs may finish within the grace.
    fn leave(&self, signal: &str) {
        if self.state.borrow().leaving.is_some() {
            // Slurm sends its signal twice, and it is one first Ctrl-C.
            return;
        }
        self.state.borrow_mut().leaving = Some(signal.to_owned());
        let signal = signal.to_owned();
        let _ = self.say.send(ToDriver::Leaving { signal });
        self.orders
            .send_modify(|orders| orders.stop = orders.stop.max(Stop::Gently));
    }
}
