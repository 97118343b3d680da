//! From a packed stream to a directory.

use std::io::{self, BufReader, Read};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Crc;
use sha2::{Digest as _, Sha256};

use super::contents::LayerContents;
use super::entries::{Sparse, TarEntries, TarEntry, TarKind};
use super::names::{TarMeaning, meaning, normal};
use super::pieces::{Giver, Taker, pieces};
use super::snag::{Snag, shown};
use super::tree::{LayerTree, OwnedBy, TarGiven, Writing, open_dir};
use super::{Hidden, Layer};
use crate::images::{Compression, Digest, ImageError};

/// Unpacks a layer into an empty directory, and says what it was. The stream is read to its end; its
/// bytes, not compressed, must have the digest. One thread reads and counts, another writes.
pub fn unpack(
    into: &Path,
    owner: OwnedBy,
    layer: &Digest,
    compression: Compression,
    from: impl Read,
    told: &dyn Fn(u64),
) -> Result<UnpackedTree, ImageError> {
    let root = open_dir(into).map_err(|error| ImageError::system("open", into, error))?;
    let written = AtomicU64::new(0);
    let (mut giver, taker) = pieces();
    let mut source = Source {
        from,
        told,
        read: 0,
        failure: None,
    };
    let (read, made) = std::thread::scope(|scope| {
        let making = scope.spawn(|| make(root, owner, taker, &written));
        let read = read(&mut source, compression, &mut giver);
        if read.is_ok() {
            giver.end();
        } else {
            drop(giver);
        }
        (read, making.join())
    });
    // A thread of ours that panics says so itself.
    let made = made.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let written = written.into_inner();
    let bad = |why: String| ImageError::BadLayer {
        layer: layer.clone(),
        why,
    };
    match (read, made) {
        (_, Err(snag)) if snag.is_full() => Err(ImageError::Full {
            layer: layer.clone(),
            dir: into.to_owned(),
            written,
        }),
        (_, Err(Snag::System { doing, name, error })) => Err(ImageError::Entry {
            layer: layer.clone(),
            doing,
            name: shown(&name),
            error: error.into(),
        }),
        (Err(error), _) => Err(source.error(layer, &error)),
        (Ok((found, bytes)), _) if found != *layer => Err(ImageError::WrongDigest {
            wanted: layer.clone(),
            found,
            bytes,
        }),
        (Ok(_), Err(Snag::Content(why))) => Err(bad(why)),
        (Ok(_), Err(_)) => Err(bad("its end was not seen".to_owned())),
        (Ok(_), Ok(made)) => Ok(made),
    }
}

/// Where a layer comes from.
struct Source<'a, R> {
    from: R,
    told: &'a dyn Fn(u64),
    read: u64,
    /// Whether reading failed, and not the unpacking of what came.
    failure: Option<io::Error>,
}

impl<R: Read> Read for &mut Source<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.from.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let kind = error.kind();
                    self.failure = Some(error);
                    return Err(kind.into());
                }
                Ok(read) => {
                    self.read += read as u64;
                    (self.told)(read as u64);
                    return Ok(read);
                }
            }
        }
    }
}

impl<R> Source<'_, R> {
    fn error(&mut self, layer: &Digest, unpacking: &io::Error) -> ImageError {
        let Some(error) = self.failure.take() else {
            let why = match unpacking.kind() {
                io::ErrorKind::UnexpectedEof => "it ends too early".to_owned(),
                _ => format!("it is packed wrongly: {unpacking}"),
            };
            return ImageError::BadLayer {
                layer: layer.clone(),
                why,
            };
        };
        // Who reads from a network has its own errors.
        error
            .downcast::<ImageError>()
            .unwrap_or_else(|error| ImageError::Source {
                layer: layer.clone(),
                read: self.read,
                error,
            })
    }
}

/// Reads all of a stream; gives the digest and the number of its bytes, not compressed.
fn read<R: Read>(
    source: &mut Source<'_, R>,
    compression: Compression,
    giver: &mut Giver,
) -> io::Result<(Digest, u64)> {
    let mut hash = Sha256::new();
    let mut bytes = 0;
    let mut source = BufReader::with_capacity(256 << 10, source);
    compression.unpack(&mut source, |part| {
        giver.give(part, |piece| {
            hash.update(piece);
            bytes += piece.len() as u64;
        })
    })?;
    // Who reads for a digest of what is packed must see all of it.
    io::copy(&mut source, &mut io::sink())?;
    Ok((Digest::of_hash(&hash.finalize()), bytes))
}

/// What became of a layer.
#[derive(Debug, Default)]
pub struct UnpackedTree {
    pub layer: Layer,
    pub hidden: Hidden,
    pub contents: LayerContents,
}

/// Makes what a stream of tar says. Where its content is wrong, the rest is read all the same: the
/// digest says whether the layer is so, or came so.
fn make(
    root: OwnedFd,
    owner: OwnedBy,
    taker: Taker,
    written: &AtomicU64,
) -> Result<UnpackedTree, Snag> {
    let mut making = Making {
        tree: LayerTree::in_dir(root, owner)?,
        entries: TarEntries::of(taker),
        made: UnpackedTree::default(),
        written,
    };
    let all = making.all();
    if matches!(all, Ok(()) | Err(Snag::Content(_))) {
        making.entries.drain()?;
    }
    all?;
    let UnpackedTree {
        mut layer,
        hidden,
        contents,
    } = making.made;
    layer.hides = (hidden.gone.len() + hidden.opaque.len()) as u64;
    layer.left_out += making.tree.end()?;
    Ok(UnpackedTree {
        layer,
        hidden,
        contents,
    })
}

struct Making<'a> {
    tree: LayerTree,
    entries: TarEntries<Taker>,
    made: UnpackedTree,
    written: &'a AtomicU64,
}

impl Making<'_> {
    fn all(&mut self) -> Result<(), Snag> {
        while let Some(entry) = self.entries.next()? {
            let path = normal(&entry.name)?;
            match meaning(&path)? {
                TarMeaning::File => self.one(&path, entry)?,
                TarMeaning::Gone(path) => self.made.hidden.gone.push(path),
                TarMeaning::Opaque(dir) => self.made.hidden.opaque.push(dir.to_vec()),
                TarMeaning::Nothing => {}
            }
        }
        Ok(())
    }

    fn one(&mut self, path: &[u8], entry: TarEntry) -> Result<(), Snag> {
        let layer = &mut self.made.layer;
        layer.left_out.owners += u64::from(entry.is_others);
        if entry.kind == TarKind::Device {
            layer.left_out.devices += 1;
            return Ok(());
        }
        layer.files += 1;
        let given = TarGiven {
            mode: entry.mode,
            mtime: entry.mtime,
            attributes: entry.attributes,
        };
        let mode = LayerTree::kept(entry.mode, entry.kind == TarKind::Directory);
        let contents = &mut self.made.contents;
        match entry.kind {
            TarKind::Directory => {
                contents.directory(path, mode);
                self.tree.directory(path, given)
            }
            TarKind::Symlink => {
                contents.symlink(path, &entry.link);
                self.tree.symlink(path, &entry.link, &given)
            }
            TarKind::Fifo => {
                contents.fifo(path, mode);
                self.tree.fifo(path, &given)
            }
            TarKind::HardLink => {
                let to = normal(&entry.link)?;
                contents.hard_link(path, &to);
                self.tree.hard_link(path, &to)
            }
            TarKind::File | TarKind::Device => {
                layer.bytes += self.entries.left();
                let (size, sum) = self.file(path, &given, entry.sparse)?;
                self.made.contents.file(path, mode, size, sum);
                Ok(())
            }
        }
    }

    /// Makes a file; gives its size and, where it has no holes, the sum of its bytes.
    fn file(
        &mut self,
        path: &[u8],
        given: &TarGiven,
        sparse: Option<Sparse>,
    ) -> Result<(u64, Option<u32>), Snag> {
        let file = self.tree.file(path, given)?;
        let mut crc = Crc::new();
        let known = if let Some(Sparse { size, pieces }) = sparse {
            for (offset, length) in pieces {
                self.fill(path, &file, length, Some(offset), &mut crc)?;
            }
            file.set_length(size).map_err(Snag::of("write", path))?;
            (size, None)
        } else {
            let size = self.entries.left();
            self.fill(path, &file, u64::MAX, None, &mut crc)?;
            (size, Some(crc.sum()))
        };
        self.tree.finish(path, &file, given)?;
        Ok(known)
    }

    /// Writes so many bytes of an entry, or all that are left.
    fn fill(
        &mut self,
        path: &[u8],
        file: &Writing,
        mut length: u64,
        mut at: Option<u64>,
        crc: &mut Crc,
    ) -> Result<(), Snag> {
        while length > 0 {
            let data = self.entries.data()?;
            let data = &data[..data
                .len()
                .min(usize::try_from(length).unwrap_or(usize::MAX))];
            if data.is_empty() {
                break;
            }
            file.write(data, at).map_err(Snag::of("write", path))?;
            crc.update(data);
            let used = data.len();
            self.entries.used(used);
            self.written.fetch_add(used as u64, Ordering::Relaxed);
            length -= used as u64;
            at = at.map(|at| at + used as u64);
        }
        Ok(())
    }
}
