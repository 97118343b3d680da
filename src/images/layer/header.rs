//! Headers of tar (POSIX.1-2017, "pax Interchange Format"; GNU tar's manual, "Basic Tar Format").
//!
//! The crate `tar` was in the way: it splits extended records at newlines, which the values of
//! attributes have, reads none of PAX's sparse files, and takes names of any length into memory.

use super::snag::Snag;

/// The size of everything in a tar.
pub const BLOCK: usize = 512;

/// One block that begins an entry.
pub struct TarHeader<'a>(&'a [u8; BLOCK]);

impl<'a> TarHeader<'a> {
    /// A block as a header; `None` when it is the end of the archive.
    pub fn of(block: &'a [u8; BLOCK]) -> Result<Option<Self>, Snag> {
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let sum = |from: &dyn Fn(u8) -> i64| -> i64 {
            let bytes = block.iter().enumerate();
            let counted =
                bytes.map(|(n, byte)| from(if (148..156).contains(&n) { b' ' } else { *byte }));
            counted.sum()
        };
        let said = number(&block[148..156]);
        // Some old programs added the bytes as signed ones.
        let signed = |byte: u8| i64::from(byte.cast_signed());
        if said != Some(sum(&i64::from)) && said != Some(sum(&signed)) {
            return Err(Snag::content(
                "it is no tar archive, or a damaged one: the sum of a header is wrong",
            ));
        }
        Ok(Some(Self(block)))
    }

    /// The kind of the entry, a letter.
    pub const fn kind(&self) -> u8 {
        self.0[156]
    }

    pub fn name(&self) -> Vec<u8> {
        let name = text(&self.0[..100]);
        let prefix = text(&self.0[345..500]);
        // GNU's own form has other fields there.
        if self.is_posix() && !prefix.is_empty() {
            [prefix, b"/", name].concat()
        } else {
            name.to_vec()
        }
    }

    fn is_posix(&self) -> bool {
        &self.0[257..263] == b"ustar\0"
    }

    pub fn link(&self) -> Vec<u8> {
        text(&self.0[157..257]).to_vec()
    }

    pub fn size(&self) -> Result<u64, Snag> {
        let size = number(&self.0[124..136]).and_then(|size| u64::try_from(size).ok());
        size.ok_or_else(|| Snag::content("a header of it has no size"))
    }

    pub fn mode(&self) -> u32 {
        let mode = number(&self.0[100..108]).and_then(|mode| u32::try_from(mode).ok());
        mode.unwrap_or(0o644)
    }

    /// The numbers of the user and of the group.
    pub fn owner(&self) -> (i64, i64) {
        let of = |field| number(field).unwrap_or_default();
        (of(&self.0[108..116]), of(&self.0[116..124]))
    }

    /// Seconds since 1970.
    pub fn mtime(&self) -> i64 {
        number(&self.0[136..148]).unwrap_or_default()
    }

    /// Of GNU's sparse file: where its first four pieces are, whether more follow, and its size.
    pub fn sparse(&self) -> Option<(Extents, bool, u64)> {
        let pieces = sparse_pieces(&self.0[386..482])?;
        let size = number(&self.0[483..495]).and_then(|size| u64::try_from(size).ok())?;
        Some((pieces, self.0[482] != 0, size))
    }
}

/// Where the bytes of a file with holes are: offsets and lengths.
pub type Extents = Vec<(u64, u64)>;

/// Keys and values.
pub type Records<'a> = Vec<(&'a [u8], &'a [u8])>;

/// Of a block of more pieces of GNU's sparse file: where they are, and whether more blocks follow.
pub fn more_sparse(block: &[u8; BLOCK]) -> Option<(Extents, bool)> {
    Some((sparse_pieces(&block[..504])?, block[504] != 0))
}

fn sparse_pieces(fields: &[u8]) -> Option<Extents> {
    let is_there = |field: &&[u8]| field[0] != 0;
    let of = |field: &[u8]| number(field).and_then(|it| u64::try_from(it).ok());
    let pieces = fields.chunks_exact(24).take_while(is_there);
    pieces
        .map(|it| Some((of(&it[..12])?, of(&it[12..])?)))
        .collect()
}

fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|byte| *byte == 0);
    &field[..end.unwrap_or(field.len())]
}

/// A number: octal digits, or two's complement where the first bit is set. An empty field is 0.
fn number(field: &[u8]) -> Option<i64> {
    if field[0] & 0x80 != 0 {
        let is_negative = field[0] & 0x40 != 0;
        let first = if is_negative {
            field[0]
        } else {
            field[0] & 0x7f
        };
        let start = i128::from(first.cast_signed());
        // The longest field has 12 bytes.
        let all = field[1..]
            .iter()
            .fold(start, |all, byte| (all << 8) | i128::from(*byte));
        return i64::try_from(all).ok();
    }
    let digits = text(field).trim_ascii();
    if digits.is_empty() {
        return Some(0);
    }
    let digits = std::str::from_utf8(digits).ok()?;
    i64::from_str_radix(digits, 8).ok()
}

/// The records of an extended header: `LENGTH KEY=VALUE\n`, the length being that of all of it.
pub fn records(mut bytes: &[u8]) -> Result<Records<'_>, Snag> {
    let mut found = Vec::new();
    // Some programs fill up with zeros.
    while bytes.first().is_some_and(|byte| *byte != 0) {
        let record =
            record(bytes).ok_or_else(|| Snag::content("an extended header of it is damaged"))?;
        found.push((record.0, record.1));
        bytes = record.2;
    }
    Ok(found)
}

fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&bytes[..space]).ok()?.parse().ok()?;
    let rest = bytes.get(length..)?;
    let record = bytes.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some((&record[..equals], &record[equals + 1..], rest))
}

/// A time of an extended header: seconds since 1970 with a fraction, also before it.
pub fn time(text: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let mut nanos = digits.map(|it| it.is_ascii_digit().then(|| u32::from(it - b'0')));
    let nanos = nanos.try_fold(0, |all, digit| Some(all * 10 + digit?))?;
    if whole.starts_with('-') && nanos > 0 {
        return Some((seconds.checked_sub(1)?, 1_000_000_000 - nanos));
    }
    Some((seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_binary() {
        let mut huge = [0; 12];
        huge[0] = 0x80;
        huge[6] = 1;
        for (field, value) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"    644 ", Some(0o644)),
            (b"\0\0\0\0", Some(0)),
            (b"        ", Some(0)),
            (&huge, Some(1 << 40)),
            (
                b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe",
                Some(-2),
            ),
            (b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
            (b"9999", None),
            (b"\xc3\xa9", Some(-(0x40 - 3) * 256 + 0xa9)),
        ] {
            assert_eq!(number(field), value, "{}", field.escape_ascii());
        }
    }

    #[test]
    fn records_have_any_bytes_as_values() {
        let bytes = b"11 a=x\ny\0z\n5 b=\n";
        let found = records(bytes).unwrap();
        assert_eq!(found, [(&b"a"[..], &b"x\ny\0z"[..]), (b"b", b"")]);
        for wrong in [&b"5 a=b\n"[..], b"99 a=b\n", b"a=b\n", b"6 a=b", b"5 ab\n"] {
            assert!(records(wrong).is_err(), "{}", wrong.escape_ascii());
        }
        assert_eq!(records(b"\0\0\0").unwrap(), []);
    }

    #[test]
    fn times_have_fractions_and_may_be_before_1970() {
        for (text, value) in [
            ("1", Some((1, 0))),
            ("1.5", Some((1, 500_000_000))),
            ("1.1234567891", Some((1, 123_456_789))),
            ("-1.25", Some((-2, 750_000_000))),
            ("-0.25", Some((-1, 750_000_000))),
            ("x", None),
            ("1.x", None),
        ] {
            assert_eq!(time(text.as_bytes()), value, "{text}");
        }
    }
}
