//! Time zones as people write them: `(UTC)`, `America/Los_Angeles`, `PST`, `+02:00`.

use std::sync::LazyLock;

use jiff::tz::{Offset, TimeZone};
use regex::Regex;

static ZONE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)^[\s,]*\(?(?:
            (?<name>[A-Z][A-Za-z]+(?:/[A-Za-z_+-]+[0-9]*)+)
          | (?:(?:UTC|GMT)\s*)?(?<sign>[+-])(?<hours>\d{2})(?::?(?<minutes>\d{2}))?\b
          | (?:UTC|GMT)\s*(?<sign1>[+-])(?<hours1>\d)(?::(?<minutes1>\d{2}))?\b
          | (?<words>(?:[A-Z][a-z]+\s+){1,4}[Tt]ime|Pacific|Mountain|Central|Eastern)\b
          | (?<short>[A-Z]{1,4}|[a-z]{2,4})\b
        )",
    )
    .expect("tested")
});

/// Zones with a summer time, by their letters or the first of their words.
const NAMED: [(&str, &str, &str); 4] = [
    ("PT", "Pacific", "America/Los_Angeles"),
    ("MT", "Mountain", "America/Denver"),
    ("CT", "Central", "America/Chicago"),
    ("ET", "Eastern", "America/New_York"),
];

/// Abbreviations and their offsets in minutes; one that several zones have is the one of those
/// who sell models.
const KNOWN: [(&str, i32); 17] = [
    ("UTC", 0),
    ("GMT", 0),
    ("Z", 0),
    ("PST", -480),
    ("PDT", -420),
    ("MST", -420),
    ("MDT", -360),
    ("CST", -360),
    ("CDT", -300),
    ("EST", -300),
    ("EDT", -240),
    ("BST", 60),
    ("CET", 60),
    ("CEST", 120),
    ("EET", 120),
    ("IST", 330),
    ("JST", 540),
];

/// The zone that a text begins with, if it begins with one, and what follows; `None` for a zone
/// that is not known.
pub(super) fn zone(text: &str) -> Option<(Option<TimeZone>, &str)> {
    let Some(found) = ZONE.captures(text) else {
        return Some((None, text));
    };
    let group = |name| found.name(name).map(|it| it.as_str());
    let zone = if let Some(name) = group("name") {
        TimeZone::get(name).ok()?
    } else if let Some(sign) = group("sign").or(group("sign1")) {
        let hours: i32 = group("hours").or(group("hours1"))?.parse().ok()?;
        let minutes: i32 = group("minutes")
            .or(group("minutes1"))
            .unwrap_or("0")
            .parse()
            .ok()?;
        let seconds = hours * 3600 + minutes * 60;
        fixed(if sign == "-" { -seconds } else { seconds })?
    } else if let Some(words) = group("words") {
        of_words(words)?
    } else {
        let word = group("short")?;
        match of_letters(&word.to_uppercase()) {
            Some(zone) => zone,
            // Some other word, such as the next sentence's first.
            None if word.len() == 1 || word.starts_with(|c: char| c.is_ascii_lowercase()) => {
                return Some((None, text));
            }
            None => return None,
        }
    };
    Some((Some(zone), &text[found[0].len()..]))
}

/// The zone of an abbreviation in capitals: `PST` has one offset, `ET` that of the season.
fn of_letters(letters: &str) -> Option<TimeZone> {
    if let Some((_, minutes)) = KNOWN.iter().find(|(name, _)| *name == letters) {
        return fixed(minutes * 60);
    }
    let (_, _, name) = NAMED.iter().find(|(short, ..)| *short == letters)?;
    TimeZone::get(name).ok()
}

/// `Pacific`, `Eastern Standard Time`; of no other zone is it known what its words mean.
fn of_words(words: &str) -> Option<TimeZone> {
    let mut words = words.split_whitespace();
    let first = words.next()?;
    let (_, _, name) = NAMED.iter().find(|(_, word, _)| *word == first)?;
    let is_known =
        |word: &str| ["standard", "daylight", "time"].contains(&word.to_lowercase().as_str());
    words.all(is_known).then(|| TimeZone::get(name).ok())?
}

fn fixed(seconds: i32) -> Option<TimeZone> {
    Some(TimeZone::fixed(Offset::from_seconds(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_read_in_every_form() {
        let at: jiff::Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        for (text, hours) in [
            (" (UTC)", 0),
            (" (America/Los_Angeles)", -8),
            (" Europe/Berlin.", 1),
            (" PST", -8),
            ("+05:00", 5),
            ("-0300", -3),
            ("Z", 0),
            (" (UTC+2)", 2),
            (" GMT-08:00", -8),
            (" UTC +0300", 3),
            (" (UTC-5:00)", -5),
            ("+02", 2),
            (" Pacific Daylight Time", -8),
            (" (Eastern)", -5),
            (" CT", -6),
            (" est", -5),
            (" or later", 0),
            (". Try later", 0),
            ("", 0),
        ] {
            let zone = zone(text).unwrap().0.unwrap_or(TimeZone::UTC);
            assert_eq!(zone.to_offset(at).seconds(), hours * 3600, "{text}");
        }
        assert!(zone(" (Middle/Earth)").is_none());
        assert!(zone(" XYZ").is_none());
        assert!(zone(" Central European Time").is_none());
        assert!(zone(" GMT+77").is_none());
    }
}
