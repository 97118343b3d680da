//! Time zones as people write them: `(UTC)`, `America/Los_Angeles`, `PST`, `+02:00`.

use std::sync::LazyLock;

use jiff::tz::{Offset, TimeZone};
use regex::Regex;

static ZONE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[\s,]*\(?(?:([A-Z][A-Za-z]+(?:/[A-Za-z_+-]+[0-9]*)+)|([+-])(\d{2}):?(\d{2})\b|([A-Z]{1,4})\b)")
        .expect("tested")
});

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

/// The zone that a text begins with, UTC where it begins with none; `None` for a zone that is not
/// known.
pub(super) fn zone(text: &str) -> Option<TimeZone> {
    let Some(found) = ZONE.captures(text) else {
        return Some(TimeZone::UTC);
    };
    if let Some(name) = found.get(1) {
        return TimeZone::get(name.as_str()).ok();
    }
    if let Some(sign) = found.get(2) {
        let hours: i32 = found[3].parse().ok()?;
        let minutes: i32 = found[4].parse().ok()?;
        let offset = hours * 3600 + minutes * 60;
        return fixed(if sign.as_str() == "-" {
            -offset
        } else {
            offset
        });
    }
    let word = &found[5];
    match KNOWN.iter().find(|(name, _)| *name == word) {
        Some((_, minutes)) => fixed(minutes * 60),
        // Some other word in capitals, such as the next sentence's first.
        None if word.len() == 1 => Some(TimeZone::UTC),
        None => None,
    }
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
            (". Try later", 0),
            ("", 0),
        ] {
            let zone = zone(text).unwrap();
            assert_eq!(zone.to_offset(at).seconds(), hours * 3600, "{text}");
        }
        assert!(zone(" (Middle/Earth)").is_none());
        assert!(zone(" XYZ").is_none());
    }
}
