//! Pairs, trials and passes that the tests of pure rules make up.

pub use crate::survey::at;
pub use crate::survey::made::pair;
use jiff::Timestamp;

use crate::bench::{Pair, RuleId};
use crate::files;
use crate::store::aside::KeptTrial;
use crate::store::pass::Covered;
use crate::store::{Ledger, LedgerEntry, LogTree, Pass, TrialRecord};
use crate::survey::{Judged, Surveyed, made};
use crate::triage::{Cause, Diagnosis, Finding};

/// A trial of one agent with this status, as its `result.json` says it.
pub fn record(trial: &str, status: &str) -> TrialRecord {
    let json = format!(r#"{{"run_id":"{trial}","agent":{{"status":"{status}"}}}}"#);
    TrialRecord::parse(json.as_bytes()).unwrap()
}

/// A pair at which this trial stands; it cost half a dollar.
pub fn with(pair: Pair, trial: &str, finding: Finding) -> Surveyed {
    let judged = Judged {
        record: record(trial, "Submitted"),
        finding,
        ..made::judged(trial, 0.5)
    };
    made::with(pair, judged)
}

pub fn diagnosis(cause: Cause) -> Diagnosis {
    Diagnosis::new(cause, RuleId::of("a_rule"), "agent.error", "what it said")
}

/// An open pass over these pairs, with the trial that it replaces at each.
pub fn pass(pairs: &[(Pair, Option<&str>)]) -> Pass {
    let pairs = pairs.iter().map(|(pair, was)| Covered {
        pair: pair.clone(),
        was: was.map(str::to_owned),
    });
    Pass {
        begun_at: Timestamp::UNIX_EPOCH,
        pairs: pairs.collect(),
        ..Pass::default()
    }
}

/// A trial that was set aside.
pub fn kept(trial: &str, status: &str) -> KeptTrial {
    KeptTrial {
        name: trial.to_owned(),
        record: record(trial, status),
        is_judged: false,
    }
}

/// The ledger's line of a trial that submitted.
pub fn entry(pair: &Pair, trial: &str) -> LedgerEntry {
    LedgerEntry {
        usage_unknown: false,
        ..made::entry(pair, trial, None)
    }
}

/// A ledger with these lines, and the directory that it is in.
pub fn ledger(entries: &[LedgerEntry]) -> (tempfile::TempDir, Ledger) {
    let dir = tempfile::tempdir().unwrap();
    let run = LogTree::at(dir.path()).run(&"a-solo".parse().unwrap());
    files::create_dir(&run.own()).unwrap();
    let mut ledger = Ledger::open(&run).unwrap();
    for entry in entries {
        ledger.record(entry.clone()).unwrap();
    }
    (dir, ledger)
}
