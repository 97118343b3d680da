//! A cluster as an executor: a driver, which is this process, and workers, which Slurm starts.
//!
//! The driver hands out pairs. A worker runs them with the native engine into a tree of its own, and
//! the driver takes what comes of it into the run. `docs/design/cluster.md` says why.

mod crew;
mod gone;
mod jobs;
mod leftovers;
mod lost;
pub mod messages;
mod reception;
mod shift;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use self::leftovers::JobsLeft;

use self::crew::Workforce;
use self::jobs::Jobs;
use self::lost::LostTrial;
use self::messages::WorkOrder;
use self::reception::{Heard, Reception, next};
use self::shift::ClusterAttempt;
use super::Executor;
use crate::bench::Pair;
use crate::config::{Config, ExecutorConfig};
use crate::engine::native::NativeOptions;
use crate::engine::{Batch, EndedAttempt, Orders, Reporter};
use crate::error::{Error, Result};
use crate::link::{LinkSecret, Listener};
use crate::model::pace::{Pace, PaceChange, PaceDesk};
use crate::slurm::{JobScript, Slurm};
use crate::store::cluster::{DriverFile, collect, workers_run};
use crate::store::lease::{BEAT, Claim, ClaimKey, Claims, EXPIRY, Heart, Holder, Took, Watcher};
use crate::store::{Event, RunDir};
use crate::text::plural;
use crate::version::VERSION;

/// The name of the hidden command that is a worker.
pub const WORKER_COMMAND: &str = "__worker";

/// Workers on a cluster, ready for the batches of one run.
#[derive(Debug)]
pub struct Cluster {
    run: RunDir,
    place: Yard,
    driver: tokio::sync::Mutex<Driver>,
    /// The pairs whose trials go on that an earlier command began.
    adopted: BTreeSet<Pair>,
    _tasks: Tasks,
    /// It ends with the command.
    claim: Mutex<Option<Claim>>,
}

/// What does not change from attempt to attempt.
pub struct Yard {
    /// The job of the workers.
    pub script: JobScript,
    /// Where workers come in.
    pub reception: Arc<Reception>,
    /// The pace of all calls.
    pub pace: Arc<Pace>,
    /// Where events go now.
    events: Arc<Mutex<Option<Reporter>>>,
}

impl std::fmt::Debug for Yard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut place = f.debug_struct("Yard");
        place.field("script", &self.script).finish_non_exhaustive()
    }
}

/// What goes on over attempts.
#[derive(Debug)]
pub struct Driver {
    /// The workers that are there.
    pub crew: Workforce,
    /// What they say.
    pub heard: UnboundedReceiver<Heard>,
    /// Their jobs.
    pub jobs: Jobs,
    /// Who holds which pair.
    pub claims: Claims,
    /// Whose heart has stopped.
    pub watcher: Watcher,
    /// Trials that were lost, as long as it is not known why.
    pub lost: Vec<LostTrial>,
    /// Pairs that somebody holds who is not heard, with the holder's id.
    pub held: BTreeMap<Pair, String>,
    /// The pairs of the attempt that were taken out of it.
    pub skipped: usize,
}

/// Tasks that end with the executor.
#[derive(Debug)]
struct Tasks(Vec<JoinHandle<()>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut claim = self.claim.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(claim) = claim.take() {
            // A worker that Slurm begins late finds that there is nothing to do.
            if let Ok(Some(mut file)) = DriverFile::read(&self.run) {
                file.address = None;
                let _ = file.write(&self.run);
            }
            // A claim that stays is one of a process that is no more, which is seen.
            let _ = claim.give_back();
        }
    }
}

impl Cluster {
    /// Readies the driver of a run. Workers that an earlier command began come in again, and what they
    /// have finished is collected.
    pub async fn ready(
        config: &Config,
        options: &NativeOptions,
        run: &RunDir,
        setting: crate::bench::Setting,
        events: &Reporter,
    ) -> Result<Self> {
        let slurm = Slurm::find().await?;
        let holder = Holder::this(std::env::var("SLURM_JOB_ID").ok(), 0);
        let claims = Claims::of(run);
        let heart = Heart::begin(run, &holder)?;
        let claim = match lead(&claims, run, &holder, events).await {
            Ok(claim) => claim,
            Err(error) => {
                heart.stop()?;
                return Err(error);
            }
        };
        let before = DriverFile::read(run)?;
        let secret = match &before {
            // Workers that live have it.
            Some(file) => LinkSecret::from_hex(&file.secret)?,
            None => LinkSecret::random()?,
        };
        let address = match config.executor.address {
            Some(address) => address,
            None => slurm.local_address().await?,
        };
        let listener = Listener::bind(address, &secret)?;
        let jobs: BTreeSet<u64> = before.map(|file| file.jobs).unwrap_or_default();
        let file = DriverFile {
            address: Some(listener.local_addr()),
            secret: secret.to_hex(),
            holder,
            version: VERSION.to_owned(),
            jobs: jobs.clone(),
        };
        file.write(run)?;
        let now: Arc<Mutex<Option<Reporter>>> = Arc::new(Mutex::new(Some(Arc::clone(events))));
        let (pace, desk) = pace_of(&config.executor, options, setting, &now);
        let (speaker, incoming) = mpsc::unbounded_channel();
        let reception = Arc::new(Reception {
            work: work_of(config, options, run, setting, &pace),
            desk,
            heard: speaker,
            connections: AtomicU64::new(1),
        });
        let door = tokio::spawn(Arc::clone(&reception).open(listener));
        let jobs = jobs.into_iter().collect();
        let driver = Driver {
            crew: Workforce::default(),
            heard: incoming,
            jobs: Jobs::of(Arc::new(slurm), run.clone(), jobs),
            claims,
            watcher: Watcher::new(EXPIRY),
            lost: Vec::new(),
            held: BTreeMap::new(),
            skipped: 0,
        };
        let yard = Yard {
            script: script(&config.executor, run, options.concurrency)?,
            reception,
            pace,
            events: now,
        };
        let mut cluster = Self {
            run: run.clone(),
            place: yard,
            driver: tokio::sync::Mutex::new(driver),
            adopted: BTreeSet::new(),
            _tasks: Tasks(vec![door, tokio::spawn(beat(heart))]),
            claim: Mutex::new(Some(claim)),
        };
        cluster.adopt(run, setting, events).await?;
        Ok(cluster)
    }

    /// Waits until it is known of all who hold pairs whether they live; what they have finished is
    /// collected.
    async fn adopt(
        &mut self,
        run: &RunDir,
        setting: crate::bench::Setting,
        events: &Reporter,
    ) -> Result<()> {
        let batch = Batch {
            run: run.clone(),
            setting,
            attempt: 0,
            pairs: Vec::new(),
            ended_before: Vec::new(),
            plan: Vec::new(),
            home: None,
        };
        let driver = self.driver.get_mut();
        let holders = strangers(driver)?;
        if !holders.is_empty() {
            let pairs = plural(holders.len(), "pair");
            events(Event::note(format!(
                "workers of an earlier command hold {pairs}: waiting for them to come in, or to be gone"
            )));
        }
        // The events of this time are before any attempt: the trials that go on are told of in it.
        let quiet: Reporter = {
            let events = Arc::clone(events);
            Arc::new(move |event| {
                if matches!(event, Event::Note { .. } | Event::WorkerStarted { .. }) {
                    events(event);
                }
            })
        };
        let mut shift = ClusterAttempt::of(&self.place, driver, &batch, &quiet);
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        while !strangers(shift.driver)?.is_empty() {
            tokio::select! {
                heard = next(&mut shift.driver.heard) => shift.take_in(heard)?,
                _ = tick.tick() => shift.look()?,
            }
        }
        drop(shift);
        // What a driver before this one had begun to publish.
        for (key, holder) in self.driver.get_mut().claims.settled()? {
            if let ClaimKey::Pair(pair) = &key {
                let tree = setting.tree();
                let theirs = workers_run(run, &holder.id).pair(tree, pair);
                collect(&theirs, &run.pair(tree, pair))?;
            }
            self.driver.get_mut().claims.clear(&key, &holder)?;
        }
        let driver = self.driver.get_mut();
        driver.lost.clear();
        self.adopted = driver.crew.running().cloned().collect();
        Ok(())
    }
}

/// The claims of workers that have not come in.
fn strangers(driver: &Driver) -> Result<Vec<(ClaimKey, Holder)>> {
    let standing = driver.claims.standing()?.into_iter();
    let members = &driver.crew.members;
    let strangers = standing
        .filter(|(key, holder)| *key != ClaimKey::Driver && !members.contains_key(&holder.id));
    Ok(strangers.collect())
}

impl Executor for Cluster {
    async fn attempt(
        &self,
        batch: &Batch,
        orders: watch::Receiver<Orders>,
        events: &Reporter,
    ) -> Result<EndedAttempt> {
        *self
            .place
            .events
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(events));
        let mut driver = self.driver.lock().await;
        let shift = ClusterAttempt::of(&self.place, &mut driver, batch, events);
        shift.run(orders).await
    }

    fn going_on(&self) -> BTreeSet<Pair> {
        self.adopted.clone()
    }
}

/// Takes the lead of a run. Who has it may live on another machine, where only its heart tells.
async fn lead(claims: &Claims, run: &RunDir, holder: &Holder, events: &Reporter) -> Result<Claim> {
    let mut watcher = Watcher::new(EXPIRY);
    let mut is_told = false;
    let begun = Instant::now();
    loop {
        let theirs = match claims.take(&ClaimKey::Driver, holder)? {
            Took::Ours(claim) => return Ok(claim),
            Took::Theirs(theirs) => theirs,
        };
        let gone = watcher.look(run, Instant::now())?;
        if gone.iter().any(|gone| gone.id == theirs.id) {
            claims.break_claim(&ClaimKey::Driver, &theirs)?;
            continue;
        }
        if begun.elapsed() > EXPIRY + 2 * BEAT {
            return Err(Error::usage(format!(
                "run `{}` is already running: its driver is process {} on {}",
                run.name(),
                theirs.pid,
                theirs.host
            ))
            .hint("wait for it, cancel it (`regatta cancel`), or use another --name"));
        }
        if !is_told {
            is_told = true;
            events(Event::note(format!(
                "a driver on {} had this run: waiting {} s for a sign of life",
                theirs.host,
                EXPIRY.as_secs()
            )));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Beats until it is aborted.
async fn beat(mut heart: Heart) {
    let mut beats = tokio::time::interval(BEAT);
    loop {
        beats.tick().await;
        // A beat that cannot be written is one that others miss.
        let _ = heart.beat();
    }
}

/// The pace of all workers' calls, and who answers for it.
fn pace_of(
    executor: &ExecutorConfig,
    options: &NativeOptions,
    setting: crate::bench::Setting,
    events: &Arc<Mutex<Option<Reporter>>>,
) -> (Arc<Pace>, PaceDesk) {
    let most = executor.most_workers() * options.concurrency * setting.agents();
    let events = Arc::clone(events);
    let observer = Arc::new(move |PaceChange { limit, why }| {
        let events = events
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(events) = events {
            events(Event::Pace { limit, why });
        }
    });
    let pace = Arc::new(Pace::new(most, Some(observer)));
    let desk = PaceDesk::new(Arc::clone(&pace));
    (pace, desk)
}

/// What workers are told of a run.
fn work_of(
    config: &Config,
    options: &NativeOptions,
    run: &RunDir,
    setting: crate::bench::Setting,
    pace: &Pace,
) -> WorkOrder {
    let key = options.client.key.as_ref();
    let mut values = config.values.clone();
    // A job has none of the environment by which it is found here.
    if let (Ok(store), Some(toml::Value::Table(images))) =
        (config.images.store_dir(), values.get_mut("images"))
    {
        let store = store.to_string_lossy().into_owned();
        images.insert("store".to_owned(), toml::Value::String(store));
    }
    WorkOrder {
        run: run.clone(),
        setting,
        values,
        base: options.client.base.clone(),
        key: key.map(|key| key.expose().to_owned()),
        share: (pace.limit() / config.executor.most_workers().max(1)).max(1),
    }
}

/// The job of a run's workers.
pub fn script(executor: &ExecutorConfig, run: &RunDir, at_once: usize) -> Result<JobScript> {
    let mut script = script_in(executor, run.name().as_str(), run.path())?;
    script.args = vec![
        WORKER_COMMAND.to_owned(),
        run.path().display().to_string(),
        format!("--at-once={at_once}"),
    ];
    script.output_dir = run.cluster().join("output");
    Ok(script)
}

/// What the queue shows beside a job.
fn comment_of(dir: &Path) -> String {
    format!("regatta {}", dir.display())
}

/// A job with what is asked of Slurm for workers that run so many pairs at a time.
pub fn script_in(executor: &ExecutorConfig, name: &str, dir: &Path) -> Result<JobScript> {
    let mut more = Vec::new();
    if executor.nodes.is_some() {
        more.push("--exclusive".to_owned());
    }
    // The user's own come last: of two that say something else the last counts.
    more.extend(executor.sbatch_words().unwrap_or_default());
    Ok(JobScript {
        name: name.to_owned(),
        comment: comment_of(dir),
        program: std::env::current_exe().map_err(|error| {
            Error::world(format!("this program's own file is not known: {error}"))
        })?,
        args: Vec::new(),
        tasks: executor.most_workers(),
        throttle: None,
        partition: executor.partition.clone(),
        account: executor.account.clone(),
        time: executor.time.clone(),
        more,
        cpus: None,
        memory_mb: None,
        output_dir: dir.to_owned(),
    })
}
