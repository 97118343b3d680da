//! The dataset tree on disk: `<root>/<repo>/task<id>/feature<n>/` and `<root>/subsets/`.

use std::path::{Path, PathBuf};

use super::SubsetRef;
use super::subset_ref::ENDING;
use crate::bench::{Dataset, Pair, Subset, TaskKey};
use crate::error::{Error, Result, nearest};
use crate::files;
use crate::text::{NAME, one_line, plural};

/// What a subset looks like.
const FORM: &str =
    "a subset is {\"tasks\": [{\"repo\": \"x_task\", \"task_id\": 1, \"pairs\": [[1, 2]]}]}";

/// A task's directory below a dataset.
#[must_use]
pub fn task_dir(root: &Path, task: &TaskKey) -> PathBuf {
    root.join(&task.repo).join(format!("task{}", task.task_id))
}

/// The directory with a task's repository, for backends without images: in the dataset, or below
/// `workspaces`.
#[must_use]
pub fn workspace(root: &Path, workspaces: Option<&Path>, task: &TaskKey) -> PathBuf {
    match workspaces {
        Some(dir) => task_dir(dir, task),
        None => task_dir(root, task).join("workspace"),
    }
}

/// The dataset at a directory.
#[derive(Clone, Debug)]
pub struct DatasetDir {
    root: PathBuf,
}

impl DatasetDir {
    /// The dataset at `root`, which must be a directory.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        if !root.is_dir() {
            return Err(
                Error::usage(format!("no dataset at {}", root.display())).hint(
                    "point --cooperbench-dir at a CooperBench checkout (its `dataset/` is used), or --dataset-dir at the dataset itself",
                ),
            );
        }
        Ok(Self { root })
    }

    /// The dataset's root, with `subsets/` in it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The names of the subsets there are.
    pub fn subset_names(&self) -> Result<Vec<String>> {
        Ok(files::list(&self.root.join("subsets"))?
            .iter()
            .filter(|path| path.extension().is_some_and(|ext| ext == "json"))
            .filter_map(|path| path.file_stem()?.to_str().map(str::to_owned))
            .collect())
    }

    /// The pairs of a subset, checked file by file against the tree.
    ///
    /// Only the subset's own tasks are looked at: a dataset of hundreds of features is planned
    /// in milliseconds. Everything that is wrong is reported in one error.
    pub fn pairs(&self, subset: &str) -> Result<Vec<Pair>> {
        let (path, subset) = self.subset(subset)?;
        let (dataset, mut wrong) = self.tasks(subset.task_keys())?;
        let (pairs, unknown) = dataset.pairs_of(&subset);
        wrong.extend(unknown.iter().map(|unknown| {
            let missing = self.root.join(&unknown.missing);
            format!(
                "{}: not in the dataset (wanted by {})",
                missing.display(),
                unknown.wanted
            )
        }));
        wrong.extend(self.wrong_files(&pairs));
        wrong.sort();
        wrong.dedup();
        if !wrong.is_empty() {
            return Err(Error::usage(format!(
                "the subset {} does not fit the dataset, {}:\n  {}",
                path.display(),
                plural(wrong.len(), "problem"),
                wrong.join("\n  ")
            ))
            .hint("update the checkout so that dataset and subset are of one revision, or take these pairs out of the subset"));
        }
        if pairs.is_empty() {
            return Err(Error::usage(format!(
                "the subset {} has no pairs",
                path.display()
            )));
        }
        Ok(pairs)
    }

    /// Every pair of the tree, in order. What is no task of it is passed over.
    pub fn whole(&self) -> Result<Vec<Pair>> {
        let mut keys = Vec::new();
        for repo in files::list(&self.root)?.iter().filter(|path| path.is_dir()) {
            let Some(name) = repo.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            for task in files::list(repo)? {
                let task = task.file_name().and_then(|name| name.to_str());
                let id = task.and_then(|task| task.strip_prefix("task")?.parse().ok());
                keys.extend(id.map(|id| TaskKey::new(name, id)));
            }
        }
        Ok(self.tasks(keys.into_iter())?.0.all_pairs())
    }

    /// Refuses pairs whose features have no text, all of them in one error.
    pub fn check(&self, pairs: &[Pair]) -> Result<()> {
        let mut wrong = self.wrong_files(pairs);
        if wrong.is_empty() {
            return Ok(());
        }
        wrong.sort();
        wrong.dedup();
        Err(Error::usage(format!(
            "the dataset {} has {}:\n  {}",
            self.root.display(),
            plural(wrong.len(), "problem"),
            wrong.join("\n  ")
        ))
        .hint("update the checkout, or leave these tasks out with --repo, --task or --pair"))
    }

    /// What is wrong with the texts that the agents of these pairs get.
    fn wrong_files(&self, pairs: &[Pair]) -> Vec<String> {
        let mut wrong = Vec::new();
        for pair in pairs {
            let task = self.task_dir(&pair.task);
            for feature in pair.features {
                let file = task.join(format!("feature{feature}")).join("feature.md");
                match file.metadata() {
                    Ok(meta) if meta.len() == 0 => wrong.push(format!("{}: empty", file.display())),
                    Ok(_) => {
                        if let Err(error) = files::read_text(&file) {
                            wrong.push(error.to_string());
                        }
                    }
                    Err(error) => wrong.push(format!("{}: {error}", file.display())),
                }
            }
        }
        wrong
    }

    fn subset(&self, text: &str) -> Result<(PathBuf, Subset)> {
        let named = SubsetRef::of(text);
        let path = named.path(&self.root);
        match &named {
            SubsetRef::Named(name) => self.check_name(name)?,
            SubsetRef::File(path) if !path.exists() => return Err(self.no_file(text, path)),
            SubsetRef::File(_) => {}
        }
        let text = files::read_text(&path).map_err(Error::into_usage)?;
        let no_subset = |error: serde_json::Error| {
            Error::usage(format!("{} is no subset: {error}", path.display())).hint(FORM)
        };
        let file = serde_json::from_str(&text).map_err(no_subset)?;
        let wrong = Subset::wrong_keys(&file);
        if !wrong.is_empty() {
            let (path, wrong) = (path.display(), wrong.join("\n  "));
            return Err(Error::usage(format!("{path} is no subset:\n  {wrong}")).hint(FORM));
        }
        let subset = serde_json::from_str(&text).map_err(no_subset)?;
        Ok((path, subset))
    }

    /// There is no file at the path that was typed for a subset.
    fn no_file(&self, typed: &str, path: &Path) -> Error {
        let error = Error::usage(format!("no subset at {}", path.display()));
        let stem = SubsetRef::of(typed).name();
        let names = self.subset_names().unwrap_or_default();
        if Path::new(typed).is_file() {
            return error.hint(format!(
                "upstream adds .json to what it is given: rename {} to end so",
                one_line(typed, NAME)
            ));
        }
        match nearest(&stem, names.iter().map(String::as_str)) {
            Some(near) => error.hint(format!(
                "a name without slash and .json is one of the dataset's: did you mean `{near}`?"
            )),
            None => error.hint("`regatta subset -o FILE` makes one"),
        }
    }

    /// Refuses a name that no subset of the dataset has.
    fn check_name(&self, name: &str) -> Result<()> {
        let names = self.subset_names()?;
        if names.is_empty() {
            let subsets = self.root.join("subsets");
            return Err(
                Error::usage(format!("no dataset at {}: {} has no *.json", self.root.display(), subsets.display()))
                    .hint("point --dataset-dir at a directory such as CooperBench's `dataset/`, with subsets/ and the tasks in it"),
            );
        }
        if !names.iter().any(|known| known == name) {
            let there = format!(
                "there are: {}; a file is named by its path, with a slash or .json",
                names.join(", ")
            );
            let mut error =
                Error::usage(format!("unknown subset `{}`", name.escape_debug())).hint(there);
            let file = format!("{name}{ENDING}");
            if Path::new(&file).is_file() {
                error = error.hint(format!("did you mean `-s {file}`, the file here?"));
            }
            return Err(match nearest(name, names.iter().map(String::as_str)) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error,
            });
        }
        Ok(())
    }

    fn task_dir(&self, task: &TaskKey) -> PathBuf {
        task_dir(&self.root, task)
    }

    /// These tasks as they stand in the tree, and what is wrong with them.
    fn tasks(&self, keys: impl Iterator<Item = TaskKey>) -> Result<(Dataset, Vec<String>)> {
        let mut dataset = Dataset::default();
        let mut wrong = Vec::new();
        for key in keys {
            if !is_directory_name(&key.repo) {
                wrong.push(format!(
                    "`{}` is not the name of a directory",
                    key.repo.escape_debug()
                ));
                continue;
            }
            let dir = self.task_dir(&key);
            if !dir.is_dir() {
                continue;
            }
            let mut features = Vec::new();
            for path in files::list(&dir)? {
                let Some(id) = path
                    .file_name()
                    .and_then(|name| name.to_str())
                    .and_then(|name| name.strip_prefix("feature"))
                    .filter(|_| path.is_dir())
                else {
                    continue;
                };
                match id.parse() {
                    Ok(id) => features.push(id),
                    Err(_) => {
                        wrong.push(format!("{}: `{id}` is no feature number", path.display()));
                    }
                }
            }
            dataset.insert(key, features);
        }
        Ok((dataset, wrong))
    }
}

/// Whether a name from a data file can be joined to a path without leaving its parent.
fn is_directory_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}
