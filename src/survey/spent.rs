//! What a run has cost, whoever asks: a report, `status`, a budget. Pure.

use std::collections::{HashMap, HashSet};

use super::surveyed::{Standing, Surveyed};
use crate::bench::Cost;
use crate::model::price::Total;
use crate::store::LedgerEntry;

/// What the trials of a run have cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// Of every trial that is recorded, and of results that are not.
    pub total: Total,
    /// How many of them are results that stand without a line in the ledger.
    pub unlisted: usize,
}

/// What these trials have cost, and the results that stand and are not of them.
#[must_use]
pub fn spent<'a>(trials: impl Iterator<Item = &'a LedgerEntry>, surveyed: &'a [Surveyed]) -> Spent {
    let mut spent = Spent::default();
    let total = &mut spent.total;
    let (mut recorded, mut tried) = (HashMap::new(), HashSet::new());
    for entry in trials {
        total.add(entry.cost());
        if !surveyed.is_empty() {
            // A result that names no trial of its own may have a namesake in another pair.
            recorded.insert((&entry.pair, entry.trial.as_str()), entry);
            tried.insert(&entry.pair);
        }
    }
    for surveyed in surveyed {
        let pair = &surveyed.pair;
        match &surveyed.standing {
            Standing::Missing => {}
            // What was booked of its pair may be of this trial, and then has its cost.
            Standing::Unreadable(_) if tried.contains(pair) => {}
            Standing::Unreadable(_) => {
                total.add(Cost::UNKNOWN);
                spent.unlisted += 1;
            }
            Standing::Result(judged) => {
                let booked = recorded.get(&(pair, judged.record.trial.as_str()));
                total.add(judged.unbooked(booked.copied()));
                spent.unlisted += usize::from(booked.is_none());
            }
        }
    }
    spent
}
