//! Hijacked connections: nothing is sent behind a response's head before the client has read it.
//!
//! Docker's Python library reads the head through a buffer and the output from the bare socket
//! below it. Output that arrives together with the head stays in that buffer and is lost: an exec
//! "prints" nothing, or not its beginning. On a busy machine that was seen for 2 of 1,200 execs
//! with the daemon itself, and upstream's v1 then submits an empty patch.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::Response;
use hyper::header::HeaderValue;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::{set_socket_send_buffer_size, socket_send_buffer_size};
use tokio::net::UnixStream;

/// How often the socket is looked at. A client on this machine reads a head within microseconds,
/// unless it has to wait for a processor.
const LOOK: Duration = Duration::from_millis(1);
/// A client that has not read its head by then is taken for one that never will.
const PATIENCE: Duration = Duration::from_secs(30);

/// The padding of a head. Linux calls a Unix socket writable when four times what waits in it is
/// no more than its send buffer (`unix_writable` in the kernel's `af_unix.c`), and no buffer is smaller
/// than 4,608 bytes (`SOCK_MIN_SNDBUF`): with 2 KiB in it, it is writable only when they were read.
const PADDING: usize = 2048;

/// A client's socket, beside the server that speaks through it.
#[derive(Clone, Debug)]
pub struct ClientSocket(Arc<OwnedFd>);

impl ClientSocket {
    /// The socket of a connection that was accepted.
    pub fn of(stream: &UnixStream) -> io::Result<Self> {
        Ok(Self(Arc::new(stream.as_fd().try_clone_to_owned()?)))
    }

    /// Readies a response's head so that [`Marked::head_was_read`] can tell.
    pub fn mark<B>(&self, response: &mut Response<B>) -> Marked {
        let padding = HeaderValue::from_str(&"-".repeat(PADDING));
        if let Ok(padding) = padding {
            response.headers_mut().insert("x-regatta-padding", padding);
        }
        // The kernel doubles what it is given, and gives the doubled value back.
        let usual = socket_send_buffer_size(&self.0).unwrap_or(0) / 2;
        let _ = set_socket_send_buffer_size(&self.0, 1);
        Marked {
            socket: self.clone(),
            usual,
        }
    }

    fn is_drained(&self) -> bool {
        let mut fds = [PollFd::new(&self.0, PollFlags::OUT)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // An error, as a hang-up, means that there is nobody to wait for.
        poll(&mut fds, Some(&now)).map_or(true, |ready| ready > 0)
    }
}

/// A head that was marked.
#[derive(Debug)]
pub struct Marked {
    socket: ClientSocket,
    usual: usize,
}

impl Marked {
    /// Waits until the client has read the head, which must have been written; then the socket is
    /// as it was.
    pub async fn head_was_read(self) {
        let begun = Instant::now();
        while !self.socket.is_drained() && begun.elapsed() < PATIENCE {
            tokio::time::sleep(LOOK).await;
        }
        if self.usual > 0 {
            let _ = set_socket_send_buffer_size(&self.socket.0, self.usual);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_head_counts_as_read_when_its_last_byte_was() {
        let (mut server, mut client) = UnixStream::pair().unwrap();
        let socket = ClientSocket::of(&server).unwrap();
        let mut response = Response::new(());
        let marked = socket.mark(&mut response);
        let head = vec![b'x'; PADDING + 150];
        server.write_all(&head).await.unwrap();
        assert!(!socket.is_drained());
        client.read_exact(&mut vec![0; PADDING]).await.unwrap();
        assert!(!socket.is_drained());
        client.read_exact(&mut [0; 150]).await.unwrap();
        assert!(socket.is_drained());
        marked.head_was_read().await;
    }
}
