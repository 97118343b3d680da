//! One feature's hidden tests on one patch: what a run of them comes to. Pure.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::merge::last_line;
use super::output::{self, Test, TestCounts, TestEnd};
use crate::text::plural;

/// The verdict on a feature, with what it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SuiteOutcome {
    /// The suite ran and passed.
    Passed,
    /// It ran and did not.
    Failed,
    /// The hidden tests could not be loaded with this patch.
    NotLoaded,
    /// Git refuses the patch, so that nothing could be tested.
    NotApplied,
    /// The hidden tests cannot be put on top of the patch.
    TestsNotApplied,
    /// No test ran with this patch, and with the dataset's own the suite does run.
    DidNotRun,
    /// It was not tested: there is nothing that could be.
    NotTested,
}

impl SuiteOutcome {
    /// Its name in `eval.json`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotLoaded => "not_loaded",
            Self::NotApplied => "not_applied",
            Self::TestsNotApplied => "tests_not_applied",
            Self::DidNotRun => "did_not_run",
            Self::NotTested => "not_tested",
        }
    }
}

/// A suite that was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suite {
    /// What the run comes to; only one of them is a pass.
    pub outcome: SuiteOutcome,
    /// Why it is that outcome, in one sentence for people.
    pub reason: String,
    /// The runner's exit code; `None` where it did not run.
    pub exit_code: Option<i32>,
    /// The counts as upstream reads them.
    pub counts: TestCounts,
    /// The tests by name, where the framework prints them.
    pub tests: Vec<Test>,
    /// What the runner printed, stdout and stderr in order; of a long text the beginning and the
    /// end.
    pub output: String,
}

impl Suite {
    /// One that was not run.
    #[must_use]
    pub fn not_tested(reason: impl Into<String>) -> Self {
        Self {
            outcome: SuiteOutcome::NotTested,
            reason: reason.into(),
            exit_code: None,
            counts: TestCounts::default(),
            tests: Vec::new(),
            output: String::new(),
        }
    }

    /// The tests that failed, by name.
    #[must_use]
    pub fn failed_tests(&self) -> Vec<String> {
        let failed = self.tests.iter();
        let failed = failed.filter(|test| test.end == TestEnd::Failed);
        failed.map(|test| test.name.clone()).collect()
    }

    /// Whether the feature's hidden tests pass.
    #[must_use]
    pub const fn passed(&self) -> bool {
        matches!(self.outcome, SuiteOutcome::Passed)
    }
}

/// What a run of the runner shows by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// It ran, or is known why it could not: enough for a verdict.
    Judged(Suite),
    /// The suite is not known to have run: what there is, without a verdict.
    Unclear(Suite),
}

/// Pytest's words for tests that cannot be imported.
static NOT_LOADED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?m)ERROR collecting |errors? during collection|^ImportError while loading conftest",
    )
    .ok()
});

/// The verdict that exit code and output give together.
#[must_use]
pub fn read(exit_code: i32, output: String) -> Seen {
    let counts = output::upstream_counts(&output);
    let tests = output::tests(&output);
    let failed = tests
        .iter()
        .filter(|test| test.end == TestEnd::Failed)
        .count();
    let has_passed = |test: &&Test| matches!(test.end, TestEnd::Passed | TestEnd::ExpectedFailure);
    let passed = tests.iter().filter(has_passed).count();
    let named = passed > 0 || failed > 0;
    // Where upstream's reading is known to miss.
    let real = match output::cargo_counts(&output) {
        Some(all) => all,
        None => counts,
    };
    let is_not_loaded = counts.passed == 0
        && NOT_LOADED
            .as_ref()
            .is_some_and(|pattern| pattern.is_match(&output));
    let (outcome, reason) = if exit_code == 0 && real.passed > 0 {
        (
            Some(SuiteOutcome::Passed),
            format!("{} passed", plural(real.passed, "test")),
        )
    } else if exit_code == 0 && !real.any() && named && failed == 0 {
        (
            Some(SuiteOutcome::Passed),
            "the tests passed, by their names".to_owned(),
        )
    } else if exit_code != 0 && is_not_loaded {
        (
            Some(SuiteOutcome::NotLoaded),
            "the hidden tests could not be loaded with this patch".to_owned(),
        )
    } else if real.any() || named {
        let of = real.passed.saturating_add(real.failed);
        let reason = match (real.failed, failed) {
            (0, 0) => format!(
                "the runner ended with code {exit_code} after {} had passed",
                plural(real.passed.max(passed as u64), "test")
            ),
            (0, some) => format!("{} failed, by their names", plural(some, "test")),
            (some, _) => format!("{some} of {} failed", plural(of, "test")),
        };
        (Some(SuiteOutcome::Failed), reason)
    } else {
        (
            None,
            format!(
                "no test is known to have run (exit code {exit_code}): {}",
                last_line(&output)
            ),
        )
    };
    let suite = Suite {
        outcome: outcome.unwrap_or(SuiteOutcome::DidNotRun),
        reason,
        exit_code: Some(exit_code),
        counts,
        tests,
        output,
    };
    match outcome {
        Some(_) => Seen::Judged(suite),
        None => Seen::Unclear(suite),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(exit_code: i32, output: &str) -> (bool, SuiteOutcome, String) {
        match read(exit_code, output.to_owned()) {
            Seen::Judged(suite) => (true, suite.outcome, suite.reason),
            Seen::Unclear(suite) => (false, suite.outcome, suite.reason),
        }
    }

    #[test]
    fn exit_code_and_counts_decide_together() {
        for (code, output, judged, wanted, reason) in [
            (
                0,
                "== 7 passed in 0.1s ==",
                true,
                SuiteOutcome::Passed,
                "7 tests passed",
            ),
            (
                1,
                "== 7 passed in 0.1s ==",
                true,
                SuiteOutcome::Failed,
                "the runner ended with code 1 after 7 tests had passed",
            ),
            (
                1,
                "1 failed, 7 passed",
                true,
                SuiteOutcome::Failed,
                "1 of 8 tests failed",
            ),
            (
                2,
                "== ERROR collecting tests/a.py ==\n1 error in 0.1s",
                true,
                SuiteOutcome::NotLoaded,
                "the hidden tests could not be loaded with this patch",
            ),
            (
                5,
                "no tests ran in 0.01s",
                false,
                SuiteOutcome::DidNotRun,
                "no test is known to have run (exit code 5): no tests ran in 0.01s",
            ),
            (
                0,
                "",
                false,
                SuiteOutcome::DidNotRun,
                "no test is known to have run (exit code 0): it printed nothing",
            ),
            (
                101,
                "error: could not compile `typst`",
                false,
                SuiteOutcome::DidNotRun,
                "no test is known to have run (exit code 101): error: could not compile `typst`",
            ),
            (
                0,
                "3 failed",
                true,
                SuiteOutcome::Failed,
                "3 of 3 tests failed",
            ),
            // Upstream takes the first binary's count, and calls this a failure.
            (
                0,
                "test result: ok. 0 passed; 0 failed; 0 ignored\ntest result: ok. 9 passed; 0 failed; 0 ignored",
                true,
                SuiteOutcome::Passed,
                "9 tests passed",
            ),
        ] {
            assert_eq!(
                outcome(code, output),
                (judged, wanted, reason.to_owned()),
                "{output}"
            );
        }
    }
    #[test]
    fn names_decide_where_there_are_no_counts() {
        let failed = |reason: &str| (true, SuiteOutcome::Failed, reason.to_owned());
        let passed = (
            true,
            SuiteOutcome::Passed,
            "the tests passed, by their names".to_owned(),
        );
        for (code, output, wanted) in [
            (0, "ok: lists all\nok: from a port\n", passed.clone()),
            (0, "a.py::one XFAIL\n", passed),
            // No exit code is believed against a test that failed.
            (
                0,
                "ok: lists all\nFAILED: from a port\n",
                failed("1 test failed, by their names"),
            ),
            (
                1,
                "FAILED: lists all\nFAILED: from a port\n",
                failed("2 tests failed, by their names"),
            ),
            (0, "ok: lists all\n1 failed\n", failed("1 of 1 test failed")),
            (
                1,
                "ok: lists all\nok: from a port\n",
                failed("the runner ended with code 1 after 2 tests had passed"),
            ),
        ] {
            assert_eq!(outcome(code, output), wanted, "{code} {output}");
        }
        // Tests that were left out are none that ran.
        assert_eq!(outcome(0, "a.py::one SKIPPED\n").1, SuiteOutcome::DidNotRun);
    }

    #[test]
    fn the_tests_that_failed_are_told_by_name_and_only_one_outcome_is_a_pass() {
        let output = "a.py::one PASSED\na.py::two FAILED\na.py::three SKIPPED\na.py::four ERROR\n";
        let (Seen::Judged(suite) | Seen::Unclear(suite)) = read(1, output.to_owned());
        assert_eq!(suite.failed_tests(), ["a.py::two", "a.py::four"]);
        assert!(!suite.passed());
        let (Seen::Judged(suite) | Seen::Unclear(suite)) = read(0, "3 passed".to_owned());
        assert_eq!(suite.failed_tests(), [""; 0]);
        assert!(suite.passed());
        assert!(!Suite::not_tested("it is empty").passed());
    }

    #[test]
    fn an_outcome_has_one_name_wherever_it_is_written() {
        use SuiteOutcome::{
            DidNotRun, Failed, NotApplied, NotLoaded, NotTested, Passed, TestsNotApplied,
        };

        for outcome in [
            Passed,
            Failed,
            NotLoaded,
            NotApplied,
            TestsNotApplied,
            DidNotRun,
            NotTested,
        ] {
            let written = serde_json::to_value(outcome).unwrap();
            assert_eq!(written, outcome.name());
        }
    }
}
