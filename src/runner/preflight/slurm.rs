//! Is a cluster fit? What Slurm says, and what a node says of itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::{Check, Level};
use crate::bench::BackendKind;
use crate::bench::word::Listed as _;
use crate::config::{Config, OverlayBy};
use crate::engine::EngineOptions;
use crate::error::{Error, Result};
use crate::executor::slurm;
use crate::model::reach::{Reach, reach};
use crate::slurm::{JobScript, Slurm, TaskState, why_pending};
use crate::store::LogTree;
use crate::version::VERSION;
use crate::{files, host, json};

/// The name of the hidden command that looks around on a node.
pub const NODE_COMMAND: &str = "__node";

/// How long a job on a node is waited for.
const WITHIN: Duration = Duration::from_secs(90);

/// Clocks that differ by more make times in the files hard to read.
const CLOCKS: f64 = 5.0;

/// What a node says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeAnswer {
    /// Its name.
    pub node: String,
    /// The program's version there.
    pub version: String,
    /// Its time.
    pub at: Timestamp,
    /// What it read in the log tree.
    pub read: String,
    /// Why sandboxes cannot be made there; `None` where they can.
    pub sandboxes: Option<String>,
    /// How the endpoint is reached from there; `None` where none is asked.
    pub endpoint: Option<String>,
    /// Whether the store of images is seen there; `None` where none is used.
    pub has_store: Option<bool>,
}

/// What Slurm says: it answers, the partition is there and lets the workers in.
pub async fn slurm(config: &Config, tree: &LogTree) -> Vec<Check> {
    let slurm = match Slurm::find().await {
        Ok(slurm) => slurm,
        Err(error) => return vec![Check::failed("slurm", &error)],
    };
    let executor = &config.executor;
    let limits = match slurm.limits(executor.partition.as_deref()).await {
        Ok(limits) => limits,
        Err(error) => return vec![Check::failed("slurm", &error)],
    };
    let mut checks = Vec::new();
    let any = tree.path().join("any");
    let script = slurm::script_in(executor, "any", &any);
    let checked = script.and_then(|mut script| {
        // More are not asked for.
        script.tasks = limits.tasks_of(script.tasks);
        script.check()?;
        limits.check(&script)
    });
    let partition = limits.partition(executor.partition.as_deref());
    checks.push(match checked.and(partition) {
        Ok(partition) => {
            let most = limits.tasks_of(executor.most_workers());
            Check::pass(
                "slurm",
                format!(
                    "{}, partition {} with {} nodes; at most {most} workers",
                    slurm.version(),
                    partition.name,
                    partition.nodes
                ),
            )
        }
        Err(error) => Check::failed("slurm", &error),
    });
    checks.push(shared(tree));
    checks
}

/// Whether the log tree may be on a file system that nodes see.
fn shared(tree: &LogTree) -> Check {
    const NAME: &str = "shared tree";
    /// `linux/magic.h`: tmpfs and ramfs.
    const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];
    let path = tree.path();
    let there = path.ancestors().find(|dir| dir.is_dir());
    let found = there.and_then(|dir| rustix::fs::statfs(dir).ok());
    let is_in_memory =
        found.is_some_and(|found| IN_MEMORY.contains(&u64::try_from(found.f_type).unwrap_or(0)));
    if is_in_memory {
        return Check::new(
            NAME,
            Level::Fail,
            format!(
                "{} is in this machine's memory, which no node sees",
                path.display()
            ),
            "name a directory on a file system that all nodes see: --logs-dir",
        );
    }
    Check::pass(NAME, path.display().to_string())
}

/// What a node says, by a job that looks around there.
pub async fn on_a_node(config: &Config, options: &EngineOptions, tree: &LogTree) -> Vec<Check> {
    const NAME: &str = "node";
    match ask_a_node(config, options, tree).await {
        Ok((answer, sent)) => of_answer(&answer, &sent),
        Err(error) => vec![Check::failed(NAME, &error)],
    }
}

async fn ask_a_node(
    config: &Config,
    options: &EngineOptions,
    tree: &LogTree,
) -> Result<(NodeAnswer, String)> {
    files::create_dir(tree.path())?;
    let dir = files::temporary_dir_in(tree.path())
        .map_err(|error| Error::world(format!("{}: {error}", tree.path().display())))?;
    let sent = format!("{:016x}", fastrand::u64(..));
    files::write_atomic(&dir.path().join("sent"), sent.as_bytes())?;
    let slurm = Slurm::find().await?;
    let mut args = vec![
        NODE_COMMAND.to_owned(),
        dir.path().display().to_string(),
        options.backend().name().to_owned(),
        config.native.overlay.word().to_owned(),
    ];
    let endpoint = options.access().endpoint.as_ref();
    if let Some(endpoint) = endpoint.filter(|_| !options.access().is_builtin()) {
        args.push(format!("--endpoint={}", endpoint.value));
    }
    if options.backend().has_images() {
        let store = config.images.store_dir()?;
        args.push(format!("--store={}", store.display()));
    }
    let script = JobScript {
        name: "doctor".to_owned(),
        args,
        tasks: 1,
        time: None,
        ..slurm::script_in(&config.executor, "doctor", dir.path())?
    };
    let job = slurm.submit(&script).await?;
    let answer = wait_for(&slurm, job, &dir.path().join("answer.json")).await;
    // Where it still waits nobody wants it any more.
    let _ = slurm.cancel(&[job]).await;
    answer.map(|answer| (answer, sent))
}

async fn wait_for(slurm: &Slurm, job: u64, answer: &Path) -> Result<NodeAnswer> {
    let begun = Instant::now();
    let mut asked_at = Instant::now();
    let mut waits = String::new();
    let unanswered = |why: &str| {
        Error::world(format!("a job that looks around on a node gave no answer: {why}"))
            .hint("the program, the log tree and the libraries of this machine must be there too; `srun hostname` shows whether jobs run at all")
    };
    loop {
        if let Ok(bytes) = files::read(answer) {
            return serde_json::from_slice(&bytes).map_err(|error| unanswered(&error.to_string()));
        }
        if begun.elapsed() > WITHIN {
            return Err(unanswered(&waits));
        }
        if asked_at.elapsed() > Duration::from_secs(10) || waits.is_empty() {
            asked_at = Instant::now();
            let seen = slurm.tasks(&[job]).await?;
            waits = match seen.first() {
                Some(task) if task.state == TaskState::Pending => why_pending(&task.reason),
                Some(task) => format!("it is {}", task.state),
                None => "it has ended".to_owned(),
            };
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// What an answer says of a run.
fn of_answer(answer: &NodeAnswer, sent: &str) -> Vec<Check> {
    let node = &answer.node;
    let mut checks = Vec::new();
    let ours = VERSION;
    if answer.read != sent {
        let evidence = format!("{node} does not see what is written here in the log tree");
        let remedy = "put the log tree on a file system that all nodes see: --logs-dir";
        checks.push(Check::new("node", Level::Fail, evidence, remedy));
    } else if answer.version != ours {
        let evidence = format!("{node} has regatta {}, and this is {ours}", answer.version);
        let remedy = "install one program where all nodes see it";
        checks.push(Check::new("node", Level::Fail, evidence, remedy));
    } else {
        checks.push(Check::pass(
            "node",
            format!("{node} runs this program and sees the log tree"),
        ));
    }
    checks.push(match &answer.sandboxes {
        None => Check::pass("node sandboxes", format!("{node} makes them")),
        Some(why) => Check::new(
            "node sandboxes",
            Level::Fail,
            format!("{node}: {why}"),
            "ask its administrator for user namespaces, or name another --partition",
        ),
    });
    if let Some(how) = &answer.endpoint {
        let level = if how.is_empty() {
            Level::Pass
        } else {
            Level::Fail
        };
        let (evidence, remedy) = if how.is_empty() {
            (format!("{node} reaches the endpoint"), "")
        } else {
            (
                format!("{node}: {how}"),
                "nodes need a way to the endpoint: a proxy, or an endpoint within the cluster (--api-base)",
            )
        };
        checks.push(Check::new("node endpoint", level, evidence, remedy));
    }
    if answer.has_store == Some(false) {
        checks.push(Check::new(
            "node images",
            Level::Fail,
            format!("{node} does not see the store of images"),
            "name a directory that all nodes see: store in [images]",
        ));
    }
    let apart = (answer.at.duration_since(Timestamp::now()))
        .as_secs_f64()
        .abs();
    if apart > CLOCKS {
        checks.push(Check::new(
            "node clock",
            Level::Warn,
            format!("the clock of {node} differs by {apart:.0} s: times in the files do too"),
            "nothing relies on it; synchronize the clocks for your own sake",
        ));
    }
    checks
}

/// Looks around: what a node says of itself, written where it was asked.
pub async fn look_around(
    dir: &Path,
    (backend, overlay): (BackendKind, OverlayBy),
    endpoint: Option<&str>,
    store: Option<PathBuf>,
) -> Result<()> {
    let sandboxes = host::check(backend, overlay).await.err();
    let sandboxes = sandboxes.map(|error| {
        let hints = error.hints().iter().map(String::as_str);
        let told = error.to_string();
        std::iter::once(told.as_str())
            .chain(hints)
            .collect::<Vec<_>>()
            .join("; ")
    });
    let endpoint = match endpoint {
        None => None,
        Some(base) => Some(match reach(base).await {
            Ok(Reach::Answered(_)) => String::new(),
            Ok(Reach::Silent(why) | Reach::NoConnection { why, .. }) => why,
            Err(error) => error.to_string(),
        }),
    };
    let answer = NodeAnswer {
        node: std::env::var("SLURMD_NODENAME").unwrap_or_else(|_| "a node".to_owned()),
        version: VERSION.to_owned(),
        at: Timestamp::now(),
        read: files::read_text(&dir.join("sent")).unwrap_or_default(),
        sandboxes,
        endpoint,
        has_store: store.map(|store| store.is_dir()),
    };
    files::write_atomic(&dir.join("answer.json"), json::line(&answer).as_bytes())
}
