//! Where things lie under `logs/`: upstream's tree, and our `regatta/` beside it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::bench::setting::Tree;
use crate::bench::{Pair, RunName};
use crate::error::{Error, Result, nearest};
use crate::files;
use crate::hint;

/// The root of the log tree, `logs/`.
#[derive(Clone, Debug)]
pub struct LogTree {
    root: PathBuf,
}

impl LogTree {
    /// The tree at this directory, which need not exist yet.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where it begins: `logs/`, unless another place is in force.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The directory of one run.
    #[must_use]
    pub fn run(&self, name: &RunName) -> RunDir {
        RunDir {
            path: self.root.join(name.as_str()),
            name: name.clone(),
        }
    }

    /// Every run there is: the directories that hold results or a configuration.
    pub fn runs(&self) -> Result<Vec<RunDir>> {
        if self.root.is_file() {
            let root = self.root.display();
            return Err(
                Error::usage(format!("{root} is a file, and a log tree is a directory"))
                    .hint("name the directory with the runs by --logs-dir"),
            );
        }
        let mut runs: Vec<RunDir> = files::list(&self.root)?
            .into_iter()
            .filter_map(|path| path.file_name()?.to_str()?.parse().ok())
            .map(|name| self.run(&name))
            .filter(RunDir::exists)
            .collect();
        runs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(runs)
    }

    /// The named runs, or all of them when none is named.
    pub fn select(&self, names: &[RunName]) -> Result<Vec<RunDir>> {
        let all = self.runs()?;
        if names.is_empty() && all.is_empty() {
            let root = files::from_here(&self.root);
            let error = Error::usage(format!("no runs under {}", root.display()));
            return Err(match self.misnamed()?.first() {
                Some(name) => error.hint(format!(
                    "`{}` has results, but no name that a run can have: letters, digits, `.`, `_` and `-`; rename it",
                    name.escape_debug()
                )),
                None => error.hint(format!(
                    "`{}` makes them; --logs-dir names another tree",
                    hint::command("run")
                )),
            });
        }
        if names.is_empty() {
            return Ok(all);
        }
        let mut seen = HashSet::new();
        names
            .iter()
            .filter(|name| seen.insert(*name))
            .map(|name| {
                let run = self.run(name);
                if run.exists() {
                    return Ok(run);
                }
                let known: Vec<&str> = all.iter().map(|run| run.name.as_str()).collect();
                let error = Error::usage(format!("no run `{name}` under {}", self.root.display()));
                Err(match nearest(name.as_str(), known.iter().copied()) {
                    Some(near) => error.hint(format!("did you mean `{near}`?")),
                    None if known.is_empty() => error.hint("there are no runs yet there; give the --profile, --config, --logs-dir or --cooperbench-dir that the run was made with"),
                    None => error.hint(format!("there are: {}", known.join(", "))),
                })
            })
            .collect()
    }
}

/// The directory of one run, `logs/<run>/`.
///
/// It is written as its absolute path: whoever reads it may be in another directory.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "PathBuf")]
pub struct RunDir {
    path: PathBuf,
    name: RunName,
}

impl Serialize for RunDir {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        let path = std::path::absolute(&self.path).map_err(S::Error::custom)?;
        path.serialize(to)
    }
}

impl TryFrom<PathBuf> for RunDir {
    type Error = Error;

    fn try_from(path: PathBuf) -> Result<Self> {
        let name = path.file_name().and_then(|name| name.to_str());
        let (Some(name), Some(root)) = (name, path.parent()) else {
            let text = format!("{}: no directory of a run", path.display());
            return Err(Error::usage(text));
        };
        Ok(LogTree::at(root).run(&name.parse()?))
    }
}

impl RunDir {
    /// The run's name, which is also its directory's.
    #[must_use]
    pub const fn name(&self) -> &RunName {
        &self.name
    }

    /// The run's directory, `<logs>/<run>`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Upstream's `config.json`: the flags of its last invocation.
    #[must_use]
    pub fn config_json(&self) -> PathBuf {
        self.path.join("config.json")
    }

    /// Upstream's `summary.json`: what became of each pair of its last invocation.
    #[must_use]
    pub fn summary_json(&self) -> PathBuf {
        self.path.join("summary.json")
    }

    /// Upstream's `eval_summary.json`: the same of its last evaluation.
    #[must_use]
    pub fn eval_summary_json(&self) -> PathBuf {
        self.path.join("eval_summary.json")
    }

    /// The directory of one of upstream's settings.
    #[must_use]
    pub fn tree(&self, tree: Tree) -> PathBuf {
        match tree {
            Tree::Solo | Tree::Coop | Tree::Team => self.path.join(tree.name()),
            Tree::OldSolo | Tree::OldCoop => self.path.clone(),
        }
    }

    /// The directory of one pair.
    #[must_use]
    pub fn pair(&self, tree: Tree, pair: &Pair) -> PairDir {
        let path = self
            .tree(tree)
            .join(&pair.task.repo)
            .join(pair.task.task_id.to_string())
            .join(pair.dir_name());
        PairDir { path, tree }
    }

    /// The directories of one pair in the trees of workers, as far as they are there.
    #[must_use]
    pub fn pair_at_workers(&self, tree: Tree, pair: &Pair) -> Vec<PairDir> {
        let trees = files::list(&self.workers()).unwrap_or_default().into_iter();
        let dirs = trees.map(|root| LogTree::at(root).run(&self.name).pair(tree, pair));
        dirs.filter(|dir| dir.path.is_dir()).collect()
    }

    /// The directory of our own files.
    #[must_use]
    pub fn own(&self) -> PathBuf {
        self.path.join("regatta")
    }

    /// `regatta/manifest.json`: what the run was.
    #[must_use]
    pub fn manifest(&self) -> PathBuf {
        self.own().join("manifest.json")
    }

    /// `regatta/pass.json`: what `--force` of `run` has begun.
    #[must_use]
    pub fn pass(&self) -> PathBuf {
        self.own().join("pass.json")
    }

    /// `regatta/eval-pass.json`: what `--force` of `eval` has begun.
    #[must_use]
    pub fn eval_pass(&self) -> PathBuf {
        self.own().join("eval-pass.json")
    }

    /// `regatta/restore.json`: what is being brought back.
    #[must_use]
    pub fn restore(&self) -> PathBuf {
        self.own().join("restore.json")
    }

    /// `regatta/ledger.jsonl`: every trial ever made.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.own().join("ledger.jsonl")
    }

    /// `regatta/events.jsonl`: what happened, in order.
    #[must_use]
    pub fn events(&self) -> PathBuf {
        self.own().join("events.jsonl")
    }

    /// `regatta/lock`: held by the regatta that runs it.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.own().join("lock")
    }

    /// `regatta/wheel.sock`: where the regatta that runs it is asked to pause and the like.
    #[must_use]
    pub fn wheel(&self) -> PathBuf {
        self.own().join("wheel.sock")
    }

    /// `regatta/cluster/`: what the driver and the workers of a cluster share.
    #[must_use]
    pub fn cluster(&self) -> PathBuf {
        self.own().join("cluster")
    }

    /// `regatta/cluster/driver.json`: where the driver listens, and its secret.
    #[must_use]
    pub fn cluster_driver(&self) -> PathBuf {
        self.cluster().join("driver.json")
    }

    /// `regatta/cluster/claims/`: who works on what.
    #[must_use]
    pub fn claims(&self) -> PathBuf {
        self.cluster().join("claims")
    }

    /// `regatta/cluster/beats/`: the heartbeats of all who may work.
    #[must_use]
    pub fn beats(&self) -> PathBuf {
        self.cluster().join("beats")
    }

    /// `regatta/cluster/wheel/`: what is asked of the driver by files.
    #[must_use]
    pub fn asks(&self) -> PathBuf {
        self.cluster().join("wheel")
    }

    /// `regatta/cluster/workers/`: what each worker makes.
    #[must_use]
    pub fn workers(&self) -> PathBuf {
        self.cluster().join("workers")
    }

    /// `regatta/attempt-<n>.log`: what the engine printed.
    #[must_use]
    pub fn attempt_log(&self, attempt: u32) -> PathBuf {
        self.own().join(format!("attempt-{attempt}.log"))
    }

    /// `regatta/subset-<n>.json`: the pairs given to the engine for one attempt.
    #[must_use]
    pub fn attempt_subset(&self, attempt: u32) -> PathBuf {
        self.own().join(format!("subset-{attempt}.json"))
    }

    /// `regatta/agent-config.yaml`: the configuration generated for the agent.
    #[must_use]
    pub fn agent_config(&self) -> PathBuf {
        self.own().join("agent-config.yaml")
    }
}

/// The directory of one pair, with the names of the files in it.
#[derive(Clone, Debug)]
pub struct PairDir {
    path: PathBuf,
    tree: Tree,
}

impl PairDir {
    /// The pair's directory, which ends with `<repo>/<task>/f<i>_f<j>`, and more of them
    /// where more features were tried together.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `result.json`, which an engine writes last: where it is, the trial ended.
    #[must_use]
    pub fn result(&self) -> PathBuf {
        self.path.join("result.json")
    }

    /// `eval.json`, the verdict, be it upstream's or ours.
    #[must_use]
    pub fn eval(&self) -> PathBuf {
        self.path.join("eval.json")
    }

    /// The trajectory of an agent: `solo_traj.json`, or `agent<feature>_traj.json`.
    #[must_use]
    pub fn trajectory(&self, feature: Option<u64>) -> PathBuf {
        self.path.join(format!("{}_traj.json", self.stem(feature)))
    }

    /// The trajectory of an agent while its trial runs, or was killed:
    /// `regatta/<trial>/solo_traj.jsonl`, or `agent<feature>_traj.jsonl`.
    #[must_use]
    pub fn running_trajectory(&self, trial: &str, feature: Option<u64>) -> PathBuf {
        let name = format!("{}_traj.jsonl", self.stem(feature));
        self.aside().join(trial).join(name)
    }

    /// The patch of an agent: `solo.patch`, or `agent<feature>.patch`.
    #[must_use]
    pub fn patch(&self, feature: Option<u64>) -> PathBuf {
        self.path.join(format!("{}.patch", self.stem(feature)))
    }

    /// A file of an agent's own program, by the agent's id and not its feature:
    /// `agent<number>_<what>`. None for an id that is no plain name: results name agents.
    #[must_use]
    pub fn of_program(&self, agent: &str, what: &str) -> Option<PathBuf> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        (!agent.is_empty() && agent.len() <= 100 && agent.chars().all(is_plain))
            .then(|| self.path.join(format!("{agent}_{what}")))
    }

    fn stem(&self, feature: Option<u64>) -> String {
        match feature {
            Some(feature) if !self.tree.is_solo() => format!("agent{feature}"),
            _ => "solo".to_owned(),
        }
    }

    /// Where the files of trials that no longer stand are kept.
    #[must_use]
    pub fn aside(&self) -> PathBuf {
        self.path.join("regatta")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runs_directory_means_the_same_read_from_another_directory() {
        let run = LogTree::at("logs").run(&"gull-solo".parse().unwrap());
        let written = serde_json::to_string(&run).unwrap();
        let read: RunDir = serde_json::from_str(&written).unwrap();
        let here = std::env::current_dir().unwrap();
        assert_eq!(read.path(), here.join("logs/gull-solo"));
        assert_eq!(read.name(), run.name());
    }

    #[test]
    fn what_cannot_be_a_runs_directory_is_not_read_as_one() {
        for path in [
            "",
            "/",
            "/srv/logs/..",
            "/srv/logs/.hidden",
            "/srv/logs/a\nb",
        ] {
            let written = serde_json::to_string(path).unwrap();
            let read = serde_json::from_str::<RunDir>(&written);
            assert!(read.is_err(), "{path:?} {read:?}");
        }
    }
}
