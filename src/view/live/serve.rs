//! Answers a browser on this machine, and nobody else.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::net::TcpListener;

use super::tree::LiveTree;
use crate::error::{Error, Result};
use crate::view::page::{frame, plain};

/// How often the tree is looked at while a page is open. A look at a hundred runs takes 10 ms.
const LOOK: Duration = Duration::from_secs(1);

/// Looks without a change after which an open page is told that the server is still there, so that
/// one whose browser is gone is noticed.
const QUIET: u32 = 15;

/// How long a browser may take for the head of a request.
const PATIENCE: Duration = Duration::from_secs(30);

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A server that runs until its future is dropped.
#[derive(Debug)]
pub struct Served {
    /// The page's address: whoever has it may read the runs.
    pub address: String,
    listener: TcpListener,
    site: Arc<Site>,
}

#[derive(Debug)]
struct Site {
    tree: Mutex<LiveTree>,
    token: String,
    at: SocketAddr,
}

/// Binds to this machine's loopback; port 0 is any that is free.
pub async fn serve(tree: LiveTree, port: u16, token: String) -> Result<Served> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| {
            let hint = if error.kind() == std::io::ErrorKind::AddrInUse {
                "another `regatta view` may have it: its page is still there; `--port 0` takes any free port"
            } else {
                "`--port 0` takes any free port"
            };
            Error::usage(format!("cannot serve on port {port}: {error}")).hint(hint)
        })?;
    let at = listener
        .local_addr()
        .map_err(|error| Error::world(format!("the server's own address: {error}")))?;
    Ok(Served {
        address: format!("http://{at}/{token}/"),
        listener,
        site: Arc::new(Site {
            tree: Mutex::new(tree),
            token,
            at,
        }),
    })
}

impl Served {
    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.site.at.port()
    }

    /// Answers until it is dropped.
    pub async fn run(self) {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                // Out of descriptors, which pages that are closed give back.
                tokio::time::sleep(LOOK).await;
                continue;
            };
            let site = Arc::clone(&self.site);
            tokio::spawn(async move {
                let service = hyper::service::service_fn(move |request| {
                    let site = Arc::clone(&site);
                    async move { Ok::<_, Infallible>(site.answer(&request).await) }
                });
                // A browser that hangs up is no error.
                let _ = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(PATIENCE)
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    }
}

impl Site {
    async fn answer(self: Arc<Self>, request: &Request<Incoming>) -> Response<Body> {
        if !self.is_ours(request) {
            return text(StatusCode::FORBIDDEN, "not from here");
        }
        if request.method() != Method::GET {
            return text(StatusCode::METHOD_NOT_ALLOWED, "this page is read only");
        }
        let path = request.uri().path().to_owned();
        let path = path.strip_prefix('/').and_then(|path| {
            let rest = path.strip_prefix(self.token.as_str())?;
            rest.strip_prefix('/').map(str::to_owned)
        });
        let Some(path) = path else {
            return text(StatusCode::NOT_FOUND, "the address lacks its token");
        };
        if path == "events" {
            return self.events();
        }
        // Reading a tree waits for the disk.
        let made = tokio::task::spawn_blocking(move || self.page(&path)).await;
        made.unwrap_or_else(|_| text(StatusCode::INTERNAL_SERVER_ERROR, "reading failed"))
    }

    /// Whether a request is to this address and from this page: a name that somebody else's server
    /// resolves to this machine is neither.
    fn is_ours(&self, request: &Request<Incoming>) -> bool {
        let port = self.at.port();
        let hosts = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
        let value = |name| request.headers().get(name).map(HeaderValue::as_bytes);
        let is_host = |host: &[u8]| hosts.iter().any(|own| own.as_bytes() == host);
        let host = value(header::HOST).is_some_and(is_host);
        let origin = value(header::ORIGIN);
        host && origin.is_none_or(|origin| origin.strip_prefix(b"http://").is_some_and(is_host))
    }

    fn page(&self, path: &str) -> Response<Body> {
        let mut tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match path.split('/').collect::<Vec<_>>().as_slice() {
            [""] => return html(&mut tree),
            ["index.json"] => tree.index().map(Some),
            ["trial", run, repo, task, pair] => tree.trial(run, &format!("{repo}/{task}/{pair}")),
            ["pair", repo, task, pair] => tree.pair(&format!("{repo}/{task}/{pair}")),
            _ => Ok(None),
        };
        match found {
            Ok(Some(value)) => json(&value),
            Ok(None) => text(StatusCode::NOT_FOUND, "there is no such part of the page"),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }

    /// Waits until the tree's state is another one than the last, or for a while: what is then to be
    /// said, and the state. The first is said at once.
    async fn next_change(self: &Arc<Self>, last: Option<u64>) -> Option<(String, u64)> {
        for _ in 0..QUIET {
            if last.is_some() {
                tokio::time::sleep(LOOK).await;
            }
            let site = Arc::clone(self);
            let looked = tokio::task::spawn_blocking(move || {
                let mut tree = site.tree.lock().unwrap_or_else(PoisonError::into_inner);
                tree.state()
            });
            let state = looked.await.ok()?;
            if last != Some(state) {
                return Some((format!("data: {state}\n\n"), state));
            }
        }
        Some((": still there\n\n".to_owned(), last?))
    }

    /// A line whenever the tree has changed, until the browser hangs up.
    fn events(self: Arc<Self>) -> Response<Body> {
        let looks = stream::unfold((self, None), |(site, last)| async move {
            let (said, state) = site.next_change(last).await?;
            let frame = Ok::<_, Infallible>(Frame::data(Bytes::from(said)));
            Some((frame, (site, Some(state))))
        });
        let body = StreamBody::new(looks).boxed_unsync();
        with_headers(Response::new(body), "text/event-stream")
    }
}

/// The page as it stands now.
fn html(tree: &mut LiveTree) -> Response<Body> {
    let frame = frame(tree.title(), Some("'self'"));
    match tree.index().and_then(|index| plain(&index)) {
        Ok(index) => {
            let data = format!("<script type=\"application/json\" id=\"index\">{index}</script>\n");
            let page = [frame.head, data, frame.tail].concat();
            of_type("text/html; charset=utf-8", page)
        }
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn text(status: StatusCode, said: &str) -> Response<Body> {
    let mut response = of_type("text/plain; charset=utf-8", format!("{said}\n"));
    *response.status_mut() = status;
    response
}

fn json(value: &Value) -> Response<Body> {
    of_type("application/json", value.to_string())
}

fn of_type(kind: &'static str, body: String) -> Response<Body> {
    let body = Full::new(Bytes::from(body)).boxed_unsync();
    with_headers(Response::new(body), kind)
}

/// No copy is kept anywhere, no other page frames it, and a type is what it says.
fn with_headers(mut response: Response<Body>, kind: &'static str) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
