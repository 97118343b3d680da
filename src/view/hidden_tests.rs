//! What the hidden tests said of a pair, feature by feature.

use serde::Serialize;

use super::PageMask;
use crate::bench::Pair;
use crate::bench::setting::Tree;
use crate::evaluation::output::{TestEnd, tests};
use crate::store::RunDir;
use crate::store::eval::{self, FeatureSeen, SuiteNote};

/// What an `eval.json` says, whoever wrote it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HiddenTests {
    /// The verdict; none where there is none.
    pub both_passed: Option<bool>,
    /// What broke the evaluation, or why the file cannot be read.
    pub error: Option<String>,
    /// How the patches merged, in the evaluation's word.
    pub merge: Option<String>,
    /// The suites of the pair's two features.
    pub features: Vec<HiddenSuite>,
}

/// One feature's suite.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HiddenSuite {
    /// The feature's number.
    pub feature: u64,
    /// Whether its hidden tests pass.
    pub passed: Option<bool>,
    /// Why they do not, in one sentence.
    pub reason: Option<String>,
    /// How many tests passed.
    pub tests_passed: Option<i64>,
    /// How many tests failed.
    pub tests_failed: Option<i64>,
    /// The tests that did not pass, by name, where the framework prints them.
    pub failed_tests: Vec<String>,
    /// What the suite printed; none where the file does not have it.
    pub output: Option<String>,
}

impl HiddenTests {
    /// Of a pair's `eval.json`; `None` where there is none.
    #[must_use]
    pub fn read(run: &RunDir, tree: Tree, pair: &Pair, mask: &PageMask) -> Option<Self> {
        let path = run.pair(tree, pair).eval();
        let file = match eval::read(&path)? {
            Ok(file) => file,
            Err(why) => {
                return Some(Self {
                    error: Some(why),
                    ..Self::default()
                });
            }
        };
        let own = file.regatta.as_ref();
        let notes = own.map_or(&[][..], |own| &own.suites);
        let seen = [&file.feature1, &file.feature2];
        let outputs = eval::outputs(&path);
        let features = pair.features.into_iter().zip(seen).zip(outputs);
        let features = features.map(|((feature, seen), output)| {
            let note = notes.iter().find(|note| note.feature == feature);
            let output = output.map(|text| mask.hide(&text).into_owned());
            HiddenSuite::of(feature, seen.as_ref(), note, output)
        });
        Some(Self {
            both_passed: file.both_passed,
            features: features.collect(),
            merge: file.merge.and_then(|merge| merge.status),
            error: file.error,
        })
    }
}

impl HiddenSuite {
    fn of(
        feature: u64,
        seen: Option<&FeatureSeen>,
        note: Option<&SuiteNote>,
        output: Option<String>,
    ) -> Self {
        let named = || {
            let all = tests(output.as_deref().unwrap_or_default());
            let failed = all.into_iter().filter(|test| test.end == TestEnd::Failed);
            failed.map(|test| test.name).collect()
        };
        Self {
            feature,
            passed: seen.and_then(|seen| seen.passed),
            reason: note.map(|note| note.reason.clone()),
            tests_passed: seen.and_then(|seen| seen.tests_passed),
            tests_failed: seen.and_then(|seen| seen.tests_failed),
            failed_tests: note.map_or_else(named, |note| note.failed_tests.clone()),
            output,
        }
    }
}
