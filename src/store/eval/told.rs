//! What an `eval.json` says in one line.

use std::fmt::Write as _;

use super::{PASSED, SuiteNote};

/// So many tests are named where a pair's failure is told in one line.
const NAMED: usize = 3;

/// The first few, and how many more.
#[must_use]
pub fn some(items: &[String]) -> String {
    let mut text = items[..items.len().min(NAMED)].join(", ");
    if items.len() > NAMED {
        let _ = write!(text, " and {} more", items.len() - NAMED);
    }
    text
}

/// What there is to say about a pass, in one line; both features' once, where it is the same.
#[must_use]
pub fn flags(suites: &[SuiteNote]) -> String {
    let flagged = suites.iter().filter_map(|suite| {
        let worth = suite.worth.as_ref().filter(|worth| worth.is_flagged())?;
        Some((suite.feature, worth.why()))
    });
    let flagged: Vec<_> = flagged.collect();
    if let [(_, one), (_, other)] = flagged.as_slice()
        && one == other
    {
        return one.clone();
    }
    let told = flagged
        .iter()
        .map(|(feature, why)| format!("feature {feature}: {why}"));
    told.collect::<Vec<_>>().join("; ")
}

/// Why a pair did not pass, in one line, with tests that failed; both features' reason once, where
/// it is the same.
#[must_use]
pub fn why_not(suites: &[SuiteNote]) -> String {
    let failed: Vec<&SuiteNote> = suites
        .iter()
        .filter(|suite| suite.outcome != PASSED)
        .collect();
    if let [one, other] = failed.as_slice()
        && one.reason == other.reason
        && one.failed_tests == other.failed_tests
    {
        return one.reason.clone();
    }
    let told = failed.iter().map(|suite| {
        let mut text = format!("feature {}: {}", suite.feature, suite.reason);
        let tests = &suite.failed_tests;
        if !tests.is_empty() {
            let _ = write!(text, " ({})", some(tests));
        }
        text
    });
    told.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(feature: u64, outcome: &str, reason: &str, failed: &[&str]) -> SuiteNote {
        SuiteNote {
            feature,
            outcome: outcome.to_owned(),
            reason: reason.to_owned(),
            failed_tests: failed.iter().map(ToString::to_string).collect(),
            named_tests: 9,
            worth: None,
        }
    }

    #[test]
    fn a_failure_is_told_in_one_line_with_its_tests() {
        let passed = note(1, PASSED, "9 tests passed", &[]);
        let failed = note(2, "failed", "4 of 9 tests failed", &["a", "b", "c", "d"]);
        assert_eq!(
            why_not(&[passed.clone(), failed]),
            "feature 2: 4 of 9 tests failed (a, b, c and 1 more)"
        );
        let one = note(2, "failed", "1 of 9 tests failed", &["a"]);
        assert_eq!(
            why_not(&[passed, one]),
            "feature 2: 1 of 9 tests failed (a)"
        );
        let both = [1, 2].map(|feature| note(feature, "not_tested", "the patches conflict", &[]));
        assert_eq!(why_not(&both), "the patches conflict");
    }
}
