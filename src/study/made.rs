//! Runs that tests make up.

use super::{ArmRun, Beside};
use crate::report::{Outcome, Row};

/// A pair of a task: `ferry_task/<task>/f1_f<n>`, with its verdict; `None` where it was not judged.
pub fn row(task: u64, n: u64, passed: Option<bool>) -> Row {
    let task = format!("ferry_task/{task}");
    Row {
        pair: Some(format!("{task}/f1_f{n}")),
        task: Some(task),
        setting: Some("coop-comm"),
        model: Some("a-model".to_owned()),
        agent: Some("an-agent".to_owned()),
        asked: true,
        outcome: match passed {
            Some(true) => Outcome::Pass,
            Some(false) => Outcome::Fail,
            None => Outcome::InfraError,
        },
        passed,
        rules: passed.map(|_| "0.0.29".to_owned()),
        ..Row::default()
    }
}

/// A run of these rows.
pub fn run(name: &str, rows: impl IntoIterator<Item = Row>) -> ArmRun {
    let of_run = |row: Row| Row {
        run: name.to_owned(),
        ..row
    };
    ArmRun {
        name: name.parse().unwrap(),
        repeat: None,
        rows: rows.into_iter().map(of_run).collect(),
        beside: Beside::default(),
    }
}

/// The same run with an experiment's manifest.
pub fn of_arm(mut run: ArmRun, experiment: &str, arm: &str, repeat: u64) -> ArmRun {
    run.repeat = Some(repeat);
    for row in &mut run.rows {
        row.experiment = Some(experiment.to_owned());
        row.arm = Some(arm.to_owned());
        row.repeat = Some(repeat);
    }
    run
}

/// A run of two judged pairs.
pub fn plain(name: &str) -> ArmRun {
    run(name, [row(1, 2, Some(true)), row(2, 2, Some(false))])
}
