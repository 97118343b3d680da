use serde_json::json;

use super::*;
use crate::bench::RuleId;
use crate::model::canned::{Canned, answer, chat_response};
use crate::model::chat::Role;
use crate::model::client::ClientOptions;

fn say(role: Role, content: &str) -> Message {
    Message::text(role, content)
}

/// A client of an endpoint that is gone.
fn offline(server: &Canned) -> Client {
    let options = ClientOptions {
        base: "http://127.0.0.1:1/v1".to_owned(),
        ..server.options()
    };
    Client::new(Canned::http(), options)
}

#[tokio::test]
async fn a_replay_gives_the_recorded_replies_without_a_network() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tapes/agent1.jsonl");
    let refused = answer(400, "", "too long");
    let server = Canned::serve(vec![chat_response("Hi."), refused]).await;
    let messages = [say(Role::User, "Hello?")];

    let client = server.client();
    let mut tape = Tape::record(&path, Mask::default()).unwrap();
    let reply = tape.chat(&client, &messages, &[]).await.unwrap();
    tape.record_note("inbox", &["psst"]).unwrap();
    let failure = tape.chat(&client, &messages, &[]).await.unwrap_err();

    let client = offline(&server);
    let mut tape = Tape::replay(&path).unwrap();
    assert_eq!(tape.chat(&client, &messages, &[]).await, Ok(reply));
    let inbox: Option<Vec<String>> = tape.replayed("inbox").await.unwrap();
    assert_eq!(inbox, Some(vec!["psst".to_owned()]));
    let replayed = tape.chat(&client, &messages, &[]).await.unwrap_err();
    assert_eq!(replayed.to_string(), failure.to_string());
    assert_eq!(replayed.rule(), failure.rule());

    let end = tape.chat(&client, &messages, &[]).await.unwrap_err();
    let end = end.to_string();
    assert!(
        end.ends_with("the recording ends after 2 exchanges"),
        "{end}"
    );
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn what_was_left_out_is_left_out_of_the_replay() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent1.jsonl");
    let refused = answer(400, "", "messages.0: unknown field `thoughts`");
    let broken = answer(401, "", "no");
    let answers = vec![refused, chat_response("Hi."), broken];
    let server = Canned::serve(answers).await;
    let mut reply = say(Role::Assistant, "Hello?");
    reply.extras.extend([("thoughts".to_owned(), json!("x"))]);

    let client = server.client();
    let mut tape = Tape::record(&path, Mask::default()).unwrap();
    let said = tape.chat(&client, &[reply.clone()], &[]).await.unwrap();
    let failed = tape.chat(&client, &[reply.clone()], &[]).await;
    assert_eq!(said.left_out, ["thoughts"]);

    let client = offline(&server);
    let mut tape = Tape::replay(&path).unwrap();
    assert_eq!(tape.chat(&client, &[reply.clone()], &[]).await, Ok(said));
    let replayed = tape.chat(&client, &[reply], &[]).await.unwrap_err();
    assert_eq!(replayed.to_string(), failed.unwrap_err().to_string());
}

#[tokio::test]
async fn another_conversation_than_the_recorded_one_is_told_by_its_first_difference() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent1.jsonl");
    let server = Canned::serve(vec![chat_response("Hi.")]).await;
    let client = server.client();
    let mut messages = [say(Role::System, "You help."), say(Role::User, "b")];
    let mut tape = Tape::record(&path, Mask::default()).unwrap();
    tape.chat(&client, &messages, &[]).await.unwrap();

    messages[1] = say(Role::User, "a");
    let mut tape = Tape::replay(&path).unwrap();
    let error = tape.chat(&client, &messages, &[]).await.unwrap_err();
    let text = r#"/messages/1/content is "a" here and "b" in the recording"#;
    assert_eq!(
        error.to_string(),
        format!("replay of {}, exchange 1: {text}", path.display())
    );
    assert_eq!(error.rule(), RuleId::REPLAY);
}

#[tokio::test]
async fn an_agent_that_goes_another_way_than_the_recording_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent1.jsonl");
    let server = Canned::serve(vec![chat_response("Hi.")]).await;
    let mut tape = Tape::record(&path, Mask::default()).unwrap();
    tape.record_note("inbox", &0).unwrap();
    let client = server.client();
    tape.chat(&client, &[], &[]).await.unwrap();

    let asked = Tape::replay(&path).unwrap().chat(&client, &[], &[]).await;
    let asked = asked.unwrap_err().to_string();
    assert!(
        asked.contains("asks the model here and reads `inbox`"),
        "{asked}"
    );
    let read = Tape::replay(&path).unwrap().replayed::<u32>("clock").await;
    let read = read.unwrap_err().to_string();
    assert!(read.contains("reads `clock` here and `inbox`"), "{read}");
}

#[tokio::test]
async fn without_a_recording_notes_are_nothing() {
    let mut tape = Tape::Off;
    tape.record_note("inbox", &1).unwrap();
    assert_eq!(tape.replayed::<u32>("inbox").await, Ok(None));
}

#[test]
fn what_is_no_recording_is_refused_with_a_word_on_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent1.jsonl");
    let refused = || Tape::replay(&path).unwrap_err();
    assert!(refused().to_string().contains("there is no such file"));
    files::write_atomic(&path, b"{\"traj\": 1}\n").unwrap();
    let error = refused();
    assert!(error.to_string().contains("its first line is no exchange"));
    assert_eq!(error.hints().len(), 1);
}

#[test]
fn a_recording_of_another_form_is_refused_with_the_version_that_plays_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("solo-1.jsonl");
    let refused = |first: &str| {
        files::write_atomic(&path, format!("{first}\n").as_bytes()).unwrap();
        let error = Tape::replay(&path).unwrap_err();
        format!("{error}: {:?}", error.hints())
    };
    // As they were before they named their form.
    let first = refused(r#"{"kind":"note","name":"inbox","value":1}"#);
    assert!(first.contains("of form 1, and this version"), "{first}");
    assert!(first.contains("Regatta 0.1.0 (a7706eea9a"), "{first}");
    let newer = refused(r#"{"kind":"format","requests":99,"regatta":"7.0.1 (b9)"}"#);
    assert!(newer.contains("of form 99"), "{newer}");
    assert!(newer.contains("Regatta 7.0.1 (b9) plays it"), "{newer}");
}

#[test]
fn a_recording_that_cannot_be_written_is_not_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut tape = Tape::record(&dir.path().join("tapes/agent1.jsonl"), Mask::default()).unwrap();
    drop(dir);
    let error = tape.record_note("inbox", &1).unwrap_err();
    assert_eq!(error.rule(), RuleId::HOST_IO);
    assert!(error.to_string().contains("agent1.jsonl"), "{error}");
}

#[tokio::test]
async fn an_agent_that_something_else_ended_is_ended_by_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("solo-1.jsonl");
    let mut tape = Tape::record(&path, Mask::default()).unwrap();
    tape.record_note("inbox", &"nothing").unwrap();
    assert!(!Tape::is_whole(&path));
    let ended = RecordedEnd::Failed {
        rule: RuleId::CONTAINER_LOST,
        error: "the sandbox died".to_owned(),
    };
    assert_eq!(tape.end(ended, GivenUp::default()), Ok(GivenUp::default()));
    assert!(Tape::is_whole(&path));
    let mut tape = Tape::replay(&path).unwrap();
    assert!(tape.replayed::<String>("inbox").await.is_ok());
    let error = tape.replayed::<String>("inbox").await.unwrap_err();
    assert_eq!(
        (error.rule(), error.to_string().as_str()),
        (RuleId::CONTAINER_LOST, "the sandbox died")
    );
}

#[tokio::test]
async fn a_call_that_was_given_up_on_may_be_billed_in_the_replay_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("solo-1.jsonl");
    let server = Canned::serve(vec![chat_response("Hi.")]).await;
    let client = offline(&server);
    for was_asking in [true, false] {
        let call = || GivenUp {
            was_asking,
            wasted: vec![Usage {
                input_tokens: 7,
                ..Usage::default()
            }],
        };
        let mut tape = Tape::record(&path, Mask::default()).unwrap();
        let ended = RecordedEnd::Failed {
            rule: RuleId::of("time_limit"),
            error: "the time was up".to_owned(),
        };
        tape.end(ended, call()).unwrap();
        let mut tape = Tape::replay(&path).unwrap();
        let error = tape.chat(&client, &[], &[]).await.unwrap_err();
        assert_eq!(error.may_be_billed(), was_asking);
        assert_eq!(client.take_wasted(), call().wasted);
        // A replay waits for its peer's end as if it asked.
        let mut tape = Tape::record(&path, Mask::default()).unwrap();
        tape.end(RecordedEnd::Halted, call()).unwrap();
        let mut tape = Tape::replay(&path).unwrap();
        assert_eq!(
            tape.end(RecordedEnd::Halted, GivenUp::default()),
            Ok(call())
        );
    }
}
