//! The digests of tasks' files, as a dataset has them now.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::dataset::task_dir;
use super::manifest::digest;
use crate::bench::pin::features_by_task;
use crate::bench::{Pair, Pin, TaskKey};
use crate::files;
use crate::process::in_parallel;

/// A dataset's files by digest; each is read once.
#[derive(Debug)]
pub struct TaskFiles {
    root: PathBuf,
    known: Mutex<HashMap<PathBuf, Option<String>>>,
}

impl TaskFiles {
    /// The files of the dataset at `root`.
    #[must_use]
    pub fn of(root: PathBuf) -> Self {
        Self {
            root,
            known: Mutex::default(),
        }
    }

    /// What the tasks of these pairs are made of, but for their worlds.
    #[must_use]
    pub fn of_tasks(&self, pairs: &[Pair]) -> BTreeMap<String, Pin> {
        let tasks: Vec<_> = features_by_task(pairs).into_iter().collect();
        let pins = in_parallel(&tasks, |(task, features)| {
            (task.to_string(), self.pin(task, Pin::names(features)))
        });
        pins.into_iter().collect()
    }

    /// What the verdict on a pair depends on, but for the world.
    #[must_use]
    pub fn of_verdict(&self, pair: &Pair) -> Pin {
        self.pin(&pair.task, Pin::judging_names(&pair.features))
    }

    fn pin(&self, task: &TaskKey, names: impl Iterator<Item = String>) -> Pin {
        let dir = task_dir(&self.root, task);
        Pin {
            files: names
                .map(|name| {
                    let digest = self.digest(&dir.join(&name));
                    (name, digest)
                })
                .collect(),
            world: None,
        }
    }

    /// What cannot be read is as good as not there: who needs the file says why.
    fn digest(&self, path: &Path) -> Option<String> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known().get(path) {
            return known.clone();
        }
        let found = files::read(path).ok().map(|bytes| digest(&bytes));
        known().insert(path.to_owned(), found.clone());
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_pinned_by_the_files_of_the_features_that_are_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let task = TaskKey::new("loom_task", 3);
        for (name, text) in [
            ("runner.sh", "run"),
            ("feature1/feature.md", "one"),
            ("feature1/tests.patch", "tests"),
            ("feature9/tests.patch", "not wanted"),
        ] {
            let path = task_dir(dir.path(), &task).join(name);
            files::create_dir(path.parent().unwrap()).unwrap();
            files::write_in_place(&path, text.as_bytes()).unwrap();
        }
        let files = TaskFiles::of(dir.path().to_owned());
        let pair = Pair::new(task, 1, 2);
        let pins = files.of_tasks(std::slice::from_ref(&pair));
        let pin = &pins["loom_task/3"];
        let names: Vec<_> = pin.files.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "feature1/feature.md",
                "feature1/feature.patch",
                "feature1/tests.patch",
                "feature2/feature.md",
                "feature2/feature.patch",
                "feature2/tests.patch",
                "runner.sh",
            ]
        );
        let there: Vec<_> = pin
            .files
            .values()
            .filter(|digest| digest.is_some())
            .collect();
        assert_eq!(there.len(), 3);
        // A verdict does not depend on the text.
        assert_eq!(files.of_verdict(&pair).files.len(), 5);
    }
}
