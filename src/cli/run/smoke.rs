//! The checked list that ends a smoke.

use std::fmt::Write as _;

use super::experiment::Experiment;
use crate::cli::ui::{Ui, mark};
use crate::engine::Options;
use crate::error::{Result, exit};
use crate::hint;
use crate::process::Owner;
use crate::report::{Outcome, Summary};
use crate::sandbox::docker::{Docker, Endpoint};
use crate::text::{by_number, plural};

/// What to look at when a check fails, as far as this experiment has it.
fn look_at(experiment: &Experiment) -> String {
    let mut what = format!(
        "look at: is the key set, does {} answer (and is it the right endpoint)",
        experiment.options.access().shown_endpoint()
    );
    if experiment.uses_docker() {
        what.push_str(", is the daemon up, are the images present");
    }
    if matches!(experiment.options, Options::Upstream(_)) {
        what.push_str(", is --cooperbench-dir right");
    }
    let _ = write!(what, "; `{}` checks each", hint::command("doctor"));
    what
}

/// Checks what a smoke of `n` pairs left; the exit code is the run's, or 1 when a check fails.
pub async fn check(experiment: &Experiment, n: usize, code: u8, ui: &Ui) -> Result<u8> {
    let mut text = String::from("\nsmoke:\n");
    let mut failed = false;
    let mut line = |good: bool, what: String| {
        failed |= !good;
        let _ = writeln!(
            text,
            "  {}  {what}",
            mark(if good { "pass" } else { "FAIL" })
        );
    };
    for summary in experiment.summaries()? {
        for (good, what) in of_run(&summary, n) {
            line(good, format!("{}: {what}", summary.run));
        }
    }
    // Only where containers are made is there a daemon to ask.
    let docker = if experiment.uses_docker() {
        Some(Docker::at(Endpoint::from_environment()?)?)
    } else {
        None
    };
    let runs = docker.iter().flat_map(|docker| {
        let runs = experiment.runs.iter();
        runs.map(move |(_, run)| (docker, run))
    });
    for (docker, run) in runs {
        match docker.our_containers(Some(run.name())).await {
            Ok(mut left) => {
                // A run of the same name in another log tree is another's.
                left.retain(|container| container.owner.as_ref() == Some(&Owner::this()));
                line(
                    left.is_empty(),
                    format!(
                        "{}: {} {} left",
                        run.name(),
                        plural(left.len(), "container"),
                        by_number(left.len(), "is", "are")
                    ),
                );
            }
            Err(error) => line(false, format!("{}: containers: {error}", run.name())),
        }
    }
    if failed {
        let _ = writeln!(text, "{}", look_at(experiment));
    }
    ui.data(&text)?;
    Ok(if failed && code == exit::OK {
        exit::ERRORS
    } else {
        code
    })
}

/// The checks of one run. Pure.
fn of_run(summary: &Summary, n: usize) -> Vec<(bool, String)> {
    let missing = summary.count_of(Outcome::Missing);
    let there = summary.pairs - missing;
    // A result that parses has agents with a status: without them it is unreadable.
    let whole = summary
        .lines
        .iter()
        .filter(|line| line.status.is_some() && line.names_cost)
        .count();
    let mut checks = vec![
        (
            there == n,
            format!(
                "{there} of {} {}",
                plural(n, "result"),
                by_number(there, "exists", "exist")
            ),
        ),
        (
            whole == there && there > 0,
            format!(
                "{whole} of {there} {} status, agent and cost",
                by_number(whole, "parses and has", "parse and have")
            ),
        ),
    ];
    let rules: Vec<&str> = summary
        .lines
        .iter()
        .filter_map(|line| line.rule.as_deref())
        .collect();
    let same = summary.finished == 0
        && !rules.is_empty()
        && rules.len() == summary.lines.len()
        && rules.iter().all(|rule| *rule == rules[0]);
    checks.push((
        !same && summary.finished > 0,
        if same {
            format!("all failed with the same error: {}", rules[0])
        } else {
            format!("{} finished", summary.finished)
        },
    ));
    checks
}
