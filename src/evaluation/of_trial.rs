//! Whether an `eval.json` is of the trial whose result stands beside it. Pure.

use std::time::SystemTime;

use crate::store::eval::EvalFile;
use crate::store::moment::{Moment, MomentOrder};
use crate::store::{LedgerEntry, TrialRecord};

/// Whether a verdict is of the trial whose result stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfTrial {
    /// It is, as far as anything tells.
    Yes,
    /// Taken for it: the times contradict each other, by no more than two zones may differ, or one of
    /// them is not told.
    Unclear,
    /// It is another trial's, and says nothing of this one.
    No,
}

impl From<MomentOrder> for OfTrial {
    fn from(order: MomentOrder) -> Self {
        match order {
            MomentOrder::Kept => Self::Yes,
            MomentOrder::Unclear => Self::Unclear,
            MomentOrder::Reversed => Self::No,
        }
    }
}

/// What can decide whose verdict an `eval.json` holds, the best first.
#[derive(Debug)]
pub struct TrialEvidence<'a> {
    /// The result that stands, with its trial's id and its times.
    pub record: &'a TrialRecord,
    /// What the ledger knows of its trial.
    pub known: Option<&'a LedgerEntry>,
}

impl TrialEvidence<'_> {
    /// Decides. `written` gives when result and verdict were written, by the file system; it is
    /// asked where nothing else tells, as a copy of a tree has other times: one told time is more.
    pub fn decide(
        &self,
        file: &EvalFile,
        written: impl FnOnce() -> [Option<SystemTime>; 2],
    ) -> OfTrial {
        if let Some(own) = &file.regatta {
            return if own.trial == self.record.trial {
                OfTrial::Yes
            } else {
                OfTrial::No
            };
        }
        // Whatever stood beside an earlier result was set aside before we ran the pair.
        if self.known.is_some_and(|entry| entry.attempt.is_some()) {
            return OfTrial::Yes;
        }
        let read = |text: &Option<String>| text.as_deref().and_then(Moment::read);
        let ended = read(&self.record.ended_at).or_else(|| read(&self.record.started_at));
        match (ended, read(&file.evaluated_at)) {
            (Some(ended), Some(judged)) => return ended.before(&judged).into(),
            (None, None) => {}
            _ => return OfTrial::Unclear,
        }
        let [result, verdict] = written();
        if result > verdict {
            OfTrial::No
        } else {
            OfTrial::Yes
        }
    }
}
