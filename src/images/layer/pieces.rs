//! A stream from one thread to another, in pieces that are used again.

use std::io::{self, BufRead, ErrorKind, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

/// Bytes of a piece, and how many of them there are.
const PIECE: usize = 512 << 10;
const PIECES: usize = 4;

/// A buffer, and how many bytes of it are filled.
type Piece = (Vec<u8>, usize);

/// The end that is written.
pub struct Giver {
    full: SyncSender<Piece>,
    empty: Receiver<Vec<u8>>,
    spare: Option<Vec<u8>>,
}

/// The end that is read.
pub struct Taker {
    full: Receiver<Piece>,
    empty: Sender<Vec<u8>>,
    piece: Piece,
    at: usize,
    is_over: bool,
}

/// Both ends of a stream.
pub fn pieces() -> (Giver, Taker) {
    let (give_full, full) = sync_channel(PIECES);
    let (give_empty, empty) = channel();
    for _ in 0..PIECES {
        // The other end is here still.
        let _ = give_empty.send(Vec::new());
    }
    let giver = Giver {
        full: give_full,
        empty,
        spare: None,
    };
    let taker = Taker {
        full,
        empty: give_empty,
        piece: (Vec::new(), 0),
        at: 0,
        is_over: false,
    };
    (giver, taker)
}

impl Giver {
    /// Gives all that a reader has; each piece is shown to `seen` first.
    pub fn give(&mut self, from: &mut dyn Read, mut seen: impl FnMut(&[u8])) -> io::Result<()> {
        loop {
            let next = self.spare.take().or_else(|| self.empty.recv().ok());
            let mut piece = next.ok_or(ErrorKind::BrokenPipe)?;
            piece.resize(PIECE, 0);
            let filled = fill(&mut piece, from)?;
            if filled == 0 {
                self.spare = Some(piece);
                return Ok(());
            }
            seen(&piece[..filled]);
            let given = self.full.send((piece, filled));
            given.map_err(|_| ErrorKind::BrokenPipe)?;
        }
    }

    /// Says that this was all: without it, the other end takes the stream for cut.
    pub fn end(self) {
        // Who does not listen needs no end.
        let _ = self.full.send((Vec::new(), 0));
    }
}

fn fill(piece: &mut [u8], from: &mut dyn Read) -> io::Result<usize> {
    let mut filled = 0;
    while filled < piece.len() {
        match from.read(&mut piece[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

impl BufRead for Taker {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.piece.1 && !self.is_over {
            let next = self.full.recv().map_err(|_| ErrorKind::UnexpectedEof)?;
            let (used, _) = std::mem::replace(&mut self.piece, next);
            self.at = 0;
            self.is_over = self.piece.1 == 0;
            if !used.is_empty() {
                // Who has given all needs none.
                let _ = self.empty.send(used);
            }
        }
        Ok(&self.piece.0[self.at..self.piece.1])
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
    }
}

impl Read for Taker {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let there = self.fill_buf()?;
        let taken = there.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&there[..taken]);
        self.consume(taken);
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_comes_as_it_went_and_one_without_an_end_is_cut() {
        let text: Vec<u8> = (0..5_000_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        for is_whole in [true, false] {
            let (mut giver, mut taker) = pieces();
            let (came, end) = std::thread::scope(|scope| {
                let taking = scope.spawn(move || {
                    let mut came = Vec::new();
                    let end = taker.read_to_end(&mut came);
                    (came, end)
                });
                let (front, back) = text.split_at(1_234_567);
                giver.give(&mut &front[..], |_| ()).unwrap();
                giver.give(&mut &back[..], |_| ()).unwrap();
                if is_whole {
                    giver.end();
                } else {
                    drop(giver);
                }
                taking.join().unwrap()
            });
            assert!(came == text);
            assert_eq!(end.is_ok(), is_whole);
        }
    }

    #[test]
    fn who_gives_what_nobody_takes_stops() {
        let (mut giver, taker) = pieces();
        drop(taker);
        let error = giver.give(&mut io::repeat(0), |_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
}
