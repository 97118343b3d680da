//! Which of the trials that were set aside is brought back. Pure.

use crate::bench::Pair;
use crate::store::aside::Kept;
use crate::store::{Ledger, LedgerEntry};
use crate::triage::Cause;

/// The trial to bring back: the latest whose result would stand. One that infrastructure or the
/// configuration broke would only run again, so it is brought back by its name alone.
#[must_use]
pub fn choose<'a>(kept: &'a [Kept], pair: &Pair, ledger: &Ledger) -> Option<&'a Kept> {
    kept.iter()
        .filter(|one| would_stand(one, pair, ledger))
        .max_by_key(|one| recorded(one, pair, ledger))
}

/// Whether a trial's result is one that another attempt would leave alone.
#[must_use]
pub fn would_stand(kept: &Kept, pair: &Pair, ledger: &Ledger) -> bool {
    let cause = match ledger.find(pair, &kept.record.trial) {
        Some(entry) if entry.void => return false,
        Some(entry) => entry.diagnosis.as_ref().map(|diagnosis| diagnosis.cause),
        None => kept.record.tag.as_ref().map(|tag| tag.cause),
    };
    match cause {
        Some(cause) => cause == Cause::Agent,
        None => !kept.record.is_error() && !kept.record.infra_error,
    }
}

/// When a trial was recorded: its place in the ledger, which comes before none; then when it began.
fn recorded<'a>(
    kept: &'a Kept,
    pair: &Pair,
    ledger: &Ledger,
) -> (Option<usize>, Option<&'a String>) {
    let is_it = |entry: &LedgerEntry| entry.pair == *pair && entry.trial == kept.record.trial;
    let place = ledger.entries().iter().position(is_it);
    (place, kept.record.started_at.as_ref())
}
