//! Which tests ran: of a suite's output by name, or else by number for each file, package or binary;
//! and what of it did not run elsewhere. Pure.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::output::{self, MAX_TESTS, TestEnd};
use super::patterns::patterns;
use crate::store::eval::Compared;
use crate::text::plural;

/// The tests of a suite that ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// How often each name stands there; empty where the runner does not print them all.
    names: BTreeMap<String, u64>,
    /// How many ran of each file, package or binary. A package that does not say has one.
    groups: BTreeMap<String, u64>,
    /// How many ran, where that is printed.
    total: u64,
}

/// What a feature's own patch brings along: tests in its sources are none of the hidden ones, and a
/// submission does not have them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnTests {
    words: HashSet<String>,
    tests: u64,
}

patterns! {
    ANSI = r"\x1b\[[0-9;]*[A-Za-z]";
    // `text` of the venue puts it where the middle is missing.
    LEFT_OUT = r"(?m)^\[\d+ bytes left out\]$";
    // What differs from run to run in a name: addresses of objects, and lines of documentation tests.
    ADDRESS = r"0x[0-9a-fA-F]{4,}";
    LINE = r" \(line \d+\)";
    // Jest: `Tests:  1 failed, 2 passed, 3 total`; vitest: `Tests  1 failed | 2 passed (3)`.
    JS_TESTS = r"(?m)^\s*Tests:?\s+(\d+ (?:failed|passed|skipped|todo|pending).*)$";
    JS_RAN = r"(\d+) (?:failed|passed)";
    JEST_FILE = r"(?m)^\s*(?:PASS|FAIL)\s+(\S+\.[cm]?[jt]sx?)\b";
    VITEST_FILE = r"(?m)^\s*[✓✔❯×✗]\s+(?:\|\S+\| )?(\S+\.[cm]?[jt]sx?)\s+\((\d+) tests?((?: \| \d+ \w+)*)\)";
    LEFT_ASIDE = r"(\d+) (?:skipped|todo)";
    GO_PACKAGE = r"(?m)^(?:ok|FAIL)\s+(\S+)\s+(?:[\d.]+m?s|\(cached\))(.*)$";
    // `tests/test_a.py ..F.s   [ 50%]`, and what of it is on lines of its own.
    PYTEST_LINE = r"^(?:(\S+\.py)\s+)?([.FEsxX]+)\s*(?:\[\s*\d+%\])?$";
    CARGO_BINARY = r"^\s*(?:Running (?:unittests )?(\S+)(?: \(\S*/([^/\s]+?)(?:-[0-9a-f]{16})?\))?|Doc-tests (\S+))\s*$";
    CARGO_RESULT = r"^test result: \w+\. (\d+) passed; (\d+) failed";
    OWN_TEST = r"^\+\s*(?:#\[(?:\w+::)*test\b|def test_\w|async def test_\w|func Test\w|(?:it|test)(?:\.\w+)?\()";
    WORD = r"\w+";
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

impl Census {
    /// Counts what ran by a suite's output: by names, by groups and in all, as far as that is
    /// printed.
    #[must_use]
    pub fn of(output: &str) -> Self {
        let output = ANSI.replace_all(output, "");
        let total = total(&output);
        let groups = groups(&output);
        let mut names = BTreeMap::new();
        let mut ran: u64 = 0;
        for test in output::tests(&output) {
            if matches!(test.end, TestEnd::Passed | TestEnd::Failed) {
                ran += 1;
                *names.entry(steady(&test.name)).or_default() += 1;
            }
        }
        // Files in the place of tests, a summary's few, or a list with a hole are not all names.
        let is_whole = ran >= total && ran < MAX_TESTS as u64 && !LEFT_OUT.is_match(&output);
        let are_files = JS_TESTS.is_match(&output)
            && (JEST_FILE.is_match(&output) || VITEST_FILE.is_match(&output))
            && names.keys().all(|name| name.contains('.') && ran != total);
        if !is_whole || are_files {
            names.clear();
        }
        Self {
            total: if total == 0 && is_whole { ran } else { total },
            names,
            groups,
        }
    }

    /// What ran here and not there, and by what that was compared; `own` is what only this one can
    /// have.
    #[must_use]
    pub fn missing_in(&self, there: &Self, own: &OwnTests) -> (Compared, Vec<String>) {
        if !self.names.is_empty() && !there.names.is_empty() {
            let missing = self
                .names
                .iter()
                .filter(|(name, count)| there.names.get(*name) < Some(count) && !own.has(name));
            return (
                Compared::Names,
                missing.map(|(name, _)| name.clone()).collect(),
            );
        }
        let mut missing = Vec::new();
        let has_groups = !self.groups.is_empty() && !there.groups.is_empty();
        if has_groups {
            for (group, wanted) in &self.groups {
                let ran = there.groups.get(group).copied().unwrap_or(0);
                if ran.saturating_add(own.tests) < *wanted || (ran == 0 && *wanted > 0) {
                    missing.push(format!("{group}: {ran} of {wanted}"));
                }
            }
        }
        let has_totals = self.total > 0 && there.total > 0;
        if has_totals && missing.is_empty() && there.total.saturating_add(own.tests) < self.total {
            missing.push(format!("{} of {}", there.total, plural(self.total, "test")));
        }
        if has_groups || has_totals {
            (Compared::Counts, missing)
        } else {
            (Compared::Nothing, Vec::new())
        }
    }
}

impl OwnTests {
    /// Of a feature's patch, and of the patch with its hidden tests.
    #[must_use]
    pub fn of(feature: &[u8], tests: &[u8]) -> Self {
        let words = |patch: &[u8]| -> HashSet<String> {
            let text = String::from_utf8_lossy(patch);
            let added = text.lines().filter(|line| line.starts_with('+'));
            added
                .flat_map(|line| WORD.find_iter(line).map(|word| word.as_str().to_owned()))
                .collect()
        };
        let hidden = words(tests);
        let text = String::from_utf8_lossy(feature);
        Self {
            words: words(feature)
                .into_iter()
                .filter(|word| !hidden.contains(word))
                .collect(),
            tests: text.lines().filter(|line| OWN_TEST.is_match(line)).count() as u64,
        }
    }

    /// Whether a test is the feature's own: its name's last part is a word that its patch adds.
    fn has(&self, name: &str) -> bool {
        // Only where the patch has tests: a script's checks are named by sentences.
        let name = name.split('[').next().unwrap_or(name);
        let last = WORD.find_iter(name).last();
        self.tests > 0 && last.is_some_and(|word| self.words.contains(word.as_str()))
    }
}

/// A name without what differs from run to run.
fn steady(name: &str) -> String {
    let name = ADDRESS.replace_all(name, "0x…");
    LINE.replace(&name, "").into_owned()
}

/// How many tests ran, passed or failed.
fn total(output: &str) -> u64 {
    let counts = match output::cargo_counts(output) {
        Some(counts) => counts,
        None => match JS_TESTS.captures(output) {
            Some(found) => {
                let ran = JS_RAN.captures_iter(&found[1]).map(|it| number(&it[1]));
                return ran.fold(0, u64::saturating_add);
            }
            None => output::upstream_counts(output),
        },
    };
    counts.passed.saturating_add(counts.failed)
}

/// How many ran of each file, package or binary.
fn groups(output: &str) -> BTreeMap<String, u64> {
    let mut groups: BTreeMap<String, u64> = BTreeMap::new();
    for found in GO_PACKAGE.captures_iter(output) {
        let ran = u64::from(!found[2].contains("[no tests to run]"));
        groups.insert(found[1].to_owned(), ran);
    }
    if JS_TESTS.is_match(output) {
        for found in VITEST_FILE.captures_iter(output) {
            let aside = LEFT_ASIDE.captures_iter(&found[3]).map(|it| number(&it[1]));
            let ran = number(&found[2]).saturating_sub(aside.sum());
            groups.insert(found[1].to_owned(), ran);
        }
        for found in JEST_FILE.captures_iter(output) {
            groups.insert(found[1].to_owned(), 1);
        }
    }
    let mut file = None::<String>;
    let mut binary = None::<String>;
    for line in output.lines() {
        if let Some(found) = PYTEST_LINE.captures(line) {
            if let Some(named) = found.get(1) {
                file = Some(named.as_str().to_owned());
            }
            let ran = found[2].bytes().filter(|end| !matches!(end, b's' | b'x'));
            if let Some(file) = &file {
                *groups.entry(file.clone()).or_default() += ran.count() as u64;
            }
        } else if let Some(found) = CARGO_BINARY.captures(line) {
            let part = |group| found.get(group).map_or("", |it| it.as_str());
            binary = Some(
                format!("{}{} {}", part(1), part(3), part(2))
                    .trim()
                    .to_owned(),
            );
        } else if let Some(found) = CARGO_RESULT.captures(line)
            && let Some(binary) = binary.take()
        {
            *groups.entry(binary).or_default() += number(&found[1]) + number(&found[2]);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(gold: &str, here: &str) -> (Compared, Vec<String>) {
        Census::of(gold).missing_in(&Census::of(here), &OwnTests::default())
    }

    fn check(gold: &str, here: &str, by: Compared, wanted: &[&str]) {
        let (compared, found) = missing(gold, here);
        assert_eq!(
            (compared, found.as_slice()),
            (
                by,
                &wanted.iter().map(ToString::to_string).collect::<Vec<_>>()[..]
            ),
            "{here}"
        );
        // What ran with the dataset's own patch is all there, and more than that is fine.
        assert_eq!(missing(gold, gold).1, Vec::<String>::new(), "{gold}");
        assert_eq!(missing(here, gold).1, Vec::<String>::new(), "{here}");
    }

    const VERBOSE: &str = "tests/test_a.py::test_one PASSED  [ 33%]\ntests/test_a.py::test_two[<a 0x7f00deadbeef>] PASSED [ 66%]\ntests/test_b.py::test_three PASSED [100%]\n\n==== 3 passed in 0.02s ====\n";

    #[test]
    fn tests_are_compared_by_name_where_all_have_one() {
        check(
            VERBOSE,
            "tests/test_a.py::test_two[<a 0x7fffc0ffee00>] PASSED [100%]\n== 1 passed, 2 deselected in 0.02s ==\n",
            Compared::Names,
            &["tests/test_a.py::test_one", "tests/test_b.py::test_three"],
        );
        // One that is skipped, or fails as it may, did not run as it should.
        check(
            VERBOSE,
            "tests/test_a.py::test_one SKIPPED (no)  [ 33%]\ntests/test_a.py::test_two[<a 0x7f00deadbeef>] PASSED [ 66%]\ntests/test_b.py::test_three XFAIL [100%]\n== 1 passed, 1 skipped, 1 xfailed in 0.02s ==\n",
            Compared::Names,
            &["tests/test_a.py::test_one", "tests/test_b.py::test_three"],
        );
        check(
            "=== RUN   TestA\n--- PASS: TestA (0.00s)\n=== RUN   TestB\n--- PASS: TestB (0.00s)\nok  \texample.org/a\t0.002s\n",
            "=== RUN   TestA\n--- PASS: TestA (0.00s)\nok  \texample.org/a\t0.002s\n",
            Compared::Names,
            &["TestB"],
        );
        check(
            "test a::adds ... ok\ntest src/lib.rs - lend (line 7) ... ok\ntest result: ok. 2 passed; 0 failed; 0 ignored\n",
            "test src/lib.rs - lend (line 19) ... ok\ntest result: ok. 1 passed; 0 failed; 0 ignored\n",
            Compared::Names,
            &["a::adds"],
        );
        // The same name in two places.
        check(
            "PASS ./a.test.js\n  adds\n    ✓ works (2 ms)\n  takes\n    ✓ works\n\nTests:       2 passed, 2 total\n",
            "PASS ./a.test.js\n  adds\n    ✓ works (1 ms)\n  takes\n    ○ skipped works\n\nTests:       1 skipped, 1 passed, 2 total\n",
            Compared::Names,
            &["works"],
        );
        check(
            "ok: one\nok: two\n2 passed\n",
            "ok: two\n1 passed\n",
            Compared::Names,
            &["one"],
        );
    }

    #[test]
    fn where_there_are_no_names_numbers_are_compared() {
        check(
            "tests/test_a.py ..F.    [ 80%]\ntests/test_b.py s.    [100%]\n== 1 failed, 4 passed, 1 skipped in 0.1s ==\n",
            "tests/test_a.py ..    [ 66%]\ntests/test_b.py s.    [100%]\n== 3 passed, 1 skipped in 0.1s ==\n",
            Compared::Counts,
            &["tests/test_a.py: 2 of 4"],
        );
        check(
            "....  [100%]\n4 passed in 0.1s\n",
            ".   [100%]\n1 passed, 3 deselected in 0.1s\n",
            Compared::Counts,
            &["1 of 4 tests"],
        );
        check(
            "ok  \texample.org/a\t0.002s\nok  \texample.org/b\t(cached)\n",
            "ok  \texample.org/a\t0.004s [no tests to run]\nok  \texample.org/b\t0.001s\n",
            Compared::Counts,
            &["example.org/a: 0 of 1"],
        );
        check(
            "     Running unittests src/lib.rs (target/debug/deps/ferry-0123456789abcdef)\n\nrunning 2 tests\n..\ntest result: ok. 2 passed; 0 failed; 0 ignored\n     Running tests/it.rs (target/debug/deps/it-0123456789abcdef)\ntest result: ok. 3 passed; 0 failed; 0 ignored\n",
            "     Running unittests src/lib.rs (target/debug/deps/ferry-aaaa456789abcdef)\n\nrunning 2 tests\n..\ntest result: ok. 2 passed; 0 failed; 0 ignored\n     Running tests/it.rs (target/debug/deps/it-bbbb456789abcdef)\ntest result: ok. 0 passed; 0 failed; 3 filtered out\n",
            Compared::Counts,
            &["tests/it.rs it: 0 of 3"],
        );
        check(
            "PASS src/a.test.js (5.2 s)\nPASS src/b.test.js\n\nTest Suites: 2 passed, 2 total\nTests:       5 passed, 5 total\n",
            "PASS src/a.test.js\nPASS src/b.test.js\n\nTest Suites: 2 passed, 2 total\nTests:       4 skipped, 1 passed, 5 total\n",
            Compared::Counts,
            &["1 of 5 tests"],
        );
        check(
            " ✓ src/a.test.ts (5 tests) 12ms\n ✓ src/b.test.ts (1 test) 1ms\n\n Test Files  2 passed (2)\n      Tests  6 passed (6)\n",
            " \x1b[32m✓\x1b[39m src/a.test.ts (5 tests | 4 skipped) 12ms\n ✓ src/b.test.ts (1 test) 1ms\n\n Test Files  2 passed (2)\n      Tests  2 passed | 4 skipped (6)\n",
            Compared::Counts,
            &["src/a.test.ts: 1 of 5"],
        );
        // Names that are not printed here do not hide how many there are.
        check(
            VERBOSE,
            ".  [100%]\n1 passed in 0.01s\n",
            Compared::Counts,
            &["1 of 3 tests"],
        );
        assert_eq!(missing("", VERBOSE), (Compared::Nothing, Vec::new()));
        assert_eq!(ALL.len(), 15);
    }

    /// Unit tests in the sources of a feature's patch are not hidden tests.
    #[test]
    fn what_the_features_patch_brings_along_is_not_missed() {
        let own = OwnTests::of(
            b"+++ b/src/lib.rs\n+    #[test]\n+    fn adds_one() {}\n+fn lends() {}\n",
            b"+++ b/tests/it.rs\n+#[test]\n+fn lends() {}\n",
        );
        let result = |n| format!("test result: ok. {n} passed; 0 failed\n");
        let gold = format!("test a::adds_one ... ok\ntest lends ... ok\n{}", result(2));
        let census = Census::of(&gold);
        let none = Census::of(&format!("test other ... ok\n{}", result(1)));
        assert_eq!(census.missing_in(&none, &own).1, ["lends"]);
        let (gold, one) = (Census::of(&result(3)), Census::of(&result(2)));
        assert_eq!(gold.missing_in(&one, &own).1, Vec::<String>::new());
        let fewer = Census::of(&result(1));
        assert_eq!(gold.missing_in(&fewer, &own).1, ["1 of 3 tests"]);
    }
    #[test]
    fn names_are_compared_only_where_all_are_there() {
        // A summary's few.
        assert_eq!(
            missing(
                VERBOSE,
                "FAILED tests/test_a.py::test_one - assert 1 == 2\n== 1 failed, 2 passed in 0.1s ==\n"
            ),
            (Compared::Counts, Vec::new())
        );
        // A hole in the list.
        assert_eq!(
            missing(
                VERBOSE,
                "tests/test_a.py::test_one PASSED\n[812 bytes left out]\n"
            ),
            (Compared::Nothing, Vec::new())
        );
        // As many as are read at most: there may be more.
        let many = "ok: as before\n".repeat(MAX_TESTS);
        assert_eq!(missing(&many, "ok: 1\n").0, Compared::Nothing);
        // Without a summary they are all there is.
        check(
            "a.py::one PASSED\na.py::two PASSED\n",
            "a.py::one PASSED\n",
            Compared::Names,
            &["a.py::two"],
        );
    }

    #[test]
    fn files_are_no_names_of_tests() {
        check(
            "PASS src/a.test.js\nPASS src/b.test.js\n\nTests:       1 passed, 1 total\n",
            "PASS src/a.test.js\n\nTests:       1 passed, 1 total\n",
            Compared::Counts,
            &["src/b.test.js: 0 of 1"],
        );
        // Tests whose names look like a file's.
        check(
            "PASS ./a.test.js\n    ✓ reads 1.0 (2 ms)\n    ✓ reads 2.0\n\nTests:       2 passed, 2 total\n",
            "PASS ./a.test.js\n    ✓ reads 1.0 (1 ms)\n    ○ skipped reads 2.0\n\nTests:       1 skipped, 1 passed, 2 total\n",
            Compared::Names,
            &["reads 2.0"],
        );
        // Where no runner counts them, they are a script's checks.
        check(
            "PASS a.test.js\nPASS b.test.js\n",
            "PASS a.test.js\n",
            Compared::Names,
            &["b.test.js"],
        );
    }

    #[test]
    fn numbers_are_compared_only_where_both_have_them() {
        for (gold, here, compared) in [
            // No files here, and none missed.
            (
                "tests/test_a.py ..  [100%]\n2 passed in 0.1s\n",
                "2 passed in 0.1s\n",
                Compared::Counts,
            ),
            ("3 passed\n", "no tests ran in 0.01s\n", Compared::Nothing),
            // A package without tests has none to miss.
            (
                "ok  \texample.org/a\t0.1s [no tests to run]\nok  \texample.org/b\t0.1s\n",
                "ok  \texample.org/b\t0.1s\nok  \texample.org/c\t0.1s\n",
                Compared::Counts,
            ),
            // Those that failed did run.
            (
                "     Running tests/it.rs (target/debug/deps/it-0123456789abcdef)\ntest result: ok. 3 passed; 0 failed\n",
                "     Running tests/it.rs (target/debug/deps/it-0123456789abcdef)\ntest result: FAILED. 1 passed; 2 failed\n",
                Compared::Counts,
            ),
        ] {
            assert_eq!(missing(gold, here), (compared, Vec::new()), "{here}");
        }
    }

    #[test]
    fn own_tests_do_not_excuse_a_whole_file_nor_names_of_a_patch_without_tests() {
        let own = OwnTests::of(b"+++ b/test_a.py\n+def test_new():\n", b"");
        let gold = Census::of("test_a.py .  [ 50%]\ntest_b.py ..  [100%]\n3 passed\n");
        let here = Census::of("test_b.py .  [100%]\n1 passed\n");
        assert_eq!(gold.missing_in(&here, &own).1, ["test_a.py: 0 of 1"]);
        let own = OwnTests::of(b"+++ b/src/lib.rs\n+fn lends() {}\n", b"");
        let gold = Census::of("ok: it lends\nok: it works\n");
        let here = Census::of("ok: it works\n");
        assert_eq!(gold.missing_in(&here, &own).1, ["it lends"]);
    }
}
