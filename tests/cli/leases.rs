//! Leases under many processes that are killed, stopped and continued at random moments, against
//! what must hold of them: no pair is published twice, and none is lost.
//!
//! `REGATTA_TEST_SHARED` names other directories than a temporary one, with `:` between: several
//! mounts of one directory, as several machines have it. `scripts/with-nfs` makes such.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fastrand::Rng;
use regatta::bench::{Pair, TaskKey};
use regatta::files;
use regatta::store::RunDir;
use regatta::store::lease::{Claim, ClaimKey, Claims, Heart, Holder, Took, Watcher};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

/// What a worker is told: its number, its seed, the run's directory, and the file it tells in.
const TASK: &str = "REGATTA_TEST_LEASES";
const SHARED: &str = "REGATTA_TEST_SHARED";
const SEED: &str = "REGATTA_TEST_SEED";

const PAIRS: u64 = 60;
const WORKERS: usize = 5;
/// How often one is killed, stopped or continued.
const BLOWS: usize = 150;
/// A worker's own time: a second each time that it looks.
const EXPIRY: Duration = Duration::from_secs(9);

fn pairs() -> Vec<Pair> {
    let pair = |feature| Pair::new(TaskKey::new("gull/../task", 7), 1, feature);
    (2..2 + PAIRS).map(pair).collect()
}

/// A worker of a run, which runs pairs until all are published.
struct Worker {
    run: RunDir,
    holder: Holder,
    heart: Heart,
    claims: Claims,
    watcher: Watcher,
    began: Instant,
    looks: u32,
    random: Rng,
    told: File,
}

impl Worker {
    fn begin(task: &str) -> Self {
        let mut words = task.split('\n');
        let mut next = || words.next().unwrap();
        let (nth, seed) = (next().parse::<usize>().unwrap(), next().parse().unwrap());
        let run = RunDir::try_from(PathBuf::from(next())).unwrap();
        let mut holder = Holder::this(None, 0);
        if nth % 2 == 0 {
            // The others see nothing of it but its heartbeat.
            holder.host = format!("node{nth}");
        }
        files::create_dir(&run.workers().join(&holder.id)).unwrap();
        Self {
            heart: Heart::begin(&run, &holder).unwrap(),
            claims: Claims::of(&run),
            watcher: Watcher::new(EXPIRY),
            began: Instant::now(),
            looks: 0,
            random: Rng::with_seed(seed),
            told: File::options().append(true).open(next()).unwrap(),
            run,
            holder,
        }
    }

    fn tell(&mut self, what: &str, id: &str, pair: &ClaimKey) {
        // By one write: others tell in the same file.
        let line = format!("{what} {id} {pair}\n");
        self.told.write_all(line.as_bytes()).unwrap();
    }

    fn work(mut self) {
        while let Some(pair) = self.next() {
            self.heart.beat().unwrap();
            self.break_what_is_gone();
            let settled = self.claims.settled().unwrap();
            if self.random.u32(..4) == 0 {
                for (key, holder) in settled {
                    self.publish(&key, &holder);
                }
            }
            let (key, holder) = (ClaimKey::Pair(pair), self.holder.clone());
            self.tell("takes", &holder.id, &key);
            if let Took::Ours(claim) = self.claims.take(&key, &holder).unwrap() {
                self.run_one(&key, claim);
            }
        }
        self.heart.stop().unwrap();
    }

    /// A pair that is not published, at random.
    fn next(&mut self) -> Option<Pair> {
        let done = published(&self.run);
        let open = pairs().into_iter().filter(|pair| {
            let name = ClaimKey::Pair(pair.clone()).file_name();
            !done.contains_key(&name)
        });
        let open: Vec<Pair> = open.collect();
        (!open.is_empty()).then(|| open[self.random.usize(..open.len())].clone())
    }

    fn break_what_is_gone(&mut self) {
        self.looks += 1;
        let now = self.began + self.looks * Duration::from_secs(1);
        for gone in self.watcher.look(&self.run, now).unwrap() {
            for (key, holder) in self.claims.standing().unwrap() {
                if holder == gone && self.claims.break_claim(&key, &gone).unwrap() {
                    self.tell("breaks", &gone.id, &key);
                }
            }
        }
    }

    fn run_one(&mut self, key: &ClaimKey, claim: Claim) {
        let id = self.holder.id.clone();
        self.tell("took", &id, key);
        if published(&self.run).contains_key(&key.file_name()) {
            claim.give_back().unwrap();
            self.tell("gave", &id, key);
            return;
        }
        let of_the_run = format!("{:016x}", self.random.u64(..));
        let made = self.run.workers().join(&id).join(key.file_name());
        fs::write(&made, &of_the_run).unwrap();
        for _ in 0..self.random.u32(..20) {
            self.heart.beat().unwrap();
            let _ = claim.stands().unwrap();
        }
        self.tell("ran", &of_the_run, key);
        if self.random.u32(..3) == 0 {
            fs::remove_file(&made).unwrap();
            claim.give_back().unwrap();
            self.tell("gave", &id, key);
        } else if claim.settle().unwrap() {
            self.tell("settled", &of_the_run, key);
            let holder = self.holder.clone();
            self.publish(key, &holder);
        } else {
            assert!(!claim.stands().unwrap());
            self.tell("void", &of_the_run, key);
            fs::remove_file(&made).unwrap();
        }
    }

    /// Publishes what came of a settled claim. Several may at once.
    fn publish(&mut self, key: &ClaimKey, holder: &Holder) {
        let dir = self.run.workers().join(&holder.id);
        files::refresh(&dir).unwrap();
        let made = dir.join(key.file_name());
        if let Some(of_the_run) = files::read_up_to(&made, 100).unwrap() {
            let of_the_run = String::from_utf8(of_the_run).unwrap();
            let to = results(&self.run).join(format!("{}={of_the_run}", key.file_name()));
            self.tell("publishes", &of_the_run, key);
            let moved = files::move_if_free(&made, &to);
            assert!(moved.is_ok() || files::is_there(&to).unwrap(), "{moved:?}");
        }
        if self.claims.clear(key, holder).unwrap() {
            self.tell("cleared", &holder.id, key);
        }
    }
}

fn results(run: &RunDir) -> PathBuf {
    run.path().join("results")
}

/// What is published of each pair.
fn published(run: &RunDir) -> BTreeMap<String, Vec<String>> {
    files::refresh(&results(run)).unwrap();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in files::list(&results(run)).unwrap() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let (pair, of_the_run) = name.split_once('=').unwrap();
        let runs = found.entry(pair.to_owned()).or_default();
        runs.push(of_the_run.to_owned());
    }
    found
}

/// No test, but a worker that the test below starts.
#[test]
fn a_worker_that_others_start() {
    if let Ok(task) = std::env::var(TASK) {
        Worker::begin(&task).work();
    }
}

/// The workers of a run, as who starts, kills and stops them sees them.
struct Crew {
    dirs: Vec<PathBuf>,
    told: PathBuf,
    random: Rng,
    started: usize,
    alive: Vec<(Child, bool)>,
}

impl Crew {
    fn start(&mut self) {
        let run = self.dirs[self.started % self.dirs.len()].join("gull-coop");
        let (nth, seed, told) = (self.started, self.random.u64(..), self.told.display());
        let task = format!("{nth}\n{seed}\n{}\n{told}", run.display());
        let name = concat!(module_path!(), "::a_worker_that_others_start");
        let name = name.split_once("::").unwrap().1;
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", name, "--nocapture"]);
        command.env(TASK, task).stdout(Stdio::null());
        self.alive.push((command.spawn().unwrap(), false));
        self.started += 1;
    }

    /// How much they have told so far.
    fn told(&self) -> u64 {
        self.told.metadata().unwrap().len()
    }

    fn is_done(&mut self) -> bool {
        let ended = |(child, _): &mut (Child, bool)| child.try_wait().unwrap().is_some();
        self.alive.iter_mut().any(ended)
    }

    /// Waits until they have told so much more, or one has found that all is done.
    fn wait_for(&mut self, more: u64) -> bool {
        let wanted = self.told() + more;
        while self.told() < wanted {
            if self.is_done() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }

    /// Kills one and starts another, stops one, or lets one go on; one at least is never stopped.
    fn strike(&mut self) {
        let at = self.random.usize(..self.alive.len());
        let running = self.alive.iter().filter(|it| !it.1).count();
        let (child, is_stopped) = &mut self.alive[at];
        let pid = Pid::from_child(child);
        if *is_stopped {
            kill_process(pid, Signal::CONT).unwrap();
            *is_stopped = false;
        } else if running > 2 && self.random.u32(..3) > 0 {
            kill_process(pid, Signal::STOP).unwrap();
            *is_stopped = true;
        } else {
            child.kill().unwrap();
            child.wait().unwrap();
            self.alive.swap_remove(at);
            self.start();
        }
    }

    fn finish(&mut self) {
        for (child, is_stopped) in &mut self.alive {
            if *is_stopped {
                kill_process(Pid::from_child(child), Signal::CONT).unwrap();
            }
        }
        for (child, _) in &mut self.alive {
            assert!(child.wait().unwrap().success());
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for (child, _) in &mut self.alive {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// How often each was told.
type Told = BTreeMap<(String, String), usize>;

fn told_in(text: &str) -> BTreeMap<String, Told> {
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    for line in text.lines() {
        let [what, id, pair] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let counts = told.entry(what.to_owned()).or_default();
        *counts.entry((id.to_owned(), pair.to_owned())).or_default() += 1;
    }
    told
}

/// What holds of all that was told, whoever was killed before telling.
fn check(text: &str, published: &BTreeMap<String, Vec<String>>) {
    for pair in pairs() {
        let runs = published.get(&ClaimKey::Pair(pair.clone()).file_name());
        assert_eq!(runs.map(Vec::len), Some(1), "{pair}: {runs:?}");
    }
    let told = told_in(text);
    let empty = Told::new();
    let told = |what: &str| told.get(what).unwrap_or(&empty);
    let results: Vec<&String> = published.values().flatten().collect();
    for (of_the_run, pair) in told("void").keys() {
        assert!(!results.contains(&of_the_run), "{pair} {of_the_run}");
    }
    for (of_the_run, pair) in told("settled").keys() {
        assert!(results.contains(&of_the_run), "{pair} {of_the_run}");
    }
    // A claim is broken or cleared once; of a holder that was killed one may not be told.
    for what in ["breaks", "cleared"] {
        for (claim, ends) in told(what) {
            let took = told("took").get(claim).unwrap_or(&0);
            assert!(*ends <= took + 1, "{claim:?}: {ends} of {took}");
        }
    }
}

#[expect(
    clippy::print_stdout,
    reason = "a failure says its seed and what was done"
)]
fn hold_a_race(seed: u64, dirs: Vec<PathBuf>) {
    println!("{SEED}={seed}");
    let own = tempfile::tempdir().unwrap();
    let told = own.path().join("told");
    File::create(&told).unwrap();
    let run = RunDir::try_from(dirs[0].join("gull-coop")).unwrap();
    files::create_dir(&results(&run)).unwrap();
    let mut crew = Crew {
        dirs,
        told,
        random: Rng::with_seed(seed),
        started: 0,
        alive: Vec::new(),
    };
    for _ in 0..WORKERS {
        crew.start();
    }
    for _ in 0..BLOWS {
        let more = crew.random.u64(1..400);
        if !crew.wait_for(more) {
            break;
        }
        crew.strike();
    }
    crew.finish();
    let text = fs::read_to_string(&crew.told).unwrap();
    println!("{} workers, {} lines", crew.started, text.lines().count());
    for (what, counts) in told_in(&text) {
        println!("  {what}: {}", counts.values().sum::<usize>());
    }
    check(&text, &published(&run));
    // Claims of the killed stand for whoever comes next, and nothing else is left.
    let claims = Claims::of(&run);
    for (key, holder) in claims.standing().unwrap() {
        assert!(claims.break_claim(&key, &holder).unwrap());
    }
    for (key, holder) in claims.settled().unwrap() {
        assert!(claims.clear(&key, &holder).unwrap());
    }
}

#[test]
fn no_pair_is_published_twice_and_none_is_lost_whoever_is_killed_or_slow() {
    let seed = std::env::var(SEED).map_or_else(|_| fastrand::u64(..), |it| it.parse().unwrap());
    let temporary = tempfile::tempdir().unwrap();
    let shared = std::env::var(SHARED);
    let dirs: Vec<PathBuf> = match &shared {
        Ok(dirs) => dirs
            .split(':')
            .map(|dir| under(Path::new(dir), seed))
            .collect(),
        Err(_) => vec![under(temporary.path(), seed)],
    };
    hold_a_race(seed, dirs);
}

fn under(dir: &Path, seed: u64) -> PathBuf {
    dir.join(format!("race-{seed}"))
}
