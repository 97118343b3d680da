//! What a suite printed: how many tests passed and failed, and which. Pure.

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::patterns::patterns;

/// How many tests passed and failed, errors among the failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCounts {
    /// Those that passed, as far as the framework's summary says.
    pub passed: u64,
    /// Those that failed or ended in an error.
    pub failed: u64,
}

impl TestCounts {
    /// Whether any test is known to have run.
    #[must_use]
    pub const fn any(self) -> bool {
        self.passed > 0 || self.failed > 0
    }
}

/// How one test ended, whatever the framework's own word for it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestEnd {
    /// It ran and passed.
    Passed,
    /// It failed, or could not be run.
    Failed,
    /// It did not run: it was skipped, or left out by its marks.
    Skipped,
    /// It failed, as it was marked to.
    ExpectedFailure,
}

/// A test and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Test {
    /// Its name, as the framework prints it.
    pub name: String,
    /// Passed, failed or left out, by the framework's word beside the name.
    pub end: TestEnd,
}

/// More tests than this are not listed by name.
pub const MAX_TESTS: usize = 5_000;

patterns! {
    // Upstream's five, in its order: the first that finds something decides.
    JEST = r"Tests:\s*(?:(\d+)\s*failed,\s*)?(\d+)\s*passed";
    PASSED = r"(\d+) passed";
    FAILED = r"(\d+) failed";
    ERRORS = r"(\d+) error";
    GO_PASS = r"--- PASS:";
    GO_FAIL = r"--- FAIL:";
    GO_OK_PACKAGE = r"(?m)^ok\s+\S+";
    GO_FAIL_PACKAGE = r"(?m)^FAIL\s+\S+";
    // Names.
    CARGO_RESULT = r"(?m)^test result: \w+\. (\d+) passed; (\d+) failed";
    PYTEST_VERBOSE = r"(?m)^(?:\[gw\d+\] \[ *\d+%\] )?(PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS) (\S+::.+?)(?: - .*)?$";
    PYTEST_TRAILING = r"(?m)^(\S+::.+?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)(?: +\(.*\))?(?: +\[ *\d+%\])?$";
    GO_TEST = r"(?m)^\s*--- (PASS|FAIL|SKIP): (\S+)";
    CARGO_TEST = r"(?m)^test (.+?)(?: - should panic)? \.\.\. (ok|FAILED|ignored)";
    CHECK_MARK = r"(?m)^\s*([✓✔√✕✗×]) (.+?)(?: \(?\d+(?:\.\d+)? ?m?s\)?)?$";
    // What could not be built or loaded, and tests that failed.
    GO_NOT_BUILT = r"(?m)^FAIL\s+\S+ \[(?:build|setup) failed\]";
    CARGO_NOT_BUILT = r"(?m)^error: could not compile `";
    CARGO_FAILED = r"(?m)^test result: FAILED\.";
    JS_NOT_LOADED = r"(?m)Test suite failed to run|^\s*Test Files\s+\d+ failed";
    JS_FAILED = r"(?m)^\s*Tests:?\s+\d+ failed";
    PYTEST_NOT_LOADED = r"(?m)^E\s+fixture '\S+' not found|^(?:=+ )?ERROR collecting ";
    PLAIN = r"(?m)^(ok|PASS|FAIL|FAILED|not ok)(?::| \d+ -| -)? +(\S.*)$";
}

/// The counts as upstream reads them, quirks and all: these are what its `eval.json` holds.
#[must_use]
pub fn upstream_counts(output: &str) -> TestCounts {
    if let Some(found) = JEST.captures(output) {
        let number = |group| found.get(group).map_or(0, |it| digits(it.as_str()));
        let (failed, passed) = (number(1), number(2));
        return TestCounts { passed, failed };
    }
    let first = |pattern: &Regex| {
        let found = pattern.captures(output);
        found.map_or(0, |found| digits(&found[1]))
    };
    let counts = TestCounts {
        passed: first(&PASSED),
        failed: first(&FAILED).saturating_add(first(&ERRORS)),
    };
    if counts.any() {
        return counts;
    }
    let count = |pattern: &Regex| pattern.find_iter(output).count() as u64;
    let (passed, failed) = (count(&GO_PASS), count(&GO_FAIL));
    if passed + failed > 0 {
        return TestCounts { passed, failed };
    }
    let (passed, failed) = (count(&GO_OK_PACKAGE), count(&GO_FAIL_PACKAGE));
    // (Its fifth, cargo's, never decides: the second has found those lines.)
    TestCounts {
        passed: if failed == 0 { passed } else { 0 },
        failed,
    }
}

/// Whether what failed could not be built or loaded, and no test itself failed.
#[must_use]
pub fn not_loaded(output: &str) -> bool {
    let says = |pattern: &Regex| pattern.is_match(output);
    let is_go = says(&GO_NOT_BUILT) && !says(&GO_FAIL);
    let is_cargo = says(&CARGO_NOT_BUILT) && !says(&CARGO_FAILED);
    let is_js = says(&JS_NOT_LOADED) && !says(&JS_FAILED);
    let is_pytest = says(&PYTEST_NOT_LOADED) && !says(&FAILED);
    is_go || is_cargo || is_js || is_pytest
}

fn digits(text: &str) -> u64 {
    text.parse().unwrap_or(u64::MAX)
}

/// The counts where upstream's reading is known to miss: cargo with several test binaries, of which
/// it takes the first.
#[must_use]
pub fn cargo_counts(output: &str) -> Option<TestCounts> {
    let mut total = None::<TestCounts>;
    for found in CARGO_RESULT.captures_iter(output) {
        let total = total.get_or_insert_default();
        total.passed = total.passed.saturating_add(digits(&found[1]));
        total.failed = total.failed.saturating_add(digits(&found[2]));
    }
    total
}

/// The tests by name, where the framework prints them: pytest, go test, cargo test, jest and
/// vitest, and lines of `ok NAME`, `FAIL NAME`, `not ok N - NAME`.
#[must_use]
pub fn tests(output: &str) -> Vec<Test> {
    let readings = [
        named(&PYTEST_TRAILING, output, 1, 2),
        named(&PYTEST_VERBOSE, output, 2, 1),
        named(&CARGO_TEST, output, 1, 2),
        named(&GO_TEST, output, 2, 1),
        named(&CHECK_MARK, output, 2, 1),
        named(&PLAIN, output, 2, 1),
    ];
    // Pytest's two forms stand in one output: the summary repeats what failed.
    let [mut pytest, summary, others @ ..] = readings;
    for test in summary {
        if !pytest.iter().any(|known| known.name == test.name) {
            pytest.push(test);
        }
    }
    if !pytest.is_empty() {
        return pytest;
    }
    let mut others = others.into_iter();
    others.find(|tests| !tests.is_empty()).unwrap_or_default()
}

fn named(pattern: &Regex, output: &str, name: usize, end: usize) -> Vec<Test> {
    let found = pattern.captures_iter(output).take(MAX_TESTS);
    found
        .map(|found| Test {
            name: found[name].trim().to_owned(),
            end: match &found[end] {
                "PASSED" | "XPASS" | "PASS" | "ok" | "✓" | "✔" | "√" => TestEnd::Passed,
                "SKIPPED" | "SKIP" | "ignored" => TestEnd::Skipped,
                "XFAIL" => TestEnd::ExpectedFailure,
                _ => TestEnd::Failed,
            },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_upstream_reads_them() {
        for (output, passed, failed) in [
            ("", 0, 0),
            ("Tests:       2 failed, 15 passed, 17 total", 15, 2),
            ("Tests:  3 passed, 3 total\n1 failed", 3, 0),
            ("== 3 failed, 7 passed, 1 error in 0.2s ==", 7, 4),
            ("no tests ran in 0.01s", 0, 0),
            ("99999999999999999999 failed, 1 error", 0, u64::MAX),
            ("1 error in 0.10s", 0, 1),
            ("--- PASS: TestA (0.00s)\n--- FAIL: TestB (0.00s)\n", 1, 1),
            ("--- PASS: TestA (0.00s)\n", 1, 0),
            ("ok  \tgithub.com/go-chi/chi\t0.1s\n", 1, 0),
            ("ok  \ta\t0.1s\nFAIL\tb [build failed]\n", 0, 1),
            // Known quirks, kept: the first binary decides, and a file count is a test count.
            (
                "test result: ok. 0 passed; 0 failed;\ntest result: ok. 9 passed; 0 failed;",
                0,
                0,
            ),
            (
                " Test Files  1 passed (1)\n      Tests  12 passed (12)",
                1,
                0,
            ),
        ] {
            assert_eq!(
                upstream_counts(output),
                TestCounts { passed, failed },
                "{output}"
            );
        }
        let two = "test result: ok. 0 passed; 0 failed; 0 ignored\n\ntest result: ok. 9 passed; 0 failed; x";
        let counts = TestCounts {
            passed: 9,
            failed: 0,
        };
        assert_eq!(cargo_counts(two), Some(counts));
        assert_eq!(cargo_counts("5 passed"), None);
    }

    #[test]
    fn what_cannot_be_built_or_loaded_is_no_failed_test() {
        for (output, is_not_loaded) in [
            ("FAIL\texample.org/a [build failed]\nFAIL\n", true),
            (
                "--- FAIL: TestA (0.00s)\nFAIL\texample.org/b [build failed]\n",
                false,
            ),
            (
                "error: could not compile `quay` (lib) due to 1 previous error",
                true,
            ),
            (
                "error: could not compile `quay`\ntest result: FAILED. 1 passed; 1 failed;",
                false,
            ),
            (
                "  ● Test suite failed to run\nTests:       3 passed, 3 total",
                true,
            ),
            (
                "  ● Test suite failed to run\nTests:       1 failed, 3 passed, 4 total",
                false,
            ),
            (
                " Test Files  1 failed | 1 passed (2)\n      Tests  3 passed (3)",
                true,
            ),
            (
                "E       fixture 'boat' not found\n== 2 passed, 1 error in 0.1s ==",
                true,
            ),
            (
                "E       fixture 'boat' not found\n== 1 failed, 1 error in 0.1s ==",
                false,
            ),
            ("1 failed, 7 passed", false),
        ] {
            assert_eq!(not_loaded(output), is_not_loaded, "{output}");
        }
    }

    #[test]
    fn tests_have_names_where_the_framework_prints_them() {
        let listed = |output: &str| {
            let tests = tests(output);
            let line = |test: &Test| format!("{} {:?}", test.name, test.end);
            tests.iter().map(line).collect::<Vec<_>>()
        };
        assert_eq!(
            listed(
                "tests/a.py::test_one PASSED      [ 50%]\ntests/a.py::test_two[a b] FAILED [100%]\nFAILED tests/a.py::test_two[a b] - assert 1 == 2\n"
            ),
            [
                "tests/a.py::test_one Passed",
                "tests/a.py::test_two[a b] Failed"
            ]
        );
        assert_eq!(
            listed("ERROR tests/a.py::test_x - ImportError: no\n"),
            ["tests/a.py::test_x Failed"]
        );
        assert_eq!(
            listed("=== RUN   TestA\n--- PASS: TestA (0.00s)\n    --- FAIL: TestA/sub (0.00s)\n"),
            ["TestA Passed", "TestA/sub Failed"]
        );
        assert_eq!(
            listed("test string-first ... ok\ntest a::b ... FAILED\ntest c ... ignored\n"),
            ["string-first Passed", "a::b Failed", "c Skipped"]
        );
        assert_eq!(
            listed("  ✓ keeps the value (12 ms)\n  ✕ loses it (3 ms)\n"),
            ["keeps the value Passed", "loses it Failed"]
        );
        assert_eq!(
            listed("ok: lists all\nFAILED: from a port\nwanted: x\n"),
            ["lists all Passed", "from a port Failed"]
        );
        assert_eq!(ALL.len(), 21);
    }

    #[test]
    fn pytests_summary_adds_what_its_lines_lack() {
        let output = "a.py::one PASSED [ 25%]\na.py::two FAILED [ 50%]\na.py::three XFAIL (later) [ 75%]\n\
            FAILED a.py::two - assert 1 == 2\nERROR a.py::four - no fixture\n";
        let found: Vec<_> = tests(output)
            .into_iter()
            .map(|test| (test.name, test.end))
            .collect();
        let wanted = [
            ("a.py::one", TestEnd::Passed),
            ("a.py::two", TestEnd::Failed),
            ("a.py::three", TestEnd::ExpectedFailure),
            ("a.py::four", TestEnd::Failed),
        ];
        assert_eq!(found, wanted.map(|(name, end)| (name.to_owned(), end)));
    }
}
