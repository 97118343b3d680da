//! From what stands in the store to lines of the ledger.

use jiff::Timestamp;

use crate::bench::{Pair, Setting, Spending};
use crate::report::survey::Judged;
use crate::store::LedgerEntry;
use crate::store::ledger::CUT_OFF;
use crate::triage::{Cause, Diagnosis, Finding};

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

/// The ledger's line for a trial that was ended before it had a result: of its cost, what was booked
/// while it ran.
#[must_use]
pub fn of_cut_off(
    pair: &Pair,
    setting: Setting,
    attempt: u32,
    why: &str,
    spent: Option<Spending>,
) -> LedgerEntry {
    LedgerEntry {
        trial: format!("cut-off-{attempt}"),
        setting: Some(setting),
        pair: pair.clone(),
        attempt: Some(attempt),
        status: CUT_OFF.to_owned(),
        agents: Vec::new(),
        diagnosis: Some(Diagnosis::new(Cause::Infra, "cut_off", "regatta", why)),
        void: true,
        cost: spent.and_then(|spent| spent.cost),
        // The call that was under way may be billed.
        usage_unknown: true,
        usage: spent.map(|spent| spent.usage),
        started_at: None,
        duration_seconds: None,
        recorded_at: Timestamp::now(),
    }
}
