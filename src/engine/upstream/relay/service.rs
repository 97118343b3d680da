//! What the relay does with each request.

use std::time::Instant;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use hyper::{Request, Response, StatusCode};
use serde_json::{Value, json};

use super::answer::{Body, is_gone, read, refusal, whole};
use super::commands::{Commands, of_exec};
use super::dead_exec;
use super::hijack::ClientSocket;
use super::meaning::{Meaning, meaning};
use super::shared::{KnownContainer, Shared};
use crate::store::Event;

/// How upstream calls the volume that the agents of a team share.
const TEAM_VOLUME: &str = "cb-team-";

/// The longest request for an exec that is looked at, in bytes. A program takes no longer command.
const LOOKED_AT: u64 = 1_000_000;

impl Shared {
    /// Answers one request: the daemon's answer, or ours in its place.
    pub async fn answer(
        &self,
        request: Request<Incoming>,
        client: &ClientSocket,
    ) -> Response<Body> {
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
                self.end(id);
                self.state().last_activity = Instant::now();
                response
            }
            Meaning::CreateExec(id) => {
                let Ok((request, command)) = with_command(request).await else {
                    return refusal(StatusCode::BAD_REQUEST, "the request broke off");
                };
                match self.pass(request, client).await {
                    Ok(response) if response.status().is_success() => {
                        self.exec_created(id, command, response).await
                    }
                    outcome => self.gone(id, true, outcome).await,
                }
            }
            Meaning::InspectContainer(id) => match self.pass(request, client).await {
                Ok(response) if response.status() != StatusCode::NOT_FOUND => response,
                outcome => self.gone(id, false, outcome).await,
            },
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
            self.make_volumes(&config).await;
            bytes = config.to_string().into();
        }
        head.headers.remove(TRANSFER_ENCODING);
        head.headers.insert(CONTENT_LENGTH, bytes.len().into());
        let request = Request::from_parts(head, whole(bytes));
        let (Ok(response) | Err(response)) = self.pass(request, client).await;
        let (head, bytes, answer) = read(response).await;
        if let (true, Some(id)) = (head.status.is_success(), answer["Id"].as_str()) {
            let known = KnownContainer {
                name: name.clone(),
                created: Instant::now(),
                lost: None,
                reported: false,
                ended: false,
                commands: Commands::default(),
            };
            self.state().containers.insert(id.to_owned(), known);
            (self.report)(Event::ContainerCreated {
                container: id.to_owned(),
                image,
                name: Some(name).filter(|name| !name.is_empty()),
            });
        } else {
            self.refused(name, &answer);
        }
        Response::from_parts(head, whole(bytes))
    }

    /// Makes the volumes that a team's container names, so that they carry our labels: the daemon would
    /// make them without any.
    async fn make_volumes(&self, config: &Value) {
        let binds = config["HostConfig"]["Binds"].as_array();
        let named = binds.into_iter().flatten().filter_map(Value::as_str);
        for volume in named.filter_map(|bind| Some(bind.split_once(':')?.0)) {
            if volume.starts_with(TEAM_VOLUME)
                && let Err(error) = self.docker.make_volume(volume, &self.labels).await
            {
                (self.report)(Event::note(error.to_string()));
            }
        }
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
        (self.report)(Event::ContainerRefused {
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

    async fn exec_created(
        &self,
        container: &str,
        command: Option<String>,
        response: Response<Body>,
    ) -> Response<Body> {
        let (head, bytes, answer) = read(response).await;
        if let (Some(container), Some(exec)) = (self.full_id(container), answer["Id"].as_str()) {
            let mut state = self.state();
            if let Some(known) = state.containers.get_mut(&container) {
                known.commands.took(command);
            }
            state.execs.insert(exec.to_owned(), container);
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
}

/// A request for an exec, and what it runs, unless it is too long to be looked at.
async fn with_command(
    request: Request<Incoming>,
) -> std::result::Result<(Request<Body>, Option<String>), hyper::Error> {
    let length = request.headers().get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_none_or(|length: u64| length > LOOKED_AT) {
        return Ok((request.map(BodyExt::boxed), None));
    }
    let (head, body) = request.into_parts();
    let bytes = body.collect().await?.to_bytes();
    let command = of_exec(&bytes);
    Ok((Request::from_parts(head, whole(bytes)), command))
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
