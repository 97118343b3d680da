//! Which runs are repeats of one arm. Pure.

use std::collections::BTreeMap;

use super::{Arm, ArmRun};
use crate::error::Result;

/// How runs become arms.
#[derive(Clone, Debug, Default)]
pub struct Pooling {
    /// Whether every run is an arm by itself.
    pub each_alone: bool,
    /// Whether runs of different rule sets, datasets or images are pooled all the same.
    pub is_mixed: bool,
    /// The runs of arms that their names don't tell: patterns by the arm's name.
    pub groups: BTreeMap<String, Vec<String>>,
}

/// Runs, pooled.
#[derive(Clone, Debug, Default)]
pub struct Study {
    /// The arms, in the order in which they were asked for.
    pub arms: Vec<Arm>,
    /// What is to be said of how runs were pooled, a sentence each.
    pub notes: Vec<String>,
}

/// Pools runs into arms.
pub fn study(runs: Vec<ArmRun>, pooling: &Pooling) -> Result<Study> {
    let mut arms: Vec<Arm> = Vec::new();
    for run in runs {
        let arm = run.rows.first().and_then(|row| row.arm.as_deref());
        let name = arm.filter(|_| !pooling.each_alone);
        let name = name.unwrap_or(run.name.as_str()).to_owned();
        match arms.iter_mut().find(|arm| arm.name == name) {
            Some(arm) => arm.runs.push(run),
            None => arms.push(Arm {
                name,
                runs: vec![run],
            }),
        }
    }
    Ok(Study {
        arms,
        notes: Vec::new(),
    })
}
