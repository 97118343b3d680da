//! Output of any length in bounded memory: its beginning and its end.

use std::collections::VecDeque;

/// What is kept of a command's output.
#[derive(Debug)]
pub struct KeptOutput {
    half: usize,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    elided: u64,
}

impl KeptOutput {
    /// Keeps at most `limit` bytes.
    pub const fn new(limit: usize) -> Self {
        Self {
            half: limit / 2,
            head: Vec::new(),
            tail: VecDeque::new(),
            elided: 0,
        }
    }

    /// Takes in what was printed.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = self.half - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend(head);
        self.tail.extend(rest);
        let over = self.tail.len().saturating_sub(self.half);
        self.tail.drain(..over);
        self.elided += over as u64;
    }

    /// Whether the command printed nothing so far.
    pub fn is_empty(&self) -> bool {
        self.head.is_empty() && self.tail.is_empty()
    }

    /// The bytes kept, how many of them are from the beginning, and how many are missing.
    pub fn into_parts(self) -> (Vec<u8>, usize, u64) {
        let mut bytes = self.head;
        // Without a gap it is one piece.
        let head = if self.elided == 0 {
            bytes.len() + self.tail.len()
        } else {
            bytes.len()
        };
        bytes.extend(self.tail);
        (bytes, head, self.elided)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_output_is_whole() {
        let mut kept = KeptOutput::new(10);
        kept.push(b"abc");
        kept.push(b"defghi");
        assert_eq!(kept.into_parts(), (b"abcdefghi".to_vec(), 9, 0));
    }

    #[test]
    fn of_a_long_one_both_ends_stay() {
        let mut kept = KeptOutput::new(4);
        for byte in b"abcdefgh" {
            kept.push(&[*byte]);
        }
        assert_eq!(kept.into_parts(), (b"abgh".to_vec(), 2, 4));
    }
}
