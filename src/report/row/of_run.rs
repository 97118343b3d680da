//! From a run as it stands to its rows.

use super::Row;
use super::of_pair::count;
use crate::bench::setting::RunSetting;
use crate::error::Result;
use crate::report::trials::Trials;
use crate::report::{Outcome, Summary};
use crate::store::{Manifest, Pass, RunDir};
use crate::survey::{Stand, Standing, Surveyed};

/// The rows of a run: every pair of its plan, in order, then those that upstream counted and that
/// nothing on disk names. Strictly, flagged passes that are void are failures.
pub fn rows(run: &RunDir, mut stand: Stand, is_strict: bool) -> Result<Vec<Row>> {
    let summary = Summary::of_stand(run, &mut stand, is_strict)?;
    let manifest = stand.manifest.as_ref();
    let of_run = of_run(&summary, manifest);
    let pass = Pass::read(&run.pass()).ok().flatten();
    let tried = Trials::of(&stand, pass.as_ref()).by_pair();
    let of_pair = |(surveyed, line): (&Surveyed, _)| {
        let tried = tried.get(&surveyed.pair).cloned().unwrap_or_default();
        let mut row = of_run.clone();
        row.take_pair(surveyed, line, &tried, summary.has_ledger, manifest);
        row.patch_bytes = patch_bytes(run, surveyed);
        row
    };
    let named = stand.surveyed.iter().zip(&summary.lines);
    let mut rows: Vec<Row> = named.map(of_pair).collect();
    for outcome in Outcome::ALL {
        let named = rows.iter().filter(|row| row.outcome == outcome).count();
        let unnamed = summary.count_of(outcome) - named;
        rows.extend((0..unnamed).map(|_| unnamed_row(&of_run, outcome)));
    }
    Ok(rows)
}

/// What is of the run.
fn of_run(summary: &Summary, manifest: Option<&Manifest>) -> Row {
    let mut row = Row {
        run: summary.run.to_string(),
        setting: summary.setting.map(RunSetting::name),
        asked: true,
        ..Row::default()
    };
    if let Some(manifest) = manifest {
        row.take_manifest(manifest);
    }
    row
}

/// A pair of which nothing is known but what it counts as.
fn unnamed_row(of_run: &Row, outcome: Outcome) -> Row {
    let is_there = outcome == Outcome::Unreadable;
    Row {
        outcome,
        has_unknown_cost: is_there.then_some(true),
        spent_unknown_trials: count(usize::from(is_there)),
        ..of_run.clone()
    }
}

/// The size of the agents' patches together; `None` where one of them is not there.
fn patch_bytes(run: &RunDir, surveyed: &Surveyed) -> Option<u64> {
    let Standing::Result(judged) = &surveyed.standing else {
        return None;
    };
    let dir = run.pair(surveyed.tree, &surveyed.pair);
    let agents = judged.record.agents.iter();
    let sizes = agents.map(|agent| Some(dir.patch(agent.feature).metadata().ok()?.len()));
    sizes.sum()
}
