//! The harness's end of the one long-lived channel into a sandbox.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::guest::call::{Call, CallAnswer, Callee};
use crate::guest::frame::{self, CommandEnd, GuestReply, Request};
use crate::guest::order::GuestOrder;

/// How long the guest may take over what should take it no time, beyond a command's own deadline.
/// Generous: the machine may be busy, and the guest ends a timed-out command's processes first.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a command printed, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Whether it ended by itself, and with what code.
    pub end: CommandEnd,
    /// Its output, stdout and stderr in order; of a long one the beginning.
    pub head: Vec<u8>,
    /// The end of a long one.
    pub tail: Vec<u8>,
    /// How many bytes are missing between the two.
    pub elided: u64,
}

impl Output {
    /// The beginning as text, for a message.
    #[must_use]
    pub fn excerpt(&self, chars: usize) -> String {
        String::from_utf8_lossy(&self.head)
            .chars()
            .take(chars)
            .collect()
    }
}

/// Why the channel does not answer.
#[derive(Debug)]
pub enum BrokenChannel {
    /// It is closed: the guest is gone.
    Closed(String),
    /// The guest did not answer in time.
    Silent,
    /// What came is no answer.
    Garbled(String),
    /// The guest is there, and can run nothing any more.
    Crippled(String),
    /// The guest refuses: nothing is broken.
    Refused(String),
}

impl fmt::Display for BrokenChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(why) => write!(f, "the channel closed: {why}"),
            Self::Silent => f.write_str("the guest does not answer"),
            Self::Garbled(why) => write!(f, "the channel holds noise: {why}"),
            Self::Crippled(why) => write!(f, "the guest can run nothing any more: {why}"),
            Self::Refused(why) => f.write_str(why),
        }
    }
}

/// Bytes from the guest, as a stream of pieces.
pub type Pieces = Pin<Box<dyn futures_util::Stream<Item = io::Result<Vec<u8>>> + Send>>;

enum From {
    Reader(Box<dyn AsyncRead + Send + Unpin>),
    Pieces(Pieces),
}

/// The one connection between the harness and a sandbox's guest. Requests go one after the other.
pub struct Channel {
    from: From,
    to: Pin<Box<dyn AsyncWrite + Send>>,
    buffer: Vec<u8>,
    next: u64,
    /// The `PATH` that the guest was started with.
    pub image_path: String,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}

impl Channel {
    /// A channel over a pair of pipes.
    pub fn over_pipes(
        from: impl AsyncRead + Send + Unpin + 'static,
        to: impl AsyncWrite + Send + 'static,
    ) -> Self {
        Self::new(From::Reader(Box::new(from)), Box::pin(to))
    }

    /// A channel over an attached container.
    #[must_use]
    pub fn over_stream(from: Pieces, to: Pin<Box<dyn AsyncWrite + Send>>) -> Self {
        Self::new(From::Pieces(from), to)
    }

    fn new(from: From, to: Pin<Box<dyn AsyncWrite + Send>>) -> Self {
        Self {
            from,
            to,
            buffer: Vec::new(),
            next: 0,
            image_path: String::new(),
        }
    }

    /// Waits for the guest's first word.
    pub async fn ready(&mut self, within: Duration) -> Result<(), BrokenChannel> {
        let first = tokio::time::timeout(within, self.next_frame()).await;
        match first.map_err(|_| BrokenChannel::Silent)?? {
            (GuestReply::Ready { path }, _) => {
                self.image_path = path;
                Ok(())
            }
            (other, _) => Err(BrokenChannel::Garbled(format!("first word {other:?}"))),
        }
    }

    /// Runs a script to its end. Calls that programs of it make meanwhile go to `callee`.
    pub async fn run(
        &mut self,
        order: &GuestOrder<'_>,
        callee: Option<&dyn Callee>,
    ) -> Result<Output, BrokenChannel> {
        let id = self.id();
        let request = Request::Run {
            id,
            cwd: order.cwd.to_owned(),
            login: order.login,
            deadline_ms: u64::try_from(order.deadline.as_millis()).unwrap_or(u64::MAX),
            limit: order.limit,
        };
        let patience = order.deadline.saturating_add(PATIENCE);
        let (reply, mut payload) = self
            .ask(id, &request, order.script.as_bytes(), patience, callee)
            .await?;
        match reply {
            GuestReply::Ended {
                end, head, elided, ..
            } if head <= payload.len() => {
                let tail = payload.split_off(head);
                Ok(Output {
                    end,
                    head: payload,
                    tail,
                    elided,
                })
            }
            other => Err(unexpected(other)),
        }
    }

    /// Reads a plain file, whole; a larger one than `limit` bytes is refused.
    pub async fn read(&mut self, path: &str, limit: u64) -> Result<Vec<u8>, BrokenChannel> {
        let id = self.id();
        let path = path.to_owned();
        let request = Request::Read { id, path, limit };
        match self.ask(id, &request, &[], PATIENCE, None).await? {
            (GuestReply::File { .. }, payload) => Ok(payload),
            (other, _) => Err(unexpected(other)),
        }
    }

    /// Writes a file, whole, and makes the directories above it.
    pub async fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), BrokenChannel> {
        let id = self.id();
        let path = path.to_owned();
        let request = Request::Write { id, path };
        match self.ask(id, &request, bytes, PATIENCE, None).await? {
            (GuestReply::Done { .. }, _) => Ok(()),
            (other, _) => Err(unexpected(other)),
        }
    }

    /// Ends every process in the sandbox but the guest.
    pub async fn purge(&mut self) -> Result<(), BrokenChannel> {
        let id = self.id();
        match self
            .ask(id, &Request::Purge { id }, &[], PATIENCE, None)
            .await?
        {
            (GuestReply::Done { .. }, _) => Ok(()),
            (other, _) => Err(unexpected(other)),
        }
    }

    const fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    async fn ask(
        &mut self,
        id: u64,
        request: &Request,
        payload: &[u8],
        patience: Duration,
        callee: Option<&dyn Callee>,
    ) -> Result<(GuestReply, Vec<u8>), BrokenChannel> {
        let answered = tokio::time::timeout(patience, async {
            self.send(&frame::encode(request, payload)).await?;
            let mut calls = FuturesUnordered::new();
            loop {
                let (reply, payload) = tokio::select! {
                    frame = self.next_frame() => frame?,
                    Some((call, answer)) = calls.next() => {
                        let CallAnswer { code, bytes } = answer;
                        let answer = Request::Answer { call, code };
                        self.send(&frame::encode(&answer, &bytes)).await?;
                        continue;
                    }
                };
                match reply {
                    GuestReply::Call { call, mut words } => {
                        let program = if words.is_empty() {
                            String::new()
                        } else {
                            words.remove(0)
                        };
                        calls.push(async move {
                            let asked = Call {
                                program,
                                args: words,
                                body: payload,
                            };
                            let answer = match callee {
                                Some(callee) => callee.call(asked).await,
                                None => CallAnswer::text(
                                    127,
                                    format!("{}: nobody answers\n", asked.program),
                                ),
                            };
                            (call, answer)
                        });
                    }
                    reply if reply.id() == Some(id) => return Ok((reply, payload)),
                    // The late answer to a request that was given up on.
                    _ => {}
                }
            }
        });
        answered.await.map_err(|_| BrokenChannel::Silent)?
    }

    async fn send(&mut self, frame: &[u8]) -> Result<(), BrokenChannel> {
        let closed = |error: io::Error| BrokenChannel::Closed(error.to_string());
        self.to.write_all(frame).await.map_err(closed)?;
        self.to.flush().await.map_err(closed)
    }

    /// The next frame; what was read of it is kept when the future is dropped.
    async fn next_frame(&mut self) -> Result<(GuestReply, Vec<u8>), BrokenChannel> {
        loop {
            match frame::take(&mut self.buffer) {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => {}
                Err(error) => return Err(BrokenChannel::Garbled(error.to_string())),
            }
            let read = match &mut self.from {
                From::Reader(reader) => reader.read_buf(&mut self.buffer).await,
                From::Pieces(pieces) => match pieces.next().await {
                    None => Ok(0),
                    Some(piece) => piece.map(|piece| {
                        self.buffer.extend(&piece);
                        piece.len().max(1)
                    }),
                },
            };
            match read {
                Ok(0) => return Err(BrokenChannel::Closed("it ended".to_owned())),
                Ok(_) => {}
                Err(error) => return Err(BrokenChannel::Closed(error.to_string())),
            }
        }
    }
}

fn unexpected(reply: GuestReply) -> BrokenChannel {
    match reply {
        GuestReply::Failed { why, .. } => BrokenChannel::Refused(why),
        GuestReply::Crippled { why, .. } => BrokenChannel::Crippled(why),
        other => BrokenChannel::Garbled(format!("{other:?}")),
    }
}

impl GuestReply {
    const fn id(&self) -> Option<u64> {
        match self {
            Self::Ended { id, .. }
            | Self::File { id }
            | Self::Done { id }
            | Self::Failed { id, .. }
            | Self::Crippled { id, .. } => Some(*id),
            Self::Ready { .. } | Self::Call { .. } => None,
        }
    }
}
