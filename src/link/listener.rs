//! Who listens for links. Strangers may come: nothing of theirs is read but a handshake, none of
//! them delays another for long, and none ends the listener.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

use super::connection::Connection;
use super::keys;
use super::secret::LinkSecret;
use super::socket;
use crate::error::{Error, Result};

/// How long the kernel's queue of those who want in may be.
const QUEUE: u32 = 1024;

/// The pause after the kernel gave no connection, for want of descriptors for example.
const PAUSE: Duration = Duration::from_millis(100);

/// What strangers may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// How long a handshake may take.
    pub handshake: Duration,
    /// How many go on at once.
    pub at_once: usize,
    /// While all of these go on, one that is older than this is cut off for the next. A real one
    /// takes milliseconds, and longer where a thousand workers come at once.
    pub young: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            at_once: 256,
            young: Duration::from_secs(3),
        }
    }
}

/// Who was not let in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strangers {
    /// How many there were.
    pub count: u64,
    /// The last one, and why.
    pub last: Option<(SocketAddr, String)>,
}

/// Takes connections of those who have the secret.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    acceptor: TlsAcceptor,
    bounds: Bounds,
    handshakes: JoinSet<(SocketAddr, std::result::Result<Connection, String>)>,
    /// The same in the order in which they began, with some that have ended.
    begun: VecDeque<Begun>,
    refused: Strangers,
}

struct Begun {
    at: Instant,
    from: SocketAddr,
    task: AbortHandle,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Listener {
    /// Listens at a free port of an address of this host.
    pub fn bind(address: IpAddr, secret: &LinkSecret) -> Result<Self> {
        Self::bounded(address, secret, Bounds::default())
    }

    pub(super) fn bounded(address: IpAddr, secret: &LinkSecret, bounds: Bounds) -> Result<Self> {
        let config = keys::listening(secret)
            .map_err(|error| Error::world(format!("cannot prepare a link: {error}")))?;
        let listening = listen(address).and_then(|it| Ok((it.local_addr()?, it)));
        let (address, socket) = listening.map_err(|error| {
            Error::world(format!("cannot listen at {address}: {error}"))
                .hint("the address must be one of this host: `ip addr` shows them")
        })?;
        Ok(Self {
            socket,
            address,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            bounds,
            handshakes: JoinSet::new(),
            begun: VecDeque::new(),
            refused: Strangers::default(),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Who was not let in so far.
    #[must_use]
    pub fn refused(&self) -> &Strangers {
        &self.refused
    }

    /// The next connection of somebody who has the secret. If it is cancelled, nothing is lost.
    ///
    /// Handshakes begin and end only while somebody waits here.
    pub async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let full_until = self.full_until();
            let no_room = async {
                match full_until {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(ended) = self.handshakes.join_next() => match ended {
                    Ok((from, Ok(connection))) => return (connection, from),
                    Ok((from, Err(why))) => self.refuse(from, why),
                    // It was cut off, which is booked.
                    Err(_) => {}
                },
                () = no_room => self.cut_the_oldest(),
                came = self.socket.accept(), if full_until.is_none() => match came {
                    Ok((stream, from)) => self.begin(stream, from),
                    Err(_) => sleep(PAUSE).await,
                },
            }
        }
    }

    /// Until when nobody else may begin; `None` while there is room.
    fn full_until(&mut self) -> Option<Instant> {
        if self.handshakes.len() < self.bounds.at_once {
            return None;
        }
        self.begun.retain(|begun| !begun.task.is_finished());
        let oldest = self.begun.front();
        Some(oldest.map_or_else(Instant::now, |begun| begun.at + self.bounds.young))
    }

    fn cut_the_oldest(&mut self) {
        if let Some(oldest) = self.begun.pop_front() {
            oldest.task.abort();
            self.refuse(oldest.from, "it was silent while others waited".to_owned());
        }
    }

    fn begin(&mut self, stream: TcpStream, from: SocketAddr) {
        let acceptor = self.acceptor.clone();
        let within = self.bounds.handshake;
        let task = self.handshakes.spawn(async move {
            let handshake = timeout(within, handshake(acceptor, stream, from)).await;
            let connection = match handshake {
                Ok(Ok(connection)) => Ok(connection),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("it did not end its handshake in time".to_owned()),
            };
            (from, connection)
        });
        self.begun.retain(|begun| !begun.task.is_finished());
        let at = Instant::now();
        self.begun.push_back(Begun { at, from, task });
    }

    fn refuse(&mut self, from: SocketAddr, why: String) {
        self.refused.count += 1;
        self.refused.last = Some((from, why));
    }
}

fn listen(address: IpAddr) -> io::Result<TcpListener> {
    let socket = match address {
        IpAddr::V4(_) => TcpSocket::new_v4()?,
        IpAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.bind(SocketAddr::new(address, 0))?;
    socket.listen(QUEUE)
}

async fn handshake(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    from: SocketAddr,
) -> io::Result<Connection> {
    socket::prepare(&stream)?;
    let stream = acceptor.accept(stream).await?;
    Ok(Connection::new(stream.into(), from))
}
