//! What a verdict rests on where the two suites alone do not show it: the fields that only we write.

use serde::{Deserialize, Serialize};

use super::SuiteNote;

/// Where two patches could not be merged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The files in conflict, by path.
    pub files: Vec<ConflictFile>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "is_none")]
    pub more_files: usize,
}

/// One file that both sides changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictFile {
    /// Its path below the repository's root.
    pub path: String,
    /// What each agent did to it, in words.
    pub how: String,
    /// The places that git could not merge, each with both sides and the base between git's marks;
    /// none for a file that is not text, or that one side has not.
    pub hunks: Vec<String>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "is_none")]
    pub more_hunks: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives it so")]
const fn is_none(number: &usize) -> bool {
    *number == 0
}

/// Git's words where it refuses an agent's patch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The agent whose patch it is.
    pub agent: &'static str,
    /// What git said of it.
    pub said: String,
}

/// One agent's patch that was tested without the other's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alone {
    /// The agent whose patch it is.
    pub agent: &'static str,
    /// The suites that ran on it. None where both passed: then they are the features' own.
    pub suites: Vec<AloneSuite>,
}

/// One feature's suite on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AloneSuite {
    /// Outcome and reason, and the tests by name.
    #[serde(flatten)]
    pub note: SuiteNote,
    /// The runner's exit code; `null` where it did not run.
    pub exit_code: Option<i32>,
    /// How many tests passed, as upstream counts them.
    pub tests_passed: u64,
    /// How many tests failed, as upstream counts them.
    pub tests_failed: u64,
    /// What the suite printed; of a long text the beginning and the end.
    pub test_output: String,
}

/// The verdict on a submission byte for byte, where upstream's rules change it before they test it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByBytes {
    /// Whether both features' hidden tests pass on it.
    pub both_passed: bool,
    /// The verdict on each feature.
    pub suites: Vec<SuiteNote>,
}
