//! A merge as it is told of, and why it fails both features.

use super::RuleSet;
use super::merge::{Applied, Joined, Merge, last_line};
use super::suite::Suite;
use crate::bench::Pair;
use crate::store::eval::{Conflict, some};

/// A merge as upstream tells of it.
#[derive(Clone, Debug)]
pub struct Merging {
    /// What became of each patch.
    pub applied: [Applied; 2],
    /// `clean`, `conflicts`, `missing_input`, `identical` or `error`.
    pub status: &'static str,
    /// `naive`, `union`, `solo-agent1` or `skip-merge-identical`.
    pub strategy: Option<&'static str>,
    /// The beginning of the merged work's difference to the base.
    pub diff: String,
    /// Whether git alone merged them, without the task's own sandbox.
    pub in_clone: bool,
    /// What git said of each patch that it refused.
    pub refused: [Option<String>; 2],
    /// Where they do not merge.
    pub conflict: Option<Conflict>,
    /// The suites on the first agent's patch alone, where that was tested.
    pub alone: Option<[Suite; 2]>,
    /// Whether the merged work lacks contents that a patch has: upstream's lacks those of files that
    /// are no text.
    pub loses_bytes: bool,
}

/// How many characters of a merged patch upstream keeps.
const SHOWN_DIFF: usize = 5000;

impl Merging {
    /// A merge before anything is tested, and the patch to test; none where there is no merged work.
    pub(super) fn of(merge: Merge, first: &[u8], rules: RuleSet) -> (Self, Option<Vec<u8>>) {
        let mut merging = Self {
            in_clone: merge.in_clone,
            applied: merge.applied,
            status: "clean",
            strategy: Some("naive"),
            diff: String::new(),
            refused: merge.refused,
            conflict: merge.conflict,
            alone: None,
            loses_bytes: false,
        };
        let is_missing = rules == RuleSet::V0_0_29 && merging.applied.contains(&Applied::Failed);
        let to_test = match merge.joined {
            Joined::Identical(patch) => {
                merging.status = "identical";
                merging.strategy = Some("skip-merge-identical");
                merging.diff = shown(first);
                Some(patch)
            }
            Joined::Clean(patch) => {
                merging.diff = shown(&patch);
                (!is_missing).then_some(patch)
            }
            Joined::Union(patch) => {
                merging.status = "conflicts";
                merging.strategy = Some("union");
                merging.diff = shown(&patch);
                Some(patch)
            }
            Joined::Conflict => {
                merging.status = "conflicts";
                None
            }
        };
        if is_missing {
            merging.status = "missing_input";
        }
        (merging, to_test)
    }

    /// Both features fail: there is no merged work, and the first agent's does not do for both.
    pub(super) fn fails(&self, pair: &Pair) -> [Suite; 2] {
        let files = self.conflict.iter().flat_map(|it| &it.files);
        let files: Vec<String> = files.map(|file| file.path.clone()).collect();
        let what = match (self.status, files.as_slice()) {
            ("missing_input", _) => "a patch does not apply to the base".to_owned(),
            (_, []) => "the patches conflict".to_owned(),
            (_, files) => format!("the patches conflict in {}", some(files)),
        };
        let why = match &self.alone {
            None => format!("{what}, and the first agent's is none that could be tested alone"),
            Some(suites) => {
                let failed = suites
                    .iter()
                    .zip(pair.features)
                    .find(|(suite, _)| !suite.passed());
                match failed {
                    Some((suite, feature)) => format!(
                        "{what}, and the first agent's alone does not pass: feature {feature}: {}{}",
                        last_line(&suite.reason),
                        named(suite)
                    ),
                    None => what,
                }
            }
        };
        [Suite::not_tested(why.clone()), Suite::not_tested(why)]
    }
}

/// The beginning of a patch, as upstream keeps it.
fn shown(patch: &[u8]) -> String {
    let text = String::from_utf8_lossy(patch);
    text.chars().take(SHOWN_DIFF).collect()
}

/// Whether git tells of files that are no text only that they differ.
#[must_use]
pub fn lacks_contents(patch: &[u8]) -> bool {
    let mut lines = patch.split(|byte| *byte == b'\n');
    lines.any(|line| line.starts_with(b"Binary files ") && line.ends_with(b" differ"))
}

/// The tests that failed, in brackets.
fn named(suite: &Suite) -> String {
    let failed = suite.failed_tests();
    if failed.is_empty() {
        return String::new();
    }
    format!(" ({})", some(&failed))
}
