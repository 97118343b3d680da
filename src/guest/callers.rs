//! The guest's side of calls: a socket on which programs in the sandbox reach it.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use super::call::{Door, Head, MAX_BODY};

/// The line before a caller's body is not longer than this.
const MAX_HEAD: usize = 1 << 20;
/// What all callers together may have said; one that goes beyond is hung up on.
const MAX_HELD: usize = MAX_HEAD + MAX_BODY;
/// Callers at the same time.
const MAX_CALLERS: usize = 32;
/// How long a caller may take to read its answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// The socket and who is on it.
pub struct Callers {
    door: Door,
    listener: UnixListener,
    present: Vec<Caller>,
    next: u64,
}

/// A call that is complete.
pub struct Complete {
    /// The number that its answer will name.
    pub call: u64,
    /// The program and its arguments.
    pub words: Vec<String>,
    /// What stood on the program's standard input, in bytes.
    pub body: Vec<u8>,
}

struct Caller {
    stream: UnixStream,
    said: Vec<u8>,
    head: Option<Head>,
    /// Its number, once it was passed on.
    call: Option<u64>,
}

impl Callers {
    /// Listens for those who know the secret.
    pub fn listen(door: &Door) -> io::Result<Self> {
        let listener = UnixListener::bind_addr(&door.address()?)?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            door: door.clone(),
            listener,
            present: Vec::new(),
            next: 0,
        })
    }

    /// The descriptors to wait on: a new caller, or a word of one that is there.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        // One who waits for an answer says nothing more, but may hang up.
        let callers = self.present.iter().map(|caller| caller.stream.as_fd());
        // A listener that is not listened to would be ready for ever.
        let listener = (self.present.len() < MAX_CALLERS).then(|| self.listener.as_fd());
        listener.into_iter().chain(callers)
    }

    /// The calls that are complete and were not taken yet.
    pub fn take_calls(&mut self) -> Vec<Complete> {
        while self.present.len() < MAX_CALLERS
            && let Ok((stream, _)) = self.listener.accept()
        {
            if stream.set_nonblocking(true).is_ok() {
                self.present.push(Caller {
                    stream,
                    said: Vec::new(),
                    head: None,
                    call: None,
                });
            }
        }
        let mut calls = Vec::new();
        let next = &mut self.next;
        let mut held: usize = self.present.iter().map(|caller| caller.said.len()).sum();
        self.present.retain_mut(|caller| {
            if caller.call.is_some() {
                return !caller.has_hung_up();
            }
            let before = caller.said.len();
            let read = caller.read(&self.door, MAX_HELD.saturating_sub(held - before));
            held = held - before + caller.said.len();
            match read {
                Ok(None) => true,
                Ok(Some((words, body))) => {
                    *next += 1;
                    caller.call = Some(*next);
                    let call = *next;
                    calls.push(Complete { call, words, body });
                    true
                }
                Err(_) => false,
            }
        });
        calls
    }

    /// Answers a caller; one that has gone away is no concern.
    pub fn answer(&mut self, call: u64, code: u8, text: &[u8]) {
        self.present.retain_mut(|caller| {
            if caller.call != Some(call) {
                return true;
            }
            // One that is gone, or does not read, is told no more.
            let _ = caller.answer(&[&[code], text].concat());
            false
        });
    }
}

impl Caller {
    /// Writes within [`WRITE_TIMEOUT`] in all: one that reads a little now and then must not hold up the
    /// others, and the deadline of a command.
    fn answer(&mut self, mut rest: &[u8]) -> io::Result<()> {
        self.stream.set_nonblocking(false)?;
        let deadline = Instant::now() + WRITE_TIMEOUT;
        while !rest.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_write_timeout(Some(left))?;
            match self.stream.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn has_hung_up(&mut self) -> bool {
        match self.stream.read(&mut [0; 256]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// The words and the body, when they are whole; at most `limit` bytes are held.
    fn read(&mut self, door: &Door, limit: usize) -> io::Result<Option<(Vec<String>, Vec<u8>)>> {
        let mut piece = [0; 1 << 14];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.said.extend(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
            if self.said.len() > limit {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            if self.head.is_none() {
                let Some(end) = self.said.iter().position(|byte| *byte == b'\n') else {
                    if self.said.len() > MAX_HEAD {
                        return Err(io::ErrorKind::FileTooLarge.into());
                    }
                    continue;
                };
                let head: Head =
                    serde_json::from_slice(&self.said[..end]).map_err(io::Error::other)?;
                if !door.admits(&head.secret) {
                    return Err(io::ErrorKind::PermissionDenied.into());
                }
                if head.length > MAX_BODY {
                    return Err(io::ErrorKind::FileTooLarge.into());
                }
                self.said.drain(..=end);
                self.head = Some(head);
            }
            if let Some(head) = &mut self.head
                && self.said.len() >= head.length
            {
                self.said.truncate(head.length);
                let words = std::mem::take(&mut head.words);
                return Ok(Some((words, std::mem::take(&mut self.said))));
            }
        }
    }
}
