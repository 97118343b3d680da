use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::*;
use crate::bench::RuleId;
use crate::model::canned::{Canned, CannedAnswer, answer, chat_response};
use crate::model::chat::Role;

fn question() -> Vec<Message> {
    vec![Message::text(Role::User, "Hello?")]
}

async fn ask(server: &Canned) -> Result<Reply, ChatError> {
    server.client().chat(&question(), &[]).await
}

fn unavailable() -> CannedAnswer {
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
    assert_eq!(error.rule(), RuleId::BAD_REQUEST);
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
    assert_eq!(error.rule(), RuleId::AUTHENTICATION);
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
    let server = Canned::serve(vec![chat_response("Hi.").cut_off(), chat_response("Hi.")]).await;
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
        assert_eq!(error.rule(), RuleId::MALFORMED_RESPONSE);
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(server.requests().len(), 4);
    }
}

#[tokio::test]
async fn a_body_without_end_is_given_up_on() {
    let server = Canned::serve(vec![CannedAnswer::Endless, chat_response("Hi.")]).await;
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
    assert_eq!(error.rule(), RuleId::CONNECTION);
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

/// A port of this machine at which nobody listens.
async fn refusing() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/v1", listener.local_addr().unwrap())
}

/// An endpoint that is said to speak TLS, and answers in plain text.
async fn without_tls() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Said\r\n\r\n").await;
        }
    });
    base
}

#[tokio::test]
async fn a_call_without_a_connection_is_not_billed_and_its_retries_are_told_once() {
    let server = Canned::serve(vec![chat_response("Hi.")]).await;
    for base in [refusing().await, without_tls().await] {
        let told = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&told);
        let observer = Arc::new(move |retry| to.lock().unwrap().push(retry));
        let options = ClientOptions {
            base,
            retries: Arc::new(Retries::told_to(observer)),
            ..server.options()
        };
        let client = Client::new(Canned::http(), options);
        let error = client.chat(&question(), &[]).await.unwrap_err();
        assert_eq!(error.rule(), RuleId::CONNECTION);
        assert!(!error.may_be_billed(), "{error}");
        assert!(error.to_string().contains("(tried 4 times)"), "{error}");
        let told = told.lock().unwrap();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!((&told[0].rule, told[0].tries), (&RuleId::CONNECTION, 4));
    }
}

#[tokio::test]
async fn where_the_pace_cannot_tell_of_a_rate_limit_the_retry_is_told() {
    for (calls, count) in [(1, 1), (4, 0)] {
        let busy = answer(429, "retry-after: 0.01\r\n", r#"{"message": "slow down"}"#);
        let server = Canned::serve(vec![busy, chat_response("Hi.")]).await;
        let told = Arc::new(Mutex::new(Vec::new()));
        let to = Arc::clone(&told);
        let observer = Arc::new(move |retry| to.lock().unwrap().push(retry));
        let options = ClientOptions {
            pace: Arc::new(Pace::new(calls, None)),
            retries: Arc::new(Retries::told_to(observer)),
            ..server.options()
        };
        let client = Client::new(Canned::http(), options);
        client.chat(&question(), &[]).await.unwrap();
        assert_eq!(told.lock().unwrap().len(), count, "{calls}");
    }
}
