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
