//! What is said of a forced pass: how far it is, and what it sets aside. Pure.

use std::fmt;

use super::Plan;
use crate::bench::RunName;
use crate::hint;
use crate::model::price::Total;
use crate::store::Pass;
use crate::survey::{Standing, Surveyed};
use crate::text::{by_number, plural};

/// Results, counted: how many, how many of them have a verdict, and what they cost.
#[derive(Clone, Debug, Default)]
pub struct ForcedWorth {
    /// How many pairs have a result.
    pub pairs: usize,
    /// Those of them with a verdict.
    pub judged: usize,
    /// What the trials of these results cost, in USD as far as known.
    pub cost: Total,
}

impl ForcedWorth {
    /// The worth of the results among these.
    #[must_use]
    pub fn of<'a>(surveyed: impl Iterator<Item = &'a Surveyed>) -> Self {
        let mut worth = Self::default();
        for one in surveyed {
            if let Standing::Result(judged) = &one.standing {
                worth.pairs += 1;
                worth.judged += usize::from(one.verdict.is_some());
                worth.cost.add(judged.cost);
            }
        }
        worth
    }
}

impl fmt::Display for ForcedWorth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { judged, cost, .. } = self;
        let results = plural(self.pairs, "result");
        write!(f, "{results} ({judged} judged, cost {cost})")
    }
}

/// Whether a pass has still to replace what stands at a pair.
#[must_use]
pub fn is_replaced(pass: &Pass, surveyed: &Surveyed) -> bool {
    match &surveyed.standing {
        Standing::Result(judged) => pass.replaces(&surveyed.pair, &judged.record.trial),
        _ => false,
    }
}

/// How far a pass is that goes on; nothing of one that begins.
#[must_use]
pub fn progress(run: &RunName, pass: &Pass, surveyed: &[Surveyed], plan: &Plan) -> Option<String> {
    let covered: Vec<&Surveyed> = surveyed
        .iter()
        .filter(|one| pass.covers(&one.pair))
        .collect();
    let is_done = |one: &&&Surveyed| !plan.to_run.contains(&one.pair);
    let done = covered.iter().filter(is_done).count();
    (done > 0).then(|| {
        format!(
            "{run}: the forced pass begun at {:.0} goes on: {done} of its {} finished, and {}",
            pass.begun_at,
            plural(covered.len(), "pair"),
            by_number(done, "stands", "stand"),
        )
    })
}

/// What a pass sets aside, with its worth and the way back.
#[must_use]
pub fn set_aside(run: &RunName, pass: &Pass, surveyed: &[Surveyed]) -> Option<String> {
    let worth = ForcedWorth::of(surveyed.iter().filter(|one| is_replaced(pass, one)));
    (worth.pairs > 0).then(|| {
        let back = hint::command(&format!("restore {run}"));
        let them = by_number(worth.pairs, "it", "them");
        format!("{run}: --force sets aside {worth}; `{back}` brings {them} back")
    })
}

/// What is said where a pass is open and `--force` is not given: what it has still to replace stands.
#[must_use]
pub fn held(run: &RunName, pass: &Pass, surveyed: &[Surveyed]) -> Option<String> {
    let left = surveyed.iter().filter(|one| is_replaced(pass, one)).count();
    (left > 0).then(|| {
        format!(
            "{run}: a forced pass begun at {:.0} is open: {left} of its {} left, whose {}; --force goes on with it",
            pass.begun_at,
            plural(pass.pairs.len(), "pair"),
            by_number(left, "result stands", "results stand"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::Verdict;
    use crate::runner::made::{at, pair, pass, with};
    use crate::triage::Finding;

    /// Two pairs with their old results, one of them judged; one with a new one; one with none.
    fn surveyed() -> Vec<Surveyed> {
        let mut judged = with(pair(2), "old", Finding::Finished);
        judged.verdict = Some(Verdict::Pass);
        vec![
            judged,
            with(pair(3), "old", Finding::Finished),
            with(pair(4), "new", Finding::Finished),
            at(pair(5), Standing::Missing),
        ]
    }

    fn begun() -> Pass {
        pass(&[2, 3, 4, 5].map(|n| (pair(n), Some("old"))))
    }

    fn run() -> RunName {
        "a-solo".parse().unwrap()
    }

    #[test]
    fn the_worth_of_results_is_their_verdicts_and_their_cost() {
        let worth = ForcedWorth::of(surveyed().iter());
        assert_eq!((worth.pairs, worth.judged), (3, 1));
        assert_eq!(worth.to_string(), "3 results (1 judged, cost $1.50)");
    }

    #[test]
    fn a_pass_replaces_only_what_stood_when_it_was_begun() {
        let is = surveyed()
            .into_iter()
            .map(|one| is_replaced(&begun(), &one));
        assert_eq!(is.collect::<Vec<_>>(), [true, true, false, false]);
    }

    #[test]
    fn a_pass_that_goes_on_says_how_far_it_is() {
        let pass = begun();
        let plan = Plan::of(&surveyed(), false, &pass);
        let told = progress(&run(), &pass, &surveyed(), &plan);
        assert_eq!(
            told.as_deref(),
            Some(
                "a-solo: the forced pass begun at 1970-01-01T00:00:00Z goes on: 1 of its 4 pairs finished, and stands"
            )
        );
        let fresh = &surveyed()[..2];
        let plan = Plan::of(fresh, false, &pass);
        assert_eq!(progress(&run(), &pass, fresh, &plan), None);
        // Pairs that it does not cover are not its own.
        let none = Pass::default();
        let plan = Plan::of(&surveyed(), false, &none);
        assert_eq!(progress(&run(), &none, &surveyed(), &plan), None);
    }

    #[test]
    fn what_is_set_aside_is_told_with_the_way_back() {
        let told = set_aside(&run(), &begun(), &surveyed());
        assert_eq!(
            told.as_deref(),
            Some(
                "a-solo: --force sets aside 2 results (1 judged, cost $1.00); `regatta restore a-solo` brings them back"
            )
        );
        assert_eq!(set_aside(&run(), &begun(), &surveyed()[2..]), None);
    }

    #[test]
    fn an_open_pass_is_told_while_old_results_stand() {
        let told = held(&run(), &begun(), &surveyed());
        assert_eq!(
            told.as_deref(),
            Some(
                "a-solo: a forced pass begun at 1970-01-01T00:00:00Z is open: 2 of its 4 pairs left, whose results stand; --force goes on with it"
            )
        );
        assert_eq!(held(&run(), &begun(), &surveyed()[2..]), None);
    }
}
