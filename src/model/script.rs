//! A scripted model behind a real HTTP endpoint: it solves the features of a dataset from their
//! gold patches, in both wire formats and for both of upstream's agents, and can be told to fail.
//!
//! It keeps no state: what to say next follows from the messages that come with the request.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::config::parse_duration;
use crate::error::{Error, Result};
use crate::files;

/// The endpoint's script.
#[derive(Debug)]
pub struct Script {
    features: Vec<Feature>,
    /// A file that says how to fail, read at each request; see [`Fault`].
    fault_file: Option<PathBuf>,
}

#[derive(Debug)]
struct Feature {
    /// The feature's description, by which a prompt is recognised.
    text: String,
    patch: String,
    /// The patch for a prompt that has other features of the task as well.
    combined: String,
}

/// How the next request fails: one line in the fault file.
///
/// `429 retry-after=1`, `401`, `500`, `malformed`, `hang` or `slow 2s`, and after any of them
/// `when=TEXT`: only requests that contain the text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    Status(u16, Option<u64>),
    Malformed,
    Hang,
    Slow(Duration),
}

impl Script {
    /// The script for a dataset.
    pub fn for_dataset(dataset: &std::path::Path, fault_file: Option<PathBuf>) -> Result<Self> {
        let mut features = Vec::new();
        for repo in files::list(dataset)? {
            for task in files::list(&repo).unwrap_or_default() {
                let combined = task.join("combined.patch");
                if !combined.is_file() {
                    continue;
                }
                let combined = files::read_text(&combined)?;
                for feature in files::list(&task)?.iter().filter(|path| path.is_dir()) {
                    features.push(Feature {
                        text: files::read_text(&feature.join("feature.md"))?
                            .trim()
                            .to_owned(),
                        patch: files::read_text(&feature.join("feature.patch"))?,
                        combined: combined.clone(),
                    });
                }
            }
        }
        if features.is_empty() {
            return Err(Error::usage(format!(
                "no features in {}",
                dataset.display()
            )));
        }
        Ok(Self {
            features,
            fault_file,
        })
    }

    /// Serves until the listener's process ends.
    pub async fn serve(self, listener: TcpListener) -> Result<()> {
        let script = Arc::new(self);
        loop {
            let (stream, _) = listener
                .accept()
                .await
                .map_err(|error| Error::world(format!("cannot accept a connection: {error}")))?;
            let script = Arc::clone(&script);
            let service = hyper::service::service_fn(move |request| {
                let script = Arc::clone(&script);
                async move { Ok::<_, Infallible>(script.answer(request).await) }
            });
            tokio::spawn(async move {
                // A client that hangs up is no concern of the endpoint's.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let cohere = !request.uri().path().ends_with("/chat/completions");
        let Ok(body) = request.into_body().collect().await else {
            return text(400, "no body");
        };
        let body = body.to_bytes();
        let Ok(call) = serde_json::from_slice::<Value>(&body) else {
            return text(400, "the body is not JSON");
        };
        match self.fault(&String::from_utf8_lossy(&body)) {
            None => {}
            Some(Fault::Slow(pause)) => tokio::time::sleep(pause).await,
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Malformed) => return text(200, "{\"id\": \"x\", \"choices\": [{\"mess"),
            Some(Fault::Status(status, after)) => return refusal(status, after),
        }
        let reply = self.reply(&call);
        let tokens = body.len() / 4;
        let answer = if cohere {
            as_cohere(&reply, tokens)
        } else {
            as_openai(&reply, tokens)
        };
        text(200, &answer.to_string())
    }

    fn fault(&self, request: &str) -> Option<Fault> {
        let line = files::read_text(self.fault_file.as_ref()?).ok()?;
        let (line, when) = line
            .trim()
            .split_once(" when=")
            .unwrap_or((line.trim(), ""));
        if !request.contains(when) {
            return None;
        }
        let mut words = line.split_whitespace();
        match words.next()? {
            "malformed" => Some(Fault::Malformed),
            "hang" => Some(Fault::Hang),
            "slow" => Some(Fault::Slow(parse_duration(words.next()?).ok()?)),
            status => {
                let after = words
                    .next()
                    .and_then(|word| word.strip_prefix("retry-after="));
                Some(Fault::Status(
                    status.parse().ok()?,
                    after.and_then(|s| s.parse().ok()),
                ))
            }
        }
    }

    /// The next command of the scripted agent.
    fn reply(&self, call: &Value) -> Reply {
        let messages = call["messages"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let prompt: String = messages
            .iter()
            .filter(|message| message["role"] != "assistant")
            .take(2)
            .map(|message| text_of(&message["content"]))
            .collect();
        let turn = messages
            .iter()
            .filter(|message| message["role"] == "assistant")
            .count();
        let uses_tools = call["tools"]
            .as_array()
            .is_some_and(|tools| !tools.is_empty());
        let commands = self.commands(&prompt);
        let command = commands
            .get(turn)
            .unwrap_or(commands.last().unwrap_or(&SUBMIT.into()))
            .clone();
        Reply {
            thought: format!("Step {} of {}.", turn + 1, commands.len()),
            command,
            uses_tools,
        }
    }

    fn commands(&self, prompt: &str) -> Vec<String> {
        let mine: Vec<&Feature> = self
            .features
            .iter()
            .filter(|feature| prompt.contains(&feature.text))
            .collect();
        let patch = match mine.as_slice() {
            [] => return vec!["true".to_owned(), SUBMIT.to_owned()],
            [one] => &one.patch,
            [first, ..] => &first.combined,
        };
        let mut commands = vec!["git log --oneline | head -3; ls".to_owned()];
        if prompt.contains("send_message") {
            let peer = if prompt.contains("You are **agent2**") || prompt.contains("You are agent2")
            {
                "agent1"
            } else {
                "agent2"
            };
            commands.push(format!("send_message {peer} \"I keep to my own feature.\""));
        }
        commands.push(format!(
            "git apply <<'END_OF_PATCH'\n{}\nEND_OF_PATCH",
            patch.trim_end_matches('\n')
        ));
        // v2 submits what its pull request holds; v1, and v2 before 0.0.12, the working tree.
        commands.push(
            "git add -A && git -c user.name=agent -c user.email=agent@example.com commit -qm 'Implement the feature' && \
             if command -v gh >/dev/null; then b=$(git branch --show-current) && git push -q origin \"HEAD:$b\" && gh pr create --title 'The feature' --body 'As described.'; fi; \
             git diff HEAD~1 > /tmp/patch.txt; git status --short"
                .to_owned(),
        );
        commands.push(SUBMIT.to_owned());
        commands
    }
}

const SUBMIT: &str = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT";

struct Reply {
    thought: String,
    command: String,
    uses_tools: bool,
}

impl Reply {
    fn content(&self) -> String {
        if self.uses_tools {
            self.thought.clone()
        } else {
            format!(
                "THOUGHT: {}\n\n```bash\n{}\n```",
                self.thought, self.command
            )
        }
    }

    fn tool_calls(&self) -> Option<Value> {
        self.uses_tools.then(|| {
            let arguments = json!({"command": self.command}).to_string();
            json!([{"id": "call_1", "type": "function",
                "function": {"name": "bash", "arguments": arguments}}])
        })
    }
}

fn as_openai(reply: &Reply, tokens: usize) -> Value {
    let mut message = json!({"role": "assistant", "content": reply.content()});
    if let Some(calls) = reply.tool_calls() {
        message["tool_calls"] = calls;
    }
    let finish = if reply.uses_tools {
        "tool_calls"
    } else {
        "stop"
    };
    json!({
        "id": "scripted", "object": "chat.completion", "created": 0, "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": tokens, "completion_tokens": 50, "total_tokens": tokens + 50},
    })
}

fn as_cohere(reply: &Reply, tokens: usize) -> Value {
    let mut message = json!({
        "role": "assistant",
        "content": [{"type": "text", "text": reply.content()}],
    });
    if let Some(calls) = reply.tool_calls() {
        message["tool_calls"] = calls;
    }
    let finish = if reply.uses_tools {
        "TOOL_CALL"
    } else {
        "COMPLETE"
    };
    let counts = json!({"input_tokens": tokens, "output_tokens": 50});
    json!({
        "id": "scripted", "finish_reason": finish, "message": message,
        "usage": {"billed_units": counts, "tokens": counts},
    })
}

/// A message's text, in either format's form.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect(),
        _ => String::new(),
    }
}

fn text(status: u16, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let json = hyper::header::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, json);
    response
}

fn refusal(status: u16, retry_after: Option<u64>) -> Response<Full<Bytes>> {
    let error = json!({"error": {"message": format!("scripted {status}"), "type": "scripted", "code": status},
        "message": format!("scripted {status}")});
    let mut response = text(status, &error.to_string());
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(hyper::header::RETRY_AFTER, seconds.into());
    }
    response
}
