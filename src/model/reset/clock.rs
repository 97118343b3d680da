//! Dates and times of day as people write them.

use std::sync::LazyLock;

use jiff::civil::{Date, DateTime, Time};
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

static ISO: LazyLock<Regex> = LazyLock::new(|| regex(r"^(\d{4})-(\d{2})-(\d{2})"));
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
const WEEKDAY_BEFORE: &str = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?";
static WEEKDAY: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^(?:next\s+)?(mon|tue|wed|thu|fri|sat|sun)(?:[a-z]*day)?\b"));
static TOMORROW: LazyLock<Regex> = LazyLock::new(|| regex(r"^tomorrow\b"));
static TIME: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^(?:[\s,T]|\bat\b|\bon\b)*(?:(midnight)\b|(noon)\b|(\d{1,2})(?::(\d{2})(?::(\d{2})(\.\d{1,9})?)?)?\s*([ap])\.?m\b\.?|(\d{1,2}):(\d{2})(?::(\d{2})(\.\d{1,9})?)?)",
    )
});

fn regex(pattern: &str) -> Regex {
    Regex::new(&format!("(?i){pattern}")).expect("tested")
}

/// The time that a text begins with, where that names a date.
pub(super) fn dated(text: &str, said: Option<Timestamp>) -> Option<Timestamp> {
    if let Some(found) = ISO.captures(text) {
        let date = date(found[1].parse().ok()?, found[2].parse().ok()?, &found[3])?;
        return at(date, &text[found[0].len()..]);
    }
    let (found, month, day) = match MONTH_FIRST.captures(text) {
        Some(found) => (found, 1, 2),
        None => (DAY_FIRST.captures(text)?, 2, 1),
    };
    let number = MONTHS
        .iter()
        .position(|name| found[month].eq_ignore_ascii_case(name))?;
    let number = i8::try_from(number + 1).ok()?;
    let rest = &text[found[0].len()..];
    if let Some(year) = found.get(3) {
        return at(
            date(year.as_str().parse().ok()?, number, &found[day])?,
            rest,
        );
    }
    // The nearest of three years: in December a January is next year's.
    let said = said?;
    let year = said.to_zoned(jiff::tz::TimeZone::UTC).year();
    let near = [year - 1, year, year + 1].into_iter();
    near.filter_map(|year| at(date(year, number, &found[day])?, rest))
        .min_by_key(|at| at.duration_since(said).abs())
}

/// The next time that is so in a day or a week: `3am (UTC)`, `tomorrow at 3am`, `Monday 9:00`.
pub(super) fn of_day(text: &str, said: Timestamp) -> Option<Timestamp> {
    if let Some(found) = TOMORROW.captures(text) {
        return on(&text[found[0].len()..], said, |today| {
            today.checked_add(1.day()).ok()
        });
    }
    if let Some(found) = WEEKDAY.captures(text) {
        let wanted = DAYS
            .iter()
            .position(|name| found[1].eq_ignore_ascii_case(name))?;
        let wanted = i8::try_from(wanted).ok()?;
        let rest = &text[found[0].len()..];
        let that = |today: Date, weeks: i8| {
            let ahead = (wanted - today.weekday().to_monday_zero_offset()).rem_euclid(7);
            today
                .checked_add((i64::from(ahead) + 7 * i64::from(weeks)).days())
                .ok()
        };
        let next = on(rest, said, |today| that(today, 0))?;
        return if next > said {
            Some(next)
        } else {
            on(rest, said, |today| that(today, 1))
        };
    }
    TIME.captures(text)?;
    let today = on(text, said, Some)?;
    if today > said {
        return Some(today);
    }
    let is_just_passed = said.duration_since(today) < JUST_PASSED;
    let tomorrow = || on(text, said, |today| today.checked_add(1.day()).ok());
    if is_just_passed { None } else { tomorrow() }
}

/// The time that `rest` says, on a day that is reckoned from today in its zone.
fn on(rest: &str, said: Timestamp, day: impl Fn(Date) -> Option<Date>) -> Option<Timestamp> {
    let zone = zone(after_time(rest).1)?;
    at(day(said.to_zoned(zone).date())?, rest)
}

/// A date at the time and in the zone that follow it.
fn at(date: Date, rest: &str) -> Option<Timestamp> {
    let (time, rest) = after_time(rest);
    let when = DateTime::from_parts(date, time?);
    Some(when.to_zoned(zone(rest)?).ok()?.timestamp())
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

fn date(year: i16, month: i8, day: &str) -> Option<Date> {
    Date::new(year, month, day.parse().ok()?).ok()
}
