//! One try of a chat call over HTTP: a response within bounds, or how it failed, without the key.

mod failure;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::asked::HeaderAdvice;
use super::refusal::{self, MALFORMED};
pub(super) use failure::CallFailure;

use crate::bench::RuleId;
use crate::json;
use crate::secret::{Mask, Secret};

/// How much of a body's beginning an error shows, in characters; it says what the body is.
const EXCERPT: usize = 700;
/// How much of its end; a cause may come last.
const TAIL: usize = 300;

/// Where a client's calls go, and within which bounds.
pub(super) struct ModelEndpoint {
    pub http: reqwest::Client,
    pub url: String,
    pub key: Option<Secret>,
    /// What takes the key out of all that comes back.
    pub mask: Mask,
    /// The time limit of one try, its body included.
    pub timeout: Duration,
    /// The most that a body may have, in bytes.
    pub max_body: u64,
}

impl ModelEndpoint {
    /// Posts a request and reads the JSON of its response, as it is: what an agent does with it must
    /// not depend on how the key is spelled (`placeholder`, say). Who writes it down masks the key.
    /// With what its headers say of the next call.
    pub async fn post(&self, request: &Value) -> Result<(Value, HeaderAdvice), CallFailure> {
        let mut call = self.http.post(&self.url).timeout(self.timeout);
        if let Some(key) = &self.key {
            call = call.bearer_auth(key.expose());
        }
        let response = call.json(request).send().await;
        let response = response.map_err(|error| self.unanswered(&error))?;
        let status = response.status();
        let asked = HeaderAdvice::by(status.as_u16(), response.headers());
        let mut bytes = Vec::new();
        let whole = self.read(response, &mut bytes).await;
        if !status.is_success() {
            return Err(self.refused(status.as_u16(), &bytes, asked));
        }
        whole?;
        json::of_bytes(&bytes)
            .map(|response| (response, asked))
            .map_err(|error| self.malformed(format!("it is not JSON: {error}"), &bytes, MALFORMED))
    }

    /// A refusal with what its whole body says.
    fn refused(&self, status: u16, body: &[u8], asked: HeaderAdvice) -> CallFailure {
        let text = String::from_utf8_lossy(body);
        let rule = refusal::rule_of(status, &text);
        let refusing = self.refusing(status, &rule, &text);
        let failure = CallFailure::Status {
            status,
            rule,
            later: refusal::later_of(status, &text),
            body: self.excerpt(body),
            retry_after: None,
            in_200: false,
            began: false,
            refusing,
        };
        failure.resetting(&text, asked, Timestamp::now())
    }

    /// A refusal in the body of a 200, with the status that stands for it.
    pub fn refused_in_200(&self, status: u16, body: &Value, asked: HeaderAdvice) -> CallFailure {
        let said = refusal::beside_the_reply(body).to_string();
        let rule = refusal::rule_of(status, &said);
        let refusing = self.refusing(status, &rule, &said);
        let failure = CallFailure::Status {
            status,
            rule,
            later: refusal::later_of(status, &said),
            body: self.excerpt(body.to_string().as_bytes()),
            retry_after: None,
            in_200: true,
            began: refusal::began(body),
            refusing,
        };
        failure.resetting(&said, asked, Timestamp::now())
    }

    fn refusing(&self, status: u16, rule: &RuleId, body: &str) -> String {
        match status {
            // These are about who asks, and when, and of what stands before the model's server.
            401 | 402 | 404 | 407 | 408 | 413 | 429 | 502..=504 | 529 => String::new(),
            _ if *rule == refusal::BAD_REQUEST => self.hide(&refusal::that_may_refuse_fields(body)),
            400 | 422 => self.hide(&refusal::that_refuses_fields(body)),
            _ => self.hide(&refusal::that_refuses_marked_fields(body)),
        }
    }

    /// Reads a body as far as it comes and is wanted.
    async fn read(
        &self,
        mut response: reqwest::Response,
        bytes: &mut Vec<u8>,
    ) -> Result<(), CallFailure> {
        loop {
            match response.chunk().await {
                Ok(None) => return Ok(()),
                Ok(Some(chunk)) => {
                    if (bytes.len() + chunk.len()) as u64 > self.max_body {
                        let why = format!("it is larger than {} bytes", self.max_body);
                        return Err(self.malformed(why, bytes, MALFORMED));
                    }
                    bytes.extend_from_slice(&chunk);
                }
                Err(error) if error.is_timeout() => return Err(CallFailure::TimedOut),
                Err(error) => {
                    let cause = innermost(&error);
                    let why = format!("it broke off after {} bytes: {cause}", bytes.len());
                    return Err(self.malformed(self.hide(&why), bytes, MALFORMED));
                }
            }
        }
    }

    fn unanswered(&self, error: &reqwest::Error) -> CallFailure {
        // A connection that did not come about in time is none all the same: nothing was sent.
        if error.is_timeout() && !error.is_connect() {
            return CallFailure::TimedOut;
        }
        CallFailure::Unreachable {
            why: self.hide(&innermost(error)),
            hopeless: error.is_builder(),
            sent: !error.is_builder() && !error.is_connect(),
        }
    }

    /// A response that is none, with the beginning of its body.
    pub fn malformed(&self, why: String, body: &[u8], rule: RuleId) -> CallFailure {
        CallFailure::Malformed {
            why,
            body: self.excerpt(body),
            rule,
        }
    }

    /// A body's beginning and end, without the key.
    pub fn excerpt(&self, body: &[u8]) -> String {
        // The key goes first: a cut through it would leave a part that is not recognised.
        let text = self.hide(&String::from_utf8_lossy(body));
        let length = text.chars().count();
        if length <= EXCERPT + TAIL {
            return text;
        }
        let head = text.chars().take(EXCERPT);
        let tail = text.chars().skip(length - TAIL);
        head.chain(" … ".chars()).chain(tail).collect()
    }

    /// A text with every occurrence of the key masked: endpoints like to echo it.
    pub fn hide(&self, text: &str) -> String {
        self.mask.hide(text).into_owned()
    }
}

/// What a chain of errors comes down to. Its outer links only repeat the URL.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_has_no_part_of_the_key_even_where_it_is_cut() {
        let endpoint = ModelEndpoint {
            http: crate::model::client::http("http://127.0.0.1").unwrap(),
            url: String::new(),
            key: Some(Secret::new("sk-secret-123")),
            mask: Mask::of(Some(&Secret::new("sk-secret-123"))),
            timeout: Duration::ZERO,
            max_body: 0,
        };
        let (head, tail) = ("x".repeat(EXCERPT - 2), "y".repeat(TAIL));
        let body = format!("{head}sk-secret-123 and more{tail}");
        assert_eq!(
            endpoint.excerpt(body.as_bytes()),
            format!("{head}** … {tail}")
        );
    }
}
