//! Text within a terminal's width. Pure.

use unicode_width::UnicodeWidthChar as _;

/// A text, piece by piece: a character, or a whole sequence that chooses a colour.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = if rest.starts_with("\u{1b}[") {
            rest.find('m').map_or(rest.len(), |at| at + 1)
        } else {
            first.len_utf8()
        };
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

/// How many columns a piece takes.
fn columns(piece: &str) -> usize {
    let is_colour = piece.starts_with('\u{1b}');
    let first = piece.chars().next().filter(|_| !is_colour);
    first.and_then(char::width).unwrap_or(0)
}

/// How many columns a text without line ends takes. Colours take none.
#[must_use]
pub fn width(text: &str) -> usize {
    pieces(text).map(columns).sum()
}

/// The longest beginning of a text that takes at most `most` columns. Colours stay.
fn head(text: &str, most: usize) -> String {
    let mut taken = 0;
    let fits = |piece: &&str| {
        taken += columns(piece);
        taken <= most || columns(piece) == 0
    };
    pieces(text).filter(fits).collect()
}

/// The longest end of a text that takes at most `most` columns.
fn tail(text: &str, most: usize) -> &str {
    let mut taken = 0;
    let mut begin = text.len();
    for (at, c) in text.char_indices().rev() {
        taken += c.width().unwrap_or(0);
        if taken > most {
            break;
        }
        begin = at;
    }
    &text[begin..]
}

/// A line of at most `most` columns. What is too long loses its end.
#[must_use]
pub fn cut(line: &str, most: usize) -> String {
    if width(line) <= most {
        return line.to_owned();
    }
    let left = most.checked_sub(1);
    left.map_or_else(String::new, |left| format!("{}…", head(line, left)))
}

/// A word without colours of at most `most` columns. What is too long loses its middle: both ends of
/// a path say more.
#[must_use]
pub fn without_middle(word: &str, most: usize) -> String {
    if width(word) <= most {
        return word.to_owned();
    }
    let Some(left) = most.checked_sub(1) else {
        return String::new();
    };
    format!("{}…{}", head(word, left / 3), tail(word, left - left / 3))
}

/// A text in lines of at most `most` columns, broken between words. What goes on from the line above
/// is two columns further in. What stands between backticks is one word and is never cut: it is there
/// to be pasted, and a terminal breaks it without a line end.
#[must_use]
pub fn wrapped(text: &str, most: usize) -> String {
    let lines = text.split('\n');
    let lines = lines.map(|line| broken(line, most, indent_of(line) + 2));
    lines.collect::<Vec<_>>().join("\n")
}

/// The last column that may begin the second part of a line that has two.
const LAST_PART: usize = 24;

/// A line as [`wrapped`] has it, of which a second part, two spaces or more from the first, goes on
/// below its own beginning.
#[must_use]
pub fn hung(line: &str, most: usize) -> String {
    let indent = indent_of(line);
    let gaps = line[indent..].match_indices("  ");
    let columns = gaps.map(|(at, _)| {
        let rest = line[indent + at..].trim_start_matches(' ');
        width(&line[..line.len() - rest.len()])
    });
    let second = columns.take_while(|column| *column <= LAST_PART).last();
    broken(line, most, second.unwrap_or(indent + 2))
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// A line in lines of at most `most` columns, of which all but the first begin at a column.
fn broken(line: &str, most: usize, column: usize) -> String {
    if width(line) <= most {
        return line.to_owned();
    }
    let indent = indent_of(line);
    let words = &line[indent..];
    let deeper = column.min(most / 2);
    let (mut out, mut column) = (" ".repeat(indent.min(deeper)), indent.min(deeper));
    let mut is_first = true;
    for (gap, word) in words_of(words) {
        let long = width(word);
        if !is_first && column + gap + long <= most {
            out.push_str(&" ".repeat(gap));
            column += gap;
        } else if !is_first {
            // What fits into a line of its own is whole there.
            column = most
                .checked_sub(long)
                .map_or(deeper, |room| room.min(deeper));
            out.push('\n');
            out.push_str(&" ".repeat(column));
        }
        is_first = false;
        let room = most - column;
        if long <= room || word.contains('`') {
            out.push_str(word);
        } else {
            out.push_str(&without_middle(word, room));
        }
        column += long.min(room);
    }
    out
}

/// The words of a line, each with the number of spaces before it. A quoted command is one word, and so
/// is an amount of which some is unknown, `$0.25 + 1 unknown`.
fn words_of(line: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        let word = rest.trim_start_matches(' ');
        if word.is_empty() {
            return words;
        }
        let gap = rest.len() - word.len();
        let space = word.find(' ').unwrap_or(word.len());
        let quoted = word[..space].find('`').and_then(|open| {
            let close = open + 1 + word[open + 1..].find('`')?;
            Some(word[close..].find(' ').map_or(word.len(), |at| close + at))
        });
        let end = quoted.unwrap_or(space).max(space);
        let (word, after) = word.split_at(with_unknown(word, end));
        words.push((gap, word));
        rest = after;
    }
}

/// The end of a word, or of ` + 1 unknown` behind it.
fn with_unknown(text: &str, end: usize) -> usize {
    let more = text[end..].strip_prefix(" + ").unwrap_or_default();
    let Some((count, after)) = more.split_once(" unknown") else {
        return end;
    };
    if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return end;
    }
    let rest = after.find(' ').map_or(0, |at| after.len() - at);
    text.len() - rest
}

/// Rows as columns: the first to the left, the others to the right, `gap` columns apart.
#[must_use]
pub fn spaced(rows: &[Vec<String>], gap: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| width(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let room = " ".repeat(widths[column] - width(cell));
            if column == 0 {
                line.push_str(cell);
                line.push_str(&room);
            } else {
                line.push_str(&" ".repeat(gap));
                line.push_str(&room);
                line.push_str(cell);
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_take_no_room_and_wide_characters_take_two() {
        assert_eq!(width("\u{1b}[1;31merror\u{1b}[0m"), 5);
        assert_eq!(width("日本 e\u{301}"), 6);
    }

    #[test]
    fn a_line_is_cut_at_its_end_and_a_word_in_its_middle() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("\u{1b}[1mabcdef\u{1b}[0m", 4), "\u{1b}[1mabc\u{1b}[0m…");
        assert_eq!(
            without_middle("/a/long/way/to/file.log", 12),
            "/a/…file.log"
        );
        for most in 0..30 {
            for text in ["/a/long/way/to/file.log", "日本語の長い名前です", "", "x"] {
                assert!(width(&cut(text, most)) <= most, "{text} in {most}");
                assert!(width(&without_middle(text, most)) <= most, "{text}");
            }
        }
    }

    #[test]
    fn a_text_is_broken_between_words_and_goes_on_further_in() {
        assert_eq!(wrapped("one two three\nfour", 9), "one two\n  three\nfour");
        assert_eq!(wrapped("  one  two  three", 12), "  one  two\n    three");
        assert_eq!(
            wrapped("see `regatta report x` for it", 21),
            "see\n  `regatta report x`\n  for it"
        );
        assert_eq!(
            wrapped("log: /a/very/long/path/to/a.log", 20),
            "log:\n  /a/ve…ath/to/a.log"
        );
    }

    #[test]
    fn an_amount_is_not_torn_from_what_is_unknown_of_it() {
        assert_eq!(
            wrapped("cost $4.75 + 1 unknown, spent $5.00 + 22 unknown", 32),
            "cost $4.75 + 1 unknown, spent\n  $5.00 + 22 unknown"
        );
        assert_eq!(wrapped("one + two three", 9), "one + two\n  three");
    }

    #[test]
    fn a_quoted_command_stays_whole_at_any_width() {
        let text = "next: `regatta eval --profile demo` judges it";
        assert_eq!(
            wrapped(text, 12),
            "next:\n  `regatta eval --profile demo`\n  judges it"
        );
    }

    #[test]
    fn a_second_part_goes_on_below_its_beginning() {
        assert_eq!(
            hung("  \u{1b}[1mwarn\u{1b}[0m  key   it is not set", 22),
            "  \u{1b}[1mwarn\u{1b}[0m  key   it is\n           not set"
        );
        assert_eq!(hung("   → a step of many", 14), "   → a step of\n     many");
        // What fits into a whole line only begins as far left as it must.
        assert_eq!(
            hung("warn  a  at /a/path/to/it and on", 14),
            "warn  a  at\n /a/path/to/it\n       and on"
        );
    }

    #[test]
    fn no_width_is_too_small() {
        for most in 1..12 {
            let text = wrapped("  a line of many words and /a/path/of/many/parts", most);
            let lines = text.lines().filter(|line| width(line) > most);
            assert_eq!(lines.count(), 0, "{most}: {text:?}");
        }
    }
}
