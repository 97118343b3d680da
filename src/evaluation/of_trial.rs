//! Whether an `eval.json` is of the trial whose result stands beside it. Pure.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::store::eval::EvalFile;
use crate::store::{LedgerEntry, TrialRecord};

/// Local times of two places, or of two halves of a year, are less than this apart.
const UNCLEAR_HOURS: i64 = 24;

/// Whose verdict it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfTrial {
    /// The standing trial's.
    Yes,
    /// Taken for it: the times contradict each other, by no more than two zones may differ.
    Unclear,
    /// Another trial's.
    No,
}

/// What can decide whose verdict an `eval.json` holds, the best first.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// The result that stands.
    pub record: &'a TrialRecord,
    /// What the ledger knows of its trial.
    pub known: Option<&'a LedgerEntry>,
}

impl Evidence<'_> {
    /// Decides. `written` gives when result and verdict were written, by the file system; it is
    /// asked where nothing else tells, as a copy of a tree has other times.
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
        let ended = self.record.ended_at.as_deref();
        let ended = ended.or(self.record.started_at.as_deref());
        let by_times = ended.zip(file.evaluated_at.as_deref());
        if let Some(decided) = by_times.and_then(|(ended, judged)| compare(ended, judged)) {
            return decided;
        }
        let [result, verdict] = written();
        if result > verdict {
            OfTrial::No
        } else {
            OfTrial::Yes
        }
    }
}

/// Compares when a trial ended with when it was judged; `None` where one of them is no time.
fn compare(ended: &str, judged: &str) -> Option<OfTrial> {
    let zoned = |text: &str| text.parse::<Timestamp>().ok();
    if let (Some(ended), Some(judged)) = (zoned(ended), zoned(judged)) {
        return Some(if judged < ended {
            OfTrial::No
        } else {
            OfTrial::Yes
        });
    }
    let local = |text: &str| text.trim_end_matches(['Z', 'z']).parse::<DateTime>().ok();
    let (ended, judged) = (local(ended)?, local(judged)?);
    let early = ended.duration_since(judged);
    Some(if early.as_secs() >= UNCLEAR_HOURS * 3600 {
        OfTrial::No
    } else if early.is_positive() {
        OfTrial::Unclear
    } else {
        OfTrial::Yes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_without_a_zone_decide_from_a_day_on() {
        for (ended, judged, wanted) in [
            (
                "2026-03-02T10:00:00.5",
                "2026-03-02T10:00:00.5",
                Some(OfTrial::Yes),
            ),
            (
                "2026-03-02T10:00:00.5",
                "2026-03-02T10:00:00.4",
                Some(OfTrial::Unclear),
            ),
            (
                "2026-03-02T10:00:00",
                "2026-03-01T10:00:01",
                Some(OfTrial::Unclear),
            ),
            (
                "2026-03-02T10:00:00",
                "2026-03-01T10:00:00",
                Some(OfTrial::No),
            ),
            (
                "2026-03-02T10:00:00",
                "2027-03-02T10:00:00",
                Some(OfTrial::Yes),
            ),
            // With a zone each there is nothing unclear.
            (
                "2026-03-02T10:00:00+02:00",
                "2026-03-02T08:30:00Z",
                Some(OfTrial::Yes),
            ),
            (
                "2026-03-02T10:00:00+02:00",
                "2026-03-02T07:30:00Z",
                Some(OfTrial::No),
            ),
            // With a zone for one of them there is.
            (
                "2026-03-02T10:00:00",
                "2026-03-02T07:30:00Z",
                Some(OfTrial::Unclear),
            ),
            (
                "2026-03-02 10:00:00",
                "2026-03-02 11:00:00",
                Some(OfTrial::Yes),
            ),
            ("yesterday", "2026-03-02T07:30:00", None),
            ("2026-03-02T07:30:00", "", None),
        ] {
            assert_eq!(compare(ended, judged), wanted, "{ended} and {judged}");
        }
    }
}
