//! The guest's side of `send_message`: a socket on which commands reach it.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use crate::sandbox::post::Asked;

/// A caller's request is not larger than this.
const MAX_REQUEST: usize = 1 << 20;
/// Callers at the same time.
const MAX_CALLERS: usize = 32;

/// The socket and who is on it.
pub struct PostBox {
    listener: UnixListener,
    callers: Vec<Caller>,
    next: u64,
}

struct Caller {
    stream: UnixStream,
    request: Vec<u8>,
    /// Its number, once it was passed on.
    call: Option<u64>,
}

impl PostBox {
    /// Listens on an abstract socket, which no command can remove.
    pub fn listen(name: &str) -> io::Result<Self> {
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener,
            callers: Vec::new(),
            next: 0,
        })
    }

    /// What to wait for.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        // One who waits for an answer says nothing more, but may hang up.
        let callers = self.callers.iter().map(|caller| caller.stream.as_fd());
        // A listener that is not listened to would be ready for ever.
        let listener = (self.callers.len() < MAX_CALLERS).then(|| self.listener.as_fd());
        listener.into_iter().chain(callers)
    }

    /// The calls that are complete and were not taken yet.
    pub fn take_calls(&mut self) -> Vec<(u64, Vec<String>, Vec<u8>)> {
        while self.callers.len() < MAX_CALLERS
            && let Ok((stream, _)) = self.listener.accept()
        {
            if stream.set_nonblocking(true).is_ok() {
                self.callers.push(Caller {
                    stream,
                    request: Vec::new(),
                    call: None,
                });
            }
        }
        let mut calls = Vec::new();
        let next = &mut self.next;
        self.callers.retain_mut(|caller| {
            if caller.call.is_some() {
                return !caller.has_hung_up();
            }
            match caller.read() {
                Ok(None) => true,
                Ok(Some(asked)) => {
                    *next += 1;
                    caller.call = Some(*next);
                    calls.push((*next, asked.args, asked.body.into_bytes()));
                    true
                }
                Err(_) => false,
            }
        });
        calls
    }

    /// Answers a caller; one that has gone away is no concern.
    pub fn answer(&mut self, call: u64, code: u8, text: &[u8]) {
        self.callers.retain_mut(|caller| {
            if caller.call != Some(call) {
                return true;
            }
            let _ = caller.stream.set_nonblocking(false);
            let _ = caller.stream.write_all(&[code]);
            let _ = caller.stream.write_all(text);
            false
        });
    }
}

impl Caller {
    fn has_hung_up(&mut self) -> bool {
        match self.stream.read(&mut [0; 256]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// The request, when it is whole: one line.
    fn read(&mut self) -> io::Result<Option<Asked>> {
        let mut piece = [0; 4096];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.request.extend(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
            if self.request.len() > MAX_REQUEST {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            if self.request.ends_with(b"\n") {
                let asked = serde_json::from_slice(&self.request);
                return asked.map(Some).map_err(io::Error::other);
            }
        }
    }
}
