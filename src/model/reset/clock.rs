//! Dates and times of day as people write them.

use std::sync::LazyLock;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use regex::{Captures, Regex};

use super::zone::zone;

/// A time of day that was passed less than this long ago is that one, not tomorrow's.
const JUST_PASSED: SignedDuration = SignedDuration::from_mins(30);

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

const MONTH: &str = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\\.?";
const DAY_OF_MONTH: &str = r"(\d{1,2})(?:st|nd|rd|th)?\b";

/// The year first: `2026-11-30`, `2026/11/30`.
static ISO: LazyLock<Regex> = LazyLock::new(|| regex(r"^(\d{4})[-/](\d{1,2})[-/](\d{1,2})"));
/// `11/30/2026`: the month first, as providers write it, unless it can be none.
static SLASHES: LazyLock<Regex> = LazyLock::new(|| regex(r"^(\d{1,2})/(\d{1,2})/(\d{4})\b"));
/// `Nov 30`, `December 2nd, 2026`.
static MONTH_FIRST: LazyLock<Regex> = LazyLock::new(|| {
    regex(&format!(
        r"^{WEEKDAY_BEFORE}{MONTH}\s+{DAY_OF_MONTH}(?:,?\s+(\d{{4}})\b)?"
    ))
});
/// `30 Nov`, `Mon, 30 Nov 2026`.
static DAY_FIRST: LazyLock<Regex> = LazyLock::new(|| {
    regex(&format!(
        r"^{WEEKDAY_BEFORE}{DAY_OF_MONTH}\s+(?:of\s+)?{MONTH}(?:,?\s+(\d{{4}})\b)?"
    ))
});
const WEEKDAY_BEFORE: &str = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?";
static WEEKDAY: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^(?:next\s+)?(mon|tue|wed|thu|fri|sat|sun)(?:[a-z]*day|rs?|s)?\b\.?"));
static TODAY: LazyLock<Regex> = LazyLock::new(|| regex(r"^(?:today|(tomorrow))\b"));
static TIME: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:[\s,T]|\bat\b|\bon\b)*(?:(midnight)\b|(noon)\b|(\d{1,2})(?::(\d{2})(?::(\d{2})(\.\d{1,9})?)?)?\s*([ap])\.?m\b\.?|(\d{1,2}):(\d{2})(?::(\d{2})(\.\d{1,9})?)?)",
    )
});
/// What stands between a time and the day that follows it: `9am (UTC) on Dec 3`.
static THEN: LazyLock<Regex> = LazyLock::new(|| regex(r"^[\s,)]*(?:on\s+)?"));

fn regex(pattern: &str) -> Regex {
    Regex::new(&format!("(?i){pattern}")).expect("tested")
}

/// A day as it is said.
#[derive(Clone, Copy)]
enum Day {
    Date {
        year: Option<i16>,
        month: i8,
        day: i8,
    },
    /// The next one, by its number from Monday.
    Weekday(i8),
    Tomorrow,
    Today,
    /// A time alone is the next such time.
    Unsaid,
}

/// The time that a text begins with: `Nov 30, 4pm`, `9am (UTC) on Dec 3`, `3am`, `Monday 9:00`.
/// Without the time when it was said only a whole date is one.
pub(super) fn read(text: &str, said: Option<Timestamp>) -> Option<Timestamp> {
    if let Some((day, rest)) = Day::read(text) {
        let (time, rest) = after_time(rest);
        return day.at(time?, &zone(rest)?.0.unwrap_or(TimeZone::UTC), said);
    }
    let found = TIME.captures(text)?;
    let (before, rest) = zone(&text[found[0].len()..])?;
    let rest = &rest[THEN.find(rest).map_or(0, |then| then.end())..];
    let (day, rest) = Day::read(rest).unwrap_or((Day::Unsaid, ""));
    let zone = match before {
        Some(zone) => zone,
        None => zone(rest)?.0.unwrap_or(TimeZone::UTC),
    };
    day.at(time(&found)?, &zone, said)
}

impl Day {
    /// The day that a text begins with, and what follows it.
    fn read(text: &str) -> Option<(Self, &str)> {
        let (found, day) = if let Some(found) = ISO.captures(text) {
            let day = Self::date(Some(&found[1]), found[2].parse().ok()?, &found[3])?;
            (found, day)
        } else if let Some(found) = SLASHES.captures(text) {
            let first: i8 = found[1].parse().ok()?;
            let day = if first > 12 {
                Self::date(Some(&found[3]), found[2].parse().ok()?, &found[1])?
            } else {
                Self::date(Some(&found[3]), first, &found[2])?
            };
            (found, day)
        } else if let Some(found) = MONTH_FIRST.captures(text) {
            let year = found.get(3).map(|year| year.as_str());
            let day = Self::date(year, number_of(&MONTHS, &found[1])? + 1, &found[2])?;
            (found, day)
        } else if let Some(found) = DAY_FIRST.captures(text) {
            let year = found.get(3).map(|year| year.as_str());
            let day = Self::date(year, number_of(&MONTHS, &found[2])? + 1, &found[1])?;
            (found, day)
        } else if let Some(found) = TODAY.captures(text) {
            let is_tomorrow = found.get(1).is_some();
            (
                found,
                if is_tomorrow {
                    Self::Tomorrow
                } else {
                    Self::Today
                },
            )
        } else {
            let found = WEEKDAY.captures(text)?;
            let day = Self::Weekday(number_of(&DAYS, &found[1])?);
            (found, day)
        };
        Some((day, &text[found[0].len()..]))
    }

    fn date(year: Option<&str>, month: i8, day: &str) -> Option<Self> {
        Some(Self::Date {
            year: year.map(str::parse).transpose().ok()?,
            month,
            day: day.parse().ok()?,
        })
    }

    /// This day at a time in a zone.
    fn at(self, time: Time, zone: &TimeZone, said: Option<Timestamp>) -> Option<Timestamp> {
        let on = |date: Date| {
            let when = DateTime::from_parts(date, time);
            Some(when.to_zoned(zone.clone()).ok()?.timestamp())
        };
        if let Self::Date {
            year: Some(year),
            month,
            day,
        } = self
        {
            return on(Date::new(year, month, day).ok()?);
        }
        let said = said?;
        let today = said.to_zoned(zone.clone()).date();
        let days_on = |days: i8| on(today.checked_add(days.days()).ok()?);
        match self {
            // The nearest of three years: in December a January is next year's.
            Self::Date { month, day, .. } => (today.year() - 1..=today.year() + 1)
                .filter_map(|year| on(Date::new(year, month, day).ok()?))
                .min_by_key(|at| at.duration_since(said).abs()),
            Self::Weekday(wanted) => {
                let ahead = (wanted - today.weekday().to_monday_zero_offset()).rem_euclid(7);
                let next = days_on(ahead)?;
                if next > said {
                    Some(next)
                } else {
                    days_on(ahead + 7)
                }
            }
            Self::Tomorrow => days_on(1),
            Self::Today => days_on(0),
            Self::Unsaid => {
                let next = days_on(0)?;
                if next > said {
                    return Some(next);
                }
                let is_just_passed = said.duration_since(next) < JUST_PASSED;
                if is_just_passed { None } else { days_on(1) }
            }
        }
    }
}

/// The place of a name in a list of names.
fn number_of(names: &[&str], name: &str) -> Option<i8> {
    let place = names.iter().position(|it| it.eq_ignore_ascii_case(name))?;
    i8::try_from(place).ok()
}

/// The time of day that a text begins with, midnight without one, and what follows; `None` for a
/// time that there is not.
fn after_time(text: &str) -> (Option<Time>, &str) {
    match TIME.captures(text) {
        Some(found) => (time(&found), &text[found[0].len()..]),
        None => (Some(Time::midnight()), text),
    }
}

fn time(found: &Captures<'_>) -> Option<Time> {
    if found.get(1).is_some() {
        return Some(Time::midnight());
    }
    if found.get(2).is_some() {
        return Time::new(12, 0, 0, 0).ok();
    }
    let number = |group: usize| {
        found
            .get(group)
            .map_or(Some(0), |it| it.as_str().parse().ok())
    };
    let Some(half) = found.get(7) else {
        return Time::new(number(8)?, number(9)?, number(10)?, nanoseconds(found, 11)?).ok();
    };
    let hour: i8 = number(3)?;
    let is_afternoon = half.as_str().eq_ignore_ascii_case("p");
    if !(1..=12).contains(&hour) {
        return None;
    }
    let hour = hour % 12 + if is_afternoon { 12 } else { 0 };
    Time::new(hour, number(4)?, number(5)?, nanoseconds(found, 6)?).ok()
}

/// The digits behind a second's point.
fn nanoseconds(found: &Captures<'_>, group: usize) -> Option<i32> {
    let Some(fraction) = found.get(group) else {
        return Some(0);
    };
    format!("{:0<9}", &fraction.as_str()[1..]).parse().ok()
}
