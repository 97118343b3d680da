//! A forced pass: what `--force` began over the pairs of a run, kept until all of it is done.
//!
//! Without it, `--force` given again after an interrupt could not tell the results that it made
//! itself from those that it was told to replace.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::bench::{Pair, RuleSet, Word};
use crate::error::{Error, Result};
use crate::files;

/// A pass names at most every pair of the dataset; this is far above that.
const MAX_BYTES: u64 = 64_000_000;

/// A forced pass over the pairs of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// When it was begun, by this machine's clock.
    pub begun_at: Timestamp,
    /// When all of it was done; none while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// The rule set, of a pass that judges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Word<RuleSet>>,
    /// Whether only some pairs of its run were asked for: who asks for more goes on with it, also where
    /// it is closed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_part: bool,
    /// The pairs that it covers.
    pub pairs: Vec<Covered>,
}

/// A pair that a pass covers, with what it replaces there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covered {
    /// The pair that is to be made anew.
    #[serde(flatten)]
    pub pair: Pair,
    /// What stood when the pass was begun: a trial's id, or the SHA-256 of an `eval.json`. Whatever
    /// else stands later was made by the pass.
    pub was: Option<String>,
}

impl Default for Pass {
    /// No pass: it covers no pair, and so replaces nothing.
    fn default() -> Self {
        Self {
            begun_at: Timestamp::UNIX_EPOCH,
            closed_at: None,
            rules: None,
            is_part: false,
            pairs: Vec::new(),
        }
    }
}

impl Pass {
    /// The pass that a file holds, closed or not; none when there is no file.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let Some(bytes) = files::read_up_to(path, MAX_BYTES)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            Error::usage(format!("{} cannot be read: {error}", path.display()))
                .hint("it says which results a forced pass has still to replace; remove it to let all that stands stand")
        })
    }

    /// The pass of a file that is still open; one over nothing when there is none.
    pub fn read_open(path: &Path) -> Result<Self> {
        let pass = Self::read(path)?;
        Ok(pass
            .filter(|pass| pass.closed_at.is_none())
            .unwrap_or_default())
    }

    /// Writes it to `path`, whose directory is made.
    pub fn write(&self, path: &Path) -> Result<()> {
        if let Some(dir) = path.parent() {
            files::create_dir(dir)?;
        }
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::world(format!("cannot write {}: {error}", path.display())))?;
        text.push('\n');
        files::write_atomic(path, text.as_bytes())
    }

    /// Whether it is still to be done and covers this pair.
    #[must_use]
    pub fn covers(&self, pair: &Pair) -> bool {
        self.open().iter().any(|covered| covered.pair == *pair)
    }

    /// Whether what stands at a pair is what it was begun to replace.
    #[must_use]
    pub fn replaces(&self, pair: &Pair, now: &str) -> bool {
        // A run of upstream's may have a pair twice, of one agent and of two: each with its own.
        let mut open = self.open().iter();
        open.any(|covered| covered.pair == *pair && covered.was.as_deref() == Some(now))
    }

    /// Has it replace this too at a pair that it covers.
    pub fn begin_at(&mut self, pair: &Pair, was: Option<String>) {
        let is_known = was.as_ref().is_some_and(|was| self.replaces(pair, was));
        if self.covers(pair) && !is_known {
            let pair = pair.clone();
            self.pairs.push(Covered { pair, was });
        }
    }

    /// What it covers: a closed one nothing any more.
    fn open(&self) -> &[Covered] {
        if self.closed_at.is_none() {
            &self.pairs
        } else {
            &[]
        }
    }

    /// Whether it is open and covers any of these pairs.
    fn is_about(&self, pairs: &[Covered]) -> bool {
        self.closed_at.is_none() && pairs.iter().any(|covered| self.covers(&covered.pair))
    }

    /// Whether it is done for some pairs of its run, and others of these are asked for now.
    fn is_part_of(&self, pairs: &[Covered]) -> bool {
        let is_known = |one: &Covered| self.pairs.iter().any(|it| it.pair == one.pair);
        self.is_part && self.closed_at.is_some() && !pairs.iter().all(is_known)
    }

    /// Goes on over these pairs too, each with what stands there now.
    fn go_on(&mut self, pairs: Vec<Covered>) {
        let is_new = |one: &Covered| self.pairs.iter().all(|it| it.pair != one.pair);
        let more: Vec<Covered> = pairs.into_iter().filter(is_new).collect();
        self.pairs.extend(more);
        self.closed_at = None;
    }

    /// Takes pairs out of it; with the last one it is closed.
    pub fn leave(&mut self, pairs: &[Pair], now: Timestamp) {
        let rest: Vec<Covered> = self
            .pairs
            .iter()
            .filter(|covered| !pairs.contains(&covered.pair))
            .cloned()
            .collect();
        if rest.is_empty() {
            self.closed_at = Some(now);
        } else {
            self.pairs = rest;
        }
    }
}

/// What `--force` means for runs that are asked for together: for each run its pass so far, and the
/// pairs that are asked for with what stands there; and whether these are only a part of the run's.
/// Pure.
///
/// An open pass goes on, in all of the runs; only where none of them has one, a new one begins. A
/// run whose own pass was closed since the open one was begun has been through it. A pass over a part
/// of a run goes on when more of the run is asked for: what it made is not made again.
#[must_use]
pub fn forced(runs: Vec<(Option<Pass>, Vec<Covered>)>, is_part: bool, now: Timestamp) -> Vec<Pass> {
    let open_since = runs
        .iter()
        .filter_map(|(pass, pairs)| pass.as_ref().filter(|pass| pass.is_about(pairs)))
        .map(|pass| pass.begun_at)
        .min();
    let one = |(pass, pairs): (Option<Pass>, Vec<Covered>)| match pass {
        Some(mut pass) if pass.is_part_of(&pairs) => {
            pass.go_on(pairs);
            pass.is_part = is_part;
            pass
        }
        Some(pass)
            if pass
                .closed_at
                .is_some_and(|at| open_since.is_some_and(|since| at >= since)) =>
        {
            pass
        }
        Some(mut pass) if pass.closed_at.is_none() => {
            if !pass.is_about(&pairs) {
                pass.begun_at = now;
            }
            pass.go_on(pairs);
            pass.is_part &= is_part;
            pass
        }
        pass => {
            let mut anew = Pass {
                begun_at: now,
                is_part,
                pairs,
                ..Pass::default()
            };
            // Of a part that is made once more, the rest of that part stays made.
            if let Some(part) = pass.filter(|pass| pass.is_part && is_part) {
                anew.go_on(part.pairs);
            }
            anew
        }
    };
    runs.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::TaskKey;

    /// In a run of upstream's, one pair can have a verdict of one agent and one of two.
    #[test]
    fn a_pair_that_is_there_twice_is_replaced_twice() {
        let pair = Pair::new(TaskKey::new("a_task", 1), 1, 2);
        let of = |was: &str| Covered {
            pair: pair.clone(),
            was: Some(was.to_owned()),
        };
        let pass = Pass {
            pairs: vec![of("solo"), of("coop")],
            ..Pass::default()
        };
        assert!(pass.replaces(&pair, "solo") && pass.replaces(&pair, "coop"));
        assert!(!pass.replaces(&pair, "new"));
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn pairs(standing: &[(u64, &str)]) -> Vec<Covered> {
        let one = |(task, was): &(u64, &str)| Covered {
            pair: Pair::new(TaskKey::new("barge_task", *task), 1, 2),
            was: Some((*was).to_owned()),
        };
        standing.iter().map(one).collect()
    }

    fn begun(second: i64, standing: &[(u64, &str)]) -> Pass {
        forced(vec![(None, pairs(standing))], false, at(second)).remove(0)
    }

    #[test]
    fn an_open_pass_goes_on_and_a_closed_one_is_followed_by_another() {
        let open = begun(1, &[(1, "a"), (2, "b")]);
        let now = pairs(&[(1, "new"), (2, "b"), (3, "c")]);
        let mut again = forced(vec![(Some(open), now.clone())], false, at(2)).remove(0);
        assert_eq!(again.begun_at, at(1));
        let task = |n: usize| &now[n].pair;
        assert!(
            !again.replaces(task(0), "new"),
            "its own result is paid again"
        );
        assert!(again.replaces(task(1), "b"));
        assert!(again.replaces(task(2), "c"), "a pair that came later joins");
        again.leave(
            &now.iter().map(|it| it.pair.clone()).collect::<Vec<_>>(),
            at(3),
        );
        let next = forced(vec![(Some(again), now.clone())], false, at(4)).remove(0);
        assert_eq!((next.begun_at, next.closed_at), (at(4), None));
        assert!(next.replaces(task(0), "new"));
    }

    #[test]
    fn runs_of_one_command_are_forced_once_each() {
        let open = begun(1, &[(1, "a")]);
        let mut through = open.clone();
        through.leave(&[through.pairs[0].pair.clone()], at(2));
        let stands = pairs(&[(1, "new")]);
        let runs = vec![
            (Some(through.clone()), stands.clone()),
            (Some(open), pairs(&[(1, "a")])),
            // Killed before its file was written.
            (None, pairs(&[(1, "z")])),
        ];
        let passes = forced(runs, false, at(5));
        assert_eq!(passes[0], through, "what it finished is set aside again");
        assert!(passes[1].replaces(&stands[0].pair, "a"));
        assert!(passes[2].replaces(&stands[0].pair, "z"));
    }

    #[test]
    fn a_pass_over_other_pairs_keeps_them_while_these_begin_anew() {
        let open = begun(1, &[(1, "a"), (2, "b")]);
        let passes = forced(vec![(Some(open), pairs(&[(3, "c")]))], false, at(2));
        assert!(passes[0].replaces(&pairs(&[(1, "")])[0].pair, "a"));
        assert!(passes[0].replaces(&pairs(&[(3, "")])[0].pair, "c"));
    }

    /// Done over some pairs of a run.
    fn part(second: i64, standing: &[(u64, &str)]) -> Pass {
        let mut pass = forced(vec![(None, pairs(standing))], true, at(second)).remove(0);
        let all: Vec<Pair> = pass.pairs.iter().map(|it| it.pair.clone()).collect();
        pass.leave(&all, at(second + 1));
        assert!(pass.is_part && pass.closed_at.is_some());
        pass
    }

    #[test]
    fn a_part_that_is_done_is_not_made_again_by_who_asks_for_more() {
        let part = part(1, &[(1, "a")]);
        let now = pairs(&[(1, "new"), (2, "b")]);
        for is_part in [true, false] {
            let runs = vec![(Some(part.clone()), now.clone())];
            let all = forced(runs, is_part, at(5)).remove(0);
            assert_eq!((all.begun_at, all.closed_at), (at(1), None));
            assert_eq!(all.is_part, is_part);
            assert!(!all.replaces(&now[0].pair, "new"));
            assert!(all.replaces(&now[1].pair, "b"));
        }
        // Killed and given again, it goes on.
        let all = forced(vec![(Some(part), now.clone())], false, at(5)).remove(0);
        let again = forced(vec![(Some(all.clone()), now)], false, at(6)).remove(0);
        assert_eq!(again, all);
    }

    #[test]
    fn a_part_that_is_asked_for_again_begins_again_and_the_rest_of_it_stays_made() {
        let part = part(1, &[(1, "a"), (2, "b")]);
        let now = pairs(&[(1, "new"), (2, "newer")]);
        let again = forced(vec![(Some(part), now[..1].to_vec())], true, at(5)).remove(0);
        assert_eq!((again.begun_at, again.closed_at), (at(5), None));
        assert!(again.is_part && again.replaces(&now[0].pair, "new"));
        assert!(!again.replaces(&now[1].pair, "newer"));
        // By who asks for all, all is made again.
        let whole = forced(vec![(Some(again.clone()), now.clone())], false, at(6)).remove(0);
        assert!(!whole.is_part && !whole.replaces(&now[1].pair, "newer"));
    }

    #[test]
    fn a_whole_pass_that_is_open_stays_whole_whatever_part_goes_on_with_it() {
        let open = begun(1, &[(1, "a"), (2, "b")]);
        let one = pairs(&[(1, "a")]);
        let passes = forced(vec![(Some(open.clone()), one)], true, at(2));
        assert_eq!(passes, [open]);
    }
}
