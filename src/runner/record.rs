//! From what stands in the store to lines of the ledger.

use jiff::Timestamp;

use crate::bench::{Pair, Setting};
use crate::store::LedgerEntry;
use crate::survey::Judged;
use crate::triage::Finding;

/// The ledger's line for a trial that has a result.
#[must_use]
pub fn of_result(
    pair: &Pair,
    setting: impl Into<Option<Setting>>,
    attempt: Option<u32>,
    judged: &Judged,
) -> LedgerEntry {
    let record = &judged.record;
    LedgerEntry {
        trial: record.trial.clone(),
        setting: setting.into(),
        pair: pair.clone(),
        attempt,
        status: record.status(),
        agents: record.agents.clone(),
        diagnosis: judged.finding.diagnosis().cloned(),
        void: matches!(judged.finding, Finding::OnlyLooksFinished(_)),
        cost: judged.spent().usd,
        usage_unknown: judged.cost.is_partial,
        usage: judged.usage,
        started_at: record.started_at.clone(),
        duration_seconds: record.duration_seconds,
        recorded_at: Timestamp::now(),
    }
}
