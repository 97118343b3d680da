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
///
/// A plan has pairs of two. A tree that others made may have trials of more features, with an agent
/// each: upstream judges the first two, and so they are the pair; the others are [`Self::more`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "WrittenPair", into = "WrittenPair")]
pub struct Pair {
    /// The task that all its features belong to.
    pub task: TaskKey,
    /// The two feature ids that are judged, ascending.
    pub features: [u64; 2],
    /// The ids of further features, ascending after those two; none in a plan.
    pub more: Vec<u64>,
}

/// A pair as files have it: with a list of all its features.
#[derive(Serialize, Deserialize)]
struct WrittenPair {
    #[serde(flatten)]
    task: TaskKey,
    features: Vec<u64>,
}

impl From<Pair> for WrittenPair {
    fn from(pair: Pair) -> Self {
        let features = pair.all_features().collect();
        Self {
            task: pair.task,
            features,
        }
    }
}

impl TryFrom<WrittenPair> for Pair {
    type Error = &'static str;

    fn try_from(written: WrittenPair) -> Result<Self, Self::Error> {
        Self::of_features(written.task, written.features).ok_or("a pair has two features or more")
    }
}

impl Pair {
    /// A pair from two feature ids in any order.
    #[must_use]
    pub fn new(task: TaskKey, a: u64, b: u64) -> Self {
        Self {
            task,
            features: [a.min(b), a.max(b)],
            more: Vec::new(),
        }
    }

    /// A pair from two feature ids or more, in any order; `None` where there are fewer.
    #[must_use]
    pub fn of_features(task: TaskKey, mut ids: Vec<u64>) -> Option<Self> {
        ids.sort_unstable();
        let (features, more) = ids.split_first_chunk()?;
        Some(Self {
            task,
            features: *features,
            more: more.to_vec(),
        })
    }

    /// The ids of all its features, ascending: the two that are judged come first.
    pub fn all_features(&self) -> impl Iterator<Item = u64> + '_ {
        self.features.iter().chain(&self.more).copied()
    }

    /// The pair's directory below its task in the log tree: `f1_f2`.
    #[must_use]
    pub fn dir_name(&self) -> String {
        let names: Vec<String> = self.all_features().map(|id| format!("f{id}")).collect();
        names.join("_")
    }

    /// Reads a directory name such as `f1_f2`; `None` for anything else.
    #[must_use]
    pub fn from_dir_name(task: TaskKey, name: &str) -> Option<Self> {
        let id = |part: &str| part.strip_prefix('f')?.parse().ok();
        let ids: Vec<u64> = name.split('_').map(id).collect::<Option<_>>()?;
        let is_ascending = ids.is_sorted_by(|a, b| a < b);
        is_ascending.then(|| Self::of_features(task, ids)).flatten()
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
    fn a_trial_of_more_features_is_a_key_of_its_own_and_its_first_two_are_judged() {
        let task = TaskKey::new("dspy_task", 8394);
        let three = Pair::of_text("dspy_task/8394/f1_f2_f10").unwrap();
        assert_eq!((three.features, &three.more[..]), ([1, 2], &[10][..]));
        assert_eq!(three.to_string(), "dspy_task/8394/f1_f2_f10");
        assert_eq!(three.all_features().collect::<Vec<_>>(), [1, 2, 10]);
        let [two, last] = [2, 3].map(|id| Pair::new(task.clone(), 1, id));
        assert!(two < three && three < last);
        assert_eq!(Pair::of_features(task, vec![10, 2, 1]), Some(three));
    }

    #[test]
    fn files_have_a_list_of_all_features() {
        for (text, features) in [
            ("r_task/7/f1_f2", "[1,2]"),
            ("r_task/7/f1_f2_f3", "[1,2,3]"),
        ] {
            let written = format!(r#"{{"repo":"r_task","task_id":7,"features":{features}}}"#);
            let pair = Pair::of_text(text).unwrap();
            assert_eq!(serde_json::to_string(&pair).unwrap(), written);
            assert_eq!(serde_json::from_str::<Pair>(&written).unwrap(), pair);
        }
        let one = r#"{"repo":"r_task","task_id":7,"features":[1]}"#;
        let error = serde_json::from_str::<Pair>(one).unwrap_err().to_string();
        assert!(error.contains("two features or more"), "{error}");
    }

    #[test]
    fn other_directory_names_are_no_pair() {
        for name in [
            "f1", "f1_f1", "f2_f1", "f1_f3_f2", "f1_f2_", "f1_f2_x", "regatta", "f-1_f2",
        ] {
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
