//! Jobs and the tasks of their arrays.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::TaskState;

/// A job's number. All tasks of an array share that of their job.
pub type JobId = u64;

/// One task of an array, or a job without one: `12_3`, `12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskId {
    /// The number of its job.
    pub job: JobId,
    /// Its place in the array; `None` for a job that is none.
    pub index: Option<u32>,
}

impl TaskId {
    /// Reads `12_3` or `12`.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match *Self::parse_all(word)?.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// Reads the tasks that one word stands for: those of an array that wait share theirs,
    /// `12_[0-3,7%2]`. A long one is cut short with dots; what it names is read.
    pub(super) fn parse_all(word: &str) -> Option<Vec<Self>> {
        let Some((job, tasks)) = word.split_once('_') else {
            let job = number(word)?;
            return Some(vec![Self { job, index: None }]);
        };
        let job = number(job)?;
        let task = |index| Self {
            job,
            index: Some(index),
        };
        let Some(range) = tasks.strip_prefix('[') else {
            return Some(vec![task(number(tasks)?)]);
        };
        let range = range.trim_end_matches(']');
        let range = range.split_once('%').map_or(range, |(tasks, _)| tasks);
        let mut all = Vec::new();
        for part in range.split(',') {
            let part = part.trim();
            if part.is_empty() || part.ends_with("...") {
                continue;
            }
            let (part, step) = match part.split_once(':') {
                Some((part, step)) => (part, number(step)?),
                None => (part, 1),
            };
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last): (u32, u32) = (number(first)?, number(last)?);
            // No Slurm has a longer array; one that says so is not understood.
            if step == 0 || last < first || last - first > 4_000_000 {
                return None;
            }
            all.extend((first..=last).step_by(step).map(task));
        }
        Some(all)
    }
}

/// A number in plain digits: no sign and no space.
fn number<T: std::str::FromStr>(digits: &str) -> Option<T> {
    let is_plain = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
    is_plain.then(|| digits.parse().ok()).flatten()
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "{}_{index}", self.job),
            None => write!(f, "{}", self.job),
        }
    }
}

/// What Slurm says of a task at one moment, or of one incarnation of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSeen {
    /// Which one.
    pub task: TaskId,
    /// What became of it.
    pub state: TaskState,
    /// Slurm's word for why it waits or has ended so; empty where it has none.
    /// See [`super::why_pending`].
    pub reason: String,
    /// The node that it runs or ran on; empty where it has none.
    pub node: String,
    /// How often Slurm had started it again before; `None` where it does not say.
    pub restarts: Option<u32>,
    /// Its exit code and the signal that ended it, `1:0`; `None` before its end.
    pub exit: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_read_and_shown() {
        for word in ["12", "12_3"] {
            assert_eq!(TaskId::parse(word).unwrap().to_string(), word);
        }
        let foreign = [
            "", "x", "12_", "_3", "12.batch", "12_3.0", "-1", "+1", "1_+2",
        ];
        for word in foreign {
            assert_eq!(TaskId::parse(word), None, "{word}");
        }
        assert_eq!(TaskId::parse("12_[1-2]"), None, "two tasks");
    }

    #[test]
    fn the_tasks_that_wait_share_a_word() {
        let read = |word| {
            let tasks = TaskId::parse_all(word)?.into_iter();
            Some(tasks.map(|it| it.index.unwrap()).collect::<Vec<_>>())
        };
        assert_eq!(read("1_[2-4%2]"), Some(vec![2, 3, 4]));
        assert_eq!(read("1_[0,2-3,9]"), Some(vec![0, 2, 3, 9]));
        assert_eq!(read("1_[0-6:3%1]"), Some(vec![0, 3, 6]));
        assert_eq!(read("1_[0,2,..."), Some(vec![0, 2]));
        for word in ["1_[2-x]", "1_[3-2]", "1_[0-4:0]", "1_[0-4294967295]"] {
            assert_eq!(read(word), None, "{word}");
        }
    }
}
