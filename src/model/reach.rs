//! Whether an endpoint can be reached at all: a connection as a call makes it, with nothing asked.

use std::error::Error;
use std::io;
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{Client, Url};

use super::client::connecting_within;
use super::endpoint::innermost;
use crate::error::Result;
use crate::secret::masked_url;

/// How long a connection may take here: who is there takes a second.
const CONNECTION: Duration = Duration::from_secs(10);
/// How long an answer is waited for once there is a connection.
const ANSWER: Duration = Duration::from_secs(5);
/// The pause before the second try: a server that reloads, a name server that stumbled.
const PAUSE: Duration = Duration::from_secs(2);

/// What became of a look at an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It answered, with this status. Which one says nothing of a call.
    Answered(u16),
    /// There was a connection, and no answer in HTTP: why.
    Silent(String),
    /// There was no connection.
    NoConnection {
        /// What stood in the way.
        barrier: Barrier,
        /// The system's words.
        why: String,
        /// The proxy through which it was tried, without a password.
        proxy: Option<String>,
    },
}

/// What stands in the way of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Barrier {
    /// The base is no URL.
    Url,
    /// The host's name is not known.
    Name,
    /// Nobody listens there.
    Refused,
    /// The TLS handshake failed.
    Tls,
    /// Nothing came of it in time.
    Time,
    /// Anything else, such as a network that is not there.
    Other,
}

impl Barrier {
    /// Whether it may be gone a moment later.
    const fn may_pass(self) -> bool {
        matches!(self, Self::Name | Self::Refused | Self::Other)
    }
}

/// Connects to an endpoint as the model's client does, through the same proxy, and asks for no more
/// than the head of its first page. No key, no password and no path goes there, and nothing is billed.
/// The error is this machine's: it cannot set up HTTPS.
pub async fn reach(base: &str) -> Result<Reach> {
    let Some(url) = root_of(base) else {
        return Ok(Reach::NoConnection {
            barrier: Barrier::Url,
            why: "it is no URL".to_owned(),
            proxy: None,
        });
    };
    let http = connecting_within(base, CONNECTION)?;
    let found = look(&http, &url).await;
    match &found {
        Reach::NoConnection { barrier, .. } if barrier.may_pass() => {
            tokio::time::sleep(PAUSE).await;
            Ok(look(&http, &url).await)
        }
        _ => Ok(found),
    }
}

/// The first page of an endpoint's server, for nobody in particular.
fn root_of(base: &str) -> Option<Url> {
    let mut url = Url::parse(base).ok()?;
    // These only fail for URLs without a host.
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    url.set_path("/");
    url.set_query(None);
    url.set_fragment(None);
    Some(url)
}

async fn look(http: &Client, url: &Url) -> Reach {
    let asked = http.head(url.clone()).timeout(CONNECTION + ANSWER);
    let error = match asked.send().await {
        Ok(response) => return Reach::Answered(response.status().as_u16()),
        Err(error) => error,
    };
    if !error.is_connect() {
        return Reach::Silent(if error.is_timeout() {
            format!("no answer within {} s", (CONNECTION + ANSWER).as_secs())
        } else {
            innermost(&error)
        });
    }
    let barrier = barrier(&error);
    Reach::NoConnection {
        barrier,
        why: match barrier {
            Barrier::Time => format!("none came about within {} s", CONNECTION.as_secs()),
            _ => innermost(&error),
        },
        proxy: proxy_of(url),
    }
}

fn barrier(error: &reqwest::Error) -> Barrier {
    if error.is_timeout() {
        return Barrier::Time;
    }
    let mut cause = error.source();
    while let Some(one) = cause {
        if is_of_tls(one) {
            return Barrier::Tls;
        }
        let io = one.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused) {
            return Barrier::Refused;
        }
        // The connector of hyper-util has no type for it.
        if one.to_string() == "dns error" {
            return Barrier::Name;
        }
        cause = one.source();
    }
    Barrier::Other
}

/// Whether it is an error of TLS, in as many errors of I/O as may be: what is inside one is no source
/// of it.
fn is_of_tls(error: &(dyn Error + 'static)) -> bool {
    let inner = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || inner.is_some_and(|inner| is_of_tls(inner))
}

/// The proxy that the client goes through, as it finds it.
fn proxy_of(url: &Url) -> Option<String> {
    if super::client::is_here(url.as_str()) {
        return None;
    }
    let proxy = Matcher::from_system().intercept(&url.as_str().parse().ok()?)?;
    let proxy = masked_url(&proxy.uri().to_string());
    Some(proxy.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;
    use crate::model::canned::{Canned, answer};

    /// A server that says this to whoever connects, at once.
    async fn saying(words: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.write_all(words).await;
            }
        });
        at
    }

    fn barrier_of(found: &Reach) -> Option<Barrier> {
        match found {
            Reach::NoConnection { barrier, .. } => Some(*barrier),
            _ => None,
        }
    }

    #[tokio::test]
    async fn whatever_is_answered_there_is_somebody_and_no_key_goes_there() {
        for status in [200, 401, 404, 405, 503] {
            let server = Canned::serve(vec![answer(status, "", "")]).await;
            let base = server.base.replace("//", "//user:hush@") + "?key=hush#hush";
            assert_eq!(reach(&base).await.unwrap(), Reach::Answered(status));
            let request = server.requests().remove(0).to_ascii_lowercase();
            assert!(request.starts_with("head / http"), "{request}");
            assert!(!request.contains("authorization"), "{request}");
            assert!(!request.contains("hush"), "{request}");
        }
    }

    #[tokio::test]
    async fn nobody_no_tls_and_no_url_are_told_apart() {
        let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = refusing.local_addr().unwrap();
        drop(refusing);
        let found = reach(&format!("http://{at}/v1")).await.unwrap();
        assert_eq!(barrier_of(&found), Some(Barrier::Refused), "{found:?}");
        let plain = saying(b"HTTP/1.1 400 Said\r\n\r\n").await;
        let found = reach(&format!("https://{plain}/v1")).await.unwrap();
        assert_eq!(barrier_of(&found), Some(Barrier::Tls), "{found:?}");
        let found = reach("http://[::1/v1").await.unwrap();
        assert_eq!(barrier_of(&found), Some(Barrier::Url), "{found:?}");
    }

    #[tokio::test]
    async fn who_answers_something_else_than_http_is_silent() {
        let other = saying(b"SSH-2.0-OpenSSH_9.2p1\r\n").await;
        let found = reach(&format!("http://{other}/v1")).await.unwrap();
        assert!(matches!(found, Reach::Silent(_)), "{found:?}");
    }
}
