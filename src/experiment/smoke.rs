//! The checks that end a smoke.

use super::planned::Experiment;
use crate::error::Result;
use crate::process::Owner;
use crate::report::{Outcome, Summary};
use crate::sandbox::docker::{Docker, DockerEndpoint};
use crate::text::{by_number, plural};

/// One thing that a smoke should have left, or should not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmokeCheck {
    /// Whether it is as a good smoke leaves it.
    pub is_good: bool,
    /// What is so, with the run.
    pub what: String,
}

impl Experiment {
    /// Checks what a smoke left, or found there, of the pairs that it asked for.
    pub async fn check_smoke(&self) -> Result<Vec<SmokeCheck>> {
        let mut findings = Vec::new();
        let mut line = |is_good: bool, what: String| findings.push(SmokeCheck { is_good, what });
        for summary in self.summaries_of_asked()? {
            for (good, what) in of_run(&summary, self.pairs.len()) {
                line(good, format!("{}: {what}", summary.run));
            }
        }
        // Only where containers are made is there a daemon to ask.
        let docker = if self.uses_docker() {
            Some(Docker::at(DockerEndpoint::from_environment()?)?)
        } else {
            None
        };
        let runs = docker.iter().flat_map(|docker| {
            let runs = self.runs.iter();
            runs.map(move |one| (docker, &one.run))
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
        Ok(findings)
    }
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
