//! The dataset as plain data, and which pairs of it a subset means.

use std::collections::BTreeMap;

use super::{Pair, Subset, TaskKey};

/// The tasks of a dataset tree with their features.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dataset {
    tasks: BTreeMap<TaskKey, Task>,
}

/// A task as the dataset has it: the features of which its pairs are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// The numbers after `feature` in the directories' names, ascending.
    pub features: Vec<u64>,
}

/// A pair of a subset that the dataset does not have, and what is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The pair or task as it was asked for.
    pub wanted: String,
    /// The path that the dataset lacks, `<repo>/task<id>` or a feature below it; or that a feature
    /// is given twice.
    pub missing: String,
}

impl Dataset {
    /// Adds a task; the features are sorted.
    pub fn insert(&mut self, key: TaskKey, mut features: Vec<u64>) {
        features.sort_unstable();
        self.tasks.insert(key, Task { features });
    }

    /// Every pair of it, task by task in order.
    #[must_use]
    pub fn all_pairs(&self) -> Vec<Pair> {
        let of_task = |(key, task): (&TaskKey, &Task)| task.all_pairs(key);
        self.tasks.iter().flat_map(of_task).collect()
    }

    /// The pairs a subset means, in the subset's order, each once; and all that is unknown.
    #[must_use]
    pub fn pairs_of(&self, subset: &Subset) -> (Vec<Pair>, Vec<Unknown>) {
        let mut pairs = Vec::new();
        let mut unknown = Vec::new();
        for entry in &subset.tasks {
            let key = TaskKey::new(entry.repo.clone(), entry.task_id);
            let Some(task) = self.tasks.get(&key) else {
                unknown.push(Unknown {
                    wanted: key.to_string(),
                    missing: format!("{}/task{}", key.repo, key.task_id),
                });
                continue;
            };
            match &entry.pairs {
                None => pairs.extend(task.all_pairs(&key)),
                Some(wanted) => {
                    for &[a, b] in wanted {
                        match task.lacks(a, b) {
                            None => pairs.push(Pair::new(key.clone(), a, b)),
                            Some(missing) => unknown.push(Unknown {
                                wanted: format!("{key} [{a}, {b}]"),
                                missing: format!("{}/task{}/{missing}", key.repo, key.task_id),
                            }),
                        }
                    }
                }
            }
        }
        let mut seen = std::collections::HashSet::new();
        pairs.retain(|pair| seen.insert(pair.clone()));
        (pairs, unknown)
    }
}

impl Task {
    fn all_pairs(&self, key: &TaskKey) -> Vec<Pair> {
        let ids = &self.features;
        (0..ids.len())
            .flat_map(|i| (i + 1..ids.len()).map(move |j| (i, j)))
            .map(|(i, j)| Pair::new(key.clone(), ids[i], ids[j]))
            .collect()
    }

    fn lacks(&self, a: u64, b: u64) -> Option<String> {
        if a == b {
            return Some(format!("a second feature (the pair is feature {a} twice)"));
        }
        [a, b]
            .into_iter()
            .find(|id| self.features.binary_search(id).is_err())
            .map(|id| format!("feature{id}"))
    }
}

/// The order in which upstream dispatches pairs, whatever the subset's order.
///
/// `discover_tasks` walks repositories lexically, then task directories lexically as strings
/// (`task10` before `task9`), then the subset's own order of a task's pairs.
#[must_use]
pub fn upstream_order(pairs: &[Pair]) -> Vec<Pair> {
    let mut ordered = pairs.to_vec();
    ordered
        .sort_by_cached_key(|pair| (pair.task.repo.clone(), format!("task{}", pair.task.task_id)));
    ordered
}

/// The pairs that upstream has in hand when these have no result yet: it takes them in its own
/// order, as many as it runs at once.
#[must_use]
pub fn in_hand(unfinished: &[Pair], concurrency: usize) -> Vec<Pair> {
    let mut first = upstream_order(unfinished);
    first.truncate(concurrency);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset() -> Dataset {
        let mut dataset = Dataset::default();
        dataset.insert(TaskKey::new("b_task", 10), vec![3, 1, 2]);
        dataset.insert(TaskKey::new("b_task", 9), vec![1, 2]);
        dataset.insert(TaskKey::new("a_task", 1), vec![1, 2]);
        dataset
    }

    fn subset(json: &str) -> Subset {
        serde_json::from_str(json).unwrap()
    }

    fn names(pairs: &[Pair]) -> Vec<String> {
        pairs.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_task_without_pairs_means_all_of_them_and_unsorted_pairs_are_sorted() {
        let subset = subset(
            r#"{"tasks":[{"repo":"b_task","task_id":10},{"repo":"a_task","task_id":1,"pairs":[[2,1]]}]}"#,
        );
        assert_eq!(
            names(&dataset().pairs_of(&subset).0),
            [
                "b_task/10/f1_f2",
                "b_task/10/f1_f3",
                "b_task/10/f2_f3",
                "a_task/1/f1_f2"
            ]
        );
    }

    #[test]
    fn all_pairs_are_those_of_every_task_in_order() {
        let all = names(&dataset().all_pairs());
        let wanted = [
            "a_task/1/f1_f2",
            "b_task/9/f1_f2",
            "b_task/10/f1_f2",
            "b_task/10/f1_f3",
            "b_task/10/f2_f3",
        ];
        assert_eq!(all, wanted);
    }

    #[test]
    fn everything_unknown_is_reported_at_once() {
        let subset = subset(
            r#"{"tasks":[{"repo":"x_task","task_id":1},{"repo":"a_task","task_id":1,"pairs":[[1,7],[1,1]]}]}"#,
        );
        let unknown = dataset().pairs_of(&subset).1;
        assert_eq!(unknown.len(), 3);
        assert_eq!(unknown[1].missing, "a_task/task1/feature7");
    }

    #[test]
    fn upstream_takes_task_directories_as_strings() {
        let subset = subset(
            r#"{"tasks":[{"repo":"b_task","task_id":9},{"repo":"b_task","task_id":10,"pairs":[[2,3],[1,2]]},{"repo":"a_task","task_id":1}]}"#,
        );
        let pairs = dataset().pairs_of(&subset).0;
        assert_eq!(
            names(&upstream_order(&pairs)),
            [
                "a_task/1/f1_f2",
                "b_task/10/f2_f3",
                "b_task/10/f1_f2",
                "b_task/9/f1_f2"
            ]
        );
    }

    #[test]
    fn upstream_has_the_first_of_its_own_order_in_hand() {
        let task = |id| TaskKey::new("b_task", id);
        let pairs = [Pair::new(task(9), 1, 2), Pair::new(task(10), 1, 2)];
        assert_eq!(names(&in_hand(&pairs, 1)), ["b_task/10/f1_f2"]);
        assert_eq!(in_hand(&pairs, 3).len(), 2);
        assert!(in_hand(&pairs, 0).is_empty());
    }
}
