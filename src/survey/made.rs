//! Trials that tests make up.

use super::surveyed::{Judged, Standing, Surveyed, at};
use crate::bench::setting::Tree;
use crate::bench::{Cost, Pair, TaskKey};
use crate::files;
use crate::store::stream::{self, LastEvent};
use crate::store::{LedgerEntry, LogTree, TrialRecord};
use crate::triage::Finding;

/// Pair `f1_f<n>` of a task.
pub fn pair(n: u64) -> Pair {
    Pair::new(TaskKey::new("ferry_task", 1), 1, n)
}

/// A trial that finished, of one agent that its result tells to have cost this.
pub fn judged(trial: &str, usd: f64) -> Judged {
    let json = format!(
        r#"{{"run_id":"{trial}","agent":{{"status":"Submitted","cost":{usd:?},"steps":2}}}}"#
    );
    Judged {
        record: TrialRecord::parse(json.as_bytes()).unwrap(),
        finding: Finding::Finished,
        told: None,
        usage: None,
        cost: Cost::whole(usd),
        priced_as: None,
        ends: Vec::new(),
        long_patches: Vec::new(),
        beyond: Vec::new(),
    }
}

/// A pair at which this trial stands.
pub fn with(pair: Pair, judged: Judged) -> Surveyed {
    at(pair, Standing::Result(Box::new(judged)))
}

/// A line of the ledger: a trial that finished and cost this.
pub fn entry(pair: &Pair, trial: &str, cost: Option<f64>) -> LedgerEntry {
    LedgerEntry {
        trial: trial.to_owned(),
        setting: None,
        pair: pair.clone(),
        attempt: Some(1),
        status: "Submitted".to_owned(),
        agents: Vec::new(),
        diagnosis: None,
        void: false,
        cost,
        usage_unknown: cost.is_none(),
        usage: None,
        started_at: None,
        duration_seconds: None,
        recorded_at: jiff::Timestamp::UNIX_EPOCH,
    }
}

/// The end of a program whose last event says that all of it cost this.
pub fn end(usd: f64) -> LastEvent {
    let root = tempfile::tempdir().unwrap();
    let run = LogTree::at(root.path()).run(&"gull".parse().unwrap());
    let dir = run.pair(Tree::Solo, &pair(2));
    files::create_dir(dir.path()).unwrap();
    let event = format!(r#"{{"type":"result","is_error":false,"total_cost_usd":{usd:?}}}"#);
    let stream = dir.of_program("solo", "stream.jsonl").unwrap();
    files::write_atomic(&stream, event.as_bytes()).unwrap();
    stream::ended(&dir, "solo").unwrap()
}
