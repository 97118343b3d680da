//! A connection, and the messages on it: a length of four bytes, and so many bytes of JSON.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};

use super::keys;
use super::secret::LinkSecret;
use super::socket;
use crate::error::{Error, Result};
use crate::text;

/// The most that a message may have, in bytes of JSON.
pub const LONGEST_MESSAGE: usize = 16 * 1024 * 1024;

/// The bytes of a message's length.
const LENGTH: usize = 4;

/// A buffer that a long message has made larger than this is given back.
const KEPT_BUFFER: usize = 256 * 1024;

/// A connection to somebody who has the same secret.
#[derive(Debug)]
pub struct Connection {
    stream: TlsStream<TcpStream>,
    peer: SocketAddr,
}

/// Connects to a [`super::Listener`] with the same secret, within a time that takes all in.
pub async fn connect(
    address: SocketAddr,
    secret: &LinkSecret,
    within: Duration,
) -> Result<Connection> {
    let config = keys::connecting(secret)
        .map_err(|error| Error::world(format!("cannot prepare a link to {address}: {error}")))?;
    match tokio::time::timeout(within, reach(address, config)).await {
        Ok(connection) => connection,
        Err(_) => Err(Error::world(format!(
            "{address} gave no answer within {}",
            text::duration(within.as_secs_f64())
        ))
        .hint("a firewall may be in the way, or the host is down")),
    }
}

async fn reach(address: SocketAddr, config: rustls::ClientConfig) -> Result<Connection> {
    let unreachable = |error: io::Error| {
        Error::world(format!("cannot connect to {address}: {error}"))
            .hint("the process that listens there may have ended, or its host cannot be reached")
    };
    let stream = TcpStream::connect(address).await.map_err(unreachable)?;
    socket::prepare(&stream).map_err(unreachable)?;
    let connector = TlsConnector::from(Arc::new(config));
    let name = ServerName::IpAddress(address.ip().into());
    let stream = connector.connect(name, stream).await;
    let stream = stream.map_err(|error| unknown(address, &error))?;
    Ok(Connection::new(stream.into(), address))
}

/// Why a handshake failed, for who connects.
fn unknown(address: SocketAddr, error: &io::Error) -> Error {
    let tls = error
        .get_ref()
        .and_then(|it| it.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(_)) => {
            Error::world(format!("{address} has another secret than this run"))
                .hint("another run may listen there by now: start the worker of this run anew")
        }
        Some(tls) => Error::world(format!(
            "{address} does not speak as a run of Regatta: {tls}"
        ))
        .hint("another program, or another version of Regatta, may listen there"),
        None => Error::world(format!(
            "{address} ended the connection at its beginning: {error}"
        ))
        .hint("it may have no room for another, or another program listens there"),
    }
}

impl Connection {
    pub(super) fn new(stream: TlsStream<TcpStream>, peer: SocketAddr) -> Self {
        Self { stream, peer }
    }

    /// Who is at the other end.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Both directions, for different tasks.
    #[must_use]
    pub fn split(self) -> (Sender, Receiver) {
        let peer = self.peer;
        let (read, write) = tokio::io::split(self.stream);
        let sender = Sender {
            write,
            peer,
            unsent: VecDeque::new(),
        };
        let receiver = Receiver {
            read,
            peer,
            unread: Vec::new(),
        };
        (sender, receiver)
    }
}

/// The sending end. Dropped without [`Sender::close`], the other side sees a connection that broke.
#[derive(Debug)]
pub struct Sender {
    write: WriteHalf<TlsStream<TcpStream>>,
    peer: SocketAddr,
    /// What has not gone out of messages that were begun.
    unsent: VecDeque<u8>,
}

impl Sender {
    /// Sends a message, and waits while the other side takes no more. If it is cancelled, the
    /// message goes out whole with the next one, or with [`Sender::close`].
    pub async fn send<T: Serialize>(&mut self, message: &T) -> Result<()> {
        let json = serde_json::to_vec(message).map_err(|error| {
            Error::world(format!("cannot write a message to {}: {error}", self.peer))
        })?;
        let length = length(json.len()).map_err(|why| {
            Error::world(format!("a message to {} is too long: {why}", self.peer))
        })?;
        self.unsent.extend(length);
        self.unsent.extend(json);
        self.flush().await.map_err(|error| broke(self.peer, &error))
    }

    /// Ends this direction in order: the other side's [`Receiver::receive`] gives `None` after the
    /// last message.
    pub async fn close(&mut self) -> Result<()> {
        let closed = async {
            self.flush().await?;
            self.write.shutdown().await
        };
        closed.await.map_err(|error| broke(self.peer, &error))
    }

    /// Says that a message of so many bytes comes, and nothing of it.
    #[cfg(test)]
    pub(super) async fn begin_of(&mut self, bytes: u32) {
        self.unsent.extend(bytes.to_be_bytes());
        self.flush().await.unwrap();
    }

    async fn flush(&mut self) -> io::Result<()> {
        self.write.write_all_buf(&mut self.unsent).await?;
        if self.unsent.capacity() > KEPT_BUFFER {
            self.unsent = VecDeque::new();
        }
        self.write.flush().await
    }
}

/// The receiving end.
#[derive(Debug)]
pub struct Receiver {
    read: ReadHalf<TlsStream<TcpStream>>,
    peer: SocketAddr,
    /// What came of messages that are not whole yet.
    unread: Vec<u8>,
}

impl Receiver {
    /// The next message; `None` after an orderly end. If it is cancelled, nothing is lost.
    ///
    /// After an error of a message that is none of these, the next one can be received.
    pub async fn receive<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        loop {
            if let Some(json) = self.next_message()? {
                return serde_json::from_slice(&json).map(Some).map_err(|error| {
                    let why = text::one_line(&error.to_string(), 200);
                    Error::world(format!(
                        "{} sent a message of another kind: {why}",
                        self.peer
                    ))
                    .hint("the other side may be of another version of Regatta")
                });
            }
            let came = self.read.read_buf(&mut self.unread).await;
            let came = came.map_err(|error| broke(self.peer, &error))?;
            if came == 0 {
                return if self.unread.is_empty() {
                    Ok(None)
                } else {
                    Err(Error::world(format!(
                        "the connection to {} ended within a message",
                        self.peer
                    )))
                };
            }
        }
    }

    /// Takes a whole message out of what came.
    fn next_message(&mut self) -> Result<Option<Vec<u8>>> {
        let Some((head, rest)) = self.unread.split_first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        let long = u32::from_be_bytes(*head) as usize;
        length(long).map_err(|why| {
            Error::world(format!(
                "{} sends a message that is too long: {why}",
                self.peer
            ))
        })?;
        let Some(json) = rest.get(..long) else {
            return Ok(None);
        };
        let json = json.to_vec();
        self.unread.drain(..LENGTH + long);
        if self.unread.capacity() > KEPT_BUFFER {
            self.unread.shrink_to(KEPT_BUFFER);
        }
        Ok(Some(json))
    }
}

/// A message's length as it is sent; an error says why there is no such message.
fn length(bytes: usize) -> std::result::Result<[u8; LENGTH], String> {
    u32::try_from(bytes)
        .ok()
        .filter(|_| bytes <= LONGEST_MESSAGE)
        .map(u32::to_be_bytes)
        .ok_or_else(|| format!("{bytes} bytes, of at most {LONGEST_MESSAGE}"))
}

fn broke(peer: SocketAddr, error: &io::Error) -> Error {
    if error.kind() == ErrorKind::UnexpectedEof {
        // TLS has a word for an orderly end.
        return Error::world(format!(
            "the connection to {peer} ended without a word: the process there is gone"
        ));
    }
    Error::world(format!("the connection to {peer} broke: {error}"))
}
