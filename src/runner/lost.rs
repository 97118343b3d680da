//! Trials that are lost with the workers that ran them. Pure.

use std::collections::BTreeMap;

use super::watching::RunningAttempt;
use crate::bench::{Pair, RuleId};
use crate::engine::AttemptEnd;

/// How often a pair may be lost in one command before its attempts count: what it does may be what
/// ends its workers.
const MOST: u32 = 3;

/// How often each pair was lost in this command.
#[derive(Debug, Default)]
pub(super) struct Losses(BTreeMap<Pair, u32>);

impl Losses {
    /// Notes what an attempt that ended so has lost. Whether that is all that failed in it: then it
    /// was no try of its pairs, and counts for none. One in which no trial finished counts, so that
    /// machines on which nothing can run end the run.
    pub fn are_all_that_failed(&mut self, end: &AttemptEnd, running: &RunningAttempt) -> bool {
        let mut most = 0;
        for pair in &running.lost {
            let count = self.0.entry(pair.clone()).or_default();
            *count += 1;
            most = most.max(*count);
        }
        let is_lost = (1..MOST).contains(&most);
        is_lost && *end == AttemptEnd::Done && running.infra == 0 && running.finished > 0
    }
}

/// The rule that a lost trial is booked by; a name that the code does not have is a later version's.
pub(super) fn rule(name: &str) -> RuleId {
    let mut named = RuleId::NAMED.iter();
    let known = named.find(|rule| rule.as_str() == name);
    known.cloned().unwrap_or(RuleId::CUT_OFF)
}
