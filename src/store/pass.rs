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

    /// Goes on over these pairs too, each with what stands there now. One that is closed stays so where
    /// none of them is new to it.
    fn go_on(&mut self, pairs: Vec<Covered>) {
        let is_new = |one: &Covered| self.pairs.iter().all(|it| it.pair != one.pair);
        let more: Vec<Covered> = pairs.into_iter().filter(is_new).collect();
        if !more.is_empty() {
            self.closed_at = None;
        }
        self.pairs.extend(more);
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
/// pairs that are asked for with what stands there. Pure.
///
/// A pass that is open about any of these pairs goes on, in all of the runs: what it made is not made
/// again, and pairs that are asked for now join it. A run whose own pass was closed since the open one
/// was begun has been through that one. If no pass is open about these pairs, another begins, over all
/// of them.
#[must_use]
pub fn forced(runs: Vec<(Option<Pass>, Vec<Covered>)>, now: Timestamp) -> Vec<Pass> {
    let open_since = runs
        .iter()
        .filter_map(|(pass, pairs)| pass.as_ref().filter(|pass| pass.is_about(pairs)))
        .map(|pass| pass.begun_at)
        .min();
    let has_been_through = |pass: &Pass| {
        let closed = pass.closed_at.zip(open_since);
        closed.is_some_and(|(at, since)| at >= since)
    };
    let one = |(pass, pairs): (Option<Pass>, Vec<Covered>)| match pass {
        Some(mut pass) if pass.closed_at.is_none() || has_been_through(&pass) => {
            if pass.closed_at.is_none() && !pass.is_about(&pairs) {
                pass.begun_at = now;
            }
            pass.go_on(pairs);
            pass
        }
        _ => Pass {
            begun_at: now,
            pairs,
            ..Pass::default()
        },
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
        forced(vec![(None, pairs(standing))], at(second)).remove(0)
    }

    #[test]
    fn an_open_pass_goes_on_and_a_closed_one_is_followed_by_another() {
        let open = begun(1, &[(1, "a"), (2, "b")]);
        let now = pairs(&[(1, "new"), (2, "b"), (3, "c")]);
        let mut again = forced(vec![(Some(open), now.clone())], at(2)).remove(0);
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
        let next = forced(vec![(Some(again), now.clone())], at(4)).remove(0);
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
        let passes = forced(runs, at(5));
        assert_eq!(passes[0], through, "what it finished is set aside again");
        assert!(passes[1].replaces(&stands[0].pair, "a"));
        assert!(passes[2].replaces(&stands[0].pair, "z"));
    }

    #[test]
    fn a_pass_over_other_pairs_keeps_them_while_these_begin_anew() {
        let open = begun(1, &[(1, "a"), (2, "b")]);
        let passes = forced(vec![(Some(open), pairs(&[(3, "c")]))], at(2));
        assert!(passes[0].replaces(&pairs(&[(1, "")])[0].pair, "a"));
        assert!(passes[0].replaces(&pairs(&[(3, "")])[0].pair, "c"));
    }

    /// All of it done.
    fn done(mut pass: Pass, second: i64) -> Pass {
        let all: Vec<Pair> = pass.pairs.iter().map(|it| it.pair.clone()).collect();
        pass.leave(&all, at(second));
        assert!(pass.closed_at.is_some());
        pass
    }

    #[test]
    fn a_pass_that_is_done_is_followed_by_one_over_all_that_is_asked_for() {
        let of_two = done(begun(1, &[(1, "a"), (2, "b")]), 2);
        let now = pairs(&[(1, "new"), (2, "newer"), (3, "c"), (4, "d")]);
        // As many as before, more of them, and fewer.
        for asked in [&now[..2], &now[..], &now[..1]] {
            let next = forced(vec![(Some(of_two.clone()), asked.to_vec())], at(5)).remove(0);
            assert_eq!((next.begun_at, next.closed_at), (at(5), None));
            assert_eq!(next.pairs, asked);
        }
    }

    #[test]
    fn an_open_pass_is_gone_on_with_by_who_asks_for_more() {
        let open = begun(1, &[(1, "a"), (2, "b")]);
        let now = pairs(&[(1, "new"), (2, "b"), (3, "c")]);
        let all = forced(vec![(Some(open), now.clone())], at(5)).remove(0);
        assert_eq!((all.begun_at, all.closed_at), (at(1), None));
        let left = now.iter().map(|one| {
            let was = one.was.as_deref().unwrap();
            all.replaces(&one.pair, was)
        });
        assert_eq!(left.collect::<Vec<_>>(), [false, true, true]);
        // Killed and given again, it goes on.
        let again = forced(vec![(Some(all.clone()), now)], at(6)).remove(0);
        assert_eq!(again, all);
    }

    #[test]
    fn a_run_that_has_been_through_with_some_pairs_is_forced_for_the_others() {
        let open = begun(1, &[(1, "a"), (2, "b")]);
        let through = done(begun(2, &[(1, "x")]), 3);
        let asked = pairs(&[(1, "new"), (2, "y")]);
        let runs = vec![
            (Some(open), pairs(&[(1, "a")])),
            (Some(through), asked.clone()),
        ];
        let passes = forced(runs, at(5));
        assert!(!passes[1].replaces(&asked[0].pair, "new"));
        assert!(passes[1].replaces(&asked[1].pair, "y"));
    }

    #[test]
    fn a_whole_pass_that_is_open_stays_whole_whatever_part_goes_on_with_it() {
        let open = begun(1, &[(1, "a"), (2, "b")]);
        let one = pairs(&[(1, "a")]);
        let passes = forced(vec![(Some(open.clone()), one)], at(2));
        assert_eq!(passes, [open]);
    }
}
