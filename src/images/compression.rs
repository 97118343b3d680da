//! How layers are packed.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

/// How a layer is packed. What a stream begins with says it, whatever its media type says: archives
/// of `docker save` name types that their files are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// As the first bytes say.
    #[default]
    Detect,
    /// Not at all.
    None,
    /// RFC 1952; several members may follow one another.
    Gzip,
    /// RFC 8878; several frames may follow one another, and some are to be skipped.
    Zstd,
}

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// The second to the fourth byte of a frame of zstd that is to be skipped; the first is 0x50 to 0x5f.
const SKIPPED: &[u8] = &[0x2a, 0x4d, 0x18];

impl Compression {
    /// That of a stream that begins so.
    #[must_use]
    pub fn of(start: &[u8]) -> Self {
        let is_skipped = |start: &[u8]| {
            start.first().is_some_and(|it| it >> 4 == 5) && start[1..].starts_with(SKIPPED)
        };
        if start.starts_with(GZIP) {
            Self::Gzip
        } else if start.starts_with(ZSTD) || is_skipped(start) {
            Self::Zstd
        } else {
            Self::None
        }
    }

    /// Unpacks a stream: hands what is in it to `each`, reader by reader, to be read to the end.
    /// What follows the last member or frame is nothing of the layer.
    pub(super) fn unpack(
        self,
        source: &mut impl BufRead,
        mut each: impl FnMut(&mut dyn Read) -> io::Result<()>,
    ) -> io::Result<()> {
        match self {
            Self::Detect => Self::of(source.fill_buf()?).unpack(source, each),
            Self::None => each(source),
            Self::Gzip => loop {
                each(&mut GzDecoder::new(&mut *source))?;
                if source.fill_buf()?.first() != GZIP.first() {
                    return Ok(());
                }
            },
            Self::Zstd => unpack_zstd(source, each),
        }
    }
}

fn unpack_zstd(
    source: &mut impl BufRead,
    mut each: impl FnMut(&mut dyn Read) -> io::Result<()>,
) -> io::Result<()> {
    // A layer of `zstd:chunked` has a frame for each file.
    let mut decoder = FrameDecoder::new();
    let mut is_first = true;
    while !source.fill_buf()?.is_empty() {
        match StreamingDecoder::new_with_decoder(&mut *source, &mut decoder) {
            Ok(mut frame) => each(&mut frame)?,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                io::copy(&mut source.by_ref().take(length.into()), &mut io::sink())?;
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::BadMagicNumber(
                _,
            ))) if !is_first => return Ok(()),
            Err(error) => return Err(io::Error::other(error)),
        }
        is_first = false;
    }
    Ok(())
}
