//! The checked list that ends a smoke.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::cli::ui::{Ui, mark};
use crate::cli::width;
use crate::engine::EngineOptions;
use crate::error::{Result, exit};
use crate::experiment::{Arm, Experiment};
use crate::hint;
use crate::report::Summary;
use crate::text::plural;

/// What to look at when a check fails, as far as this experiment has it.
fn look_at(experiment: &Experiment) -> String {
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

/// What the command does without the filter; nothing where all has finished.
fn rest(experiment: &Experiment) -> Result<String> {
    let open =
        |summaries: Vec<Summary>| -> usize { summaries.iter().map(Summary::unfinished).sum() };
    let left = open(experiment.summaries()?) - open(experiment.summaries_of_asked()?);
    Ok(match left {
        0 => String::new(),
        _ => format!(
            "next: without --smoke, the same command runs the other {}\n",
            plural(left, "pair")
        ),
    })
}

/// Checks what a smoke left; the exit code is the run's, or 1 when a check fails.
pub async fn check(experiment: &Experiment, code: u8, ui: &Ui) -> Result<u8> {
    let findings = experiment.check_smoke().await?;
    let mut text = String::from("\nsmoke:\n");
    for found in &findings {
        let word = mark(if found.is_good { "pass" } else { "FAIL" });
        let _ = writeln!(text, "  {word}  {}", found.what);
    }
    let failed = findings.iter().any(|found| !found.is_good);
    if failed {
        let _ = writeln!(text, "{}", look_at(experiment));
    } else {
        text.push_str(&rest(experiment)?);
    }
    width::page(&text, ui)?;
    Ok(if failed && code == exit::OK {
        exit::ERRORS
    } else {
        code
    })
}
