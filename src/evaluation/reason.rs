//! Why a judged pair did not pass, in one line, whoever judged it. Pure but for what it asks.

use std::sync::LazyLock;

use regex::Regex;

use super::merge::last_line;
use super::output::{self, TestEnd};
use super::patterns::shipped;
use crate::store::eval::{self, ApplyStatus, EvalFile, FeatureSeen, some};
use crate::text::plural;

/// The exit code that upstream gives a suite whose time was up.
const TIMED_OUT: i64 = -1;

/// Upstream's words for it, as a whole output: of some it keeps no exit code.
static TIME_IS_UP: LazyLock<Regex> =
    LazyLock::new(|| shipped(r"^\s*(?:Command |Suite )?timed out after \d+ seconds\s*$"));

/// The reason of a pair that failed, as far as its file tells. `outputs` gives what the suites printed;
/// it is asked only where an evaluation gives no reason itself.
pub fn of(
    file: &EvalFile,
    features: [u64; 2],
    outputs: impl FnOnce() -> [Option<String>; 2],
) -> Option<String> {
    if let Some(own) = &file.regatta {
        let why = eval::why_not(&own.suites);
        if !why.is_empty() {
            return Some(why);
        }
    }
    let mut told: Vec<String> = file.apply_status.iter().flat_map(of_patches).collect();
    let status = file
        .merge
        .as_ref()
        .and_then(|merge| merge.status.as_deref());
    if status == Some("conflicts") {
        told.push("the patches conflict".to_owned());
    }
    let seen = [&file.feature1, &file.feature2];
    let outputs = outputs();
    let is_tested = seen.iter().any(|seen| seen.as_ref().is_some_and(has_run))
        || outputs.iter().flatten().any(|output| !output.is_empty());
    if is_tested {
        told.extend(of_suites(features, seen, &outputs));
    } else if status.is_some() {
        told.push("no merged work was tested".to_owned());
    }
    Some(told.join("; ")).filter(|why| !why.is_empty())
}

/// Why suites did not pass; both features' reason once, where it is the same.
fn of_suites(
    features: [u64; 2],
    seen: [&Option<FeatureSeen>; 2],
    outputs: &[Option<String>; 2],
) -> Vec<String> {
    let mut suites: Vec<(u64, String)> = Vec::new();
    for ((feature, seen), output) in features.into_iter().zip(seen).zip(outputs) {
        if let Some(seen) = seen.as_ref().filter(|seen| seen.passed != Some(true)) {
            suites.push((feature, of_suite(seen, output.as_deref())));
        }
    }
    if let [(_, one), (_, other)] = suites.as_slice()
        && one == other
    {
        return vec![format!("both features: {one}")];
    }
    let told = suites.iter();
    told.map(|(feature, why)| format!("feature {feature}: {why}"))
        .collect()
}

/// What is to be said of patches that are not on their branches.
fn of_patches(status: &ApplyStatus) -> Vec<String> {
    let words = [("agent1", &status.agent1), ("agent2", &status.agent2)];
    let told = words.into_iter().filter_map(|(agent, word)| {
        let what = match word.as_str() {
            "skipped" => "is empty",
            "failed" => "does not apply",
            _ => return None,
        };
        Some(format!("the patch of {agent} {what}"))
    });
    told.collect()
}

/// Whether a suite ran, as far as its numbers tell.
const fn has_run(seen: &FeatureSeen) -> bool {
    seen.exit_code.is_some()
        || matches!(seen.tests_passed, Some(1..))
        || matches!(seen.tests_failed, Some(1..))
}

/// Whether a suite did not end in time, by what upstream keeps of one: an exit code that no program
/// has, or nothing but these words where it keeps none.
pub fn is_time_up(seen: &FeatureSeen, output: Option<&str>) -> bool {
    seen.exit_code == Some(TIMED_OUT)
        || seen.exit_code.is_none() && TIME_IS_UP.is_match(output.unwrap_or_default())
}

/// Why one suite did not pass, by its numbers and by what it printed.
fn of_suite(seen: &FeatureSeen, output: Option<&str>) -> String {
    if is_time_up(seen, output) {
        return "the suite did not end in time".to_owned();
    }
    let output = output.unwrap_or_default();
    let read = output::upstream_counts(output);
    let count = |said: Option<i64>, read: u64| {
        let said = said.and_then(|n| u64::try_from(n).ok());
        said.filter(|n| *n > 0).unwrap_or(read)
    };
    let passed = count(seen.tests_passed, read.passed);
    let failed = count(seen.tests_failed, read.failed);
    let tests = output::tests(output).into_iter();
    let failing = tests.filter(|test| test.end == TestEnd::Failed);
    let failing: Vec<String> = failing.map(|test| test.name).collect();
    let brackets = |text: String| format!(" ({text})");
    let which = if failing.is_empty() {
        String::new()
    } else {
        brackets(some(&failing))
    };
    let code = seen.exit_code.map(|code| format!("exit code {code}"));
    let code = code.map(brackets).unwrap_or_default();
    if failed > 0 {
        let all = passed.saturating_add(failed);
        format!("{failed} of {} failed{which}", plural(all, "test"))
    } else if !failing.is_empty() {
        format!("tests failed{which}")
    } else if passed > 0 {
        let passed = plural(passed, "test");
        format!("{passed} passed, and the suite did not{code}")
    } else {
        format!("no test is known to have run{code}: {}", last_line(output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(json: &str, outputs: [Option<&str>; 2]) -> Option<String> {
        let file: EvalFile = serde_json::from_str(json).unwrap();
        of(&file, [3, 5], || outputs.map(|it| it.map(str::to_owned)))
    }

    #[test]
    fn an_evaluation_that_gives_its_reason_is_not_asked_twice() {
        let suite = r#"{"feature":3,"outcome":"failed","reason":"it failed","failed_tests":[],"named_tests":0}"#;
        let own = format!(
            r#"{{"both_passed":false,"feature1":{{"exit_code":-1}},
                "regatta":{{"rules":"0.0.29","trial":"x","suites":[{suite}]}}}}"#
        );
        assert_eq!(
            why(&own, [None, None]).as_deref(),
            Some("feature 3: it failed")
        );
        let silent = own.replace(suite, "");
        let told = why(&silent, [None, None]);
        assert_eq!(
            told.as_deref(),
            Some("feature 3: the suite did not end in time")
        );
    }

    #[test]
    fn patches_and_their_merge_are_told_before_suites() {
        for (json, wanted) in [
            ("{}", None),
            (
                r#"{"apply_status":{"agent1":"skipped","agent2":"failed"}}"#,
                Some("the patch of agent1 is empty; the patch of agent2 does not apply"),
            ),
            (
                r#"{"apply_status":{"agent1":"applied","agent2":"applied"},
                    "merge":{"status":"conflicts"}}"#,
                Some("the patches conflict; no merged work was tested"),
            ),
            (
                r#"{"merge":{"status":"clean"}}"#,
                Some("no merged work was tested"),
            ),
            (
                r#"{"merge":{"status":"clean"},"feature1":{"tests_passed":0,"tests_failed":0}}"#,
                Some("no merged work was tested"),
            ),
        ] {
            assert_eq!(why(json, [None, None]).as_deref(), wanted, "{json}");
        }
    }

    #[test]
    fn each_number_or_output_shows_that_a_suite_ran() {
        for seen in [
            r#"{"exit_code":0}"#,
            r#"{"tests_passed":1}"#,
            r#"{"tests_failed":1}"#,
        ] {
            let json = format!(r#"{{"merge":{{"status":"clean"}},"feature2":{seen}}}"#);
            let told = why(&json, [None, None]).unwrap();
            assert!(told.starts_with("feature 5: "), "{told}");
        }
        let json = r#"{"merge":{"status":"clean"},"feature1":{"passed":false}}"#;
        let told = why(json, [Some("3 failed"), None]);
        assert_eq!(told.as_deref(), Some("feature 3: 3 of 3 tests failed"));
        let told = why(json, [Some(""), None]);
        assert_eq!(told.as_deref(), Some("no merged work was tested"));
    }

    #[test]
    fn suites_that_passed_are_left_out_and_one_reason_is_told_once() {
        let of = |one: &str, other: &str| {
            let json = format!(r#"{{"feature1":{one},"feature2":{other}}}"#);
            why(&json, [None, None])
        };
        let passed = r#"{"passed":true,"exit_code":0}"#;
        let late = r#"{"passed":false,"exit_code":-1}"#;
        let failed = r#"{"passed":false,"exit_code":1,"tests_passed":1,"tests_failed":2}"#;
        assert_eq!(
            of(late, late).as_deref(),
            Some("both features: the suite did not end in time")
        );
        assert_eq!(
            of(late, failed).as_deref(),
            Some("feature 3: the suite did not end in time; feature 5: 2 of 3 tests failed")
        );
        assert_eq!(
            of(passed, failed).as_deref(),
            Some("feature 5: 2 of 3 tests failed")
        );
        assert_eq!(of(passed, passed), None);
    }

    #[test]
    fn a_suite_says_what_its_numbers_and_its_output_tell() {
        let seen = |exit_code, tests_passed, tests_failed| FeatureSeen {
            passed: Some(false),
            exit_code,
            tests_passed,
            tests_failed,
        };
        let named = "a.py::one PASSED [ 50%]\na.py::two FAILED [100%]\n";
        for (seen, output, wanted) in [
            (
                seen(Some(1), Some(0), Some(0)),
                "2 passed, 1 failed",
                "1 of 3 tests failed",
            ),
            (
                seen(Some(1), Some(-4), Some(-4)),
                "2 passed, 1 failed",
                "1 of 3 tests failed",
            ),
            (
                seen(Some(1), Some(4), Some(1)),
                named,
                "1 of 5 tests failed (a.py::two)",
            ),
            (seen(Some(1), None, None), named, "tests failed (a.py::two)"),
            (
                seen(Some(3), Some(2), None),
                "",
                "2 tests passed, and the suite did not (exit code 3)",
            ),
            (
                seen(None, Some(1), None),
                "",
                "1 test passed, and the suite did not",
            ),
            (
                seen(Some(2), None, None),
                "cannot find it\n\n",
                "no test is known to have run (exit code 2): cannot find it",
            ),
        ] {
            assert_eq!(of_suite(&seen, Some(output)), wanted);
        }
    }

    #[test]
    fn time_is_up_by_upstreams_code_or_by_its_words_where_it_keeps_none() {
        let seen = |exit_code| FeatureSeen {
            exit_code,
            ..FeatureSeen::default()
        };
        let words = "Command timed out after 60 seconds\n";
        for (code, output, wanted) in [
            (Some(-1), None, true),
            (Some(-1), Some("3 passed"), true),
            (None, Some(words), true),
            (Some(1), Some(words), false),
            (None, Some("3 passed"), false),
            (None, None, false),
            (Some(1), None, false),
        ] {
            assert_eq!(
                is_time_up(&seen(code), output),
                wanted,
                "{code:?} {output:?}"
            );
        }
    }
}
