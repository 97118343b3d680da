//! Who has not the secret, and what stands where a listener should.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::super::listener::Bounds;
use super::super::{LinkSecret, Listener, connect, keys};
use super::{Door, HERE, LONG, Middle, says, soon, stands_before};

/// Says something to a listener as a stranger; waits until it ends the connection.
async fn error_of(address: SocketAddr, secret: &LinkSecret) -> String {
    let error = connect(address, secret, LONG).await.unwrap_err();
    assert_eq!(error.hints().len(), 1, "{error}");
    error.to_string()
}

#[tokio::test]
async fn another_secret_connects_to_nobody_and_both_sides_say_so() {
    let mut door = Door::open();
    let other = LinkSecret::random().unwrap();
    let error = error_of(door.address, &other).await;
    assert_eq!(
        error,
        format!("{} has another secret than this run", door.address)
    );
    let why = door.refusals(1).await;
    assert!(
        why.contains("certificate") || why.contains("alert"),
        "{why}"
    );
    door.assert_open().await;
}

#[tokio::test]
async fn who_shows_another_key_or_none_is_not_let_in() {
    let mut door = Door::open();
    let other = LinkSecret::random().unwrap();
    for (count, has_key) in [(1, true), (2, false)] {
        let config = keys::tests::trusting(&other, has_key);
        let stream = TcpStream::connect(door.address).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
        let name = rustls::pki_types::ServerName::IpAddress(HERE.into());
        // For who connects a handshake of TLS 1.3 ends before the other side has looked at the key.
        if let Ok(mut stream) = connector.connect(name, stream).await {
            let _ = stream.write_all(&[0, 0, 0, 1, b'1']).await;
            assert!(soon(stream.read_u8()).await.is_err());
        }
        door.refusals(count).await;
    }
    door.assert_open().await;
    assert!(door.came.try_recv().is_err());
}

#[tokio::test]
async fn strangers_of_all_kinds_are_refused_and_the_listener_goes_on() {
    let mut door = Door::open();
    let zeros = vec![0; 70_000];
    // Records of TLS: a handshake message of 16 MB, and one that is of no version.
    let strangers: [&[u8]; 7] = [
        b"GET / HTTP/1.1\r\nHost: here\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"\n",
        &zeros,
        &[0xff; 5000],
        &[22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff],
        &[22, 9, 9, 0, 1, 1],
    ];
    for (n, stranger) in strangers.iter().enumerate() {
        if *stranger == b"\n" {
            // A port scanner: it connects, and ends.
            let mut stream = TcpStream::connect(door.address).await.unwrap();
            stream.shutdown().await.unwrap();
        } else {
            says(door.address, stranger).await;
        }
        door.refusals(n as u64 + 1).await;
    }
    door.assert_open().await;
}

#[tokio::test]
async fn whoever_is_silent_delays_nobody() {
    // As many as may come at once, and more.
    let mut door = Door::bounded(Bounds {
        at_once: 4,
        young: Duration::from_millis(1),
        ..Bounds::default()
    });
    let mut silent = Vec::new();
    for _ in 0..12 {
        silent.push(TcpStream::connect(door.address).await.unwrap());
    }
    door.assert_open().await;
    let why = door.refusals(8).await;
    assert_eq!(why, "it was silent while others waited");
    let mut first = silent.remove(0);
    assert!(!matches!(soon(first.read(&mut [0])).await, Ok(1..)));
}

#[tokio::test]
async fn a_handshake_has_a_time_limit() {
    let mut door = Door::bounded(Bounds {
        handshake: Duration::from_millis(20),
        ..Bounds::default()
    });
    // It says a part of what it has to.
    says(door.address, &[22, 3, 1, 2, 0, 1]).await;
    let why = door.refusals(1).await;
    assert_eq!(why, "it did not end its handshake in time");
}

#[tokio::test]
async fn a_handshake_that_is_said_again_is_refused() {
    let mut door = Door::open();
    let (sink, mut said) = mpsc::unbounded_channel();
    let middle = stands_before(door.address, Middle::Records(sink)).await;
    let (mut send, receive) = connect(middle, &door.secret, LONG).await.unwrap().split();
    send.send(&"pay").await.unwrap();
    send.close().await.unwrap();
    let (_reply, mut hear) = soon(door.came.recv()).await.unwrap().split();
    assert_eq!(hear.receive().await.unwrap(), Some("pay".to_owned()));
    drop((send, receive));
    let mut again = Vec::new();
    while let Ok(part) = said.try_recv() {
        again.extend(part);
    }
    says(door.address, &again).await;
    door.refusals(1).await;
    assert!(door.came.try_recv().is_err());
}

#[tokio::test]
async fn who_connects_is_told_what_is_there_instead() {
    let secret = LinkSecret::random().unwrap();
    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    // It says this to whoever comes, and then ends the connection.
    let says: [(&[u8], &str); 2] = [
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "does not speak as a run of Regatta",
        ),
        (b"", "ended the connection at its beginning"),
    ];
    for (words, expected) in says {
        let answers = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            // What came is read, so that the end is one in order.
            let _ = stream.read(&mut [0; 10_000]).await;
            stream.write_all(words).await.unwrap();
            stream.shutdown().await.unwrap();
        };
        let (error, ()) = tokio::join!(error_of(address, &secret), answers);
        assert!(error.contains(expected), "{error}");
    }
    let silent = connect(address, &secret, Duration::from_millis(30)).await;
    let error = silent.unwrap_err().to_string();
    assert!(error.contains("gave no answer within"), "{error}");
    drop(listener);
    let error = error_of(address, &secret).await;
    assert!(error.contains("cannot connect to"), "{error}");
}

#[tokio::test]
async fn an_address_of_another_host_cannot_be_listened_at() {
    let secret = LinkSecret::random().unwrap();
    // Of a range for documentation.
    let error = Listener::bind(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), &secret).unwrap_err();
    assert!(
        error.to_string().contains("cannot listen at 192.0.2.1"),
        "{error}"
    );
    assert!(error.hints()[0].contains("ip addr"), "{error}");
}
