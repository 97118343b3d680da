//! What a request to the daemon asks for.

use hyper::Method;

/// A request's meaning, by method and path below the optional `/v1.41`.
pub enum Meaning<'a> {
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

/// Reads the meaning of a request from its method and its path (no query).
pub fn meaning<'a>(method: &Method, path: &'a str) -> Meaning<'a> {
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
