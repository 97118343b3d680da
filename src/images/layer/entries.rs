//! The entries of a layer, one after another.

use std::io::BufRead;

use super::header::{BLOCK, Extents, TarHeader, more_sparse, records, time};
use super::snag::{Snag, shown};

/// The most that an extended header or a long name may have, in bytes: attributes are up to 64 kB each.
const MAX_EXTENDED: u64 = 4 << 20;
/// The most pieces of a sparse file.
const MAX_PIECES: usize = 1 << 20;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TarKind {
    File,
    HardLink,
    Symlink,
    Directory,
    Fifo,
    Device,
}

/// One entry; its bytes follow in the stream.
#[derive(Debug)]
pub struct TarEntry {
    pub name: Vec<u8>,
    pub link: Vec<u8>,
    pub kind: TarKind,
    pub mode: u32,
    /// Seconds since 1970, and nanoseconds.
    pub mtime: (i64, u32),
    /// Whether it belongs to another user or group than root.
    pub is_others: bool,
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
    pub sparse: Option<Sparse>,
}

/// Where the bytes of a file with holes are.
#[derive(Debug, Default)]
pub struct Sparse {
    pub size: u64,
    /// Offsets and lengths.
    pub pieces: Extents,
}

/// Reads entries from a stream of tar.
pub struct TarEntries<R> {
    from: R,
    /// Bytes of this entry that have not been read, and those that fill its last block.
    left: u64,
    padding: u64,
}

/// What stands before an entry and is about it.
#[derive(Default)]
struct Before {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    records: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Before {
    fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let mut records = self.records.iter().rev();
        records.find(|it| it.0 == key).map(|it| it.1.as_slice())
    }

    fn number(&self, key: &[u8]) -> Result<Option<u64>, Snag> {
        let Some(text) = self.get(key) else {
            return Ok(None);
        };
        let number = std::str::from_utf8(text)
            .ok()
            .and_then(|it| it.parse().ok());
        let wrong = || {
            Snag::content(format!(
                "an extended header of it has {} as a number",
                shown(text)
            ))
        };
        number.map(Some).ok_or_else(wrong)
    }
}

impl<R: BufRead> TarEntries<R> {
    pub const fn of(from: R) -> Self {
        Self {
            from,
            left: 0,
            padding: 0,
        }
    }

    /// What they are read from.
    pub const fn source(&self) -> &R {
        &self.from
    }

    /// The next entry; what is left of the last one is passed over.
    pub fn next(&mut self) -> Result<Option<TarEntry>, Snag> {
        let mut before = Before::default();
        loop {
            self.skip(self.left + self.padding)?;
            (self.left, self.padding) = (0, 0);
            let Some(block) = self.block()? else {
                return Ok(None);
            };
            let Some(header) = TarHeader::of(&block)? else {
                return Ok(None);
            };
            self.begin(header.size()?);
            match header.kind() {
                b'L' => before.name = Some(self.text()?),
                b'K' => before.link = Some(self.text()?),
                b'x' => {
                    let bytes = self.extended()?;
                    let found = records(&bytes)?.into_iter();
                    before.records = found
                        .map(|(key, value)| (key.to_vec(), value.to_vec()))
                        .collect();
                }
                // What holds for all entries, and the name of the archive: nothing for us.
                b'g' | b'V' => {}
                _ => return self.entry(&header, before).map(Some),
            }
        }
    }

    fn begin(&mut self, size: u64) {
        self.left = size;
        self.padding = size.next_multiple_of(BLOCK as u64).wrapping_sub(size);
    }

    fn entry(&mut self, header: &TarHeader<'_>, before: Before) -> Result<TarEntry, Snag> {
        let name = before.get(b"GNU.sparse.name").or(before.get(b"path"));
        let name = name.map(<[u8]>::to_vec).or_else(|| before.name.clone());
        let name = name.unwrap_or_else(|| header.name());
        let kind = kind(header.kind(), &name)?;
        if kind == TarKind::File {
            let size = before.number(b"size")?;
            self.begin(size.map_or_else(|| header.size(), Ok)?);
        } else {
            // Whatever size it names: nothing follows such an entry.
            self.begin(0);
        }
        let sparse = if header.kind() == b'S' {
            Some(self.gnu_sparse(header)?)
        } else if kind == TarKind::File {
            self.pax_sparse(&before)?
        } else {
            None
        };
        let link = before.get(b"linkpath").map(<[u8]>::to_vec);
        let link = link
            .or_else(|| before.link.clone())
            .unwrap_or_else(|| header.link());
        let id = |key: &[u8], said: i64| before.get(key).map_or(said != 0, |text| text != b"0");
        let owner = header.owner();
        let mtime = before.get(b"mtime").and_then(time);
        let is_others = id(b"uid", owner.0) || id(b"gid", owner.1);
        let attribute = |(key, value): (Vec<u8>, Vec<u8>)| {
            let key = key.strip_prefix(b"SCHILY.xattr.")?.to_vec();
            Some((key, value))
        };
        Ok(TarEntry {
            link,
            kind,
            mode: header.mode(),
            mtime: mtime.unwrap_or_else(|| (header.mtime(), 0)),
            is_others,
            attributes: before.records.into_iter().filter_map(attribute).collect(),
            sparse,
            name,
        })
    }

    /// The pieces of a file with holes, in GNU's old form: in the header and the blocks after it.
    fn gnu_sparse(&mut self, header: &TarHeader<'_>) -> Result<Sparse, Snag> {
        let wrong = || Snag::content("the holes of a sparse file in it are damaged");
        let (mut pieces, mut is_more, size) = header.sparse().ok_or_else(wrong)?;
        while is_more {
            let block = self.block()?.ok_or_else(wrong)?;
            let (next, is_more_still) = more_sparse(&block).ok_or_else(wrong)?;
            pieces.extend(next);
            is_more = is_more_still && pieces.len() < MAX_PIECES;
        }
        self.checked(Sparse { size, pieces })
    }

    /// The same in the three forms of PAX.
    fn pax_sparse(&mut self, before: &Before) -> Result<Option<Sparse>, Snag> {
        let size = before.number(b"GNU.sparse.realsize")?;
        let Some(size) =
            size.map_or_else(|| before.number(b"GNU.sparse.size"), |it| Ok(Some(it)))?
        else {
            return Ok(None);
        };
        let wrong = || Snag::content("the holes of a sparse file in it are damaged");
        let numbers: Vec<u64> = if before.get(b"GNU.sparse.major") == Some(b"1") {
            self.sparse_numbers()?
        } else {
            // One list, or each number as a record of its own.
            let mut texts: Vec<&[u8]> = Vec::new();
            for (key, value) in &before.records {
                match key.as_slice() {
                    b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => texts.push(value),
                    b"GNU.sparse.map" => texts = value.split(|byte| *byte == b',').collect(),
                    _ => {}
                }
            }
            let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse().ok();
            let numbers: Option<_> = texts.into_iter().map(number).collect();
            numbers.ok_or_else(wrong)?
        };
        let pieces = numbers.chunks_exact(2).map(|it| (it[0], it[1])).collect();
        self.checked(Sparse { size, pieces }).map(Some)
    }

    /// The numbers before the bytes of a file: lines, the first of which says how many pairs follow,
    /// filled up to a whole block.
    fn sparse_numbers(&mut self) -> Result<Vec<u64>, Snag> {
        let wrong = || Snag::content("the holes of a sparse file in it are damaged");
        let (mut line, mut numbers, mut wanted, mut read) = (0_u64, Vec::new(), None, 0_usize);
        while wanted.is_none_or(|wanted| numbers.len() < wanted) {
            let byte = *self.data()?.first().ok_or_else(wrong)?;
            self.used(1);
            read += 1;
            if byte.is_ascii_digit() {
                let grown = line
                    .checked_mul(10)
                    .and_then(|it| it.checked_add(u64::from(byte - b'0')));
                line = grown.ok_or_else(wrong)?;
            } else if byte != b'\n' {
                return Err(wrong());
            } else if wanted.is_none() {
                let pairs = usize::try_from(line).ok().filter(|it| *it <= MAX_PIECES);
                wanted = Some(pairs.ok_or_else(wrong)? * 2);
                line = 0;
            } else {
                numbers.push(line);
                line = 0;
            }
        }
        let mut padding = read.next_multiple_of(BLOCK) - read;
        while padding > 0 {
            let there = self.data()?.len().min(padding);
            if there == 0 {
                return Err(wrong());
            }
            self.used(there);
            padding -= there;
        }
        Ok(numbers)
    }

    /// Whether the pieces follow one another within the file, and are all the bytes that come.
    fn checked(&self, sparse: Sparse) -> Result<Sparse, Snag> {
        let mut end = 0_u64;
        let mut bytes = 0_u64;
        let mut is_right = true;
        for (offset, length) in &sparse.pieces {
            is_right &= *offset >= end;
            end = offset.saturating_add(*length);
            bytes = bytes.saturating_add(*length);
        }
        if is_right
            && end <= sparse.size
            && bytes == self.left
            && i64::try_from(sparse.size).is_ok()
        {
            Ok(sparse)
        } else {
            Err(Snag::content(
                "the holes of a sparse file in it are damaged",
            ))
        }
    }

    /// Bytes of this entry that are there; none at its end.
    pub fn data(&mut self) -> Result<&[u8], Snag> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let there = self.from.fill_buf()?;
        if there.is_empty() {
            return Err(Snag::content("it ends in the middle of a file"));
        }
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX);
        Ok(&there[..there.len().min(wanted)])
    }

    /// Says how many of them were used.
    pub fn used(&mut self, bytes: usize) {
        self.from.consume(bytes);
        self.left -= bytes as u64;
    }

    /// How many bytes of this entry have not been read.
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// Reads on to the end of the stream: what follows the archive's end belongs to its digest.
    pub fn drain(&mut self) -> Result<(), Snag> {
        self.skip(u64::MAX)
    }

    fn skip(&mut self, mut bytes: u64) -> Result<(), Snag> {
        while bytes > 0 {
            let there = self.from.fill_buf()?.len();
            if there == 0 {
                break;
            }
            let skipped = there.min(usize::try_from(bytes).unwrap_or(usize::MAX));
            self.from.consume(skipped);
            bytes -= skipped as u64;
        }
        Ok(())
    }

    /// One block; `None` where the stream is over.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, Snag> {
        let mut block = [0; BLOCK];
        if self.from.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let mut filled = 0;
        while filled < BLOCK {
            match self.from.read(&mut block[filled..])? {
                0 => return Err(Snag::content("it ends in the middle of a header")),
                n => filled += n,
            }
        }
        Ok(Some(block))
    }

    fn text(&mut self) -> Result<Vec<u8>, Snag> {
        let mut text = self.extended()?;
        let end = text.iter().position(|byte| *byte == 0);
        text.truncate(end.unwrap_or(text.len()));
        Ok(text)
    }

    fn extended(&mut self) -> Result<Vec<u8>, Snag> {
        if self.left > MAX_EXTENDED {
            return Err(Snag::content("an extended header of it has more than 4 MB"));
        }
        let mut bytes = Vec::new();
        loop {
            let there = self.data()?;
            if there.is_empty() {
                return Ok(bytes);
            }
            bytes.extend_from_slice(there);
            let used = there.len();
            self.used(used);
        }
    }
}

fn kind(letter: u8, name: &[u8]) -> Result<TarKind, Snag> {
    Ok(match letter {
        // Before POSIX, a directory was a file with a slash.
        b'0' | 0 | b'7' if name.ends_with(b"/") => TarKind::Directory,
        b'0' | 0 | b'7' | b'S' => TarKind::File,
        b'1' => TarKind::HardLink,
        b'2' => TarKind::Symlink,
        b'3' | b'4' => TarKind::Device,
        b'5' => TarKind::Directory,
        b'6' => TarKind::Fifo,
        other => {
            return Err(Snag::content(format!(
                "its entry {} is of a kind that is not known: {:?}",
                shown(name),
                char::from(other)
            )));
        }
    })
}
