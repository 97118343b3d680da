//! For tests: an endpoint that gives prepared answers in turn and keeps what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::client::{Client, ClientOptions};
use super::pace::Pace;
use super::provider::Wire;
use crate::bench::Price;
use crate::secret::Secret;

/// What the endpoint answers one request with.
#[derive(Clone)]
pub(crate) enum CannedAnswer {
    /// The bytes of a whole response.
    Whole(String),
    /// A body that goes on until the client hangs up.
    Endless,
}

impl CannedAnswer {
    /// The same answer with its last bytes missing.
    pub fn cut_off(self) -> Self {
        match self {
            Self::Whole(text) => Self::Whole(text[..text.len() - 10].to_owned()),
            Self::Endless => self,
        }
    }
}

/// An HTTP response; `headers` are further lines, each with its line end.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> CannedAnswer {
    let length = body.len();
    CannedAnswer::Whole(format!(
        "HTTP/1.1 {status} Prepared\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    ))
}

/// A chat response of 1000 prompt tokens and 100 of this text.
pub(crate) fn chat_response(text: &str) -> CannedAnswer {
    let body = json!({
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    });
    answer(200, "", &body.to_string())
}

/// The same that calls `bash` with each of these commands.
pub(crate) fn calls_bash(commands: &[&str]) -> CannedAnswer {
    let call = |(nth, command): (usize, &&str)| {
        let arguments = json!({"command": command}).to_string();
        json!({"id": format!("call_{nth}"), "type": "function",
            "function": {"name": "bash", "arguments": arguments}})
    };
    let calls: Vec<_> = commands.iter().enumerate().map(call).collect();
    let body = json!({
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "", "tool_calls": calls}}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    });
    answer(200, "", &body.to_string())
}

/// The endpoint. It serves until its test's runtime ends.
pub(crate) struct Canned {
    /// Its base URL, `http://127.0.0.1:<port>/v1`, on a free port.
    pub base: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Canned {
    /// Gives the answers in turn, and the last one again from then on.
    pub async fn serve(answers: Vec<CannedAnswer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve_one(stream, answers.clone(), Arc::clone(&seen)));
            }
        });
        Self { base, requests }
    }

    /// What it was asked, heads and bodies.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// An HTTP client that no proxy of the machine gets between.
    pub fn http() -> reqwest::Client {
        crate::model::client::http("http://127.0.0.1").unwrap()
    }

    /// A client that tries four times and hardly waits.
    pub fn client(&self) -> Client {
        Client::new(Self::http(), self.options())
    }

    /// What [`Canned::client`] is made with: `OpenAI`'s format, a key, a price and 4 tries.
    pub fn options(&self) -> ClientOptions {
        ClientOptions {
            model: "openai/gpt-4o-mini".to_owned(),
            wire: Wire::OpenAi,
            base: self.base.clone(),
            key: Some(Secret::new("sk-secret-123")),
            extra: Map::new(),
            price: Some(Price {
                input_cost_per_token: 3e-6,
                output_cost_per_token: 1e-5,
                ..Price::default()
            }),
            timeout: Duration::from_mins(1),
            tries: 4,
            backoff: Duration::from_millis(1),
            backoff_max: Duration::from_millis(1),
            max_body: 100_000,
            pace: Arc::new(Pace::new(4, None)),
            retries: Arc::default(),
        }
    }
}

async fn serve_one(
    mut stream: TcpStream,
    answers: Vec<CannedAnswer>,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let Some(request) = read_request(&mut stream).await else {
        return;
    };
    let turn = {
        let mut seen = seen.lock().unwrap();
        seen.push(request);
        seen.len() - 1
    };
    // A client that has seen enough hangs up; that is no failure of the endpoint's.
    let _ = match &answers[turn.min(answers.len() - 1)] {
        CannedAnswer::Whole(text) => stream.write_all(text.as_bytes()).await,
        CannedAnswer::Endless => write_without_end(&mut stream).await,
    };
    let _ = stream.shutdown().await;
}

async fn write_without_end(stream: &mut TcpStream) -> std::io::Result<()> {
    stream
        .write_all(b"HTTP/1.1 200 Prepared\r\ncontent-length: 1000000000000\r\n\r\n")
        .await?;
    loop {
        stream.write_all(&[b' '; 4096]).await?;
    }
}

/// A request, head and body; `None` when the client hangs up before its end.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let read = stream.read_buf(&mut bytes).await.ok()?;
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= content_length(head)
        {
            return Some(text.into_owned());
        }
        if read == 0 {
            return None;
        }
    }
}

fn content_length(head: &str) -> usize {
    let head = head.to_ascii_lowercase();
    let mut lines = head.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length:"));
    length.map_or(0, |length| length.trim().parse().unwrap())
}
