//! A pair: two features of one task, the unit that is run and judged.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One task of one repository, `<repo>/task<id>` in the dataset.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskKey {
    /// The repository's directory name, e.g. `dspy_task`.
    pub repo: String,
    /// The number after `task` in the directory's name.
    pub task_id: u64,
}

impl TaskKey {
    /// A name only: whether the dataset has such a task is not asked.
    #[must_use]
    pub fn new(repo: impl Into<String>, task_id: u64) -> Self {
        Self {
            repo: repo.into(),
            task_id,
        }
    }
}

impl fmt::Display for TaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.repo, self.task_id)
    }
}

/// Two features of one task, the smaller id first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pair {
    /// The task both features belong to.
    #[serde(flatten)]
    pub task: TaskKey,
    /// The two feature ids, ascending.
    pub features: [u64; 2],
}

impl Pair {
    /// A pair from two feature ids in any order.
    #[must_use]
    pub fn new(task: TaskKey, a: u64, b: u64) -> Self {
        Self {
            task,
            features: [a.min(b), a.max(b)],
        }
    }

    /// The pair's directory below its task in the log tree: `f1_f2`.
    #[must_use]
    pub fn dir_name(&self) -> String {
        format!("f{}_f{}", self.features[0], self.features[1])
    }

    /// Reads a directory name such as `f1_f2`; `None` for anything else.
    #[must_use]
    pub fn from_dir_name(task: TaskKey, name: &str) -> Option<Self> {
        let (a, b) = name.split_once('_')?;
        let id = |part: &str| part.strip_prefix('f')?.parse().ok();
        let (a, b): (u64, u64) = (id(a)?, id(b)?);
        (a < b).then(|| Self::new(task, a, b))
    }

    /// Reads what a pair is shown as, such as `dspy_task/8394/f3_f5`; `None` for anything else.
    #[must_use]
    pub fn of_text(text: &str) -> Option<Self> {
        let (task, features) = text.rsplit_once('/')?;
        let (repo, id) = task.rsplit_once('/')?;
        Self::from_dir_name(TaskKey::new(repo, id.parse().ok()?), features)
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.task, self.dir_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_its_features_in_order_whatever_order_they_came_in() {
        let pair = Pair::new(TaskKey::new("dspy_task", 8394), 5, 3);
        assert_eq!(pair.to_string(), "dspy_task/8394/f3_f5");
        let again = Pair::from_dir_name(pair.task.clone(), &pair.dir_name());
        assert_eq!(again.as_ref(), Some(&pair));
        assert_eq!(Pair::of_text(&pair.to_string()), Some(pair));
    }

    #[test]
    fn other_directory_names_are_no_pair() {
        for name in ["f1", "f1_f1", "f2_f1", "f1_f2_f3", "regatta", "f-1_f2"] {
            let task = TaskKey::new("r_task", 1);
            assert_eq!(Pair::from_dir_name(task, name), None, "{name}");
        }
    }

    #[test]
    fn other_texts_are_no_pair() {
        for text in [
            "",
            "f1_f2",
            "7/f1_f2",
            "r_task/7",
            "r_task/x/f1_f2",
            "r_task/7/f2_f1",
        ] {
            assert_eq!(Pair::of_text(text), None, "{text}");
        }
    }
}
