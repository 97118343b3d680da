//! The chat client: it asks, tries again what may pass, and keeps to the endpoint's pace.

#[cfg(test)]
mod tests;
mod tries;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};

use super::answer::{ModelAnswer, NoReply};
use super::asked::HeaderAdvice as AsksFor;
use super::chat::{ChatError, Message, Reply, Tool};
use super::endpoint::{CallFailure, ModelEndpoint, innermost};
use super::pace::Pace;
use super::provider::{Wire, sent_name};
use super::retries::Retries;
use super::under_way::{UnderWay, Waiting};
use super::wire;
use crate::bench::{Price, Usage};
use crate::error::{self, Error};
use crate::secret::{Mask, Secret, masked_url};

/// The usual [`ClientOptions::max_body`]: 8 MiB. A long reply has some 100 kB.
pub const MAX_BODY: u64 = 8 * 1024 * 1024;

/// How long the making of a connection may take, TLS included. Who is there takes a second, and what
/// was not sent by then is known to cost nothing.
const CONNECTING: Duration = Duration::from_secs(30);

/// What a [`Client`] is made of.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// The model's name in litellm's form, such as `cohere_chat/command-a-03-2025`; the provider's
    /// prefix is not sent.
    pub model: String,
    /// How the endpoint is spoken to.
    pub wire: Wire,
    /// The endpoint's base URL; see [`Wire::url`].
    pub base: String,
    /// The key, sent as a bearer token.
    pub key: Option<Secret>,
    /// The user's further parameters; see [`Wire::request`].
    pub extra: Map<String, Value>,
    /// What the model's tokens cost, where it is known.
    pub price: Option<Price>,
    /// The time limit of one try, from the connection to the body's end.
    pub timeout: Duration,
    /// How often a call is tried at most, the first time included.
    pub tries: u32,
    /// The longest wait before the second try; it doubles with each further one. The wait itself is
    /// drawn from zero to that ("full jitter": Brooker, Exponential Backoff and Jitter, AWS
    /// Architecture Blog, 2015).
    pub backoff: Duration,
    /// The most that `backoff` grows to.
    pub backoff_max: Duration,
    /// The most that a response may have, in bytes.
    pub max_body: u64,
    /// The pace that all clients of the endpoint share.
    pub pace: Arc<Pace>,
    /// Who is told of calls that are tried again, shared likewise.
    pub retries: Arc<Retries>,
}

/// A chat model at an endpoint.
pub struct Client {
    endpoint: ModelEndpoint,
    /// The endpoint's URL for people.
    shown: String,
    /// The model's name as it is sent.
    model: String,
    wire: Wire,
    extra: Map<String, Value>,
    price: Option<Price>,
    tries: u32,
    backoff: Duration,
    backoff_max: Duration,
    pace: Arc<Pace>,
    retries: Arc<Retries>,
    /// The extras of messages that the endpoint refused: they are sent no more.
    left_out: Mutex<BTreeSet<String>>,
    /// Whether it was answered before: its settings can be.
    was_answered: AtomicBool,
    under_way: Mutex<UnderWay>,
}

/// What was asked in the end, and what became of it.
#[derive(Debug)]
pub struct Asked {
    /// The body of the last request.
    pub request: Value,
    /// The response, or how the call failed.
    pub outcome: Result<Exchange, ChatError>,
    /// The extras that this call was the first to go without; see [`Reply::left_out`].
    pub left_out: Vec<String>,
}

/// What an endpoint answered in the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// The response's body, as it came.
    pub response: Value,
    /// Time lost to rate limits.
    pub rate_limited: Duration,
    /// Whether earlier tries may have been billed as well; see [`Reply::discarded`].
    pub discarded: bool,
}

/// The HTTP client for all chat clients of a process: they share its pool of connections.
///
/// An endpoint on this machine is never asked through a proxy, and none is followed elsewhere: a
/// redirected POST becomes a GET.
pub fn http(base: &str) -> error::Result<reqwest::Client> {
    connecting_within(base, CONNECTING)
}

/// The same with another time for the making of a connection.
pub(super) fn connecting_within(base: &str, within: Duration) -> error::Result<reqwest::Client> {
    http_with(base, reqwest::redirect::Policy::none, within)
}

/// One that goes where it is sent, as litellm's does (httpx's limit): the key stays behind where
/// that is another host.
pub fn following_http(base: &str) -> error::Result<reqwest::Client> {
    http_with(base, || reqwest::redirect::Policy::limited(20), CONNECTING)
}

/// Whether an endpoint is on this machine.
pub(super) fn is_here(base: &str) -> bool {
    let hosts = ["//127.", "//localhost", "//[::1]"];
    hosts.iter().any(|host| base.contains(host))
}

fn http_with(
    base: &str,
    redirects: impl Fn() -> reqwest::redirect::Policy,
    connecting: Duration,
) -> error::Result<reqwest::Client> {
    // TLS by ring, which builds in a tenth of aws-lc's time. The second client finds it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = || {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("regatta/", env!("CARGO_PKG_VERSION")))
            .redirect(redirects())
            .connect_timeout(connecting)
            .pool_max_idle_per_host(1024);
        if is_here(base) {
            builder.no_proxy()
        } else {
            builder
        }
    };
    let built = builder().build().or_else(|error| {
        // A bare machine has no certificates, and an endpoint without TLS shows none.
        if base.starts_with("http://") {
            builder().tls_certs_only([]).build()
        } else {
            Err(error)
        }
    });
    built.map_err(|error| {
        Error::world(format!("cannot set up HTTPS: {}", innermost(&error)))
            .hint("install the system's CA certificates (Debian: `ca-certificates`)")
    })
}

impl Client {
    /// A client that talks through `http`.
    #[must_use]
    pub fn new(http: reqwest::Client, options: ClientOptions) -> Self {
        let endpoint = ModelEndpoint {
            http,
            url: options.wire.url(&options.base),
            mask: Mask::of(options.key.as_ref()),
            key: options.key,
            timeout: options.timeout,
            max_body: options.max_body,
        };
        Self {
            shown: endpoint.hide(&masked_url(&endpoint.url)),
            endpoint,
            model: sent_name(&options.model).to_owned(),
            wire: options.wire,
            extra: options.extra,
            price: options.price,
            tries: options.tries,
            backoff: options.backoff,
            backoff_max: options.backoff_max,
            pace: options.pace,
            retries: options.retries,
            left_out: Mutex::default(),
            was_answered: AtomicBool::default(),
            under_way: Mutex::default(),
        }
    }

    /// Asks the model to go on with a conversation.
    pub async fn chat(&self, messages: &[Message], tools: &[Tool]) -> Result<Reply, ChatError> {
        let asked = self.ask(messages, tools).await;
        self.reply(asked.outcome?, asked.left_out)
    }

    /// The call of [`Client::chat`]. A request that the endpoint refuses for extras of its messages,
    /// which it names, goes again without these, and so does every later one.
    pub async fn ask(&self, messages: &[Message], tools: &[Tool]) -> Asked {
        let mut left_out = Vec::new();
        let mut discarded = false;
        loop {
            let request = self.request(messages, tools);
            let outcome = self.exchange(&request, messages, discarded).await;
            // Every name is left out once, so this ends.
            let refused = match &outcome {
                Err(ChatError::Status { refusing, .. }) => self.refused(refusing, messages),
                _ => BTreeSet::new(),
            };
            if refused.is_empty() {
                return Asked {
                    request,
                    outcome,
                    left_out,
                };
            }
            discarded = outcome.is_err_and(|error| error.may_be_billed());
            self.leave_out(&refused);
            left_out.extend(refused);
        }
    }

    /// Sends extras of these names no more.
    pub fn leave_out<'a>(&self, names: impl IntoIterator<Item = &'a String>) {
        let mut left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        left_out.extend(names.into_iter().cloned());
    }

    /// The extras that what a refusal says names, of those that are sent.
    fn refused(&self, refusing: &str, messages: &[Message]) -> BTreeSet<String> {
        if refusing.is_empty() {
            BTreeSet::new()
        } else {
            wire::named(&self.sent(messages), refusing)
        }
    }

    /// A conversation as it is sent.
    fn sent<'a>(&self, messages: &'a [Message]) -> Cow<'a, [Message]> {
        let left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        if left_out.is_empty() {
            Cow::Borrowed(messages)
        } else {
            Cow::Owned(wire::leave_out(messages, &left_out))
        }
    }

    /// How long the endpoint has kept this client waiting so far: slowed by its rate limits, for all
    /// who call it, or in pauses of this client's own.
    #[must_use]
    pub fn slowed(&self) -> Duration {
        let slowed = self.pace.slowed();
        slowed + self.under_way().lost(slowed)
    }

    /// What the call under way waits for; `None` where a try of it is at the endpoint.
    #[must_use]
    pub fn waiting(&self) -> Option<Waiting> {
        self.under_way().waiting().cloned()
    }

    /// The tokens of generations that were no reply, one by one, which nobody has taken yet.
    pub fn take_wasted(&self) -> Vec<Usage> {
        std::mem::take(self.under_way().wasted())
    }

    /// A copy of what [`Client::take_wasted`] would take.
    #[must_use]
    pub fn wasted(&self) -> Vec<Usage> {
        self.under_way().wasted().clone()
    }

    /// Takes up what a recording says of such generations.
    pub fn waste(&self, usages: Vec<Usage>) {
        self.under_way().wastes(usages);
    }

    /// What a call with these tokens costs in USD, where the price is known.
    #[must_use]
    pub fn cost_of(&self, usage: Usage) -> Option<f64> {
        self.price.and_then(|price| price.of(usage))
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The body of the call that [`Client::chat`] makes.
    #[must_use]
    pub fn request(&self, messages: &[Message], tools: &[Tool]) -> Value {
        let messages = self.sent(messages);
        self.wire
            .request(&self.model, &messages, tools, &self.extra)
    }

    /// The reply that an exchange ended in, with what it was the first to go without.
    pub fn reply(&self, exchange: Exchange, left_out: Vec<String>) -> Result<Reply, ChatError> {
        let Exchange {
            response: raw,
            rate_limited,
            discarded,
        } = exchange;
        let ModelAnswer {
            message,
            usage,
            is_cut,
        } = self
            .read(&raw, AsksFor::default())
            .map_err(|failure| self.error(failure, 1, true))?;
        Ok(Reply {
            message,
            usage,
            cost: usage.and_then(|usage| self.cost_of(usage)),
            raw,
            rate_limited,
            discarded,
            is_cut,
            left_out,
        })
    }

    fn read(&self, response: &Value, asks_for: AsksFor) -> Result<ModelAnswer, CallFailure> {
        ModelAnswer::of(self.wire, response).map_err(|none| match none {
            NoReply::Failed { why, rule } => {
                let body = response.to_string();
                self.endpoint.malformed(why, body.as_bytes(), rule)
            }
            NoReply::Refused { status } => self.endpoint.refused_in_200(status, response, asks_for),
        })
    }

    fn error(&self, failure: CallFailure, tries: u32, may_be_billed: bool) -> ChatError {
        let url = self.shown.clone();
        match failure {
            CallFailure::Unreachable { why, .. } => ChatError::Unreachable {
                url,
                why,
                tries,
                may_be_billed,
            },
            CallFailure::TimedOut => ChatError::TimedOut {
                url,
                seconds: self.endpoint.timeout.as_secs(),
                tries,
            },
            CallFailure::Status {
                status,
                body,
                rule,
                in_200,
                refusing,
                ..
            } => ChatError::Status {
                url,
                status,
                body,
                refusing,
                tries,
                rule,
                in_200,
                may_be_billed,
            },
            CallFailure::Malformed { why, body, rule } => ChatError::Malformed {
                url,
                why,
                body,
                tries,
                rule,
                may_be_billed,
            },
        }
    }
}
