//! Which of the trials that were set aside is brought back. Pure.

use crate::bench::Pair;
use crate::store::aside::KeptTrial;
use crate::store::{Ledger, LedgerEntry, Pass};
use crate::triage::Cause;

/// The trial to bring back: the latest whose result would stand. One that infrastructure or the
/// configuration broke would only run again, so it is brought back by its name alone.
#[must_use]
pub fn choose<'a>(kept: &'a [KeptTrial], pair: &Pair, ledger: &Ledger) -> Option<&'a KeptTrial> {
    kept.iter()
        .filter(|one| would_stand(one, pair, ledger))
        .max_by_key(|one| recorded(one, pair, ledger))
}

/// What is done about one pair.
#[derive(Clone, Debug)]
pub enum Restoring<'a> {
    /// This trial comes back. A result that stands is set aside in turn.
    Back(&'a KeptTrial),
    /// What stands stays, and an open forced pass no longer covers it.
    Stays,
    /// There is nothing to bring back.
    Nothing,
}

/// What is done about a pair where `standing` is the trial that stands.
///
/// Under an open forced pass it is called off: what stood when it was begun comes back, or stays.
/// Where that was nothing, or would only run again, a result that stands by now is not displaced.
#[must_use]
pub fn choose_under<'a>(
    pass: &Pass,
    kept: &'a [KeptTrial],
    pair: &Pair,
    standing: Option<&str>,
    ledger: &Ledger,
) -> Restoring<'a> {
    if pass.covers(pair) {
        if standing.is_some_and(|now| pass.replaces(pair, now)) {
            return Restoring::Stays;
        }
        let was = |one: &&KeptTrial| pass.replaces(pair, &one.record.trial);
        let mut before = kept.iter().filter(was);
        if let Some(one) = before.find(|one| would_stand(one, pair, ledger)) {
            return Restoring::Back(one);
        }
        if standing.is_some() {
            return Restoring::Stays;
        }
    }
    choose(kept, pair, ledger).map_or(Restoring::Nothing, Restoring::Back)
}

/// Whether a trial's result is one that another attempt would leave alone.
#[must_use]
pub fn would_stand(kept: &KeptTrial, pair: &Pair, ledger: &Ledger) -> bool {
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
    kept: &'a KeptTrial,
    pair: &Pair,
    ledger: &Ledger,
) -> (Option<usize>, Option<&'a String>) {
    let is_it = |entry: &LedgerEntry| entry.pair == *pair && entry.trial == kept.record.trial;
    let place = ledger.entries().iter().position(is_it);
    (place, kept.record.started_at.as_ref())
}
