//! Text for people, from what is not theirs.

pub mod fit;
pub mod paint;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::{Display, Write as _};

use regex::{Regex, RegexBuilder};

/// The longest that a name of a pair, a rule or a status may be where it is shown, in characters.
pub const NAME: usize = 200;

/// Whether a character changes what the reader sees without being seen: it drives the terminal,
/// turns the direction of writing, joins or hides what is around it, or is no character at all.
///
/// Controls (Cc), format characters (Cf), separators of lines (Zl, Zp), the fillers and joiners
/// that have no width, and noncharacters: Unicode Standard 16, sections 23.1 to 23.7, and Unicode
/// Technical Report 36, section 3.1. Of XML 1.0's forbidden characters (section 2.2) it has all.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    // Nearly all that is asked about is ASCII.
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    if c.is_control() || c as u32 & 0xfffe == 0xfffe {
        return true;
    }
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{8e2}'
        | '\u{600}'..='\u{605}' | '\u{890}'..='\u{891}' | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fdd0}'..='\u{fdef}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}'
        | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// What stands in the place of a character: a space for a control, as it may have been one, and a
/// mark for what is hidden, so that a name with it is not taken for the name without.
fn seen(c: char) -> char {
    match c {
        '\u{2028}' | '\u{2029}' => ' ',
        c if c.is_control() => ' ',
        c if is_hidden(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// Text as it may be shown: line feeds and tabs stay, what is hidden does not.
#[must_use]
pub fn shown(text: &str) -> String {
    text.chars()
        .map(|c| if matches!(c, '\n' | '\t') { c } else { seen(c) })
        .collect()
}

/// Like [`shown`], with lines of at most `width` characters: a parser's error quotes the line it
/// stopped at, which may be a megabyte.
#[must_use]
pub fn shown_within(text: &str, width: usize) -> String {
    let cut = |line: &str| match line.char_indices().nth(width) {
        None => line.to_owned(),
        Some((end, _)) => format!("{}…", &line[..end]),
    };
    let lines: Vec<String> = shown(text).split('\n').map(cut).collect();
    lines.join("\n")
}

/// Like [`shown`], for text that has colours of ours: of escape sequences those stay that choose
/// colour and weight, and no other.
#[must_use]
pub fn shown_in_colour(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        out.push_str(&shown(&rest[..at]));
        let after = &rest[at + 2..];
        let end = after.find(|c: char| !c.is_ascii_digit() && c != ';');
        if let Some(end) = end.filter(|end| after[*end..].starts_with('m')) {
            out.push_str(&rest[at..=(at + 2 + end)]);
            rest = &after[end + 1..];
        } else {
            out.push_str(" [");
            rest = after;
        }
    }
    out.push_str(&shown(rest));
    out
}

/// A JSON text in which nothing is hidden: such characters are written as escapes, so that a
/// reader of the JSON gets them and a terminal does not.
#[must_use]
pub fn shown_json(json: &str) -> String {
    // Without a way out of the middle the compiler looks at many bytes at once.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n');
    let are_plain = |text: &str| text.bytes().fold(true, |all, byte| all & is_plain(byte));
    if are_plain(json) {
        return json.to_owned();
    }
    let mut out = String::with_capacity(json.len());
    let mut units = [0; 2];
    for line in json.split_inclusive('\n') {
        if are_plain(line) {
            out.push_str(line);
            continue;
        }
        for c in line.chars() {
            if is_hidden(c) && c != '\n' {
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            } else {
                out.push(c);
            }
        }
    }
    out
}

/// Text as one line of at most `limit` characters, in which nothing is hidden.
#[must_use]
pub fn one_line(text: &str, limit: usize) -> String {
    // What is cut off need not be looked at; a word may be long, spaces are few.
    let text: String = text
        .chars()
        .map(seen)
        .take(limit.saturating_mul(4))
        .collect();
    let clean = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if clean.chars().count() <= limit {
        return clean;
    }
    let cut: String = clean.chars().take(limit - 1).collect();
    format!("{cut}…")
}

/// A text of at most `limit` characters, of a longer one its beginning and its end: what went wrong
/// often stands in the last line.
#[must_use]
pub fn head_and_tail(text: &str, limit: usize) -> String {
    let count = text.chars().count();
    if count <= limit {
        return text.to_owned();
    }
    let tail = limit / 2;
    let head = limit.saturating_sub(tail + 3);
    let begin = text.chars().take(head);
    let end = text.chars().skip(count - tail);
    begin.chain(" … ".chars()).chain(end).collect()
}

/// Like [`one_line`], with beginning and end of a longer text.
#[must_use]
pub fn ends_in_one_line(text: &str, limit: usize) -> String {
    head_and_tail(&one_line(&head_and_tail(text, limit * 4), limit * 5), limit)
}

/// How large a user's regular expression may be when it is compiled, in bytes: twice what the
/// largest of ours needs.
const REGEX_SIZE: usize = 512 << 10;

/// The most of a text that a user's regular expression is asked about, in bytes. The time it may
/// take is size times length, so that with these two it is seconds at worst.
const SEARCHED: usize = 64 << 10;

/// A user's regular expression. It cannot blow up, as those that go back can, but a large one on a
/// long text takes its time: search in [`searched`].
pub fn users_regex(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .size_limit(REGEX_SIZE)
        .dfa_size_limit(REGEX_SIZE)
        .nest_limit(100)
        .build()
}

/// What a user's regular expression is searched in: a text, or beginning and end of a long one.
#[must_use]
pub fn searched(text: &str) -> Cow<'_, str> {
    if text.len() <= SEARCHED {
        return Cow::Borrowed(text);
    }
    let head = text.floor_char_boundary(SEARCHED / 2);
    let tail = text.ceil_char_boundary(text.len() - SEARCHED / 2);
    Cow::Owned(format!("{}\n…\n{}", &text[..head], &text[tail..]))
}

/// The number that a text begins with, without leading zeros; the text loses it.
fn number<'a>(text: &mut &'a str) -> &'a str {
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
    *text = rest;
    digits.trim_start_matches('0')
}

/// The order of two texts in which numbers count as numbers; equal ones in another writing (`1` and
/// `01`) stay apart.
#[must_use]
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (Some(one), Some(other)) = (left.chars().next(), right.chars().next()) else {
            return left.len().cmp(&right.len()).then_with(|| a.cmp(b));
        };
        let order = if one.is_ascii_digit() && other.is_ascii_digit() {
            let (one, other) = (number(&mut left), number(&mut right));
            one.len().cmp(&other.len()).then_with(|| one.cmp(other))
        } else {
            (left, right) = (&left[one.len_utf8()..], &right[other.len_utf8()..]);
            one.cmp(&other)
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// A number with its word: `1 pair`, `2 pairs`. The word is one that takes an `s`.
#[must_use]
pub fn plural<N: Copy + Display + PartialEq + From<u8>>(n: N, word: &str) -> String {
    let s = by_number(n, "", "s");
    format!("{n} {word}{s}")
}

/// The first word for one of something, the second for none and for more: `by_number(n, "is", "are")`.
#[must_use]
pub fn by_number<'a, N: Copy + PartialEq + From<u8>>(n: N, one: &'a str, more: &'a str) -> &'a str {
    if n == N::from(1) { one } else { more }
}

/// The first of some names, and how many more there are: `a, b and 3 more`.
#[must_use]
pub fn some(items: &[&str], most: usize) -> String {
    let mut shown = items[..items.len().min(most)].join(", ");
    if items.len() > most {
        let _ = write!(shown, " and {} more", items.len() - most);
    }
    shown
}

/// A duration for people: `1h 02m`, `3m 20s`, `12s`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped"
    )]
    let whole = seconds.clamp(0.0, 1e12).round() as u64;
    match (whole / 3600, whole / 60 % 60, whole % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m {seconds:02}s"),
        (hours, minutes, _) => format!("{hours}h {minutes:02}m"),
    }
}

/// Like [`duration`], for a time that was set or is waited for, of which less than a second is not
/// nothing: `0.2s`, `30ms`.
#[must_use]
pub fn exact(seconds: f64) -> String {
    if seconds <= 0.0 || seconds >= 0.95 {
        duration(seconds)
    } else if seconds < 0.1 {
        format!("{:.0}ms", (seconds * 1000.0).max(1.0))
    } else {
        format!("{seconds:.1}s")
    }
}

/// Two lower-case hexadecimal digits for each byte.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some of each kind: terminal escapes in seven and eight bits, bidi, no width, none at all.
    const HIDDEN: &str = "\u{1b}\u{9b}\u{7f}\u{0}\u{85}\u{61c}\u{200b}\u{200d}\u{200e}\u{200f}\u{202a}\u{202e}\u{2066}\u{2069}\u{2028}\u{2060}\u{ad}\u{feff}\u{fffe}\u{ffff}\u{1fffe}\u{e0041}\u{3164}";

    #[test]
    fn nothing_hidden_is_left_in_what_is_shown() {
        let text = format!("a{HIDDEN}b");
        for shown in [
            shown(&text),
            shown_in_colour(&text),
            shown_json(&text),
            one_line(&text, 1000),
        ] {
            assert!(!shown.chars().any(is_hidden), "{shown:?}");
            assert!(shown.starts_with('a') && shown.ends_with('b'), "{shown:?}");
        }
    }

    #[test]
    fn a_wait_of_less_than_a_second_is_not_nothing() {
        for (seconds, text) in [
            (0.0, "0s"),
            (0.0001, "1ms"),
            (0.03, "30ms"),
            (0.24, "0.2s"),
            (0.94, "0.9s"),
            (0.96, "1s"),
            (200.0, "3m 20s"),
        ] {
            assert_eq!(exact(seconds), text);
        }
    }

    #[test]
    fn scripts_of_all_directions_and_their_marks_are_shown_as_they_are() {
        let text = "naïve e\u{301} שלום العربية हिन्दी 한국어 日本 ❤️ 👍🏽 – “q”\n\tline";
        assert_eq!(shown(text), text);
        assert_eq!(shown_json(text), text.replace('\t', "\\u0009"));
    }

    #[test]
    fn a_hidden_character_is_marked_and_a_control_is_a_space() {
        assert_eq!(one_line("a\u{202e}b\r\nc", 20), "a\u{fffd}b c");
        assert_eq!(one_line("a\x1b[2J\nb", 20), "a [2J b");
        assert_eq!(one_line("abcdef", 4), "abc…");
    }

    #[test]
    fn a_line_without_end_is_cut_and_the_others_stay() {
        let text = format!("what\n{}\nwhy", "[".repeat(1_000_000));
        let expected = format!("what\n{}…\nwhy", "[".repeat(80));
        assert_eq!(shown_within(&text, 80), expected);
    }

    #[test]
    fn one_is_one_and_none_and_more_are_many() {
        assert_eq!(plural(0_usize, "pair"), "0 pairs");
        assert_eq!(plural(1_u64, "pair"), "1 pair");
        assert_eq!(plural(2_u32, "pair"), "2 pairs");
        let are = [0, 1, 2].map(|n: u64| by_number(n, "is", "are"));
        assert_eq!(are, ["are", "is", "are"]);
    }

    #[test]
    fn durations_read_well() {
        assert_eq!(duration(12.4), "12s");
        assert_eq!(duration(59.6), "1m 00s");
        assert_eq!(duration(200.0), "3m 20s");
        assert_eq!(duration(3725.0), "1h 02m");
        assert_eq!(duration(-1.0), "0s");
    }

    #[test]
    fn of_a_long_text_both_ends_stay() {
        let text = format!("begin {} end", "é ".repeat(5000));
        for shown in [head_and_tail(&text, 40), ends_in_one_line(&text, 40)] {
            assert!(
                shown.starts_with("begin") && shown.ends_with("end"),
                "{shown}"
            );
            assert_eq!(shown.chars().count(), 40);
        }
        assert_eq!(ends_in_one_line(" a\nb ", 40), "a b");
    }

    #[test]
    fn of_escape_sequences_only_colours_stay() {
        let text = "\x1b[1;31merror:\x1b[0m x\x1b[2J\x1b]0;title\x07\x1b[31";
        let expected = "\x1b[1;31merror:\x1b[0m x [2J ]0;title  [31";
        assert_eq!(shown_in_colour(text), expected);
    }

    #[test]
    fn json_keeps_its_meaning() {
        let text = format!("a{HIDDEN}b");
        let json = serde_json::to_string(&text).unwrap();
        let back: String = serde_json::from_str(&shown_json(&json)).unwrap();
        assert_eq!(back, text);
    }

    #[test]
    fn a_huge_expression_is_refused_and_a_long_text_is_searched_at_both_ends() {
        for pattern in ["(a{1000}){1000}", r"\w{5000}", &"(".repeat(5000)] {
            assert!(users_regex(pattern).is_err(), "{pattern}");
        }
        let regex = users_regex(r"(?is)^begin.*\bend$").unwrap();
        let long = format!("begin {} end", "é".repeat(SEARCHED));
        assert!(regex.is_match(&searched(&long)));
        assert!(searched(&long).len() < SEARCHED + 10);
        assert_eq!(searched("short"), "short");
    }
}
