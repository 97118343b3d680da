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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::made::{diagnosis, entry, kept, ledger, pair, pass};
    use crate::store::Tag;

    fn failed(trial: &str, cause: Cause) -> LedgerEntry {
        let diagnosis = Some(diagnosis(cause));
        LedgerEntry {
            diagnosis,
            ..entry(&pair(2), trial)
        }
    }

    #[test]
    fn what_the_ledger_says_of_a_trial_goes_before_its_own_words() {
        let void = LedgerEntry {
            void: true,
            ..entry(&pair(2), "void")
        };
        let agents = failed("agents", Cause::Agent);
        let infras = failed("infras", Cause::Infra);
        let (_dir, ledger) = ledger(&[void, agents, infras, entry(&pair(2), "done")]);
        let stands = |kept: &KeptTrial| would_stand(kept, &pair(2), &ledger);
        for (trial, status, wanted) in [
            ("void", "Submitted", false),
            ("agents", "Error", true),
            ("infras", "Submitted", false),
            ("done", "Submitted", true),
            ("done", "Error", false),
            ("unknown", "Submitted", true),
            ("unknown", "Error", false),
        ] {
            assert_eq!(stands(&kept(trial, status)), wanted, "{trial} {status}");
        }
        let mut marked = kept("unknown", "Submitted");
        marked.record.infra_error = true;
        assert!(!stands(&marked));
        for (cause, wanted) in [(Cause::Agent, true), (Cause::Config, false)] {
            let mut tagged = kept("unknown", "Error");
            tagged.record.tag = Some(Tag {
                cause,
                evidence: diagnosis(cause).evidence,
                attempt: None,
                trial: "unknown".to_owned(),
                version: String::new(),
            });
            assert_eq!(stands(&tagged), wanted, "{cause:?}");
        }
    }

    #[test]
    fn the_trial_that_was_recorded_last_comes_back() {
        let lines = ["first", "second"].map(|trial| entry(&pair(2), trial));
        let other = entry(&pair(3), "unknown");
        let (_dir, ledger) = ledger(&[lines[0].clone(), lines[1].clone(), other]);
        let mut aside = vec![
            kept("second", "Submitted"),
            kept("first", "Submitted"),
            kept("unknown", "Submitted"),
        ];
        let chosen =
            |aside: &[KeptTrial]| choose(aside, &pair(2), &ledger).map(|one| one.name.clone());
        assert_eq!(chosen(&aside).as_deref(), Some("second"));
        aside.remove(0);
        assert_eq!(chosen(&aside).as_deref(), Some("first"));
        assert_eq!(chosen(&[kept("first", "Error")]), None);
        assert_eq!(chosen(&[]), None);
    }

    #[test]
    fn of_trials_that_no_ledger_has_the_latest_comes_back() {
        let (_dir, ledger) = ledger(&[]);
        let began = |trial: &str, at: &str| {
            let mut one = kept(trial, "Submitted");
            one.record.started_at = Some(at.to_owned());
            one
        };
        let aside = [
            began("a", "2025-01-02T00:00:00"),
            began("b", "2025-01-01T00:00:00"),
        ];
        let chosen = choose(&aside, &pair(2), &ledger).map(|one| one.name.as_str());
        assert_eq!(chosen, Some("a"));
    }

    #[test]
    fn a_pass_that_is_called_off_gives_back_what_it_replaced() {
        let (_dir, ledger) = ledger(&[]);
        let aside = [
            kept("other", "Submitted"),
            kept("old", "Submitted"),
            kept("broken", "Error"),
        ];
        let covering = |was: Option<&str>| pass(&[(pair(2), was)]);
        let under = |pass: &Pass, standing: Option<&str>| match choose_under(
            pass,
            &aside,
            &pair(2),
            standing,
            &ledger,
        ) {
            Restoring::Back(one) => one.name.clone(),
            Restoring::Stays => "stays".to_owned(),
            Restoring::Nothing => "nothing".to_owned(),
        };
        for (was, standing, wanted) in [
            (Some("old"), Some("old"), "stays"),
            (Some("old"), Some("new"), "old"),
            (Some("old"), None, "old"),
            (Some("broken"), Some("new"), "stays"),
            (None, Some("new"), "stays"),
        ] {
            let came = under(&covering(was), standing);
            assert_eq!(came, wanted, "{was:?} {standing:?}");
        }
        // Without a pass the last of the list is the latest of equals.
        assert_eq!(under(&Pass::default(), Some("new")), "old");
        assert_eq!(under(&covering(None), None), "old");
        let none = choose_under(&Pass::default(), &[], &pair(2), None, &ledger);
        assert!(matches!(none, Restoring::Nothing));
    }
}
