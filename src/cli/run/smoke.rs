//! The checked list that ends a smoke.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::cli::ui::{Ui, mark};
use crate::cli::width;
use crate::engine::EngineOptions;
use crate::error::{Result, exit};
use crate::experiment::{Arm, Experiment, SmokeCheck};
use crate::hint;
use crate::runner::RunEnd;
use crate::text::{by_number, plural};

/// What to look at when a check fails, as far as this experiment has it. Where something ended the run
/// that is known, it is that.
fn look_at(experiment: &Experiment, end: &RunEnd) -> String {
    match end {
        RunEnd::Budget => {
            return "look at: --budget, which was spent before all of these pairs had run"
                .to_owned();
        }
        RunEnd::Limit(_) => {
            return "look at: the account's limit, which ended the run before all of these pairs had run"
                .to_owned();
        }
        _ => {}
    }
    let mut endpoints: Vec<String> = Vec::new();
    for arm in &experiment.arms {
        let endpoint = arm.options.access().shown_endpoint();
        if !endpoints.contains(&endpoint) {
            endpoints.push(endpoint);
        }
    }
    let mut what = format!(
        "look at: is the key set, does {} answer (and is it the right endpoint)",
        endpoints.join(", ")
    );
    if experiment.uses_docker() {
        what.push_str(", is the daemon up, are the images present");
    }
    let is_upstream = |arm: &Arc<Arm>| matches!(arm.options, EngineOptions::Upstream(_));
    if experiment.arms.iter().any(is_upstream) {
        what.push_str(", is --cooperbench-dir right");
    }
    let _ = write!(what, "; `{}` checks each", hint::command("doctor"));
    what
}

/// What the command does without the filter; nothing where nothing is left to run.
fn rest(experiment: &Experiment, end: &RunEnd) -> Result<String> {
    let flags = experiment.filter.flags();
    let how = match end {
        RunEnd::Budget => format!("without {flags} and with a larger --budget"),
        _ => format!("without {flags}"),
    };
    Ok(match experiment.left_to_others()? {
        0 => String::new(),
        left => format!(
            "next: {how}, the same command runs {left} more {}\n",
            by_number(left, "pair", "pairs")
        ),
    })
}

/// The most checks that passed and are told one by one.
const LISTED: usize = 24;

/// Checks what a smoke left; the exit code is the run's, or 1 when a check fails.
pub async fn check(experiment: &Experiment, end: &RunEnd, code: u8, ui: &Ui) -> Result<u8> {
    let findings = experiment.check_smoke().await?;
    let mut text = String::from("\nsmoke:\n");
    let (passed, others): (Vec<_>, Vec<_>) = findings.iter().partition(|found| found.is_good);
    let failed = !others.is_empty();
    if passed.len() > LISTED {
        let runs = plural(experiment.runs.len(), "run");
        let _ = writeln!(
            text,
            "  {}  {} checks of {runs}",
            mark("pass"),
            passed.len()
        );
    }
    let is_listed = |found: &&SmokeCheck| !found.is_good || passed.len() <= LISTED;
    for found in findings.iter().filter(is_listed) {
        let word = mark(if found.is_good { "pass" } else { "FAIL" });
        let _ = writeln!(text, "  {word}  {}", found.what);
    }
    if failed {
        let _ = writeln!(text, "{}", look_at(experiment, end));
    } else {
        text.push_str(&rest(experiment, end)?);
    }
    width::page(&text, ui)?;
    Ok(if failed && code == exit::OK {
        exit::ERRORS
    } else {
        code
    })
}
