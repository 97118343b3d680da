//! What the hidden tests said.

use std::fmt::Write as _;

use super::fold::Fold;
use crate::text::paint::{bad, broken, good, strong};
use crate::text::{NAME, one_line};
use crate::view::hidden_tests::{HiddenSuite, HiddenTests};

/// How many failing tests are named, unless all are asked for.
const NAMED: usize = 40;

/// How many of the last lines of an output are shown.
const LAST: usize = 25;

/// Both features' suites: which tests fail, and the end of what was printed.
#[must_use]
pub fn suites(tests: Option<&HiddenTests>, fold: Fold) -> String {
    let Some(tests) = tests else {
        return "\nnot judged: there is no eval.json\n".to_owned();
    };
    let mut out = String::new();
    if let Some(error) = &tests.error {
        let _ = writeln!(
            out,
            "\n{}: {}",
            broken("the evaluation broke"),
            one_line(error, 1_000)
        );
    }
    for suite in &tests.features {
        out.push_str(&of_suite(suite, fold));
    }
    out
}

fn of_suite(suite: &HiddenSuite, fold: Fold) -> String {
    let mut out = String::new();
    let verdict = match suite.passed {
        Some(true) => good("pass"),
        Some(false) => bad("fail"),
        None => broken("no verdict"),
    };
    let counts = suite.tests_passed.zip(suite.tests_failed);
    let counts = counts.map(|(passed, failed)| format!(", {passed} passed, {failed} failed"));
    let feature = strong(format!("feature {}", suite.feature));
    let _ = writeln!(out, "\n{feature}: {verdict}{}", counts.unwrap_or_default());
    if let Some(reason) = suite
        .reason
        .as_deref()
        .filter(|_| suite.passed != Some(true))
    {
        let _ = writeln!(out, "  {}", one_line(reason, 1_000));
    }
    let most = if fold.is_full { usize::MAX } else { NAMED };
    for name in suite.failed_tests.iter().take(most) {
        let _ = writeln!(out, "  {} {}", bad("failed"), one_line(name, NAME));
    }
    let more = suite.failed_tests.len().saturating_sub(most);
    if more > 0 {
        let _ = writeln!(out, "  … {more} more, with --full");
    }
    if let Some(output) = &suite.output {
        out.push_str(&fold.lines(output, "  │ ", 0, LAST));
    } else if suite.passed != Some(true) {
        let _ = writeln!(out, "  its output is not in eval.json");
    }
    out
}
