//! Rows as CSV by RFC 4180: a header, commas, CRLF. Text is never a formula for a spreadsheet.

use std::borrow::Cow;

use csv::{Terminator, WriterBuilder};

use super::Row;
use super::row::cell::Cell;
use crate::text::shown;

/// What spreadsheets take for the beginning of a formula: also as wide, small and mathematical forms,
/// which some of them read as the plain ones.
const STARTS: [char; 13] = [
    '=', '+', '-', '@', '＝', '＋', '－', '＠', '﹦', '﹢', '﹣', '﹫', '−',
];

/// After what else than its beginning a text may become a cell of its own: where a decimal comma is
/// usual, a semicolon ends cells, within quotes too.
const ENDS: [char; 3] = [';', '\t', '\n'];

/// What makes a text of it.
const MARK: char = '\'';

/// The header.
#[must_use]
pub fn head() -> String {
    record(Row::COLUMNS.iter().map(|column| Cow::Borrowed(column.name)))
}

/// A row. Nothing in it is hidden.
#[must_use]
pub fn line(row: &Row) -> String {
    record(row.cells().into_iter().map(|cell| match cell {
        Cell::Empty => Cow::Borrowed(""),
        Cell::Plain(text) => Cow::Owned(text),
        Cell::Text(text) => Cow::Owned(defused(&shown(text))),
    }))
}

fn record<'a>(cells: impl Iterator<Item = Cow<'a, str>>) -> String {
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .from_writer(Vec::new());
    let written = writer.write_record(cells.map(Cow::into_owned));
    written.expect("memory takes it all, and every record is the first");
    let bytes = writer.into_inner().expect("memory takes it all");
    String::from_utf8(bytes).expect("the cells are text")
}

/// A text in which no cell can begin as a formula does: there a mark is put before it. Where a mark
/// stands already another one is put, so that who takes one away at each of these places gets the
/// text.
fn defused(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    for part in text.split_inclusive(ENDS) {
        if part.trim_start().starts_with(STARTS) || part.starts_with(['\t', MARK]) {
            out.push(MARK);
        }
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    /// As the documentation says.
    fn read_back(text: &str) -> String {
        let marks = Regex::new("(^|[;\t\n])'").unwrap();
        marks.replace_all(text, "$1").into_owned()
    }

    #[test]
    fn no_cell_begins_as_a_formula_does_and_every_text_can_be_read_back() {
        for (text, written) in [
            ("plain", "plain"),
            ("a - b = c", "a - b = c"),
            ("=1+1", "'=1+1"),
            ("-1", "'-1"),
            ("@cf/meta/llama", "'@cf/meta/llama"),
            ("  +1", "'  +1"),
            ("\t=1", "'\t'=1"),
            ("＝1", "'＝1"),
            ("−1", "'−1"),
            ("'quoted'", "''quoted'"),
            ("'=1", "''=1"),
            ("a;=1;b", "a;'=1;b"),
            ("a;'=1", "a;''=1"),
            ("a\n=1\n'", "a\n'=1\n''"),
            (";", ";"),
            ("", ""),
        ] {
            assert_eq!(defused(text), written, "{text:?}");
            assert_eq!(read_back(written), text, "{text:?}");
        }
    }

    #[test]
    fn a_reader_of_the_format_gets_what_was_written() {
        let row = Row {
            run: "a \"b\", c".to_owned(),
            evidence: Some("=1\r\nsecond\u{1b}[2J\u{202e}, line".to_owned()),
            cost_usd: Some(-0.5),
            ..Row::default()
        };
        let text = head() + &line(&row) + &line(&Row::default());
        assert!(text.ends_with("\r\n") && text.lines().count() == 4);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().unwrap().clone();
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        let of = |name| rows[0].get(header.iter().position(|it| it == name).unwrap());
        assert_eq!(of("run"), Some("a \"b\", c"));
        assert_eq!(of("evidence"), Some("'=1 \nsecond [2J\u{fffd}, line"));
        assert_eq!(of("cost_usd"), Some("-0.5"));
        assert_eq!((of("outcome"), of("pair")), (Some("missing"), Some("")));
        assert_eq!((rows.len(), header.len()), (2, Row::COLUMNS.len()));
    }
}
