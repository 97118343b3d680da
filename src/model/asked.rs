//! For how long a response asks to be left alone, by its headers.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use super::reset::FURTHEST;

/// What the headers of a response say of the next call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HeaderAdvice {
    /// The wait that it asks for.
    pub wait: Option<Duration>,
    /// When the window of a rate limit ends, of which nothing is left; what the body says counts
    /// before it.
    pub window: Option<Duration>,
}

/// `OpenAI`'s and Azure's own header beside `Retry-After`: the same wait, more exactly.
const RETRY_AFTER_MS: &str = "retry-after-ms";

/// The headers of a rate limit's window, with those of what is left in it: GitHub's and `OpenRouter`'s,
/// others' after their example, and those of the draft for a standard.
const WINDOWS: [[&str; 2]; 3] = [
    ["x-ratelimit-reset", "x-ratelimit-remaining"],
    ["x-rate-limit-reset", "x-rate-limit-remaining"],
    ["ratelimit-reset", "ratelimit-remaining"],
];

/// From this number on it is one of seconds, or of milliseconds, since 1970, and no wait.
const EPOCH: f64 = 1e9;
const EPOCH_MS: f64 = 1e12;

impl HeaderAdvice {
    /// What these headers of a response with this status say.
    pub fn by(status: u16, headers: &HeaderMap) -> Self {
        Self::at(status, headers, now(headers))
    }

    fn at(status: u16, headers: &HeaderMap, now: Timestamp) -> Self {
        let given = |name| headers.get(name)?.to_str().ok().map(str::trim);
        let milliseconds = given(RETRY_AFTER_MS).and_then(|text| span(text, 1e-3, now));
        let seconds = || given(RETRY_AFTER.as_str()).and_then(|text| span(text, 1.0, now));
        let window = WINDOWS.iter().find_map(|&[reset, remaining]| {
            let is_used_up = given(remaining).map_or(status == 429, |left| left == "0");
            given(reset)
                .filter(|_| is_used_up)
                .and_then(|text| span(text, 1.0, now))
        });
        Self {
            wait: milliseconds.or_else(seconds),
            window,
        }
    }
}

/// What time it is where a date in these headers is from; ours, where they do not say.
fn now(headers: &HeaderMap) -> Timestamp {
    let said = headers.get(DATE).and_then(|date| date.to_str().ok());
    let said = said.and_then(|date| DateTimeParser::new().parse_timestamp(date.trim()).ok());
    said.unwrap_or_else(Timestamp::now)
}

/// How long to wait by a number of such units (fractions too, which some send), or until a number of
/// seconds since 1970 or a date, of HTTP or ISO 8601. `None` when it says nothing that helps: a wait of
/// zero, a time that has passed, one further away than anybody means.
fn span(text: &str, unit: f64, now: Timestamp) -> Option<Duration> {
    let number = text.strip_suffix('s').unwrap_or(text).trim_end();
    let until = |at: Timestamp| Duration::try_from(at.duration_since(now)).ok();
    let wait = match number.parse::<f64>() {
        Ok(number) if number >= EPOCH => {
            let seconds = if number >= EPOCH_MS {
                number / 1e3
            } else {
                number
            };
            let since_1970 = jiff::SignedDuration::try_from_secs_f64(seconds).ok()?;
            until(Timestamp::from_duration(since_1970).ok()?)?
        }
        Ok(number) => Duration::try_from_secs_f64(number * unit).ok()?,
        Err(_) => {
            let date = DateTimeParser::new().parse_timestamp(text).ok();
            until(date.or_else(|| text.parse().ok())?)?
        }
    };
    let is_meant = !wait.is_zero() && wait <= FURTHEST.unsigned_abs();
    is_meant.then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(status: u16, given: &[(&'static str, &str)]) -> [Option<u128>; 2] {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.insert(*name, value.parse().unwrap());
        }
        let HeaderAdvice { wait, window } = HeaderAdvice::at(status, &headers, now);
        [wait, window].map(|wait| wait.map(|wait| wait.as_millis()))
    }

    fn wait(retry_after: &str) -> Option<u128> {
        asked(429, &[("retry-after", retry_after)])[0]
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        for (text, milliseconds) in [
            ("7", 7000),
            ("0.5", 500),
            ("90s", 90_000),
            ("86400", 86_400_000),
            ("Mon, 23 Nov 2026 12:00:30 GMT", 30_000),
            ("2026-11-23T12:00:20Z", 20_000),
            // 20 s ahead, as seconds and milliseconds since 1970.
            ("1795435220", 20_000),
            ("1795435220500", 20_500),
        ] {
            assert_eq!(wait(text), Some(milliseconds), "{text}");
        }
    }

    /// A date is of the endpoint's clock, which may be an hour from ours.
    #[test]
    fn a_retry_after_is_measured_by_the_endpoints_own_clock() {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, "Mon, 23 Nov 2026 12:00:00 GMT".parse().unwrap());
        headers.insert(
            RETRY_AFTER,
            "Mon, 23 Nov 2026 12:00:45 GMT".parse().unwrap(),
        );
        let asked = HeaderAdvice::by(503, &headers);
        assert_eq!(asked.wait, Some(Duration::from_secs(45)));
    }

    #[test]
    fn a_retry_after_that_says_nothing_is_none() {
        for text in [
            "0",
            "-1",
            "soon",
            "",
            "s",
            "NaN",
            "inf",
            "Mon, 23 Nov 2026 11:00:00 GMT",
            // Passed, and in 31 years.
            "1764500000",
            "999999999",
        ] {
            assert_eq!(wait(text), None, "{text:?}");
        }
        assert_eq!(
            HeaderAdvice::by(429, &HeaderMap::new()),
            HeaderAdvice::default()
        );
    }

    #[test]
    fn milliseconds_come_before_seconds_and_say_nothing_where_they_are_none() {
        for (milliseconds, wanted) in [
            ("1500", 1500),
            ("86400000", 86_400_000),
            ("0", 9000),
            ("-3", 9000),
            ("soon", 9000),
        ] {
            let given = [("retry-after-ms", milliseconds), ("retry-after", "9")];
            assert_eq!(asked(429, &given)[0], Some(wanted), "{milliseconds}");
        }
    }

    #[test]
    fn the_end_of_a_window_is_read_where_nothing_is_left_in_it() {
        let reset = ("x-ratelimit-reset", "1795435220");
        assert_eq!(asked(429, &[reset]), [None, Some(20_000)]);
        assert_eq!(asked(429, &[("ratelimit-reset", "7")])[1], Some(7000));
        assert_eq!(asked(403, &[reset]), [None, None]);
        let left = |count| asked(403, &[reset, ("x-ratelimit-remaining", count)]);
        assert_eq!(left("0"), [None, Some(20_000)]);
        assert_eq!(left("17"), [None, None]);
    }
}
