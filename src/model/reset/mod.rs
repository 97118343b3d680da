//! When a limit resets, by the words of the error that it gave. Pure.

mod clock;
mod zone;

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};
use regex::{Captures, Regex};

use crate::text::searched;

/// A time further away than this is no reset that anybody meant.
pub(super) const FURTHEST: SignedDuration = SignedDuration::from_hours(24 * 400);

/// The words after which a time stands: `resets 3am`, `Try again in 2h`, `"resets_at": 1764500000`,
/// `retry-after: 60`, `limit reached|1764500000`.
static ANCHOR: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"\b(?:next[ _-]?)?resets?(?:[ _-]?(?:in|at|after|on|time|date))?(?:[ _-]?(?:ms|secs?|seconds))?\b|\bratelimit-reset(?:-\w+)*|\b(?:try|retry|trying|retrying) again\b|\bretry(?:[ _-]?after|[ _-]?in)?(?:[ _-]?(?:ms|secs?|seconds))?\b|\bretry_?delay\b|\bregain access\b|\bcome back\b|\bavailable (?:again|at|in|on|after|from|by)\b|\brenews?\b|\b(?:refresh|replenish)(?:e[sd])?\b|\bunlock(?:s|ed)?\b|\buntil\b|\bwait\b|\blimit reached\||将在",
    )
});

/// What may stand between such words and their time.
static GAP: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"^(?:["'\\\s:=|(,\[>-]|\b(?:at|in|on|after|by|is|the|about|approximately|around|for|again|please|another|date|time)\b)*"#,
    )
});

/// Words after which a bare number is one of seconds from now.
static FROM_NOW: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"after|delay|sec|ms[^a-z]*$|ratelimit|\bwait|\bretry[ _-]?in|\bresets?[ _-]?in|\bretry\b.*\bin\b",
    )
});

/// A key whose number is one of milliseconds.
static MS: LazyLock<Regex> = LazyLock::new(|| regex(r"ms[^a-z]*$"));

/// Words after which `02:13:07` is a span, and no time of a day.
static SPAN_NEXT: LazyLock<Regex> = LazyLock::new(|| regex(r"(?:after|\bin|_in)[^a-z]*$"));

/// A span as .NET writes it, with days before the hours where there are some.
static COLONS: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^(?:(\d{1,3})\.)?(\d{1,3}):([0-5]\d):([0-5]\d)(?:\.\d{1,9})?(\s*[ap]\.?m\b)?")
});

/// A date and a time that a sentence in Chinese goes on from: they are China's.
static OF_CHINA: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"^(\d{4}[-/]\d{1,2}[-/]\d{1,2}[ T]\d{1,2}:\d{2}(?::\d{2})?)\s*[重刷恢解更]")
});

/// A number with its unit, and what separates it from one before.
static PART: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^(?:[\s,]*(?:and\s+)?)(\d{1,12}(?:\.\d+)?)\s*([a-z]+)"));

static NUMBER: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"^(\d{1,13}(?:\.\d+)?)(?:["'\s,;.)}\]\\]|$)"#));

fn regex(pattern: &str) -> Regex {
    Regex::new(&format!("(?i){pattern}")).expect("tested")
}

/// When the limit that this text speaks of resets, if it can be read and lies after `said`, when
/// the text was written. Without that, only what names a whole date can be read.
///
/// A time without a zone is UTC's: agents run in containers, whose clocks have no other.
#[must_use]
pub fn resets_at(text: &str, said: Option<Timestamp>) -> Option<Timestamp> {
    let text = &*searched(text);
    ANCHOR.find_iter(text).find_map(|anchor| {
        let rest = &text[anchor.end()..];
        let gap = GAP.find(rest).map_or(0, |gap| gap.end());
        let lead = &text[anchor.start()..anchor.end() + gap];
        let at = time(lead, &rest[gap..], said)?;
        let is_ahead = said.is_none_or(|said| at > said && at.duration_since(said) <= FURTHEST);
        is_ahead.then_some(at)
    })
}

/// The time that a text begins with; `lead` is what led to it.
fn time(lead: &str, text: &str, said: Option<Timestamp>) -> Option<Timestamp> {
    if let Some(found) = OF_CHINA.captures(text) {
        return clock::read(&format!("{} +08:00", &found[1]), said);
    }
    if SPAN_NEXT.is_match(lead)
        && let Some(span) = colons(text)
    {
        return said?.checked_add(span).ok();
    }
    if let Some(at) = clock::read(text, said) {
        return Some(at);
    }
    if let Some(span) = span(text) {
        return said?.checked_add(span).ok();
    }
    of_number(lead, &NUMBER.captures(text)?, said)
}

/// A bare number: seconds or milliseconds since 1970, or seconds from now where the words say so.
fn of_number(lead: &str, number: &Captures<'_>, said: Option<Timestamp>) -> Option<Timestamp> {
    let value: f64 = number[1].parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "13 digits at most")]
    let millis = |value: f64| value.round() as i64;
    if value >= 1e12 {
        return Timestamp::from_millisecond(millis(value)).ok();
    }
    if value >= 1e9 {
        return Timestamp::from_millisecond(millis(value * 1e3)).ok();
    }
    if !FROM_NOW.is_match(lead) {
        return None;
    }
    let is_ms = MS.is_match(lead);
    let unit = if is_ms { 1.0 } else { 1e3 };
    said?
        .checked_add(SignedDuration::from_millis(millis(value * unit)))
        .ok()
}

/// The span that a text begins with, where it is no time of a day in a zone: `02:13:07`.
fn colons(text: &str) -> Option<SignedDuration> {
    let found = COLONS.captures(text)?;
    let has_zone = zone::zone(&text[found[0].len()..]).is_none_or(|(zone, _)| zone.is_some());
    if has_zone || found.get(5).is_some() {
        return None;
    }
    let number = |group: usize| {
        let part = found.get(group);
        part.map_or(Some(0), |part| part.as_str().parse::<i64>().ok())
    };
    let hours = number(1)? * 24 + number(2)?;
    Some(SignedDuration::from_secs(
        (hours * 60 + number(3)?) * 60 + number(4)?,
    ))
}

/// The sum that a text begins with: `2h 13m`, `3 days, 4 hours and 12 minutes`, `7m12.9s`.
fn span(text: &str) -> Option<SignedDuration> {
    let mut seconds = None;
    let mut rest = text;
    while let Some(found) = PART.captures(rest) {
        let Some(unit) = unit(&found[2].to_lowercase()) else {
            break;
        };
        let value: f64 = found[1].parse().ok()?;
        seconds = Some(seconds.unwrap_or(0.0) + value * unit);
        rest = &rest[found[0].len()..];
    }
    SignedDuration::try_from_secs_f64(seconds?).ok()
}

/// The seconds of a unit of time, by its name in small letters; `None` if it is no unit.
fn unit(name: &str) -> Option<f64> {
    Some(match name {
        "ms" | "millisecond" | "milliseconds" => 1e-3,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "week" | "weeks" => 604_800.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When the texts were said, unless a test says otherwise: a Saturday.
    const SAID: &str = "2026-11-28T03:25:00Z";

    fn read(text: &str) -> Option<String> {
        let said = SAID.parse().unwrap();
        resets_at(text, Some(said)).map(|at| at.to_string())
    }

    #[track_caller]
    fn all(cases: &[(&str, &str)]) {
        for (text, at) in cases {
            assert_eq!(read(text).as_deref(), Some(*at), "{text}");
        }
    }

    #[test]
    fn times_of_a_day_are_the_next_such_time() {
        all(&[
            (
                "You've hit your session limit · resets 5am (UTC)",
                "2026-11-28T05:00:00Z",
            ),
            (
                "session limit reached ∙ resets 12am (UTC)",
                "2026-11-29T00:00:00Z",
            ),
            (
                "5-hour limit reached - resets 6:30 PM (Europe/Berlin)",
                "2026-11-28T17:30:00Z",
            ),
            (
                "Your limit will reset at 8pm (America/Los_Angeles).",
                "2026-11-28T04:00:00Z",
            ),
            (
                "Your limit will reset at 6pm (America/Los_Angeles).",
                "2026-11-29T02:00:00Z",
            ),
            ("Quota resets at midnight UTC", "2026-11-29T00:00:00Z"),
            ("limit reached, resets at 14:05 UTC", "2026-11-28T14:05:00Z"),
            ("usage limit. Try again at 9:15 AM.", "2026-11-28T09:15:00Z"),
            ("try again tomorrow at 3am PST", "2026-11-28T11:00:00Z"),
        ]);
    }

    #[test]
    fn the_day_may_follow_the_time() {
        all(&[
            ("resets 8am on Dec 4 (UTC)", "2026-12-04T08:00:00Z"),
            ("resets 8am, Dec 4 (Asia/Tokyo)", "2026-12-03T23:00:00Z"),
            ("Try again at 17:30 UTC on Nov 29", "2026-11-29T17:30:00Z"),
            ("resets 5pm (UTC), 1 December", "2026-12-01T17:00:00Z"),
            ("resets 7pm PST on 2026-12-01", "2026-12-02T03:00:00Z"),
            ("come back at 9am tomorrow (UTC)", "2026-11-29T09:00:00Z"),
            ("resets at noon on Tuesday", "2026-12-01T12:00:00Z"),
            ("resets 5am today", "2026-11-28T05:00:00Z"),
        ]);
        let at = resets_at("resets 8am on Dec 4, 2026 (UTC)", None);
        assert_eq!(at.unwrap().to_string(), "2026-12-04T08:00:00Z");
    }

    #[test]
    fn zones_and_dates_of_every_day() {
        all(&[
            ("resets 7am (UTC+3)", "2026-11-28T04:00:00Z"),
            ("resets 5pm (GMT-7)", "2026-11-29T00:00:00Z"),
            ("resets 11:30 UTC+05:30", "2026-11-28T06:00:00Z"),
            ("resets 5pm Pacific Time", "2026-11-29T01:00:00Z"),
            ("resets 5pm PT", "2026-11-29T01:00:00Z"),
            ("resets 5pm pst", "2026-11-29T01:00:00Z"),
            ("resets 8am Eastern Standard Time", "2026-11-28T13:00:00Z"),
            ("resets 12/2/2026, 5:00 PM", "2026-12-02T17:00:00Z"),
            ("resets 29/11/2026 17:00", "2026-11-29T17:00:00Z"),
            ("resets 2026/12/02 17:00", "2026-12-02T17:00:00Z"),
            ("resets Tues 5pm", "2026-12-01T17:00:00Z"),
            ("resets Thurs. at 5pm (UTC)", "2026-12-03T17:00:00Z"),
            (
                "Daily quota reached. Come back tomorrow at 4am (UTC)",
                "2026-11-29T04:00:00Z",
            ),
            (
                "your usage limits. You will regain access on 2027-02-01 at 00:00 UTC.",
                "2027-02-01T00:00:00Z",
            ),
        ]);
    }

    #[test]
    fn dates_are_read_with_and_without_year_and_zone() {
        all(&[
            (
                "You've hit your weekly limit · resets Nov 30, 4pm (UTC)",
                "2026-11-30T16:00:00Z",
            ),
            (
                "weekly limit · resets Dec 1 at 4:30am (Asia/Tokyo)",
                "2026-11-30T19:30:00Z",
            ),
            (
                "weekly limit reached ∙ resets Jan 2, 9am",
                "2027-01-02T09:00:00Z",
            ),
            (
                "Try again at Dec 2nd, 2026 9:15 AM.",
                "2026-12-02T09:15:00Z",
            ),
            (
                "or try again at November 29th, 2026 at 21:00",
                "2026-11-29T21:00:00Z",
            ),
            (
                "available again on 3 December 2026, 10:00 GMT",
                "2026-12-03T10:00:00Z",
            ),
            ("resets Nov 30", "2026-11-30T00:00:00Z"),
            ("resets Monday at 9am (UTC)", "2026-11-30T09:00:00Z"),
            (
                "You will regain access on 2026-12-01 at 00:00 UTC.",
                "2026-12-01T00:00:00Z",
            ),
            (
                "usage limit until 2026-11-28T06:00:00+02:00",
                "2026-11-28T04:00:00Z",
            ),
            (
                "limit resets at 2026-11-28T04:00:00.250Z",
                "2026-11-28T04:00:00.25Z",
            ),
            ("quota resets 2026-11-29 05:30", "2026-11-29T05:30:00Z"),
            (
                "retry-after: Mon, 30 Nov 2026 12:00:30 GMT",
                "2026-11-30T12:00:30Z",
            ),
        ]);
    }

    #[test]
    fn spans_are_counted_from_when_it_was_said() {
        all(&[
            ("Please try again in 2h 13m", "2026-11-28T05:38:00Z"),
            (
                "or try again in 3 days 4 hours 12 minutes.",
                "2026-12-01T07:37:00Z",
            ),
            (
                "Try again in 1 day, 2 hours and 5 seconds",
                "2026-11-29T05:25:05Z",
            ),
            (
                "on tokens per day (TPD): Limit 9, Used 9. Please try again in 7m12.5s.",
                "2026-11-28T03:32:12.5Z",
            ),
            (
                "Your quota will reset after 18h31m10s.",
                "2026-11-28T21:56:10Z",
            ),
            ("Please retry after 86400 seconds.", "2026-11-29T03:25:00Z"),
            ("Retry after 90", "2026-11-28T03:26:30Z"),
            (r#"{"retryDelay": "39s"}"#, "2026-11-28T03:25:39Z"),
            (
                r#"{"type":"usage_limit_reached","resets_in_seconds":7200}"#,
                "2026-11-28T05:25:00Z",
            ),
            ("retry-after-ms: 1500", "2026-11-28T03:25:01.5Z"),
            ("wait 20 minutes", "2026-11-28T03:45:00Z"),
            (
                "Rate limit is exceeded. Try again in 00:00:02.",
                "2026-11-28T03:25:02Z",
            ),
            (
                "Quota will be replenished in 01:28:30.",
                "2026-11-28T04:53:30Z",
            ),
            ("Retry after 1.02:00:00", "2026-11-29T05:25:00Z"),
            (r#"{"resets_in":"02:13:07"}"#, "2026-11-28T05:38:07Z"),
            ("available again after 17:30:00 UTC", "2026-11-28T17:30:00Z"),
            (r#"{"retryAfterSeconds": 7200}"#, "2026-11-28T05:25:00Z"),
            (r#"{"retryAfterMs": 1500}"#, "2026-11-28T03:25:01.5Z"),
            ("Quota will be refreshed in 5h 3m.", "2026-11-28T08:28:00Z"),
            ("retry in 90", "2026-11-28T03:26:30Z"),
        ]);
    }

    #[test]
    fn seconds_and_milliseconds_since_1970() {
        all(&[
            (
                "Claude AI usage limit reached|1795845600",
                "2026-11-28T06:00:00Z",
            ),
            (
                r#"{"resets_at":1795845600,"plan":"pro"}"#,
                "2026-11-28T06:00:00Z",
            ),
            (
                r#""X-RateLimit-Reset":"1795845600000""#,
                "2026-11-28T06:00:00Z",
            ),
        ]);
    }

    #[test]
    fn keys_and_verbs_of_every_house() {
        for text in [
            r#"{"resetsAt": "2026-11-28T06:00:00Z"}"#,
            r#"{"resetAt": 1795845600}"#,
            r#"{"resetTime": "2026-11-28T06:00:00Z"}"#,
            r#"{"nextResetTime": 1795845600000}"#,
            "Your allowance refreshes at 2026-11-28T06:00:00Z",
            "Limit hit; unlocks at 2026-11-28T06:00:00Z",
            "available at 2026-11-28T06:00:00Z",
            "已达到 5 小时的使用上限。您的限额将在 2026-11-28 14:00:00 重置。",
        ] {
            assert_eq!(
                read(text).as_deref(),
                Some("2026-11-28T06:00:00Z"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_lies_in_the_past_or_cannot_be_read_is_none() {
        for text in [
            "resets Nov 27, 4pm (UTC)",
            "limit reached|1764300000",
            "resets at 2025-12-01T00:00:00Z",
            // Just passed: the next one is not meant.
            "You've hit your session limit · resets 3:20am (UTC)",
            "resets soon",
            "resets 25pm",
            "resets 3am (Middle/Earth)",
            "resets Feb 31, 4pm",
            "resets 4pm on Feb 31",
            "resets 5pm Middle Earth Time",
            "resets 5pm Berlin time",
            "resets 5pm (UTC+99)",
            "resets 13/13/2026 5:00 PM",
            "resets 1am today (UTC)",
            "resets_at: 17",
            "try again in 99999999 days",
            "try again in 3 months",
            "please try again later",
            "Our support is available 24 hours a day.",
            "It is available in 24 languages",
            r#"{"retry":3000}"#,
            "will be resetting 5 hours",
            "rate limit reached for 300 requests in 10 minutes",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_first_time_that_lies_ahead_counts() {
        let text = "resets Nov 2, 4pm (UTC); retry after 60";
        assert_eq!(read(text).as_deref(), Some("2026-11-28T03:26:00Z"));
    }

    #[test]
    fn without_the_time_it_was_said_only_whole_dates_count() {
        let at = resets_at("try again at Dec 2nd, 2026 9:15 AM", None);
        assert_eq!(at.unwrap().to_string(), "2026-12-02T09:15:00Z");
        assert_eq!(resets_at("try again in 2h", None), None);
        assert_eq!(resets_at("resets 4am (UTC)", None), None);
    }

    #[test]
    fn hostile_texts_are_read_in_bounded_time() {
        let text = "retry after 1h ".repeat(400_000);
        assert!(resets_at(&text, Some(SAID.parse().unwrap())).is_some());
        let text = format!("resets {}", "9".repeat(1_000_000));
        assert_eq!(resets_at(&text, Some(SAID.parse().unwrap())), None);
    }
    #[test]
    fn spans_have_units_from_milliseconds_to_weeks() {
        all(&[
            ("try again in 1500 milliseconds", "2026-11-28T03:25:01.5Z"),
            ("try again in 2 weeks", "2026-12-12T03:25:00Z"),
        ]);
        // Now is no time that lies ahead.
        assert_eq!(read("try again in 0 seconds"), None);
    }
}
