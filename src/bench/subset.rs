//! A subset: a named list of pairs, in upstream's JSON form.

use serde::{Deserialize, Serialize};

use super::{Pair, TaskKey};

/// A subset file as it stands: `<dataset>/subsets/<name>.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subset {
    /// The subset's own name; upstream does not read it.
    #[serde(default)]
    pub name: String,
    /// What it is, for people.
    #[serde(default)]
    pub description: String,
    /// Its tasks, in the file's order.
    pub tasks: Vec<SubsetTask>,
}

/// One task of a subset, with the pairs it contributes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubsetTask {
    /// The repository's directory name.
    pub repo: String,
    /// The task's number.
    pub task_id: u64,
    /// The pairs; `None` means every pair of the task's features.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<Vec<[u64; 2]>>,
}

impl Subset {
    /// A subset of exactly these pairs, in this order: one entry per run of pairs of a task.
    #[must_use]
    pub fn of_pairs(name: &str, description: &str, pairs: &[Pair]) -> Self {
        let mut tasks: Vec<SubsetTask> = Vec::new();
        for pair in pairs {
            let same = |task: &&mut SubsetTask| {
                task.repo == pair.task.repo && task.task_id == pair.task.task_id
            };
            // Upstream keeps one list of pairs per task: the last entry of a task would win.
            if let Some(task) = tasks.iter_mut().find(same) {
                task.pairs.get_or_insert_default().push(pair.features);
            } else {
                tasks.push(SubsetTask {
                    repo: pair.task.repo.clone(),
                    task_id: pair.task.task_id,
                    pairs: Some(vec![pair.features]),
                });
            }
        }
        Self {
            name: name.to_owned(),
            description: description.to_owned(),
            tasks,
        }
    }

    /// The tasks it names.
    pub fn task_keys(&self) -> impl Iterator<Item = TaskKey> {
        self.tasks
            .iter()
            .map(|task| TaskKey::new(task.repo.clone(), task.task_id))
    }
}
