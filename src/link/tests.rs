mod strangers;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use rustix::net::sockopt;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::connection::LONGEST_MESSAGE;
use super::listener::Bounds;
use super::*;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LONG: Duration = Duration::from_mins(2);

/// A wait that ends; one that never ends fails its test, and does not keep the others.
async fn soon<T>(wait: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(LONG, wait).await;
    ended.expect("a wait that ends")
}

/// Who listens, and lets in whoever comes.
struct Door {
    address: SocketAddr,
    secret: LinkSecret,
    came: mpsc::UnboundedReceiver<Connection>,
    refused: mpsc::UnboundedReceiver<Strangers>,
    task: AbortHandle,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Door {
    fn open() -> Self {
        Self::bounded(Bounds::default())
    }

    fn bounded(bounds: Bounds) -> Self {
        let secret = LinkSecret::random().unwrap();
        let mut listener = Listener::bounded(HERE, &secret, bounds).unwrap();
        let address = listener.local_addr();
        let (let_in, came) = mpsc::unbounded_channel();
        let (tell, refused) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let mut told = Strangers::default();
            loop {
                // Taken up again and again, as a caller does who waits for other things too.
                let wait = Duration::from_millis(5);
                if let Ok((connection, from)) = tokio::time::timeout(wait, listener.accept()).await
                {
                    assert_eq!(connection.peer(), from);
                    let _ = let_in.send(connection);
                }
                if *listener.refused() != told {
                    told = listener.refused().clone();
                    let _ = tell.send(told.clone());
                }
            }
        });
        Self {
            address,
            secret,
            came,
            refused,
            task: task.abort_handle(),
        }
    }

    async fn connect(&self) -> Connection {
        connect(self.address, &self.secret, LONG).await.unwrap()
    }

    /// Both ends of a connection through this door: who connected, and who let in.
    async fn both(&mut self) -> (Connection, Connection) {
        let ours = self.connect().await;
        let theirs = soon(self.came.recv()).await.unwrap();
        (ours, theirs)
    }

    /// Waits until so many were refused in all; gives why the last was.
    async fn refusals(&mut self, count: u64) -> String {
        loop {
            let refused = soon(self.refused.recv()).await.unwrap();
            if refused.count >= count {
                return refused.last.unwrap().1;
            }
        }
    }

    /// Whoever has the secret comes in, and both are heard.
    async fn assert_open(&mut self) {
        let (ours, theirs) = self.both().await;
        let ((mut send, mut receive), (mut reply, mut hear)) = (ours.split(), theirs.split());
        send.send(&"there?").await.unwrap();
        assert_eq!(hear.receive().await.unwrap(), Some("there?".to_owned()));
        reply.send(&json!({"here": true})).await.unwrap();
        assert_eq!(
            receive.receive().await.unwrap(),
            Some(json!({"here": true}))
        );
    }
}

async fn says(address: SocketAddr, words: &[u8]) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(words).await;
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
}

#[tokio::test]
async fn messages_of_all_lengths_go_both_ways_and_an_end_is_told() {
    let mut door = Door::open();
    let (ours, theirs) = door.both().await;
    assert_eq!(ours.peer(), door.address);
    let ((mut send, mut receive), (mut reply, mut hear)) = (ours.split(), theirs.split());
    // Below and above a TLS record, a Noise frame, and the longest of all with its quotes.
    let lengths = [0, 1, 16_383, 65_535, 65_536, LONGEST_MESSAGE - 2];
    let echo = async {
        while let Some(text) = hear.receive::<String>().await.unwrap() {
            reply.send(&text).await.unwrap();
        }
        reply.close().await.unwrap();
    };
    let asks = async {
        for length in lengths {
            let text = "a".repeat(length);
            send.send(&text).await.unwrap();
            assert_eq!(receive.receive().await.unwrap(), Some(text));
        }
        send.close().await.unwrap();
        assert_eq!(receive.receive::<String>().await.unwrap(), None);
    };
    soon(async { tokio::join!(echo, asks) }).await;
}

#[tokio::test]
async fn a_message_that_is_too_long_is_refused_on_both_sides() {
    let mut door = Door::open();
    let (ours, theirs) = door.both().await;
    let ((mut send, _receive), (_reply, mut hear)) = (ours.split(), theirs.split());
    let text = "a".repeat(LONGEST_MESSAGE - 1);
    let error = send.send(&text).await.unwrap_err().to_string();
    let most = "too long: 16777217 bytes, of at most 16777216";
    assert!(
        error.contains(most) && error.contains(&door.address.to_string()),
        "{error}"
    );
    // Nothing of it went out.
    send.send(&1).await.unwrap();
    assert_eq!(soon(hear.receive()).await.unwrap(), Some(1));
    send.begin_of(u32::MAX).await;
    for _ in 0..2 {
        let error = soon(hear.receive::<Value>()).await.unwrap_err().to_string();
        assert!(error.contains("too long: 4294967295 bytes"), "{error}");
    }
}

#[tokio::test]
async fn a_message_of_another_kind_is_named_and_the_next_one_is_heard() {
    let mut door = Door::open();
    let (ours, theirs) = door.both().await;
    let ((mut send, _receive), (_reply, mut hear)) = (ours.split(), theirs.split());
    send.send(&"text").await.unwrap();
    send.send(&2).await.unwrap();
    let error = soon(hear.receive::<u8>()).await.unwrap_err();
    assert!(error.to_string().contains("of another kind"), "{error}");
    assert!(error.hints()[0].contains("another version"), "{error}");
    assert_eq!(soon(hear.receive()).await.unwrap(), Some(2));
}

#[tokio::test]
async fn who_gives_up_waiting_for_a_message_loses_nothing_of_it() {
    let mut door = Door::open();
    let (ours, theirs) = door.both().await;
    let ((mut send, _receive), (_reply, mut hear)) = (ours.split(), theirs.split());
    let text = "a".repeat(1_000_000);
    let sends = async {
        for n in 0..20 {
            send.send(&(n, &text)).await.unwrap();
        }
        send.close().await.unwrap();
    };
    let hears = async {
        let (mut next, mut given_up) = (0, 0);
        loop {
            // It is polled once or a few times, and dropped.
            let heard = tokio::select! {
                biased;
                heard = hear.receive::<(u32, String)>() => heard.unwrap(),
                () = tokio::task::yield_now() => {
                    given_up += 1;
                    continue;
                }
            };
            let Some((n, came)) = heard else { break };
            assert!(n == next && came == text, "{n}");
            next += 1;
        }
        assert_eq!(next, 20);
        assert!(given_up > 0);
    };
    soon(async { tokio::join!(sends, hears) }).await;
}

#[tokio::test]
async fn a_message_whose_sending_was_given_up_goes_out_whole() {
    let mut door = Door::open();
    let (ours, theirs) = door.both().await;
    let ((mut send, _receive), (_reply, mut hear)) = (ours.split(), theirs.split());
    // More than the kernel takes while nobody reads.
    let text = "a".repeat(LONGEST_MESSAGE - 2);
    let given_up = tokio::time::timeout(Duration::from_millis(50), send.send(&text)).await;
    assert!(given_up.is_err());
    let sends = async {
        send.send(&"next").await.unwrap();
    };
    let hears = async {
        assert_eq!(hear.receive().await.unwrap(), Some(text.clone()));
        assert_eq!(hear.receive().await.unwrap(), Some("next".to_owned()));
    };
    soon(async { tokio::join!(sends, hears) }).await;
}

/// A client that takes every server, as somebody does who wants in without the secret.
#[tokio::test]
async fn many_who_have_the_secret_come_in_at_once() {
    let mut door = Door::bounded(Bounds {
        at_once: 3,
        young: LONG,
        ..Bounds::default()
    });
    let mut all = JoinSet::new();
    for n in 0..40 {
        let (address, secret) = (door.address, door.secret.clone());
        all.spawn(async move {
            let (mut send, receive) = connect(address, &secret, LONG).await.unwrap().split();
            send.send(&n).await.unwrap();
            (send, receive)
        });
    }
    let mut heard = Vec::new();
    for _ in 0..40 {
        let (reply, mut hear) = soon(door.came.recv()).await.unwrap().split();
        heard.push(soon(hear.receive::<u32>()).await.unwrap().unwrap());
        drop(reply);
    }
    heard.sort_unstable();
    assert_eq!(heard, (0..40).collect::<Vec<_>>());
    drop(all);
}

/// What stands between both ends.
enum Middle {
    /// It takes down what the one who connects says.
    Records(mpsc::UnboundedSender<Vec<u8>>),
    /// It ends the connection after so many bytes of what the one who connects says.
    Cuts(usize),
    /// It changes the byte there.
    Changes(usize),
}

/// Copies what comes; gives the number of bytes up to which it did.
async fn copies(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    middle: Option<&Middle>,
) {
    let (mut buffer, mut done) = (vec![0; 1000], 0);
    while let Ok(came @ 1..) = from.read(&mut buffer).await {
        let mut part = buffer[..came].to_vec();
        match middle {
            Some(Middle::Records(sink)) => {
                let _ = sink.send(part.clone());
            }
            Some(Middle::Cuts(at)) if done + came > *at => {
                part.truncate(at - done);
                let _ = to.write_all(&part).await;
                return;
            }
            Some(Middle::Changes(at)) if (done..done + came).contains(at) => part[at - done] ^= 1,
            _ => {}
        }
        done += came;
        if to.write_all(&part).await.is_err() {
            return;
        }
    }
}

/// Stands before a listener once; gives its own address.
async fn stands_before(address: SocketAddr, middle: Middle) -> SocketAddr {
    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    let ours = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (near, _) = listener.accept().await.unwrap();
        let far = TcpStream::connect(address).await.unwrap();
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        tokio::select! {
            () = copies(near_in, far_out, Some(&middle)) => {}
            () = copies(far_in, near_out, None) => {}
        }
    });
    ours
}

#[tokio::test]
async fn a_connection_that_is_cut_or_changed_within_a_message_is_no_orderly_end() {
    for middle in [Middle::Cuts(30_000), Middle::Changes(30_000)] {
        let mut door = Door::open();
        let middle = stands_before(door.address, middle).await;
        let (mut send, _receive) = connect(middle, &door.secret, LONG).await.unwrap().split();
        let (_reply, mut hear) = soon(door.came.recv()).await.unwrap().split();
        send.send(&1).await.unwrap();
        assert_eq!(soon(hear.receive()).await.unwrap(), Some(1));
        let text = "a".repeat(1_000_000);
        let (_, heard) =
            soon(async { tokio::join!(send.send(&text), hear.receive::<String>()) }).await;
        let error = heard.unwrap_err().to_string();
        assert!(error.contains("the connection to"), "{error}");
        door.assert_open().await;
    }
}

#[tokio::test]
async fn an_end_within_a_message_is_named() {
    let mut door = Door::open();
    let (ours, theirs) = door.both().await;
    let ((mut send, _receive), (_reply, mut hear)) = (ours.split(), theirs.split());
    send.begin_of(10).await;
    send.close().await.unwrap();
    let error = soon(hear.receive::<u8>()).await.unwrap_err().to_string();
    assert!(error.contains("ended within a message"), "{error}");
}

#[tokio::test]
async fn a_process_that_goes_without_a_word_is_no_orderly_end() {
    let mut door = Door::open();
    let (ours, theirs) = door.both().await;
    let (_reply, mut hear) = theirs.split();
    drop(ours);
    let error = soon(hear.receive::<u8>()).await.unwrap_err().to_string();
    assert!(error.contains("without a word"), "{error}");
}

#[tokio::test]
async fn the_kernel_is_told_to_notice_a_host_that_vanished() {
    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    socket::prepare(&stream).unwrap();
    assert!(stream.nodelay().unwrap());
    assert!(sockopt::socket_keepalive(&stream).unwrap());
    assert_eq!(sockopt::tcp_user_timeout(&stream).unwrap(), 60_000);
    let asks = sockopt::tcp_keepidle(&stream).unwrap() + sockopt::tcp_keepintvl(&stream).unwrap();
    assert!(asks < socket::SILENCE, "it asks before it gives up");
}
