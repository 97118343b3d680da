//! The answers given in the place of a container that is gone.
//!
//! Upstream's agents go on after their container died: every command "prints" the client's error,
//! and a hundred paid model calls later they end in `LimitsExceeded`. When the relay knows that a
//! container is lost, it plays the one output on which an agent's loop ends at once: the
//! submission sentinel, followed by a marker by which triage voids the result.

use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, UPGRADE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::answer::{Body, json_response, whole};
use super::hijack::ClientSocket;
use crate::store::events::MARKER;

/// The prefix of the ids of execs that never ran.
const PREFIX: &str = "regatta-lost-";

/// The line that ends a mini-swe-agent loop when a command prints it first and returns 0
/// (`DockerEnvironment._check_finished` in both agents).
const SENTINEL: &str = "COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT";

/// The answer to `POST /containers/<id>/exec`.
pub fn created(container: &str) -> Response<Body> {
    json_response(
        StatusCode::CREATED,
        &json!({"Id": format!("{PREFIX}{container}")}),
    )
}

/// The answer to `GET /containers/<id>/json`, which the client asks before an exec.
pub fn inspected(container: &str) -> Response<Body> {
    let state = json!({"Running": false, "Status": "dead"});
    json_response(
        StatusCode::OK,
        &json!({"Id": container, "State": state, "Config": {"Tty": false}}),
    )
}

/// The container of an exec that never ran, by the exec's id.
pub fn container_of(exec: &str) -> Option<&str> {
    exec.strip_prefix(PREFIX)
}

/// The answer to `GET /exec/<id>/json`: it ended well.
pub fn exited(container: &str) -> Response<Body> {
    let body = json!({"ID": format!("{PREFIX}{container}"), "ContainerID": container,
        "Running": false, "ExitCode": 0, "Pid": 0});
    json_response(StatusCode::OK, &body)
}

/// The answer to `POST /exec/<id>/start`: a hijacked connection with one frame of output.
pub fn started(
    request: Request<Incoming>,
    client: &ClientSocket,
    container: &str,
    reason: &str,
) -> Response<Body> {
    let output = format!("{SENTINEL}\n{MARKER} {container} {reason}\n");
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/vnd.docker.raw-stream"),
    );
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("tcp"));
    let marked = client.mark(&mut response);
    tokio::spawn(async move {
        let mut request = request;
        let Ok(upgraded) = hyper::upgrade::on(&mut request).await else {
            return;
        };
        marked.head_was_read().await;
        let mut stream = TokioIo::new(upgraded);
        // Docker's multiplexed stream: stream 1 (stdout), three zeros, length, payload.
        let mut frame = vec![1, 0, 0, 0];
        frame.extend(u32::try_from(output.len()).unwrap_or(0).to_be_bytes());
        frame.extend(output.as_bytes());
        // The agent's side may be gone by now; then nobody misses the output.
        let _ = stream.write_all(&frame).await;
        let _ = stream.shutdown().await;
    });
    response
}
