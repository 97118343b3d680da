//! A relay in front of the daemon's socket, for the engine's Docker clients.
//!
//! Upstream gives its containers no labels, drops what the daemon says when it refuses, and has
//! no deadline. It does obey `DOCKER_HOST`, through the client program (v2) and through Docker's
//! Python library (v1) alike. The relay passes everything on and, on the way,
//!
//! - adds our labels to each container that is made,
//! - remembers when a container was made and when anything last happened,
//! - keeps the daemon's words when it refuses to make one,
//! - holds back new containers once it is told that no more may start,
//! - answers for containers that are gone (see `dead_exec`), also when the whole daemon is.

mod answer;
mod dead_exec;
mod hijack;

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

use self::answer::{Body, is_gone, read, refusal, whole};
use self::hijack::{ClientSocket, Marked};
use crate::error::{Error, Result};
use crate::sandbox::docker::{Docker, Endpoint};
use crate::store::events::Lost;

/// What the relay saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A container was made.
    Created {
        /// Its full id.
        container: String,
        /// Its image.
        image: String,
    },
    /// The daemon refused to make or to start one.
    Refused {
        /// The name it should have had.
        name: String,
        /// The daemon's words.
        message: String,
    },
    /// An agent needed a container that was gone.
    Lost {
        /// Its full id.
        container: String,
        /// Why it was gone.
        lost: Lost,
    },
    /// The daemon did not answer.
    DaemonUnreachable {
        /// The connection's error.
        message: String,
    },
}

/// A container that the engine made.
#[derive(Clone, Debug)]
struct Known {
    name: String,
    created: Instant,
    lost: Option<Lost>,
    reported: bool,
    /// The engine itself stopped or removed it: its trial is over.
    ended: bool,
}

/// A running relay; dropping it closes its socket.
#[derive(Debug)]
pub struct Relay {
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    daemon: Endpoint,
    docker: Docker,
    labels: Vec<(String, String)>,
    on_event: Box<dyn Fn(Seen) + Send + Sync>,
    state: Mutex<State>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("daemon", &self.daemon)
            .finish_non_exhaustive()
    }
}

struct State {
    containers: HashMap<String, Known>,
    /// The container of each exec.
    execs: HashMap<String, String>,
    last_activity: Instant,
    holding: bool,
    unreachable: Option<String>,
    /// The headers of the daemon's last answer to a ping: its version, and what it can do.
    ping: Option<HeaderMap>,
}

impl State {
    /// The container of an exec, unless the engine itself has ended it.
    fn container_of(&self, exec: &str) -> Option<String> {
        let container = self.execs.get(exec)?;
        let known = self.containers.get(container)?;
        (!known.ended).then(|| container.clone())
    }
}

impl Relay {
    /// Listens at `socket` and relays to the daemon.
    ///
    /// `on_event` is called before the engine gets its answer, so that what it writes is on disk
    /// when a result that follows from it appears.
    pub fn start(
        socket: &Path,
        docker: Docker,
        daemon: Endpoint,
        labels: Vec<(String, String)>,
        on_event: Box<dyn Fn(Seen) + Send + Sync>,
    ) -> Result<Self> {
        let listener = UnixListener::bind(socket).map_err(|error| {
            Error::world(format!("cannot listen at {}: {error}", socket.display()))
        })?;
        let state = State {
            containers: HashMap::new(),
            execs: HashMap::new(),
            last_activity: Instant::now(),
            holding: false,
            unreachable: None,
            ping: None,
        };
        let shared = Arc::new(Shared {
            daemon,
            docker,
            labels,
            on_event,
            state: Mutex::new(state),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { shared, accepting })
    }

    /// From now on a request for a new container gets no answer.
    pub fn hold_new_containers(&self) {
        self.shared.state().holding = true;
    }

    /// When anything last came through.
    #[must_use]
    pub fn last_activity(&self) -> Instant {
        self.shared.state().last_activity
    }

    /// Why the daemon could not be reached, if the last request failed to.
    #[must_use]
    pub fn unreachable(&self) -> Option<String> {
        self.shared.state().unreachable.clone()
    }

    /// The containers older than `limit` that have not been given up yet, with their age.
    #[must_use]
    pub fn older_than(&self, limit: Duration) -> Vec<(String, Duration)> {
        let state = self.shared.state();
        let live = state
            .containers
            .iter()
            .filter(|(_, known)| known.lost.is_none() && !known.ended);
        live.map(|(id, known)| (id.clone(), known.created.elapsed()))
            .filter(|(_, age)| *age > limit)
            .collect()
    }

    /// Notes why a container is about to be ended, so that nobody takes it for its agent's doing.
    pub fn give_up(&self, container: &str, lost: Lost) {
        if let Some(known) = self.shared.state().containers.get_mut(container) {
            known.lost = Some(lost);
            known.reported = true;
        }
    }

    /// How many containers are in use: made, and neither stopped by the engine nor lost.
    #[must_use]
    pub fn in_use(&self) -> usize {
        let state = self.shared.state();
        let known = state.containers.values();
        known
            .filter(|known| known.lost.is_none() && !known.ended)
            .count()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: UnixListener, shared: Arc<Shared>) {
    // Ends with the relay: aborted when it is dropped.
    while let Ok((stream, _)) = listener.accept().await {
        let Ok(client) = ClientSocket::of(&stream) else {
            continue;
        };
        let shared = Arc::clone(&shared);
        let service = hyper::service::service_fn(move |request| {
            let (shared, client) = (Arc::clone(&shared), client.clone());
            async move { Ok::<_, Infallible>(shared.answer(request, &client).await) }
        });
        tokio::spawn(async move {
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
                .await;
        });
    }
}

/// A request's meaning, by method and path below the optional `/v1.41`.
enum Meaning<'a> {
    CreateContainer,
    InspectContainer(&'a str),
    StartContainer(&'a str),
    EndContainer(&'a str),
    CreateExec(&'a str),
    StartExec(&'a str),
    InspectExec(&'a str),
    Ping,
    Other,
}

fn meaning<'a>(method: &Method, path: &'a str) -> Meaning<'a> {
    let mut parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    if parts.first().is_some_and(|part| part.starts_with("v1.")) {
        parts.remove(0);
    }
    match (method.as_str(), parts.as_slice()) {
        ("POST", ["containers", "create"]) => Meaning::CreateContainer,
        ("GET", ["containers", id, "json"]) => Meaning::InspectContainer(id),
        ("POST", ["containers", id, "start"]) => Meaning::StartContainer(id),
        ("POST", ["containers", id, "stop" | "kill"]) | ("DELETE", ["containers", id]) => {
            Meaning::EndContainer(id)
        }
        ("POST", ["containers", id, "exec"]) => Meaning::CreateExec(id),
        ("POST", ["exec", id, "start"]) => Meaning::StartExec(id),
        ("GET", ["exec", id, "json"]) => Meaning::InspectExec(id),
        ("GET" | "HEAD", ["_ping"]) => Meaning::Ping,
        _ => Meaning::Other,
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>, client: &ClientSocket) -> Response<Body> {
        self.state().last_activity = Instant::now();
        let path = request.uri().path().to_owned();
        match meaning(request.method(), &path) {
            Meaning::CreateContainer => self.create(request, client).await,
            Meaning::StartContainer(id) => {
                let (Ok(response) | Err(response)) = self.pass(request, client).await;
                self.started(id, response).await
            }
            Meaning::EndContainer(id) => {
                let response = self
                    .pass(request, client)
                    .await
                    .unwrap_or_else(|refusal| refusal);
                // Only now: v1 writes its result after its container was stopped.
                if let Some(id) = self.full_id(id)
                    && let Some(known) = self.state().containers.get_mut(&id)
                {
                    known.ended = true;
                }
                self.state().last_activity = Instant::now();
                response
            }
            Meaning::CreateExec(id) | Meaning::InspectContainer(id) => {
                let is_exec = request.method() == Method::POST;
                match self.pass(request, client).await {
                    Ok(response) if !is_exec && response.status() != StatusCode::NOT_FOUND => {
                        response
                    }
                    Ok(response) if response.status().is_success() => {
                        self.exec_created(id, response).await
                    }
                    outcome => self.gone(id, is_exec, outcome).await,
                }
            }
            Meaning::StartExec(id) if let Some(container) = dead_exec::container_of(id) => {
                let reason = self
                    .state()
                    .containers
                    .get(container)
                    .and_then(|known| known.lost.clone());
                let reason = reason.map_or_else(|| "exited".to_owned(), |lost| lost.reason);
                dead_exec::started(request, client, container, &reason)
            }
            Meaning::InspectExec(id) if let Some(container) = dead_exec::container_of(id) => {
                dead_exec::exited(container)
            }
            Meaning::StartExec(id) | Meaning::InspectExec(id) => {
                match self.pass(request, client).await {
                    Ok(response) if is_gone(response.status()) => {
                        self.exec_gone(id, response).await
                    }
                    Ok(response) | Err(response) => response,
                }
            }
            Meaning::Ping => {
                let outcome = self.pass(request, client).await;
                self.pinged(outcome)
            }
            Meaning::Other => self
                .pass(request, client)
                .await
                .unwrap_or_else(|refusal| refusal),
        }
    }

    /// The client program pings before each command, and without an answer never comes to ask for
    /// the container that is gone with its daemon: so it gets the last one again.
    fn pinged(
        &self,
        outcome: std::result::Result<Response<Body>, Response<Body>>,
    ) -> Response<Body> {
        match outcome {
            Ok(response) => {
                if response.status().is_success() {
                    let mut headers = response.headers().clone();
                    headers.remove(CONTENT_LENGTH);
                    headers.remove(TRANSFER_ENCODING);
                    self.state().ping = Some(headers);
                }
                response
            }
            Err(refusal) => match self.state().ping.clone() {
                Some(headers) => {
                    let mut response = Response::new(whole(Bytes::new()));
                    *response.headers_mut() = headers;
                    response
                }
                None => refusal,
            },
        }
    }

    /// Makes a container with our labels in it.
    async fn create(&self, request: Request<Incoming>, client: &ClientSocket) -> Response<Body> {
        if self.state().holding {
            // No answer at all: an error would be recorded as the trial's result.
            return std::future::pending().await;
        }
        let name = query_value(request.uri().query().unwrap_or_default(), "name");
        let (mut head, body) = request.into_parts();
        let Ok(body) = body.collect().await else {
            return refusal(StatusCode::BAD_REQUEST, "the request broke off");
        };
        let mut bytes = body.to_bytes();
        let mut image = String::new();
        if let Ok(mut config) = serde_json::from_slice::<Value>(&bytes)
            && config.is_object()
        {
            config["Image"]
                .as_str()
                .unwrap_or_default()
                .clone_into(&mut image);
            if !config["Labels"].is_object() {
                config["Labels"] = json!({});
            }
            for (label, value) in &self.labels {
                config["Labels"][label] = json!(value);
            }
            bytes = config.to_string().into();
        }
        head.headers.remove(TRANSFER_ENCODING);
        head.headers.insert(CONTENT_LENGTH, bytes.len().into());
        let request = Request::from_parts(head, whole(bytes));
        let (Ok(response) | Err(response)) = self.pass(request, client).await;
        let (head, bytes, answer) = read(response).await;
        if let (true, Some(id)) = (head.status.is_success(), answer["Id"].as_str()) {
            let known = Known {
                name,
                created: Instant::now(),
                lost: None,
                reported: false,
                ended: false,
            };
            self.state().containers.insert(id.to_owned(), known);
            (self.on_event)(Seen::Created {
                container: id.to_owned(),
                image,
            });
        } else {
            self.refused(name, &answer);
        }
        Response::from_parts(head, whole(bytes))
    }

    /// A container that was made may still not start: its image has no shell, a mount is missing.
    async fn started(&self, id: &str, response: Response<Body>) -> Response<Body> {
        if response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED {
            return response;
        }
        let (head, bytes, answer) = read(response).await;
        let id = self.full_id(id).unwrap_or_default();
        let name = self
            .state()
            .containers
            .get(&id)
            .map(|known| known.name.clone());
        if let Some(name) = name {
            self.refused(name, &answer);
        }
        Response::from_parts(head, whole(bytes))
    }

    fn refused(&self, name: String, answer: &Value) {
        let message = answer["message"].as_str().unwrap_or("no message");
        (self.on_event)(Seen::Refused {
            name,
            message: message.to_owned(),
        });
    }

    /// The engine asked for a container, and the daemon does not have it running.
    async fn gone(
        &self,
        id: &str,
        is_exec: bool,
        outcome: std::result::Result<Response<Body>, Response<Body>>,
    ) -> Response<Body> {
        let unreachable = outcome.is_err();
        let (Ok(response) | Err(response)) = outcome;
        let died = is_gone(response.status());
        let Some(id) = self.full_id(id).filter(|_| unreachable || died) else {
            return response;
        };
        let is_over = self
            .state()
            .containers
            .get(&id)
            .is_some_and(|known| known.ended);
        if is_over {
            return response;
        }
        self.lose(&id, unreachable).await;
        if is_exec {
            dead_exec::created(&id)
        } else {
            dead_exec::inspected(&id)
        }
    }

    async fn exec_created(&self, container: &str, response: Response<Body>) -> Response<Body> {
        let (head, bytes, answer) = read(response).await;
        if let (Some(container), Some(exec)) = (self.full_id(container), answer["Id"].as_str()) {
            self.state().execs.insert(exec.to_owned(), container);
        }
        Response::from_parts(head, whole(bytes))
    }

    /// A container went while a command ran in it. The daemon then names the exec only; with the
    /// container's id in it the error's text can be told from others.
    async fn exec_gone(&self, exec: &str, response: Response<Body>) -> Response<Body> {
        let Some(container) = self.state().container_of(exec) else {
            return response;
        };
        self.lose(&container, false).await;
        let (_, _, answer) = read(response).await;
        let message = answer["message"].as_str().unwrap_or("no message");
        let message = format!("container {container} is not running: {message}");
        refusal(StatusCode::CONFLICT, &message)
    }

    /// Notes that a container is lost, and reports it once.
    async fn lose(&self, id: &str, unreachable: bool) {
        let already = self
            .state()
            .containers
            .get(id)
            .and_then(|known| known.lost.clone());
        let lost = match already {
            Some(lost) => lost,
            None if unreachable => Lost {
                reason: "daemon_unreachable".to_owned(),
                detail: self.state().unreachable.clone().unwrap_or_default(),
            },
            None => self.cause_of_death(id).await,
        };
        let mut report = false;
        if let Some(known) = self.state().containers.get_mut(id) {
            report = !known.reported;
            known.reported = true;
            known.lost = Some(lost.clone());
        }
        if report {
            (self.on_event)(Seen::Lost {
                container: id.to_owned(),
                lost,
            });
        }
    }

    async fn cause_of_death(&self, id: &str) -> Lost {
        let death = self.docker.death(id).await;
        let (reason, detail) = match death {
            Some(death) if death.oom => ("oom", "killed by the kernel for its memory".to_owned()),
            Some(death) => {
                let code = death
                    .exit_code
                    .map_or_else(|| "unknown".to_owned(), |code| code.to_string());
                ("exited", format!("it ended with exit code {code}"))
            }
            None => ("exited", "it is gone; nobody here removed it".to_owned()),
        };
        Lost {
            reason: reason.to_owned(),
            detail,
        }
    }

    fn full_id(&self, id: &str) -> Option<String> {
        let state = self.state();
        state
            .containers
            .keys()
            .find(|known| known.starts_with(id))
            .cloned()
    }

    /// Passes a request on; the error is the response for a daemon that does not answer.
    async fn pass<B>(
        &self,
        mut request: Request<B>,
        client: &ClientSocket,
    ) -> std::result::Result<Response<Body>, Response<Body>>
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let upgrade = hyper::upgrade::on(&mut request);
        match self.send(request).await {
            Ok(mut response) => {
                self.state().unreachable = None;
                if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                    let marked = client.mark(&mut response);
                    join(upgrade, hyper::upgrade::on(&mut response), marked);
                }
                Ok(response.map(http_body_util::BodyExt::boxed))
            }
            Err(message) => {
                let first = self.state().unreachable.replace(message.clone()).is_none();
                if first {
                    (self.on_event)(Seen::DaemonUnreachable {
                        message: message.clone(),
                    });
                }
                // In the words of Docker's client, which triage knows.
                Err(refusal(
                    StatusCode::SERVICE_UNAVAILABLE,
                    &format!(
                        "Cannot connect to the Docker daemon at {}. Is the docker daemon running?",
                        self.daemon.url()
                    ),
                ))
            }
        }
    }

    async fn send<B>(&self, request: Request<B>) -> std::result::Result<Response<Incoming>, String>
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let stream = self
            .daemon
            .connect()
            .await
            .map_err(|error| error.to_string())?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        tokio::spawn(connection.with_upgrades());
        // Boxed: the body's type differs from caller to caller.
        sender
            .send_request(request.map(http_body_util::BodyExt::boxed_unsync))
            .await
            .map_err(|error| error.to_string())
    }
}

/// Joins two hijacked connections until either side ends.
fn join(client: hyper::upgrade::OnUpgrade, daemon: hyper::upgrade::OnUpgrade, marked: Marked) {
    tokio::spawn(async move {
        let (Ok(client), Ok(daemon)) = tokio::join!(client, daemon) else {
            return;
        };
        marked.head_was_read().await;
        let (mut client, mut daemon) = (TokioIo::new(client), TokioIo::new(daemon));
        // Either side may break off: that is how a hijacked connection ends.
        let _ = tokio::io::copy_bidirectional(&mut client, &mut daemon).await;
    });
}

/// A value of a query string; Docker's names need no decoding.
fn query_value(query: &str, key: &str) -> String {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value.to_owned())
        .unwrap_or_default()
}
