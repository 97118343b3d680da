//! Responses as the relay passes them on, reads them and makes them.

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

/// A response's body: passed on, or ours.
pub type Body = BoxBody<Bytes, hyper::Error>;

/// Whether it is what the daemon answers about a container or an exec that is not there, or not running.
pub fn is_gone(status: StatusCode) -> bool {
    matches!(status, StatusCode::NOT_FOUND | StatusCode::CONFLICT)
}

/// A response's head, its body, and the JSON in that; a body that breaks off is an empty one.
pub async fn read(response: Response<Body>) -> (hyper::http::response::Parts, Bytes, Value) {
    let (head, body) = response.into_parts();
    let bytes = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let answer = serde_json::from_slice(&bytes).unwrap_or_default();
    (head, bytes, answer)
}

/// A body that is all there.
pub fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

/// A JSON response of ours.
pub fn json_response(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(whole(body.to_string().into()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// A refusal in the daemon's form.
pub fn refusal(status: StatusCode, message: &str) -> Response<Body> {
    json_response(status, &json!({"message": message}))
}
