//! A scripted model behind a real HTTP endpoint: it solves the features of a dataset from their
//! gold patches, in both wire formats and for both of upstream's agents, and can be told to fail.
//!
//! It keeps no state: what to say next follows from the messages that come with the request. The
//! one exception is a dataset's own script (`script.toml`) of what goes wrong, once.

mod fault;
mod lie;
mod reply;
mod request;

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::error::{Error, Result};
use crate::{demo, files};
use fault::{Fault, ScriptedFaults};
use reply::ScriptedReply;
use request::{prompt_of, tokens_of};

/// What a scripted endpoint knows of its dataset, and what it does wrong.
#[derive(Debug)]
pub struct ModelScript {
    features: Vec<Feature>,
    faults: ScriptedFaults,
    /// How many commands an agent gives at least; those it has no use for do nothing.
    steps: usize,
    /// The features of the pair whose first call is refused, until it was.
    refused_once: Mutex<Option<Vec<String>>>,
}

#[derive(Debug)]
struct Feature {
    /// The feature's description, by which a prompt is recognised.
    text: String,
    patch: String,
    /// The same feature, placed where the other agent is not, after having talked.
    agreed: Option<String>,
    /// Whether the first agent of a pair, with this feature alone, never comes to an end.
    restless: bool,
    /// The patch for a prompt that has other features of the task as well.
    combined: String,
}

impl ModelScript {
    /// The script for a dataset.
    pub fn for_dataset(dataset: &std::path::Path, fault_file: Option<PathBuf>) -> Result<Self> {
        let mut features = Vec::new();
        let faults = demo::faults(dataset)?;
        for repo in files::list(dataset)? {
            for task in files::list(&repo).unwrap_or_default() {
                let combined = task.join("combined.patch");
                if !combined.is_file() {
                    continue;
                }
                let combined = files::read_text(&combined)?;
                for feature in files::list(&task)? {
                    let description = feature.join("feature.md");
                    if !description.is_file() {
                        continue;
                    }
                    let agreed = feature.join("agreed.patch");
                    let restless = faults.restless.as_ref();
                    features.push(Feature {
                        text: files::read_text(&description)?.trim().to_owned(),
                        patch: files::read_text(&feature.join("feature.patch"))?,
                        agreed: agreed
                            .is_file()
                            .then(|| files::read_text(&agreed))
                            .transpose()?,
                        restless: restless.is_some_and(|place| place.begins_with(&feature)),
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
        let refused = faults.rate_limited.map(|place| {
            let task = dataset.join(place.task_dir());
            let descriptions = place.features.iter().map(|feature| {
                let path = task.join(format!("feature{feature}/feature.md"));
                Ok(files::read_text(&path)?.trim().to_owned())
            });
            descriptions.collect::<Result<_>>()
        });
        Ok(Self {
            features,
            faults: ScriptedFaults { file: fault_file },
            steps: 0,
            refused_once: Mutex::new(refused.transpose()?),
        })
    }

    /// The same script with agents that give at least so many commands.
    #[must_use]
    pub fn with_steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
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
        let request = String::from_utf8_lossy(&body);
        let mut lie = None;
        let fault = self.faults.of(&request);
        if fault.is_some()
            && let Err(error) = self.faults.note(&call)
        {
            return text(500, &error.to_string());
        }
        match fault {
            None => {}
            Some(Fault::Lie(told)) => lie = Some(told),
            Some(Fault::Slow(pause)) => tokio::time::sleep(pause).await,
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Hold) => {
                while self.faults.of(&request) == Some(Fault::Hold) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
            Some(Fault::Malformed) => return text(200, "{\"id\": \"x\", \"choices\": [{\"mess"),
            Some(Fault::Status(status, after)) => return refusal(status, after),
        }
        if self.refuses(&call) {
            return refusal(429, Some(SOON));
        }
        let reply = self.reply(&call);
        let tokens = tokens_of(&call);
        let answer = if cohere {
            reply.as_cohere(tokens)
        } else {
            reply.as_openai(tokens)
        };
        let answer = match lie {
            Some(lie) => lie.told(answer),
            None => answer.to_string(),
        };
        text(200, &answer)
    }

    /// Whether this is the first call for the pair whose first call is refused.
    fn refuses(&self, call: &Value) -> bool {
        let mut refused = self
            .refused_once
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let matches = refused.as_ref().is_some_and(|texts| {
            let prompt = prompt_of(call);
            texts.iter().all(|text| prompt.contains(text))
        });
        if matches {
            *refused = None;
        }
        matches
    }

    /// The next command of the scripted agent.
    fn reply(&self, call: &Value) -> ScriptedReply {
        let messages = call["messages"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let prompt = prompt_of(call);
        let turn = messages
            .iter()
            .filter(|message| message["role"] == "assistant")
            .count();
        let uses_tools = call["tools"]
            .as_array()
            .is_some_and(|tools| !tools.is_empty());
        let mut commands = self.commands(&prompt);
        while commands.len() < self.steps {
            commands.insert(1, "true".to_owned());
        }
        let is_anybody_restless = self.features.iter().any(|feature| feature.restless);
        let is_alone = is_anybody_restless
            && agent_of(&prompt) == Some("agent1")
            && !prompt.contains("send_message");
        let mut mine = self.features.iter().filter(|it| prompt.contains(&it.text));
        if is_alone && mine.any(|feature| feature.restless) {
            commands.pop();
            let polish = format!("git diff --stat # is it good enough yet? look {turn}");
            commands.resize(commands.len().max(turn + 1), polish);
        }
        let command = commands
            .get(turn)
            .unwrap_or(commands.last().unwrap_or(&SUBMIT.into()))
            .clone();
        ScriptedReply {
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
        let talks = prompt.contains("send_message");
        let patch = match mine.as_slice() {
            [] => return vec!["true".to_owned(), SUBMIT.to_owned()],
            [one] if talks => one.agreed.as_ref().unwrap_or(&one.patch),
            [one] => &one.patch,
            [first, ..] => &first.combined,
        };
        let mut commands = vec!["git log --oneline | head -3; ls".to_owned()];
        if talks {
            let peer = match agent_of(prompt) {
                Some("agent2") => "agent1",
                _ => "agent2",
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

/// Which of two agents a prompt is for, in upstream's words and in ours.
fn agent_of(prompt: &str) -> Option<&'static str> {
    ["agent1", "agent2"].into_iter().find(|id| {
        prompt.contains(&format!("You are {id}")) || prompt.contains(&format!("You are **{id}**"))
    })
}

const SUBMIT: &str = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT";

fn text(status: u16, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let json = hyper::header::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, json);
    response
}

/// The wait that the demo's endpoint asks for.
const SOON: Duration = Duration::from_millis(100);

fn refusal(status: u16, retry_after: Option<Duration>) -> Response<Full<Bytes>> {
    let error = json!({"error": {"message": format!("scripted {status}"), "type": "scripted", "code": status},
        "message": format!("scripted {status}")});
    let mut response = text(status, &error.to_string());
    if let Some(wait) = retry_after {
        // As OpenAI does: in whole seconds, and beside it exactly.
        let seconds = wait.as_millis().div_ceil(1000);
        for (name, value) in [
            ("retry-after", seconds),
            ("retry-after-ms", wait.as_millis()),
        ] {
            let value = HeaderValue::from_str(&value.to_string());
            response
                .headers_mut()
                .insert(name, value.expect("digits are a value"));
        }
    }
    response
}
