//! Times as the files of a log tree have them: texts without a zone, and by other hands texts with
//! one, as C prints them, or numbers.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Local times of two places, or of two halves of a year, are less than this apart.
const UNCLEAR: SignedDuration = SignedDuration::from_hours(24);

/// How C's `ctime` prints a time, and with it Python and `date`.
const OF_C: &str = "%a %b %e %H:%M:%S %Y";

/// Seconds since 1970 that a run can have ended at: from 2001 to 2286. As milliseconds, a thousand
/// times that.
const SECONDS: std::ops::Range<f64> = 1e9..1e10;

/// A time that a file tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The moment itself, where the zone is told.
    at: Option<Timestamp>,
    /// The time of day, wherever that was.
    local: DateTime,
}

/// In which order two moments are that must follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MomentOrder {
    /// The first is not after the second.
    Kept,
    /// In the other one, by no more than two zones may differ.
    Unclear,
    /// The first is after the second, and no zones explain that.
    Reversed,
}

impl Moment {
    /// Reads a time; `None` where it is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let local = |text: &str| text.parse::<DateTime>().ok();
        if let Some(at) = text.parse().ok().or_else(|| since_1970(text)) {
            let local = local(text.trim_end_matches(['Z', 'z']));
            let local = local.unwrap_or_else(|| TimeZone::UTC.to_datetime(at));
            return Some(Self {
                at: Some(at),
                local,
            });
        }
        let local = local(text).or_else(|| DateTime::strptime(OF_C, text).ok())?;
        Some(Self { at: None, local })
    }

    /// The time of day as the file tells it, wherever that was.
    #[must_use]
    pub const fn local(&self) -> DateTime {
        self.local
    }

    /// The moment itself; a time without a zone is one of this machine's.
    #[must_use]
    pub fn timestamp(&self) -> Option<Timestamp> {
        let here = || Some(self.local.to_zoned(TimeZone::system()).ok()?.timestamp());
        self.at.or_else(here)
    }

    /// Whether this comes before the other.
    #[must_use]
    pub fn before(&self, other: &Self) -> MomentOrder {
        let (early, most) = match (self.at, other.at) {
            (Some(this), Some(other)) => (this.duration_since(other), SignedDuration::ZERO),
            _ => (self.local.duration_since(other.local), UNCLEAR),
        };
        if !early.is_positive() {
            MomentOrder::Kept
        } else if early < most {
            MomentOrder::Unclear
        } else {
            MomentOrder::Reversed
        }
    }
}

/// A number of seconds, or of milliseconds, as Python and Node count them.
fn since_1970(text: &str) -> Option<Timestamp> {
    let number: f64 = text.parse().ok()?;
    let seconds = [number, number / 1000.0]
        .into_iter()
        .find(|seconds| SECONDS.contains(seconds))?;
    let since = SignedDuration::try_from_secs_f64(seconds).ok()?;
    Timestamp::from_duration(since).ok()
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
                MomentOrder::Kept,
            ),
            (
                "2026-03-02T10:00:00.5",
                "2026-03-02T10:00:00.4",
                MomentOrder::Unclear,
            ),
            (
                "2026-03-02T10:00:00",
                "2026-03-01T10:00:01",
                MomentOrder::Unclear,
            ),
            (
                "2026-03-02T10:00:00",
                "2026-03-01T10:00:00",
                MomentOrder::Reversed,
            ),
            (
                "2026-03-02T10:00:00",
                "2027-03-02T10:00:00",
                MomentOrder::Kept,
            ),
            // With a zone each there is nothing unclear.
            (
                "2026-03-02T10:00:00+02:00",
                "2026-03-02T08:30:00Z",
                MomentOrder::Kept,
            ),
            (
                "2026-03-02T10:00:00+02:00",
                "2026-03-02T07:30:00Z",
                MomentOrder::Reversed,
            ),
            // With a zone for one of them there is.
            (
                "2026-03-02T10:00:00",
                "2026-03-02T07:30:00Z",
                MomentOrder::Unclear,
            ),
            ("2026-03-02T10:00:00", "1772438400", MomentOrder::Unclear),
            (
                "2026-03-02 10:00:00",
                "2026-03-02 11:00:00",
                MomentOrder::Kept,
            ),
            (
                "Mon Mar  2 10:00:00 2026",
                "Mon Mar 2 09:00:00 2026",
                MomentOrder::Unclear,
            ),
            ("1772445600.25", "1772445600250", MomentOrder::Kept),
            ("1772445600.5", "1772445600250", MomentOrder::Reversed),
        ] {
            let read = |text| Moment::read(text).unwrap();
            let found = read(ended).before(&read(judged));
            assert_eq!(found, wanted, "{ended} and {judged}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["yesterday", "", "7", "-1772445600", "NaN", "1e300"] {
            assert_eq!(Moment::read(text), None, "{text}");
        }
    }
}
