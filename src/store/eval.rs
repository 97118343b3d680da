//! `eval.json`: what an evaluation wrote beside a result.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

mod decided;
pub mod independent;
mod lenient;
mod told;
mod whole;

pub use decided::{Alone, AloneSuite, ByBytes, Conflict, ConflictFile, Refused};
pub use independent::{IndependentNoteSeen, IndependentSeen, Kept};
pub use told::{flags, some, why_not};
pub use whole::{Printed, outputs, printed};

use super::diagnosis::Cause;
use super::result::text_or_number;
use crate::bench::{BackendKind, Pin, RuleId, RuleSet, Word};
use crate::error::{Error, Result};
use crate::files;
use crate::json;

/// Test output is untruncated in upstream's files; past this we call the file unreadable.
const MAX_BYTES: u64 = 256_000_000;

/// The fields of `eval.json` that make the verdict, whoever wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct EvalFile {
    /// Whether both features' hidden tests passed.
    pub both_passed: Option<bool>,
    /// What broke the evaluation, when something did.
    pub error: Option<String>,
    /// What became of each agent's patch.
    #[serde(default, deserialize_with = "lenient::understood")]
    pub apply_status: Option<ApplyStatus>,
    /// The merge of two patches, of which the status is read.
    pub merge: Option<MergeSeen>,
    /// What the file says of the pair's first feature.
    pub feature1: Option<FeatureSeen>,
    /// What the file says of the pair's second feature.
    pub feature2: Option<FeatureSeen>,
    /// What `eval --alone`, or a fork of upstream, says of the first agent's patch alone, on its own
    /// feature.
    #[serde(default, deserialize_with = "lenient::understood")]
    pub feature1_independent: Option<IndependentSeen>,
    /// The same of the second agent's.
    #[serde(default, deserialize_with = "lenient::understood")]
    pub feature2_independent: Option<IndependentSeen>,
    /// What only we write of these two.
    #[serde(default, deserialize_with = "lenient::understood")]
    pub regatta_independent: Option<IndependentNoteSeen>,
    /// When it was written: local time without a zone, or as [`super::Moment`] reads it.
    #[serde(default, deserialize_with = "text_or_number")]
    pub evaluated_at: Option<String>,
    /// What only we write; `None` where upstream's own evaluation wrote the file.
    pub regatta: Option<OwnNote>,
}

impl EvalFile {
    /// Whether it says that the pair passes or fails.
    #[must_use]
    pub const fn is_verdict(&self) -> bool {
        self.error.is_none() && self.both_passed.is_some()
    }

    /// What the passes of the two features are worth, where the pair passes and somebody looked.
    pub fn worth(&self) -> impl Iterator<Item = &PassWorth> {
        let suites = self.regatta.iter().flat_map(|own| &own.suites);
        suites.filter_map(|suite| suite.worth.as_ref())
    }

    /// Whether both features' suites were compared with the dataset's own: otherwise a pass says
    /// nothing of tests that did not run.
    #[must_use]
    pub fn is_looked_at(&self) -> bool {
        let mut suites = self.regatta.iter().flat_map(|own| &own.suites).peekable();
        suites.peek().is_some()
            && suites.all(|suite| {
                let worth = suite.worth.as_ref();
                worth.is_some_and(|worth| worth.tests_compared != Compared::Nothing)
            })
    }

    /// Whether the submission byte for byte gets another verdict than by upstream's rules, which
    /// change it; as far as it was looked at.
    #[must_use]
    pub fn differs_by_bytes(&self) -> bool {
        let own = self.regatta.as_ref();
        let passed = self.both_passed == Some(true) || self.is_void();
        own.and_then(|own| own.by_bytes.as_ref())
            .is_some_and(|it| it.both_passed != passed)
    }

    /// Whether it was a pass, and [`Self::make_strict`] has made it a failure.
    #[must_use]
    pub fn is_void(&self) -> bool {
        let mut suites = self.regatta.iter().flat_map(|own| &own.suites);
        suites.any(|suite| suite.outcome == VOID)
    }

    /// Makes a pass a failure where tests are missing, or where it is none without what steers
    /// them; says whether it did.
    pub fn make_strict(&mut self) -> bool {
        let is_pass = self.both_passed == Some(true) && self.error.is_none();
        let suites = self.regatta.iter_mut().flat_map(|own| &mut own.suites);
        let features = [&mut self.feature1, &mut self.feature2];
        let mut is_void = false;
        for (suite, feature) in suites.zip(features) {
            let Some(worth) = suite
                .worth
                .as_ref()
                .filter(|worth| is_pass && worth.is_void())
            else {
                continue;
            };
            is_void = true;
            suite.reason = worth.why();
            VOID.clone_into(&mut suite.outcome);
            if let Some(feature) = feature {
                feature.passed = Some(false);
            }
        }
        if is_void {
            self.both_passed = Some(false);
        }
        is_void
    }
}

/// The part of [`MergeRecord`] that is read again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct MergeSeen {
    /// `clean`, `conflicts`, `missing_input`, `identical` or `error`.
    pub status: Option<String>,
}

/// The part of [`FeatureRecord`] that is read again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct FeatureSeen {
    /// Whether its hidden tests pass.
    pub passed: Option<bool>,
    /// The suite's exit code; none where none ran.
    #[serde(default, deserialize_with = "lenient::number")]
    pub exit_code: Option<i64>,
    /// How many tests passed, as upstream counts them.
    #[serde(default, deserialize_with = "lenient::number")]
    pub tests_passed: Option<i64>,
    /// How many tests failed, as upstream counts them.
    #[serde(default, deserialize_with = "lenient::number")]
    pub tests_failed: Option<i64>,
}

/// The part of [`Note`] that is read again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OwnNote {
    /// The name of the rule set that judged it.
    pub rules: Word<RuleSet>,
    /// The trial that was judged.
    pub trial: String,
    /// What broke the evaluation; none where there is a verdict.
    pub broken_by: Option<BrokenBy>,
    /// What broke the look at what the pass is worth.
    pub worth_broken_by: Option<BrokenBy>,
    /// What it was judged with; `None` in files from before this was kept.
    pub judged_with: Option<Pin>,
    /// The verdict on each feature.
    #[serde(default)]
    pub suites: Vec<SuiteNote>,
    /// The verdict on the submission byte for byte.
    #[serde(default)]
    pub by_bytes: Option<ByBytes>,
    /// The patch that was tested without the other one.
    #[serde(default)]
    pub alone: Option<AloneSeen>,
}

/// The part of [`Alone`] that is read again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct AloneSeen {
    /// The agent whose patch it is.
    pub agent: String,
    /// The suites that ran on it. None where both passed: then they are the features' own.
    pub suites: Vec<AloneSuiteSeen>,
}

/// The part of [`AloneSuite`] that is read again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AloneSuiteSeen {
    /// Outcome and reason, and the tests by name.
    #[serde(flatten)]
    pub note: SuiteNote,
    /// How many tests passed, as upstream counts them.
    #[serde(default)]
    pub tests_passed: u64,
    /// How many tests failed, as upstream counts them.
    #[serde(default)]
    pub tests_failed: u64,
}

/// A whole `eval.json`, as we write it: upstream's fields, and `regatta`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvalRecord {
    /// The repository's directory name in the dataset.
    pub repo: String,
    /// The number after `task` in the directory's name.
    pub task_id: u64,
    /// The numbers of all its features, in the pair's order.
    pub features: Vec<u64>,
    /// Upstream's word for the setting: `solo`, or `coop` for a team too.
    pub setting: &'static str,
    /// What became of each agent's patch (coop).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apply_status: Option<ApplyStatus>,
    /// The merge; `null` for one agent.
    pub merge: Option<MergeRecord>,
    /// The suite of the pair's first feature.
    pub feature1: FeatureRecord,
    /// The suite of the pair's second feature.
    pub feature2: FeatureRecord,
    /// Whether both features' hidden tests pass: the verdict.
    pub both_passed: bool,
    /// What broke the evaluation, in words: then there is no verdict.
    pub error: Option<String>,
    /// Local time without a zone, as upstream writes it.
    pub evaluated_at: String,
    /// What only we write: how the verdict was made, and what it is worth.
    pub regatta: Note,
}

/// What became of each agent's patch: `applied`, `skipped` (empty), `failed` or `unknown`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplyStatus {
    /// What became of the first agent's patch.
    pub agent1: String,
    /// What became of the second agent's patch.
    pub agent2: String,
}

/// The merge of two patches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeRecord {
    /// `clean`, `conflicts`, `missing_input`, `identical` or `error`.
    pub status: String,
    /// `naive`, `union`, `solo-agent1` or `skip-merge-identical`.
    pub strategy: Option<String>,
    /// The merged work's difference to the base, its first 5,000 characters.
    pub diff: String,
}

/// One feature's suite, with upstream's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FeatureRecord {
    /// The feature; upstream leaves it out for one agent.
    pub feature_id: Option<u64>,
    /// Whether its hidden tests pass.
    pub passed: bool,
    /// The suite's exit code; `null` where it did not run.
    pub exit_code: Option<i32>,
    /// How many tests passed, as upstream counts them.
    pub tests_passed: u64,
    /// How many tests failed, as upstream counts them.
    pub tests_failed: u64,
    /// What the suite printed; of a long text the beginning and the end.
    pub test_output: String,
}

/// What only we write into an `eval.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The rule set: results of different ones are not comparable.
    pub rules: RuleSet,
    /// The version of regatta that wrote the file.
    pub version: String,
    /// The trial that was judged.
    pub trial: String,
    /// The name of the backend in whose sandboxes the suites ran.
    pub backend: BackendKind,
    /// Where the patches were merged: a backend, or `clone`, without the task's own sandbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged_in: Option<String>,
    /// What it was judged with: the dataset's files, and where the repository came from.
    pub judged_with: Pin,
    /// How often the evaluation was tried.
    pub tries: u32,
    /// What broke it; none where there is a verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken_by: Option<BrokenBy>,
    /// What broke the look at what the pass is worth; the verdict stands, and the next evaluation
    /// looks again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worth_broken_by: Option<BrokenBy>,
    /// The verdict on each feature in one sentence, with the tests by name.
    pub suites: Vec<SuiteNote>,
    /// The headers of what was left out of the patches, as it changes test files.
    pub left_out: Vec<String>,
    /// The headers of what was mended, as git does not take it as it was submitted; of submissions
    /// whose bytes are git's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mended: Vec<String>,
    /// Where the patches could not be merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Conflict>,
    /// What git said of patches that it refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refused>,
    /// The patch that was tested without the other one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alone: Option<Alone>,
    /// The verdict on the submission byte for byte, where upstream's rules change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_bytes: Option<ByBytes>,
}

/// What broke an evaluation: whose doing it was, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenBy {
    /// Whose doing it was.
    pub cause: Cause,
    /// The id of the triage rule that it falls under.
    pub rule: RuleId,
}

/// The verdict on one feature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuiteNote {
    /// The feature's number.
    pub feature: u64,
    /// What the suite came to, in one word: `passed`, `failed`, `not_applied`, …
    pub outcome: String,
    /// Why it is that, in one sentence for people.
    pub reason: String,
    /// The tests that did not pass, by name, where the framework prints them.
    pub failed_tests: Vec<String>,
    /// How many tests there are by name.
    pub named_tests: usize,
    /// What its pass is worth; none where the pair does not pass, or nobody looked.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub worth: Option<PassWorth>,
}

/// What a pass is worth that upstream's rules give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassWorth {
    /// What of the dataset's own patch's run was compared with this one's.
    pub tests_compared: Compared,
    /// What ran with the dataset's own patch and did not run here: names of tests, or a file,
    /// package or binary with two numbers.
    pub tests_missing: Vec<String>,
    /// The files of the submission that steer tests.
    pub steering_files: Vec<String>,
    /// Whether the hidden tests pass with these files as in the base; none where there are no such
    /// files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict_without_steering: Option<KnownVerdict>,
    /// The same in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_steering: Option<String>,
}

/// What two runs of a suite were compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// The names of the tests.
    Names,
    /// How many ran, of each file, package or binary, or in all.
    Counts,
    /// Nothing: one of them prints neither, or the dataset's own patch could not be run.
    Nothing,
}

/// A verdict that may not be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KnownVerdict {
    /// Known: whether the tests pass.
    Verdict(bool),
    /// Asked and not known, which is written as `null`.
    Unknown(()),
}

impl PassWorth {
    /// Whether the pass is none when looked at strictly: tests are missing, or without the files
    /// that steer them they fail.
    #[must_use]
    pub fn is_void(&self) -> bool {
        !self.tests_missing.is_empty()
            || self.verdict_without_steering == Some(KnownVerdict::Verdict(false))
    }

    /// Whether there is anything to say about it.
    #[must_use]
    pub fn is_flagged(&self) -> bool {
        self.is_void() || !self.steering_files.is_empty()
    }

    /// What there is to say, in one line; nothing where it is not flagged.
    #[must_use]
    pub fn why(&self) -> String {
        let mut told = Vec::new();
        if !self.tests_missing.is_empty() {
            told.push(format!(
                "not run, unlike with the dataset's own patch: {}",
                some(&self.tests_missing)
            ));
        }
        if !self.steering_files.is_empty() {
            let files = some(&self.steering_files);
            let without = self.without_steering.as_deref().unwrap_or_default();
            told.push(match self.verdict_without_steering {
                Some(KnownVerdict::Verdict(false)) => {
                    format!("without what steers tests in {files} it fails: {without}")
                }
                Some(KnownVerdict::Verdict(true)) => {
                    format!("passes also without what steers tests in {files}")
                }
                Some(KnownVerdict::Unknown(())) | None => {
                    format!("not known without what steers tests in {files}: {without}")
                }
            });
        }
        told.join("; ")
    }
}

/// What stands for a rule where nothing broke and yet there is no verdict: a merge that 0.0.11's rules
/// cannot make.
pub const MERGE_CONFLICT: RuleId = RuleId::of("merge_conflict");
/// What a pass becomes that is none when looked at strictly.
const VOID: &str = "void";
/// The outcome of a suite that passed.
pub const PASSED: &str = "passed";
/// The file at `path`; `None` when there is none, an error's text when it is unreadable.
#[must_use]
pub fn read(path: &Path) -> Option<std::result::Result<EvalFile, String>> {
    match files::read_up_to(path, MAX_BYTES) {
        Ok(None) => None,
        Ok(Some(bytes)) => {
            Some(parse(&bytes).map_err(|error| format!("eval.json is unreadable: {error}")))
        }
        Err(error) => Some(Err(error.to_string())),
    }
}

/// Reads what is wanted of a file, and only where its shape is another than upstream's all of it.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    json::of_bytes(bytes).or_else(|error| {
        if !error.is_data() {
            return Err(error);
        }
        let file = lenient::shaped(json::of_bytes(bytes)?);
        serde_json::from_value(file).map_err(|_| error)
    })
}

/// The SHA-256 of the file at `path`; `None` when there is none.
pub fn digest(path: &Path) -> Result<Option<String>> {
    let bytes = files::read_up_to(path, MAX_BYTES)?;
    Ok(bytes.map(|bytes| super::manifest::digest(&bytes)))
}

/// Writes a whole `eval.json`, so that a reader sees the old one or the new one.
pub fn write(path: &Path, record: &EvalRecord) -> Result<()> {
    write_with(path, record, None)
}

/// The same, with what the one that it replaces says of the agents alone.
pub fn write_with(path: &Path, record: &EvalRecord, kept: Option<&Kept>) -> Result<()> {
    let bytes = serde_json::to_vec_pretty(record).and_then(|bytes| match kept {
        Some(kept) => kept.beside(&bytes),
        None => Ok(bytes),
    });
    let bytes =
        bytes.map_err(|error| Error::world(format!("cannot write {}: {error}", path.display())))?;
    files::write_atomic(path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_an_answer_without_an_error() {
        for (json, is_verdict) in [
            (r#"{"both_passed":true}"#, true),
            (r#"{"both_passed":false}"#, true),
            (r#"{"both_passed":false,"error":"409 Client Error"}"#, false),
            (r#"{"error":"409 Client Error"}"#, false),
            ("{}", false),
        ] {
            let file: EvalFile = serde_json::from_str(json).unwrap();
            assert_eq!(file.is_verdict(), is_verdict, "{json}");
        }
    }
}
