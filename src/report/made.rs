//! Runs that tests make up.

use super::trials::Trials;
use super::{Outcome, PairLine, Summary};
use crate::bench::RuleId;
use crate::bench::setting::RunSetting;
use crate::bench::{Cost, Pair, Setting, TaskKey};
use crate::evaluation::Verdict;
use crate::store::eval::EvalFile;
use crate::store::{LedgerEntry, TrialRecord};
pub use crate::survey::at;
use crate::survey::{Judged, Standing, Surveyed, made};
use crate::triage::{Cause, Diagnosis, Finding};

/// Pair `f1_f<n>` of a task.
pub fn pair(task: u64, n: u64) -> Pair {
    Pair::new(TaskKey::new("ferry_task", task), 1, n)
}

/// A result of this trial with this status and cost, of 10 seconds.
pub fn result(trial: &str, status: &str, finding: Finding, cost: Cost) -> Standing {
    let json = format!(
        r#"{{"run_id":"{trial}","model":"scripted","duration_seconds":10,
            "agent":{{"status":"{status}","cost":1,"steps":2}}}}"#
    );
    Standing::Result(Box::new(Judged {
        record: TrialRecord::parse(json.as_bytes()).unwrap(),
        finding,
        cost,
        ..made::judged(trial, 1.0)
    }))
}

/// A pair that finished and cost a dollar; its trial has the pair's name.
pub fn finished(pair: Pair) -> Surveyed {
    let trial = pair.to_string();
    at(
        pair,
        result(&trial, "Submitted", Finding::Finished, Cost::whole(1.0)),
    )
}

/// A pair whose trial ended in an error of this cause.
pub fn failed(pair: Pair, cause: Cause) -> Surveyed {
    let diagnosis = Diagnosis::new(cause, RuleId::of("a_rule"), "agent.error", "what it said");
    let trial = pair.to_string();
    let finding = Finding::Failed(diagnosis);
    at(pair, result(&trial, "Error", finding, Cost::whole(1.0)))
}

/// The same pair with this `eval.json`.
pub fn judged(mut surveyed: Surveyed, json: &str) -> Surveyed {
    let file: EvalFile = serde_json::from_str(json).unwrap();
    surveyed.verdict = Some(Verdict::of(&Ok(file.clone())));
    surveyed.evaluation = Some(file);
    surveyed
}

/// A finished pair with upstream's verdict on each feature.
pub fn with_verdict(pair: Pair, [one, two]: [bool; 2]) -> Surveyed {
    let json = format!(
        r#"{{"both_passed":{},"merge":{{"status":"clean"}},
            "feature1":{{"passed":{one}}},"feature2":{{"passed":{two}}}}}"#,
        one && two
    );
    judged(finished(pair), &json)
}

/// A line of the ledger: a trial of a pair that cost this much and, with a cause, failed by it.
pub fn entry(pair: &Pair, trial: &str, cost: Option<f64>, failed: Option<Cause>) -> LedgerEntry {
    LedgerEntry {
        setting: Some(Setting::Solo),
        status: failed.map_or("Submitted", |_| "Error").to_owned(),
        diagnosis: failed
            .map(|cause| Diagnosis::new(cause, RuleId::of("a_rule"), "agent.error", "it")),
        ..made::entry(pair, trial, cost)
    }
}

/// A run of these pairs, whose ledger has these lines.
pub fn run(name: &str, setting: Setting, pairs: &[Surveyed], booked: &[LedgerEntry]) -> Summary {
    let trials = Trials {
        booked,
        unbooked: &[],
        pass: None,
    };
    let setting = Some(RunSetting::Of(setting));
    Summary::of(name.parse().unwrap(), setting, pairs, trials, None, &[])
}

/// The line of a pair at which this stands, of which no trial is booked.
pub fn line(surveyed: &Surveyed) -> PairLine {
    PairLine::of(surveyed, &super::trials::Tried::default())
}

/// How many pairs of a run there are of each outcome that some pair has, in a table's order.
pub fn counts(summary: &Summary) -> Vec<(Outcome, usize)> {
    summary
        .outcomes
        .iter()
        .map(|(outcome, n)| (*outcome, *n))
        .collect()
}
