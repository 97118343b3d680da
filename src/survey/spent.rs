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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::survey::made::{entry, judged, pair, with};
    use crate::survey::surveyed::at;

    /// What these trials and pairs have cost: USD, how many of unknown cost, how many not listed.
    fn told(trials: &[LedgerEntry], surveyed: &[Surveyed]) -> (f64, usize, usize) {
        let spent = spent(trials.iter(), surveyed);
        (spent.total.usd, spent.total.unknown, spent.unlisted)
    }

    #[test]
    fn a_result_is_counted_once_whether_the_ledger_has_it_or_not() {
        let trials = [
            entry(&pair(2), "mole", Some(1.0)),
            entry(&pair(2), "rat", Some(0.25)),
            entry(&pair(3), "toad", None),
        ];
        assert_eq!(told(&trials, &[]), (1.25, 1, 0));
        let listed = with(pair(2), judged("mole", 1.0));
        assert_eq!(told(&trials, std::slice::from_ref(&listed)), (1.25, 1, 0));
        let unlisted = with(pair(4), judged("otter", 0.5));
        let missing = at(pair(5), Standing::Missing);
        assert_eq!(told(&trials, &[listed, unlisted, missing]), (1.75, 1, 1));
    }

    #[test]
    fn a_trial_of_the_same_name_in_another_pair_is_another_trial() {
        let trials = [entry(&pair(2), "mole", Some(1.0))];
        let surveyed = [with(pair(3), judged("mole", 1.0))];
        assert_eq!(told(&trials, &surveyed), (2.0, 0, 1));
    }

    #[test]
    fn an_unreadable_result_costs_something_unknown_unless_its_pair_was_booked() {
        let unreadable = [at(pair(2), Standing::Unreadable("a list".to_owned()))];
        assert_eq!(told(&[], &unreadable), (0.0, 1, 1));
        let of_pair = [entry(&pair(2), "mole", Some(1.0))];
        assert_eq!(told(&of_pair, &unreadable), (1.0, 0, 0));
        let of_another = [entry(&pair(3), "mole", Some(1.0))];
        assert_eq!(told(&of_another, &unreadable), (1.0, 1, 1));
    }
}
