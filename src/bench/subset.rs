//! A subset: a named list of pairs, in upstream's JSON form.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Pair, TaskKey};
use crate::error::nearest;
use crate::text::one_line;

/// What a subset file may say of itself. Upstream reads `tasks` only; the rest stands in the subsets
/// that come with it and with its forks.
const KEYS: [&str; 8] = [
    "tasks",
    "name",
    "description",
    "stats",
    "curation",
    "allocation",
    "selection",
    "seed",
];
/// What it may say of a task.
const TASK_KEYS: [&str; 3] = ["repo", "task_id", "pairs"];
/// Upstream's word for groups of more than two features, which are no pairs.
const GROUPS: &str = "groups";
/// How much of a foreign word is shown, in characters, and how many lines of them.
const SHOWN: usize = 60;
const TOLD: usize = 20;

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
    /// The repository's directory name, e.g. `dspy_task`.
    pub repo: String,
    /// The number after `task` in the directory's name.
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

    /// What is wrong with the keys of a subset file: a misspelt `pairs` would mean every pair of its
    /// task.
    #[must_use]
    pub fn wrong_keys(file: &Value) -> Vec<String> {
        let mut wrong = unknown(file, &KEYS, "");
        let tasks = file["tasks"].as_array().map(Vec::as_slice);
        for (at, task) in tasks.unwrap_or_default().iter().enumerate() {
            let place = format!(
                "task {} ({}/{}): ",
                at + 1,
                one_line(task["repo"].as_str().unwrap_or_default(), SHOWN),
                task["task_id"].as_u64().unwrap_or_default()
            );
            wrong.extend(unknown(task, &TASK_KEYS, &place));
        }
        if wrong.len() > TOLD {
            let more = format!("and {} more", wrong.len() - TOLD);
            wrong.truncate(TOLD);
            wrong.push(more);
        }
        wrong
    }

    /// The tasks it names, in the file's order; one that has two entries comes twice.
    pub fn task_keys(&self) -> impl Iterator<Item = TaskKey> {
        self.tasks
            .iter()
            .map(|task| TaskKey::new(task.repo.clone(), task.task_id))
    }
}

/// The keys of an object that mean nothing, each in a line.
fn unknown(object: &Value, known: &[&str], place: &str) -> Vec<String> {
    let keys = object.as_object().into_iter().flatten().map(|(key, _)| key);
    let unknown = keys.filter(|key| !known.contains(&key.as_str()));
    let told = unknown.map(|key| {
        let shown = one_line(key, SHOWN);
        if key == GROUPS {
            return format!("{place}`{GROUPS}` of features are not run here, only `pairs`");
        }
        match nearest(key, known.iter().copied()) {
            Some(near) => format!("{place}unknown key `{shown}`: did you mean `{near}`?"),
            None => format!(
                "{place}unknown key `{shown}`: it is one of {}",
                known.join(", ")
            ),
        }
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(json: &str) -> Vec<String> {
        Subset::wrong_keys(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn keys_that_mean_nothing_are_named_with_their_place() {
        let json = r#"{"task": [], "tasks": [{"repo": "loom_task", "task_id": 3, "pairs": [[1, 2]]},
            {"repo": "loom_task", "task_id": 4, "pair": [[1, 2]]},
            {"repo": "dye_task", "task_id": 1, "groups": [[1, 2, 3]]}]}"#;
        assert_eq!(
            wrong(json),
            [
                "unknown key `task`: did you mean `tasks`?",
                "task 2 (loom_task/4): unknown key `pair`: did you mean `pairs`?",
                "task 3 (dye_task/1): `groups` of features are not run here, only `pairs`",
            ]
        );
    }

    #[test]
    fn what_upstreams_subsets_say_of_themselves_is_fine() {
        let json = r#"{"name": "x", "description": "y", "stats": {"tasks": 1}, "seed": 42,
            "curation": {"source": "lite"}, "tasks": [{"repo": "loom_task", "task_id": 3}]}"#;
        assert_eq!(wrong(json), [""; 0]);
    }

    #[test]
    fn pairs_of_a_task_are_one_entry_where_the_first_of_them_stands() {
        let pair = |repo: &str, id, a, b| Pair::new(TaskKey::new(repo, id), a, b);
        let pairs = [
            pair("a_task", 1, 1, 2),
            pair("a_task", 2, 1, 2),
            pair("b_task", 1, 1, 2),
            pair("a_task", 1, 3, 4),
        ];
        let subset = Subset::of_pairs("x", "y", &pairs);
        let task = |repo: &str, task_id, pairs: &[[u64; 2]]| SubsetTask {
            repo: repo.to_owned(),
            task_id,
            pairs: Some(pairs.to_vec()),
        };
        let tasks = vec![
            task("a_task", 1, &[[1, 2], [3, 4]]),
            task("a_task", 2, &[[1, 2]]),
            task("b_task", 1, &[[1, 2]]),
        ];
        let keys: Vec<String> = subset.task_keys().map(|key| key.to_string()).collect();
        assert_eq!(keys, ["a_task/1", "a_task/2", "b_task/1"]);
        let (name, description) = ("x".to_owned(), "y".to_owned());
        let wanted = Subset {
            name,
            description,
            tasks,
        };
        assert_eq!(subset, wanted);
    }

    #[test]
    fn twenty_wrong_keys_are_told_and_more_are_counted() {
        let of = |count: usize| {
            let keys = (0..count).map(|n| (format!("zzzzzzzzzzzzzzz{n:02}"), Value::Null));
            Subset::wrong_keys(&Value::Object(keys.collect()))
        };
        assert_eq!(of(20).len(), 20);
        assert!(of(20)[19].starts_with("unknown key `zzzzzzzzzzzzzzz19`: it is one of tasks,"));
        let more = of(23);
        assert_eq!(more.len(), 21);
        assert_eq!(more[20], "and 3 more");
    }
}
