//! The report as `JUnit` XML: a suite a run, a case a pair.
//!
//! A failed verdict or an agent's error is a `failure`, what infrastructure or configuration broke
//! an `error`, and what is not judged or not there is `skipped`: CI shows them apart.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Outcome, PairLine, Summary};
use crate::text::{plural, shown};

/// The XML document, ending in a newline. What is untrusted is escaped, and nothing in it is
/// hidden.
///
/// # Panics
///
/// Never: only an output that takes no more makes it fail, and this one is memory.
#[must_use]
pub fn render(summaries: &[Summary]) -> String {
    let mut report = Report::new("regatta");
    for summary in summaries {
        let mut suite = TestSuite::new(shown(summary.run.as_str()));
        for line in &summary.lines {
            suite.add_test_case(case(line));
        }
        for unread in &summary.unread {
            let mut case = TestCase::new(
                shown(&unread.directory),
                TestCaseStatus::non_success(NonSuccessKind::Error),
            );
            let results = plural(unread.results, "result");
            case.status.set_message(format!("{results} not read"));
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    let mut text = report.to_string().expect("memory takes it all");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn case(line: &PairLine) -> TestCase {
    let status = match line.outcome {
        Outcome::Pass => TestCaseStatus::success(),
        Outcome::Unjudged | Outcome::Missing => TestCaseStatus::skipped(),
        Outcome::Fail | Outcome::AgentError => TestCaseStatus::non_success(NonSuccessKind::Failure),
        _ => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let mut case = TestCase::new(shown(&line.pair), status);
    let untold = if line.not_asked {
        "not asked for so far"
    } else {
        line.outcome.name()
    };
    case.status
        .set_message(shown(line.why.as_deref().unwrap_or(untold)));
    case.status
        .set_type(shown(line.rule.as_deref().unwrap_or(line.outcome.name())));
    if let Some(seconds) = line
        .duration_seconds
        .filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
    {
        case.set_time(Duration::from_secs_f64(seconds.min(1e9)));
    }
    case
}
