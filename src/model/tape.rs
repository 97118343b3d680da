//! Recording what an agent asked and was answered, and playing it back without a network.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::chat::{ChatError, Message, Reply, Tool};
use super::client::{Asked, Client, Exchange};
use super::refusal::{FAILED_TOOL_CALL, MALFORMED};
use crate::bench::Usage;
use crate::error::{self, Error};
use crate::files;
use crate::secret::Mask;
use crate::text::plural;

/// The most that a recording may have, in bytes: each exchange repeats the conversation before it.
const MAX_BYTES: u64 = 1_000_000_000;

/// How much of a differing value an error shows, in characters.
const EXCERPT: usize = 120;

/// What stands between one agent and its model.
#[derive(Debug)]
pub enum Tape {
    /// Nothing: calls go to the endpoint.
    Off,
    /// Calls go to the endpoint, and are recorded.
    Record(Recorder),
    /// Calls are answered from a recording, and must be the recorded ones.
    Replay(Player),
}

/// Writes a recording.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    mask: Mask,
}

/// Plays a recording back.
#[derive(Debug)]
pub struct Player {
    path: PathBuf,
    /// The form of its requests.
    requests: u32,
    lines: Vec<String>,
    /// How many of the lines are behind us.
    read: usize,
    /// How many exchanges are.
    played: usize,
}

/// A line of a recording.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Entry {
    /// A call that was answered.
    Chat {
        request: Value,
        response: Value,
        rate_limited_seconds: f64,
        #[serde(default)]
        discarded: bool,
        /// The tokens of earlier tries, which were no reply and told them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        wasted: Vec<Usage>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<String>,
    },
    /// A call that failed for good.
    Failed {
        request: Value,
        rule: String,
        error: String,
        /// Recordings of form 2 do not say it.
        may_be_billed: Option<bool>,
        /// The tokens of its tries, where they told them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        wasted: Vec<Usage>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left_out: Vec<String>,
    },
    /// What else the agent's next step depended on.
    Note { name: String, value: Value },
    /// The agent ended here.
    End {
        ended: Ended,
        /// Whether a call was under way. Recordings of form 2 do not say it.
        was_asking: Option<bool>,
        /// The tokens of that call's tries so far, where they told them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        wasted: Vec<Usage>,
    },
}

/// The call that was under way when an agent ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenUp {
    /// Whether there was one that may be billed.
    pub was_asking: bool,
    /// The tokens of its tries so far, where they told them.
    pub wasted: Vec<Usage>,
}

/// How a conversation is put into requests; a replay must do as the recording did. It goes up with
/// each change of that.
const REQUESTS: u32 = 4;

/// The oldest form that is played as well: in those before 4 a summary that could not be used was asked
/// for again at every turn, and its refusal ended the agent; in 2, moreover, ids of tool calls may come
/// again in later replies.
const OLDEST_REQUESTS: u32 = 2;

/// The last version that plays recordings without a [`Format`], whose requests are of the first.
const PLAYS_THE_FIRST: &str = "0.1.0 (a7706eea9a, of 25 November 2026)";

/// The first line of a recording.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "format")]
struct Format {
    /// The form of its requests; see [`REQUESTS`].
    requests: u32,
    /// The version that recorded it, which plays it.
    regatta: String,
}

impl Format {
    fn ours() -> Self {
        let (version, revision) = (env!("CARGO_PKG_VERSION"), env!("GIT_REVISION"));
        Self {
            requests: REQUESTS,
            regatta: format!("{version} ({revision})"),
        }
    }

    /// That of a recording with this first line; the error says why it is none.
    fn of(line: &str) -> std::result::Result<Self, serde_json::Error> {
        serde_json::from_str(line).or_else(|_| {
            serde_json::from_str::<Entry>(line).map(|_| Self {
                requests: 1,
                regatta: PLAYS_THE_FIRST.to_owned(),
            })
        })
    }
}

/// How an agent ended, as far as a replay cannot find out again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// By what it did: so it does again.
    Itself,
    /// It was halted, because its peer was lost.
    Halted,
    /// Something that was not its doing ended it.
    Failed {
        /// The triage rule.
        rule: String,
        /// What happened.
        error: String,
    },
}

impl Tape {
    /// Begins a recording at this path, in the place of an older one. The key that `mask` knows is in
    /// none of it.
    pub fn record(path: &Path, mask: Mask) -> error::Result<Self> {
        if let Some(dir) = path.parent() {
            files::create_dir(dir)?;
        }
        let format = serde_json::to_string(&Format::ours())
            .map_err(|error| Error::world(format!("cannot begin a recording: {error}")))?;
        files::write_atomic(path, format!("{format}\n").as_bytes())?;
        Ok(Self::Record(Recorder {
            path: path.to_owned(),
            mask,
        }))
    }

    /// Opens the recording at this path to play it back.
    pub fn replay(path: &Path) -> error::Result<Self> {
        let unusable = |why: &str| {
            Error::usage(format!("cannot replay {}: {why}", path.display()))
                .hint("name the file that an agent's recording was written to")
        };
        let bytes = files::read_up_to(path, MAX_BYTES)?;
        let bytes = bytes.ok_or_else(|| unusable("there is no such file"))?;
        let lines: Vec<String> = String::from_utf8_lossy(&bytes)
            .lines()
            .map(str::to_owned)
            .collect();
        let first = lines.first().ok_or_else(|| unusable("it is empty"))?;
        // Only the last line can be torn; what stands before it is read when its turn comes.
        let Format { requests, regatta } = Format::of(first)
            .map_err(|error| unusable(&format!("its first line is no exchange: {error}")))?;
        if !(OLDEST_REQUESTS..=REQUESTS).contains(&requests) {
            let why = format!(
                "its requests are of form {requests}, and this version makes those of form {OLDEST_REQUESTS} to {REQUESTS}"
            );
            return Err(
                Error::usage(format!("cannot replay {}: {why}", path.display())).hint(format!(
                    "Regatta {regatta} plays it; to play it with this one, record anew"
                )),
            );
        }
        Ok(Self::Replay(Player {
            path: path.to_owned(),
            requests,
            lines,
            read: 1,
            played: 0,
        }))
    }

    /// Asks the model, or the recording, to go on with a conversation.
    pub async fn chat(
        &mut self,
        client: &Client,
        messages: &[Message],
        tools: &[Tool],
    ) -> Result<Reply, ChatError> {
        match self {
            Self::Off => client.chat(messages, tools).await,
            Self::Record(recorder) => recorder.chat(client.ask(messages, tools).await, client),
            Self::Replay(player) => {
                player.halt_here().await;
                player.chat(client, messages, tools)
            }
        }
    }

    /// In a replay, what was noted here under this name when it was recorded; otherwise `None`.
    pub async fn replayed<T: DeserializeOwned>(
        &mut self,
        name: &str,
    ) -> Result<Option<T>, ChatError> {
        match self {
            Self::Replay(player) => {
                player.halt_here().await;
                player.note(name).map(Some)
            }
            Self::Off | Self::Record(_) => Ok(None),
        }
    }

    /// While recording, notes something that the agent's next step depends on and that a replay
    /// would not find again.
    pub fn record_note(&mut self, name: &str, value: &impl Serialize) -> Result<(), ChatError> {
        let Self::Record(recorder) = self else {
            return Ok(());
        };
        let value = serde_json::to_value(value).map_err(|error| recorder.failed(&error))?;
        recorder.append(&Entry::Note {
            name: name.to_owned(),
            value,
        })
    }
}

impl Tape {
    /// The agent ended here: while recording, notes how. Gives the call that was under way; in a
    /// replay, where calls take no time, the one that was when it was recorded.
    pub fn end(&mut self, ended: Ended, call: GivenUp) -> Result<GivenUp, ChatError> {
        match self {
            Self::Record(recorder) => {
                recorder.append(&Entry::End {
                    ended,
                    was_asking: Some(call.was_asking),
                    wasted: call.wasted.clone(),
                })?;
            }
            Self::Replay(player) => {
                if let Some(Entry::End {
                    was_asking: Some(was_asking),
                    wasted,
                    ..
                }) = player.next()
                {
                    return Ok(GivenUp { was_asking, wasted });
                }
            }
            Self::Off => {}
        }
        Ok(call)
    }

    /// Whether the conversation's tool calls keep ids that came before: in a replay of what was
    /// recorded so.
    #[must_use]
    pub const fn repeats_ids(&self) -> bool {
        matches!(self, Self::Replay(player) if player.requests < 3)
    }

    /// Whether a summary that cannot be used is asked for again at every turn, and ends the agent where
    /// it is refused: in a replay of what was recorded so.
    #[must_use]
    pub const fn asks_at_every_turn(&self) -> bool {
        matches!(self, Self::Replay(player) if player.requests < 4)
    }

    /// Whether there is a whole recording at this path: one that goes on to the agent's end.
    #[must_use]
    pub fn is_whole(path: &Path) -> bool {
        // Its last line is a short one.
        let Ok(bytes) = files::read_end(path) else {
            return false;
        };
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let last = lines.rfind(|line| !line.is_empty());
        last.is_some_and(|line| matches!(serde_json::from_slice(line), Ok(Entry::End { .. })))
    }
}

impl Recorder {
    fn chat(&self, asked: Asked, client: &Client) -> Result<Reply, ChatError> {
        let Asked {
            request,
            outcome,
            left_out,
        } = asked;
        let (entry, outcome) = match outcome {
            Ok(exchange) => {
                let entry = Entry::Chat {
                    request,
                    response: exchange.response.clone(),
                    rate_limited_seconds: exchange.rate_limited.as_secs_f64(),
                    discarded: exchange.discarded,
                    wasted: client.wasted(),
                    left_out: left_out.clone(),
                };
                (entry, client.reply(exchange, left_out))
            }
            Err(error) => {
                let entry = Entry::Failed {
                    request,
                    rule: error.rule().to_owned(),
                    error: error.to_string(),
                    may_be_billed: Some(error.may_be_billed()),
                    wasted: client.wasted(),
                    left_out,
                };
                (entry, Err(error))
            }
        };
        self.append(&entry)?;
        outcome
    }

    fn append(&self, entry: &Entry) -> Result<(), ChatError> {
        let mut line = serde_json::to_string(entry).map_err(|error| self.failed(&error))?;
        if let Cow::Owned(_) = self.mask.hide(&line) {
            let mut value = serde_json::to_value(entry).map_err(|error| self.failed(&error))?;
            self.mask.hide_in(&mut value);
            line = value.to_string();
        }
        files::append_line(&self.path, &line).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &dyn std::error::Error) -> ChatError {
        ChatError::Tape {
            path: self.path.display().to_string(),
            why: error.to_string(),
        }
    }
}

impl Player {
    /// What comes next, where it can be read.
    fn next(&self) -> Option<Entry> {
        let line = self.lines.get(self.read)?;
        serde_json::from_str(line).ok()
    }

    /// Waits for ever where the agent was halted: so it is again.
    async fn halt_here(&self) {
        if let Some(Entry::End {
            ended: Ended::Halted,
            ..
        }) = self.next()
        {
            std::future::pending::<()>().await;
        }
    }

    fn chat(
        &mut self,
        client: &Client,
        messages: &[Message],
        tools: &[Tool],
    ) -> Result<Reply, ChatError> {
        let (recorded, outcome) = match self.advance()? {
            Entry::Chat {
                request,
                response,
                rate_limited_seconds,
                discarded,
                wasted,
                left_out,
            } => {
                client.waste(wasted);
                // What the endpoint refused then is not sent now either.
                client.leave_out(&left_out);
                let rate_limited = Duration::try_from_secs_f64(rate_limited_seconds);
                let exchange = Exchange {
                    response,
                    rate_limited: rate_limited.unwrap_or_default(),
                    discarded,
                };
                // What was a reply when it was recorded may be read otherwise since.
                let reply = client.reply(exchange, left_out).map_err(|error| {
                    self.differs(format!(
                        "it is a reply in the recording, and none as this version reads it: {error}"
                    ))
                });
                (request, reply)
            }
            Entry::Failed {
                request,
                rule,
                error,
                may_be_billed,
                wasted,
                left_out,
            } => {
                client.waste(wasted);
                client.leave_out(&left_out);
                let may_be_billed = may_be_billed.unwrap_or_else(|| bills_by_its_rule(&rule));
                let failed = ChatError::Recorded {
                    rule,
                    error,
                    may_be_billed,
                };
                (request, Err(failed))
            }
            Entry::Note { name, .. } => {
                return Err(self.differs(format!(
                    "the agent asks the model here and reads `{name}` in the recording"
                )));
            }
            Entry::End {
                ended: Ended::Failed { rule, error },
                was_asking,
                wasted,
            } => {
                client.waste(wasted);
                return Err(ChatError::Recorded {
                    rule,
                    error,
                    may_be_billed: was_asking.unwrap_or_default(),
                });
            }
            Entry::End { .. } => {
                return Err(self.differs(format!(
                    "the recording ends after {}",
                    plural(self.played, "exchange")
                )));
            }
        };
        let request = as_written(&client.request(messages, tools));
        if let Some(difference) = difference("", Some(&request), Some(&recorded)) {
            return Err(self.differs(difference));
        }
        self.played += 1;
        outcome
    }

    fn note<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, ChatError> {
        match self.advance()? {
            Entry::Note { name: noted, value } if noted == name => serde_json::from_value(value)
                .map_err(|error| self.differs(format!("what was noted as `{name}`: {error}"))),
            Entry::Note { name: noted, .. } => Err(self.differs(format!(
                "the agent reads `{name}` here and `{noted}` in the recording"
            ))),
            Entry::End {
                ended: Ended::Failed { rule, error },
                was_asking,
                ..
            } => Err(ChatError::Recorded {
                rule,
                error,
                may_be_billed: was_asking.unwrap_or_default(),
            }),
            Entry::Chat { .. } | Entry::Failed { .. } | Entry::End { .. } => {
                Err(self.differs(format!(
                    "the agent reads `{name}` here and asks the model, or ends, in the recording"
                )))
            }
        }
    }

    fn advance(&mut self) -> Result<Entry, ChatError> {
        let Some(line) = self.lines.get(self.read) else {
            let why = format!(
                "the recording ends after {}",
                plural(self.played, "exchange")
            );
            return Err(self.differs(why));
        };
        let entry = serde_json::from_str(line);
        self.read += 1;
        entry.map_err(|error| {
            let line = self.read;
            self.differs(format!(
                "line {line} of the recording cannot be read: {error}"
            ))
        })
    }

    fn differs(&self, difference: String) -> ChatError {
        ChatError::Replay {
            tape: self.path.display().to_string(),
            exchange: self.played + 1,
            difference,
        }
    }
}

/// Whether a failure of this rule may be billed, where its recording does not say.
fn bills_by_its_rule(rule: &str) -> bool {
    ["timeout", MALFORMED, FAILED_TOOL_CALL].contains(&rule)
}

/// A value as it would be read back: a float may change its last bit on the way.
fn as_written(value: &Value) -> Value {
    serde_json::from_str(&value.to_string()).unwrap_or_default()
}

/// The first difference between two values, with its JSON pointer (RFC 6901).
fn difference(at: &str, live: Option<&Value>, recorded: Option<&Value>) -> Option<String> {
    match (live, recorded) {
        (Some(Value::Object(live)), Some(Value::Object(recorded))) => {
            let keys: BTreeSet<&String> = live.keys().chain(recorded.keys()).collect();
            keys.into_iter().find_map(|key| {
                let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                difference(&at, live.get(key), recorded.get(key))
            })
        }
        (Some(Value::Array(live)), Some(Value::Array(recorded))) => {
            (0..live.len().max(recorded.len())).find_map(|n| {
                let at = format!("{at}/{n}");
                difference(&at, live.get(n), recorded.get(n))
            })
        }
        _ if live == recorded => None,
        _ => Some(sentence(at, live, recorded)),
    }
}

fn sentence(at: &str, live: Option<&Value>, recorded: Option<&Value>) -> String {
    let [live, recorded] =
        [live, recorded].map(|value| value.map_or_else(|| "missing".to_owned(), Value::to_string));
    let alike = live
        .chars()
        .zip(recorded.chars())
        .take_while(|(one, other)| one == other)
        .count();
    // Long texts often differ late; what is shown must reach there.
    let from = if alike < EXCERPT {
        0
    } else {
        alike - EXCERPT / 2
    };
    let (live, recorded) = (excerpt(&live, from), excerpt(&recorded, from));
    format!("{at} is {live} here and {recorded} in the recording")
}

fn excerpt(text: &str, from: usize) -> String {
    let before = if from > 0 { "…" } else { "" };
    let mut rest = text.chars().skip(from);
    let shown: String = rest.by_ref().take(EXCERPT).collect();
    let after = if rest.next().is_some() { "…" } else { "" };
    format!("{before}{shown}{after}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::canned::{Canned, answer, chat_response};
    use super::super::client::ClientOptions;
    use super::*;
    use crate::model::chat::Role;

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
        assert_eq!(error.rule(), "replay");
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
        let mut tape =
            Tape::record(&dir.path().join("tapes/agent1.jsonl"), Mask::default()).unwrap();
        drop(dir);
        let error = tape.record_note("inbox", &1).unwrap_err();
        assert_eq!(error.rule(), "host_io");
        assert!(error.to_string().contains("agent1.jsonl"), "{error}");
    }

    #[test]
    fn differences_are_shown_where_they_are() {
        let of = |live: &Value, recorded: &Value| difference("", Some(live), Some(recorded));
        assert_eq!(of(&json!({"a": [1, 2.5]}), &json!({"a": [1, 2.5]})), None);
        assert_eq!(
            of(&json!({"a/b": [1]}), &json!({"a/b": [1, {}]})).unwrap(),
            "/a~1b/1 is missing here and {} in the recording"
        );
        let long = |end: &str| json!(format!("{}{end}", "x".repeat(500)));
        let told = of(&long("1"), &long("2")).unwrap();
        assert!(told.contains("x1\" here"), "{told}");
        assert!(told.contains("x2\" in the recording"), "{told}");
    }

    #[tokio::test]
    async fn an_agent_that_something_else_ended_is_ended_by_it_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("solo-1.jsonl");
        let mut tape = Tape::record(&path, Mask::default()).unwrap();
        tape.record_note("inbox", &"nothing").unwrap();
        assert!(!Tape::is_whole(&path));
        let ended = Ended::Failed {
            rule: "container_lost".to_owned(),
            error: "the sandbox died".to_owned(),
        };
        assert_eq!(tape.end(ended, GivenUp::default()), Ok(GivenUp::default()));
        assert!(Tape::is_whole(&path));
        let mut tape = Tape::replay(&path).unwrap();
        assert!(tape.replayed::<String>("inbox").await.is_ok());
        let error = tape.replayed::<String>("inbox").await.unwrap_err();
        assert_eq!(
            (error.rule(), error.to_string().as_str()),
            ("container_lost", "the sandbox died")
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
            let ended = Ended::Failed {
                rule: "time_limit".to_owned(),
                error: "the time was up".to_owned(),
            };
            tape.end(ended, call()).unwrap();
            let mut tape = Tape::replay(&path).unwrap();
            let error = tape.chat(&client, &[], &[]).await.unwrap_err();
            assert_eq!(error.may_be_billed(), was_asking);
            assert_eq!(client.take_wasted(), call().wasted);
            // A replay waits for its peer's end as if it asked.
            let mut tape = Tape::record(&path, Mask::default()).unwrap();
            tape.end(Ended::Halted, call()).unwrap();
            let mut tape = Tape::replay(&path).unwrap();
            assert_eq!(tape.end(Ended::Halted, GivenUp::default()), Ok(call()));
        }
    }
}
