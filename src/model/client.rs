//! The chat client: it asks, tries again what may pass, and keeps to the endpoint's pace.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};

use super::answer::{NoReply, Said};
use super::asked::Asked as AsksFor;
use super::chat::{ChatError, Message, Reply, Tool};
use super::endpoint::{Endpoint, Failure, innermost};
use super::pace::{Pace, RETRY_AFTER_MAX};
use super::provider::{Wire, sent_name};
use super::under_way::{UnderWay, Waiting};
use super::wire;
use crate::bench::{Price, Usage};
use crate::error::{self, Error};
use crate::secret::{Mask, Secret, masked_url};

/// The usual [`ClientOptions::max_body`]: 8 MiB. A long reply has some 100 kB.
pub const MAX_BODY: u64 = 8 * 1024 * 1024;

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
}

/// A chat model at an endpoint.
pub struct Client {
    endpoint: Endpoint,
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
    /// See [`Reply::left_out`].
    pub left_out: Vec<String>,
}

/// What an endpoint answered in the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// The response's body.
    pub response: Value,
    /// Time lost to rate limits.
    pub rate_limited: Duration,
    /// See [`Reply::discarded`].
    pub discarded: bool,
}

/// The HTTP client for all chat clients of a process: they share its pool of connections.
///
/// An endpoint on this machine is never asked through a proxy, and none is followed elsewhere: a
/// redirected POST becomes a GET.
pub fn http(base: &str) -> error::Result<reqwest::Client> {
    http_with(base, reqwest::redirect::Policy::none())
}

/// One that goes where it is sent, as litellm's does (httpx's limit): the key stays behind where
/// that is another host.
pub fn following_http(base: &str) -> error::Result<reqwest::Client> {
    http_with(base, reqwest::redirect::Policy::limited(20))
}

fn http_with(base: &str, redirects: reqwest::redirect::Policy) -> error::Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("regatta/", env!("CARGO_PKG_VERSION")))
        .redirect(redirects)
        .pool_max_idle_per_host(1024);
    let is_here = ["//127.", "//localhost", "//[::1]"];
    if is_here.iter().any(|host| base.contains(host)) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| {
        Error::world(format!("cannot set up HTTPS: {}", innermost(&error)))
            .hint("install the system's CA certificates (Debian: `ca-certificates`)")
    })
}

impl Client {
    /// A client that talks through `http`.
    #[must_use]
    pub fn new(http: reqwest::Client, options: ClientOptions) -> Self {
        let endpoint = Endpoint {
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

    /// The same; they stay.
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

    /// Sends a request until a chat response comes or trying again makes no sense. `discarded`:
    /// whether earlier tries of the same call may be billed, with tokens that are not known.
    async fn exchange(
        &self,
        request: &Value,
        messages: &[Message],
        mut discarded: bool,
    ) -> Result<Exchange, ChatError> {
        let mut rate_limited = Duration::ZERO;
        let mut tried = 0;
        self.under_way().waits(None);
        loop {
            let (permit, waited) = self.pace.enter().await;
            self.under_way().goes_out();
            rate_limited += waited;
            tried += 1;
            let (failure, usage) = match self.attempt(request).await {
                Ok(response) => {
                    self.was_answered.store(true, Ordering::Relaxed);
                    permit.succeeded();
                    return Ok(Exchange {
                        response,
                        rate_limited,
                        discarded,
                    });
                }
                Err((failure, usage)) if self.was_answered.load(Ordering::Relaxed) => {
                    (failure.after_answers(), usage)
                }
                Err(failed) => failed,
            };
            discarded |= failure.may_be_billed() && usage.is_none();
            self.under_way().wastes(usage);
            let pause = if let Failure::Status {
                retry_after,
                rule: "rate_limit",
                ..
            } = &failure
            {
                permit.rate_limited(*retry_after);
                // The pace holds this call back with all the others.
                Duration::ZERO
            } else {
                permit.held();
                self.pause(tried, &failure)
            };
            let may_pass =
                failure.may_pass() || failure.may_pass_later() && self.pace.was_answered();
            // It would be refused for its extras every time.
            let names_extras = matches!(&failure, Failure::Status { refusing, .. }
                if !self.refused(refusing, messages).is_empty());
            let is_last = tried >= failure.tries(self.tries) || !may_pass || names_extras;
            let asks_for_a_pause = failure.asks_for_a_pause();
            let error = self.error(failure, tried, discarded);
            if is_last {
                return Err(error);
            }
            self.under_way().waits(Some(error));
            rate_limited += self.wait(pause, asks_for_a_pause).await;
        }
    }

    /// Waits before the next try; gives how much of it was lost to the endpoint, beside what its
    /// pace tells.
    async fn wait(&self, pause: Duration, is_lost: bool) -> Duration {
        if is_lost {
            let slowed = self.pace.slowed();
            self.under_way().pauses(slowed);
        }
        tokio::time::sleep(pause).await;
        let slowed = self.pace.slowed();
        self.under_way().goes_on(slowed)
    }

    /// The reply that an exchange ended in, with what it was the first to go without.
    pub fn reply(&self, exchange: Exchange, left_out: Vec<String>) -> Result<Reply, ChatError> {
        let Exchange {
            response: raw,
            rate_limited,
            discarded,
        } = exchange;
        let Said {
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

    /// One try; where it fails, also the tokens that it tells all the same.
    async fn attempt(&self, request: &Value) -> Result<Value, (Failure, Option<Usage>)> {
        let response = self.endpoint.post(request).await;
        let (response, asks_for) = response.map_err(|failure| (failure, None))?;
        match self.read(&response, asks_for) {
            Ok(_) => Ok(response),
            Err(failure) => Err((failure, self.wire.usage(&response))),
        }
    }

    fn read(&self, response: &Value, asks_for: AsksFor) -> Result<Said, Failure> {
        Said::of(self.wire, response).map_err(|none| match none {
            NoReply::Failed { why, rule } => {
                let body = response.to_string();
                self.endpoint.malformed(why, body.as_bytes(), rule)
            }
            NoReply::Refused { status } => self.endpoint.refused_in_200(status, response, asks_for),
        })
    }

    /// The wait after a failed try, counted from 1; at least what the endpoint asks for.
    fn pause(&self, tried: u32, failure: &Failure) -> Duration {
        let doubled = self
            .backoff
            .saturating_mul(2_u32.saturating_pow(tried - 1))
            .min(self.backoff_max);
        let asked = match failure {
            Failure::Status { retry_after, .. } => retry_after.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        doubled
            .mul_f64(fastrand::f64())
            .max(asked.min(RETRY_AFTER_MAX))
    }

    fn error(&self, failure: Failure, tries: u32, may_be_billed: bool) -> ChatError {
        let url = self.shown.clone();
        match failure {
            Failure::Unreachable { why, .. } => ChatError::Unreachable {
                url,
                why,
                tries,
                may_be_billed,
            },
            Failure::TimedOut => ChatError::TimedOut {
                url,
                seconds: self.endpoint.timeout.as_secs(),
                tries,
            },
            Failure::Status {
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
            Failure::Malformed { why, body, rule } => ChatError::Malformed {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::canned::{Answer, Canned, answer, chat_response};
    use super::*;
    use crate::model::chat::Role;

    fn question() -> Vec<Message> {
        vec![Message::text(Role::User, "Hello?")]
    }

    async fn ask(server: &Canned) -> Result<Reply, ChatError> {
        server.client().chat(&question(), &[]).await
    }

    fn unavailable() -> Answer {
        answer(500, "", "oops")
    }

    /// A conversation with a reply that has reasoning beside its text.
    fn thoughtful() -> Vec<Message> {
        let mut reply = Message::text(Role::Assistant, "Hi.");
        reply.extras = Map::from_iter([("reasoning_content".to_owned(), json!("They greet."))]);
        let more = Message::text(Role::User, "More?");
        [question(), vec![reply, more]].concat()
    }

    #[tokio::test]
    async fn an_extra_that_the_endpoint_refuses_by_its_name_is_sent_no_more() {
        let located = r#"{"detail": [{"loc": ["body", "messages", 1, "reasoning_content"]}]}"#;
        for (status, refused) in [
            (400, located),
            (422, located),
            (415, "reasoning_content"),
            (403, "Unsupported field reasoning_content"),
            (400, "Unrecognized key(s) in object: 'reasoningContent'"),
            (
                400,
                "Unknown field reasoning_content. The prompt is too long.",
            ),
            (
                500,
                "__init__() got an unexpected keyword argument 'reasoning_content'",
            ),
            (
                200,
                r#"{"error": {"message": "reasoning_content is not allowed"}}"#,
            ),
        ] {
            let answers = vec![answer(status, "", refused), chat_response("Ok.")];
            let server = Canned::serve(answers).await;
            let client = server.client();
            let first = client.chat(&thoughtful(), &[]).await.unwrap();
            let next = client.chat(&thoughtful(), &[]).await.unwrap();
            assert_eq!(first.left_out, ["reasoning_content"]);
            assert!(next.left_out.is_empty());
            let had_it: Vec<bool> = server
                .requests()
                .iter()
                .map(|request| request.contains("They greet."))
                .collect();
            assert_eq!(had_it, [true, false, false]);
        }
    }

    #[tokio::test]
    async fn a_refusal_for_anything_else_is_not_tried_without_extras() {
        for (status, body) in [
            (400, "messages must alternate"),
            (401, "reasoning_content"),
            (403, "reasoning_content"),
            (400, "reasoning_content and all: the prompt is too long"),
            (
                400,
                "The `reasoning_content` of a thinking model must be passed back.",
            ),
            (
                422,
                r#"{"detail": [{"loc": ["tier"], "input": {"reasoning_content": "x"}}]}"#,
            ),
        ] {
            let server = Canned::serve(vec![answer(status, "", body)]).await;
            server.client().chat(&thoughtful(), &[]).await.unwrap_err();
            assert_eq!(server.requests().len(), 1, "{status} {body}");
        }
        // It is given up on when it is refused without as well.
        let server = Canned::serve(vec![answer(400, "", "no reasoning_content")]).await;
        let error = server.client().chat(&thoughtful(), &[]).await.unwrap_err();
        assert_eq!(error.rule(), "bad_request");
        assert_eq!(server.requests().len(), 2);
    }

    #[tokio::test]
    async fn a_reply_comes_with_its_usage_and_cost() {
        let server = Canned::serve(vec![chat_response("Hi.")]).await;
        let reply = ask(&server).await.unwrap();
        assert_eq!(reply.message.content, "Hi.");
        assert_eq!(reply.usage.map(|usage| usage.input_tokens), Some(1000));
        assert_eq!(reply.cost, Some(0.004));
        assert!(reply.rate_limited.is_zero());
        let request = server.requests().remove(0);
        assert!(
            request.starts_with("POST /v1/chat/completions "),
            "{request}"
        );
        assert!(request.contains("Bearer sk-secret-123"), "{request}");
        assert!(request.contains(r#""model":"gpt-4o-mini""#), "{request}");
    }

    #[tokio::test]
    async fn after_a_429_the_call_waits_as_asked_and_is_made_again() {
        let busy = answer(429, "retry-after: 0.01\r\n", r#"{"message": "slow down"}"#);
        let server = Canned::serve(vec![busy, chat_response("Hi.")]).await;
        let reply = ask(&server).await.unwrap();
        assert!(!reply.rate_limited.is_zero());
        assert_eq!(server.requests().len(), 2);
    }

    #[tokio::test]
    async fn a_refused_key_is_not_tried_again_and_never_shown() {
        let echo = r#"{"message": "invalid key sk-secret-123 (Bearer sk-secret-123)"}"#;
        let server = Canned::serve(vec![answer(401, "", echo)]).await;
        let error = ask(&server).await.unwrap_err();
        assert_eq!(server.requests().len(), 1);
        assert_eq!(error.rule(), "authentication");
        let text = format!("{error} {error:?}");
        assert!(text.contains("invalid key **** (Bearer ****)"), "{text}");
        assert!(!text.contains("sk-secret"), "{text}");
    }

    /// A key may be an ordinary word, where the endpoint asks for none.
    #[tokio::test]
    async fn what_the_model_says_is_used_as_it_is_said() {
        let body = r#"{"choices":[{"message":{"role":"assistant","content":"SK-secret-123 and sk-secret-123"}}]}"#;
        let server = Canned::serve(vec![answer(200, "", body)]).await;
        let reply = ask(&server).await.unwrap();
        assert_eq!(reply.message.content, "SK-secret-123 and sk-secret-123");
    }

    #[tokio::test]
    async fn usage_that_no_model_has_is_unknown_and_so_is_the_cost() {
        for count in [
            "9300000000000000000",
            "18446744073709551617",
            "-5",
            "0.5",
            "\"12\"",
            "1e300",
        ] {
            let body = format!(
                r#"{{"choices":[{{"message":{{"role":"assistant","content":"Hi."}}}}],
                "usage":{{"prompt_tokens":{count},"completion_tokens":1}}}}"#
            );
            let server = Canned::serve(vec![answer(200, "", &body)]).await;
            let reply = ask(&server).await.unwrap();
            assert_eq!((reply.usage, reply.cost), (None, None), "{count}");
        }
    }

    #[tokio::test]
    async fn server_errors_are_tried_again() {
        let server = Canned::serve(vec![unavailable(), unavailable(), chat_response("Hi.")]).await;
        let reply = ask(&server).await.unwrap();
        assert_eq!(server.requests().len(), 3);
        assert!(reply.rate_limited.is_zero());
    }

    #[tokio::test]
    async fn a_server_error_that_stays_is_told_with_the_number_of_tries() {
        let server = Canned::serve(vec![unavailable()]).await;
        let error = ask(&server).await.unwrap_err();
        let url = format!("{}/chat/completions", server.base);
        let text = format!("{url} answered 500 (tried 4 times): oops");
        assert_eq!(error.to_string(), text);
    }

    #[tokio::test]
    async fn a_body_that_is_cut_off_is_asked_for_again() {
        let server =
            Canned::serve(vec![chat_response("Hi.").cut_off(), chat_response("Hi.")]).await;
        assert!(ask(&server).await.is_ok());
        assert_eq!(server.requests().len(), 2);
    }

    #[tokio::test]
    async fn without_usage_the_cost_is_unknown() {
        let body = json!({"choices": [{"message": {"role": "assistant", "content": "Hi."}}]});
        let server = Canned::serve(vec![answer(200, "", &body.to_string())]).await;
        let reply = ask(&server).await.unwrap();
        assert_eq!(reply.usage, None);
        assert_eq!(reply.cost, None);
    }

    #[tokio::test]
    async fn what_is_no_chat_response_to_the_end_is_malformed() {
        for (body, reason) in [
            (r#"{"choices": []}"#, "its list of choices is empty"),
            (
                "<html>",
                "it is not JSON: expected value at line 1 column 1",
            ),
        ] {
            let server = Canned::serve(vec![answer(200, "", body)]).await;
            let error = ask(&server).await.unwrap_err();
            assert_eq!(error.rule(), "malformed_response");
            assert!(error.to_string().contains(reason), "{error}");
            assert_eq!(server.requests().len(), 4);
        }
    }

    #[tokio::test]
    async fn a_body_without_end_is_given_up_on() {
        let server = Canned::serve(vec![Answer::Endless, chat_response("Hi.")]).await;
        assert!(ask(&server).await.is_ok());
        assert_eq!(server.requests().len(), 2);
    }

    #[tokio::test]
    async fn where_nothing_listens_is_unreachable() {
        let server = Canned::serve(vec![unavailable()]).await;
        let options = ClientOptions {
            base: "http://127.0.0.1:1/v1".to_owned(),
            ..server.options()
        };
        let client = Client::new(Canned::http(), options);
        let error = client.chat(&question(), &[]).await.unwrap_err();
        assert_eq!(error.rule(), "connection");
        assert!(error.to_string().contains("tried 4 times"), "{error}");
    }

    #[tokio::test]
    async fn a_base_that_is_no_url_is_not_tried_again() {
        let server = Canned::serve(vec![unavailable()]).await;
        let options = ClientOptions {
            base: "localhost".to_owned(),
            ..server.options()
        };
        let client = Client::new(Canned::http(), options);
        let error = client.chat(&question(), &[]).await.unwrap_err();
        assert!(error.to_string().contains("tried 1 time)"), "{error}");
    }
}
