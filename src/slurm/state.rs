//! What Slurm says of a task.

use std::fmt;

use crate::bench::RuleId;

/// The state of a task, in Slurm's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// It waits; its reason says for what.
    Pending,
    /// It runs.
    Running,
    /// It has ended or is being ended, and some of its processes may be left.
    Completing,
    /// It ended with exit code 0.
    Completed,
    /// A job of higher priority took its node.
    Preempted,
    /// Its node no longer answers, or did not start.
    NodeFail,
    /// It was ended at its time limit.
    Timeout,
    /// It was ended for its memory.
    OutOfMemory,
    /// Somebody cancelled it.
    Cancelled,
    /// It was put back into the queue.
    Requeued,
    /// It ended with another exit code than 0, or by a signal of its own.
    Failed,
    /// Another word of Slurm's.
    Other(String),
}

impl TaskState {
    /// Reads a state as any of Slurm's commands writes it: `TIMEOUT`, `CANCELLED by 0`, `CANCELLED+`.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        let first = word.split_whitespace().next().unwrap_or_default();
        match first.trim_end_matches('+') {
            "PENDING" => Self::Pending,
            "RUNNING" => Self::Running,
            "COMPLETING" => Self::Completing,
            "COMPLETED" => Self::Completed,
            "PREEMPTED" => Self::Preempted,
            "NODE_FAIL" | "BOOT_FAIL" => Self::NodeFail,
            "TIMEOUT" | "DEADLINE" => Self::Timeout,
            "OUT_OF_MEMORY" => Self::OutOfMemory,
            "CANCELLED" => Self::Cancelled,
            "REQUEUED" | "REQUEUE_FED" => Self::Requeued,
            "FAILED" => Self::Failed,
            _ => Self::Other(word.to_owned()),
        }
    }

    /// Whether a word can be a state: an upper-case one. Anything else is another column.
    pub(super) fn can_be(word: &str) -> bool {
        let first = word.split_whitespace().next().unwrap_or_default();
        let first = first.trim_end_matches('+');
        !first.is_empty()
            && first
                .bytes()
                .all(|it| it.is_ascii_uppercase() || it == b'_')
    }

    /// The rule of triage that names this end; `None` for a state that is no cause.
    #[must_use]
    pub fn rule(&self) -> Option<RuleId> {
        match self {
            Self::Preempted => Some(RuleId::PREEMPTED),
            Self::NodeFail => Some(RuleId::NODE_FAIL),
            Self::Timeout => Some(RuleId::SLURM_TIMEOUT),
            Self::OutOfMemory => Some(RuleId::SLURM_OOM),
            Self::Cancelled => Some(RuleId::SLURM_CANCELLED),
            _ => None,
        }
    }

    /// The end that Slurm told a task of in its output, by the last of its notices. It tells what its
    /// tables do not: without cgroups a task that is ended for its memory is `FAILED` there, and
    /// without accounting an incarnation that was preempted is forgotten. A notice without a reason
    /// says nothing: the signal before the time limit makes one too.
    #[must_use]
    pub fn told_by(output: &str) -> Option<Self> {
        let notices = output
            .lines()
            .rev()
            .filter(|line| line.starts_with("slurmstepd"));
        notices.into_iter().find_map(|notice| {
            let says = |words: &str| notice.contains(words);
            if says(" DUE TO PREEMPTION") {
                Some(Self::Preempted)
            } else if says(" DUE TO TIME LIMIT") {
                Some(Self::Timeout)
            } else if says(" DUE TO NODE FAILURE") {
                Some(Self::NodeFail)
            } else if says(" DUE TO JOB REQUEUE") {
                Some(Self::Requeued)
            } else if says("xceeded job memory limit")
                || says("oom_kill event")
                || says("oom-kill event")
            {
                Some(Self::OutOfMemory)
            } else {
                None
            }
        })
    }

    /// Whether the task has ended and Slurm does not start it again by itself. One that was preempted
    /// or requeued comes back.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self {
            Self::Completed
            | Self::NodeFail
            | Self::Timeout
            | Self::OutOfMemory
            | Self::Cancelled
            | Self::Failed => true,
            Self::Pending | Self::Running | Self::Completing | Self::Preempted | Self::Requeued => {
                false
            }
            Self::Other(word) => word == "REVOKED",
        }
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Completing => "COMPLETING",
            Self::Completed => "COMPLETED",
            Self::Preempted => "PREEMPTED",
            Self::NodeFail => "NODE_FAIL",
            Self::Timeout => "TIMEOUT",
            Self::OutOfMemory => "OUT_OF_MEMORY",
            Self::Cancelled => "CANCELLED",
            Self::Requeued => "REQUEUED",
            Self::Failed => "FAILED",
            Self::Other(word) => word,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_whatever_stands_behind_it() {
        for (word, state) in [
            ("CANCELLED by 0", TaskState::Cancelled),
            ("CANCELLED+", TaskState::Cancelled),
            ("OUT_OF_MEMORY", TaskState::OutOfMemory),
            ("BOOT_FAIL", TaskState::NodeFail),
            ("DEADLINE", TaskState::Timeout),
            ("CONFIGURING", TaskState::Other("CONFIGURING".to_owned())),
        ] {
            assert!(TaskState::can_be(word), "{word}");
            assert_eq!(TaskState::parse(word), state, "{word}");
        }
        for word in ["", "n1", "12_3", "Running"] {
            assert!(!TaskState::can_be(word), "{word}");
        }
    }

    #[test]
    fn a_state_is_shown_as_slurm_writes_it() {
        for word in [
            "PENDING",
            "RUNNING",
            "COMPLETING",
            "COMPLETED",
            "PREEMPTED",
            "NODE_FAIL",
            "TIMEOUT",
            "OUT_OF_MEMORY",
            "CANCELLED",
            "REQUEUED",
            "FAILED",
            "SUSPENDED",
        ] {
            assert_eq!(TaskState::parse(word).to_string(), word);
        }
    }

    #[test]
    fn the_last_notice_with_a_reason_tells_the_end() {
        let told = |output: &str| TaskState::told_by(output).map(|it| it.to_string());
        let memory = "working\nslurmstepd-n1: error: *** JOB 22 ON n1 CANCELLED AT 2026-11-29T03:39:02 ***\n\
            slurmstepd-n1: error: Exceeded job memory limit\n";
        assert_eq!(told(memory).as_deref(), Some("OUT_OF_MEMORY"));
        let twice = format!(
            "{memory}slurmstepd: error: *** JOB 22 ON n1 CANCELLED AT x DUE TO PREEMPTION ***\nworking\n"
        );
        assert_eq!(told(&twice).as_deref(), Some("PREEMPTED"));
        assert_eq!(
            told("slurmstepd: error: *** JOB 1 ON n1 CANCELLED AT x ***\n"),
            None
        );
        assert_eq!(told("it says: slurmstepd: DUE TO PREEMPTION\n"), None);
    }

    #[test]
    fn what_comes_back_is_not_over() {
        assert!(!TaskState::Preempted.is_over());
        assert!(!TaskState::Requeued.is_over());
        assert!(!TaskState::parse("SUSPENDED").is_over());
        assert!(TaskState::parse("CANCELLED by 0").is_over());
        assert!(TaskState::parse("REVOKED").is_over());
    }

    #[test]
    fn each_end_by_slurm_has_its_rule_and_others_none() {
        let rule = |word| TaskState::parse(word).rule().map(|rule| rule.to_string());
        assert_eq!(rule("PREEMPTED").as_deref(), Some("preempted"));
        assert_eq!(rule("NODE_FAIL").as_deref(), Some("node_fail"));
        assert_eq!(rule("TIMEOUT").as_deref(), Some("slurm_timeout"));
        assert_eq!(rule("OUT_OF_MEMORY").as_deref(), Some("slurm_oom"));
        assert_eq!(rule("CANCELLED by 7").as_deref(), Some("slurm_cancelled"));
        assert_eq!(rule("FAILED"), None);
        assert_eq!(rule("COMPLETED"), None);
    }
}
