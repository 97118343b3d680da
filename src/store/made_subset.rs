//! Subset files that Regatta makes: in upstream's form, with a mark by which they are known.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::manifest::digest_of_pairs;
use crate::bench::subset::SubsetTask;
use crate::bench::{Pair, Subset, TaskKey};
use crate::error::{Error, Result};
use crate::files;
use crate::json;

/// How the mark of a file of ours begins.
const MADE_BY: &str = "regatta ";

/// A subset as it is written. Upstream reads `tasks` only.
#[derive(Debug, Serialize)]
pub struct MadeSubset {
    name: String,
    description: String,
    stats: Stats,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    selection: Selection,
    tasks: Vec<SubsetTask>,
}

/// How many there are of each.
#[derive(Debug, Serialize)]
struct Stats {
    tasks: usize,
    pairs: usize,
    repos: usize,
}

/// How the pairs of a file of ours were chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// The program that wrote the file, with its version.
    pub made_by: String,
    /// The pairs that were chosen from: a subset's name, or words for the dataset or a list.
    pub from: String,
    /// What `--repo`, `--task` and `--pair` picked, as it was typed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub picked: Vec<String>,
    /// Whether only pairs whose features can be graded were taken.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gradeable: bool,
    /// The most of each task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_task: Option<usize>,
    /// How many were drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<usize>,
    /// SHA-256 over the pairs in order, as in a manifest: another one is a stranger's edit.
    pub digest: String,
}

/// What became of a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was not there.
    New,
    /// It took the place of an older one of ours.
    Replaced,
}

impl MadeSubset {
    /// A subset of these pairs.
    #[must_use]
    pub fn new(
        name: &str,
        description: &str,
        pairs: &[Pair],
        seed: Option<u64>,
        selection: Selection,
    ) -> Self {
        let Subset {
            name,
            description,
            tasks,
        } = Subset::of_pairs(name, description, pairs);
        let repos: BTreeSet<&str> = tasks.iter().map(|task| &*task.repo).collect();
        let stats = Stats {
            tasks: tasks.len(),
            pairs: pairs.len(),
            repos: repos.len(),
        };
        let digest = digest_of_pairs(&pairs_of(&tasks));
        Self {
            name,
            description,
            stats,
            seed,
            selection: Selection {
                digest,
                ..selection
            },
            tasks,
        }
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n", json::pretty(self))
    }

    /// Writes it whole, in the place of an older one of ours and of nothing else.
    pub fn write(&self, path: &Path) -> Result<Written> {
        let text = self.text();
        // A link that leads nowhere is there too.
        if path.symlink_metadata().is_err() {
            files::write_new(path, text.as_bytes()).map_err(Error::into_usage)?;
            return Ok(Written::New);
        }
        if !is_ours(path) {
            return Err(Error::usage(format!(
                "{} is there, and is not as `regatta subset` made it",
                path.display()
            ))
            .hint("name another file, or move this one away: only files of its own are replaced"));
        }
        files::write_atomic(path, text.as_bytes()).map_err(Error::into_usage)?;
        Ok(Written::Replaced)
    }
}

/// Whether a file is one of ours, with the pairs that we wrote.
fn is_ours(path: &Path) -> bool {
    let Some(file) = files::read(path)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
    else {
        return false;
    };
    let selection = Selection::deserialize(&file["selection"]).unwrap_or_default();
    let tasks = Vec::<SubsetTask>::deserialize(&file["tasks"]).unwrap_or_default();
    selection.made_by.starts_with(MADE_BY) && selection.digest == digest_of_pairs(&pairs_of(&tasks))
}

/// The pairs that tasks list, in their order.
fn pairs_of(tasks: &[SubsetTask]) -> Vec<Pair> {
    let of_task = |task: &SubsetTask| {
        let key = TaskKey::new(task.repo.clone(), task.task_id);
        let pairs = task.pairs.clone().unwrap_or_default();
        pairs
            .into_iter()
            .map(move |[a, b]| Pair::new(key.clone(), a, b))
    };
    tasks.iter().flat_map(of_task).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::VERSION;

    fn made(features: &[(u64, u64)]) -> MadeSubset {
        let pair = |(a, b): &(u64, u64)| Pair::new(TaskKey::new("a_task", 1), *a, *b);
        let pairs: Vec<Pair> = features.iter().map(pair).collect();
        let selection = Selection {
            made_by: format!("regatta {VERSION}"),
            ..Selection::default()
        };
        MadeSubset::new("mine", "", &pairs, Some(7), selection)
    }

    #[test]
    fn a_file_of_ours_is_replaced_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.json");
        assert_eq!(made(&[(1, 2)]).write(&path).unwrap(), Written::New);
        assert_eq!(made(&[(1, 3)]).write(&path).unwrap(), Written::Replaced);
        let ours = files::read_text(&path).unwrap();
        assert_eq!(ours, made(&[(1, 3)]).text());
        let refused = |text: &str| {
            files::write_atomic(&path, text.as_bytes()).unwrap();
            let error = made(&[(1, 2)]).write(&path).unwrap_err();
            assert!(
                error.to_string().contains("is there, and is not as"),
                "{error}"
            );
            assert_eq!(files::read_text(&path).unwrap(), text);
        };
        refused("");
        refused("{}");
        refused(r#"{"tasks": []}"#);
        // Ours, with a pair of somebody else's.
        refused(&ours.replace('3', "4"));
        refused(&ours.replace("regatta ", "other "));
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("nowhere", &path).unwrap();
        made(&[(1, 2)]).write(&path).unwrap_err();
        assert!(path.is_symlink());
    }

    #[test]
    fn what_is_written_says_of_itself_only_what_a_subset_may() {
        let text = made(&[(1, 2), (1, 3)]).text();
        let file: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(Subset::wrong_keys(&file), [""; 0]);
        assert_eq!(file["stats"]["pairs"], 2);
        assert_eq!((&file["name"], &file["seed"]), (&"mine".into(), &7.into()));
        let read: Subset = serde_json::from_str(&text).unwrap();
        assert_eq!(read.tasks[0].pairs, Some(vec![[1, 2], [1, 3]]));
    }
}
