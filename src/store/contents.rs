//! What stands in a run's directory: its pairs, and results where no pair of it stands.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{LogTree, ResultFile, RunDir, result};
use crate::bench::setting::Tree;
use crate::bench::{Pair, RunName, TaskKey};
use crate::error::Result;
use crate::{files, process};

/// What there is in the directory of a run that has no plan.
#[derive(Debug, Default)]
pub struct Contents {
    /// Every pair directory, with the tree it stands in, in order.
    pub pairs: Vec<(Tree, Pair)>,
    /// What has results and is none.
    pub unread: Vec<Unread>,
}

/// A directory with results that are not read: another layout's, or another setting's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// Where, below the run's directory.
    pub directory: String,
    /// How many files named `result.json` are below it.
    pub results: usize,
}

/// A task's directory, with its tree where its place tells that.
struct TaskDir {
    tree: Option<Tree>,
    task: TaskKey,
    path: PathBuf,
}

/// How the repositories' directories end that stand in a run itself.
const REPO: &str = "_task";

impl LogTree {
    /// The directories that hold a run whose name is none that a run can have.
    pub fn misnamed(&self) -> Result<Vec<String>> {
        let mut paths = files::list(self.path())?;
        paths.retain(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_none_or(|name| name.parse::<RunName>().is_err()) && is_run(path)
        });
        let names = paths.iter().filter_map(|path| path.file_name());
        Ok(names
            .map(|name| name.to_string_lossy().into_owned())
            .collect())
    }
}

impl RunDir {
    /// Whether there is a run here.
    #[must_use]
    pub fn exists(&self) -> bool {
        is_run(self.path())
    }

    /// Every pair directory of the run, with the tree it stands in, in order.
    pub fn pairs(&self) -> Result<Vec<(Tree, Pair)>> {
        Ok(self.contents()?.pairs)
    }

    /// What stands in the run's directory.
    ///
    /// Without a `solo/`, a `coop/` and a `team/`, the repositories may stand in the run itself: so they do in
    /// trees of older days, which upstream still reads.
    pub fn contents(&self) -> Result<Contents> {
        let (mut tasks, mut odd) = (Vec::new(), Vec::new());
        for tree in Tree::ALL {
            for repo in files::list(&self.tree(tree))? {
                tasks_of(&repo, Some(tree), &mut tasks, &mut odd);
            }
        }
        let is_old = !Tree::ALL.iter().any(|tree| self.tree(*tree).is_dir());
        for path in self.others(&Tree::ALL) {
            if is_old && name_of(&path).is_some_and(|name| name.ends_with(REPO)) {
                tasks_of(&path, None, &mut tasks, &mut odd);
            } else {
                odd.push(path);
            }
        }
        let of_tasks = process::in_parallel(&tasks, pairs_of);
        let mut found = Contents::default();
        for (pairs, odd_pairs) in of_tasks {
            found.pairs.extend(pairs);
            odd.extend(odd_pairs);
        }
        // By number: as text, task 10 comes before task 9.
        found.pairs.sort();
        found.unread = self.unread(odd);
        Ok(found)
    }

    /// What has results and is beside the tree of a run that has a plan.
    #[must_use]
    pub fn beside(&self, tree: Tree) -> Vec<Unread> {
        self.unread(self.others(&[tree]))
    }

    /// What is in the run's directory besides our own and these trees'.
    fn others(&self, trees: &[Tree]) -> Vec<PathBuf> {
        let known: Vec<PathBuf> = trees.iter().map(|tree| self.tree(*tree)).collect();
        let mut paths = files::list(self.path()).unwrap_or_default();
        paths.retain(|path| *path != self.own() && !known.contains(path));
        paths
    }

    /// Whether it is a link within the log tree: what it leads to has its own place there.
    fn leads_to_another_place(&self, path: &Path) -> bool {
        let logs = self
            .path()
            .parent()
            .and_then(|logs| logs.canonicalize().ok());
        let leads_within = || path.canonicalize().ok()?.starts_with(logs?).then_some(());
        path.is_symlink() && leads_within().is_some()
    }

    fn unread(&self, odd: Vec<PathBuf>) -> Vec<Unread> {
        let count = |path: PathBuf| {
            let results = if path == self.path().join(RESULT) {
                1
            } else if self.leads_to_another_place(&path) {
                0
            } else {
                results_below(&path, usize::MAX)
            };
            let inner = path.strip_prefix(self.path()).unwrap_or(&path);
            (results > 0).then(|| Unread {
                directory: inner.to_string_lossy().into_owned(),
                results,
            })
        };
        odd.into_iter().filter_map(count).collect()
    }
}

/// Whether a directory holds a run.
#[must_use]
pub fn is_run(dir: &Path) -> bool {
    let is_file = |name: &str| dir.join(name).is_file();
    let is_tree = |tree: &Tree| dir.join(tree.name()).is_dir();
    // A run's own tree is none, where the run is taken for the tree of all.
    let of_a_run = |name: &str| Tree::ALL.iter().any(|tree| tree.name() == name);
    is_file("config.json")
        || is_file("regatta/manifest.json")
        || Tree::ALL.iter().any(is_tree)
        || (!name_of(dir).is_some_and(of_a_run) && results_below(dir, 1) > 0)
}

/// The tasks of a repository's directory, and what else is in it.
fn tasks_of(repo: &Path, tree: Option<Tree>, tasks: &mut Vec<TaskDir>, odd: &mut Vec<PathBuf>) {
    let Some(name) = name_of(repo) else {
        odd.push(repo.to_owned());
        return;
    };
    for path in files::list(repo).unwrap_or_default() {
        let id = name_of(&path).and_then(|id| {
            let number: u64 = id.parse().ok()?;
            (number.to_string() == id).then_some(number)
        });
        match id {
            Some(id) => tasks.push(TaskDir {
                tree,
                task: TaskKey::new(name, id),
                path,
            }),
            None => odd.push(path),
        }
    }
}

/// The pairs of a task's directory, and what else is in it.
fn pairs_of(dir: &TaskDir) -> (Vec<(Tree, Pair)>, Vec<PathBuf>) {
    let (mut pairs, mut odd) = (Vec::new(), Vec::new());
    for path in files::list(&dir.path).unwrap_or_default() {
        let pair = name_of(&path).and_then(|name| {
            let pair = Pair::from_dir_name(dir.task.clone(), name)?;
            (pair.dir_name() == name).then_some(pair)
        });
        match pair {
            Some(pair) => pairs.push((dir.tree.unwrap_or_else(|| old_tree(&path)), pair)),
            None => odd.push(path),
        }
    }
    (pairs, odd)
}

/// Which of the older trees a pair is of: its result says so, or else its patch, as upstream has it.
fn old_tree(pair: &Path) -> Tree {
    let said = match result::read(&pair.join(RESULT)) {
        ResultFile::Read(record) => record.setting,
        ResultFile::Missing | ResultFile::Unreadable(_) => None,
    };
    let is_solo = said.map_or_else(
        || pair.join("solo.patch").is_file(),
        |said| said == Tree::Solo.name(),
    );
    if is_solo {
        Tree::OldSolo
    } else {
        Tree::OldCoop
    }
}

const RESULT: &str = "result.json";
/// How far below a directory results are looked for: a tree has four levels, and may be in one more.
const DEEP: usize = 6;
/// How many entries are looked at: what is no run's may be of any size.
const MOST: usize = 100_000;

/// How many results are below a directory, at most so many. Links are not followed.
fn results_below(dir: &Path, most: usize) -> usize {
    let is_dir = |path: &Path| path.symlink_metadata().is_ok_and(|meta| meta.is_dir());
    let (mut found, mut looked) = (0, 0);
    let mut open = vec![(dir.to_owned(), 0)];
    while let Some((dir, depth)) = open.pop() {
        if (depth > 0 && !is_dir(&dir)) || found >= most || looked > MOST {
            continue;
        }
        let entries = files::list(&dir).unwrap_or_default();
        looked += entries.len();
        if entries.iter().any(|path| name_of(path) == Some(RESULT)) {
            found += 1;
        } else if depth < DEEP {
            open.extend(entries.into_iter().map(|path| (path, depth + 1)));
        }
    }
    found
}

fn name_of(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}
