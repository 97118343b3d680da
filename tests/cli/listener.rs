//! An endpoint that answers every chat call, in both wire formats at once, and keeps who asked.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::{Value, json};

use crate::support::Place;
pub use crate::support::http::answer;
use crate::support::http::{self, Message};

/// The command by which an agent submits.
pub const SUBMITS: &str = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT";

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub path: String,
    pub authorization: Option<String>,
    /// What was asked; null where it is no JSON.
    pub body: Value,
}

/// The endpoint.
pub struct Listener {
    pub base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// How often somebody looked whether it is there, and asked nothing.
    looks: Arc<AtomicUsize>,
    gate: Arc<Gate>,
}

/// Whether what is held back is let go.
type Gate = (Mutex<bool>, Condvar);

/// The whole response to a request, by its number from 0; `None` holds it back until the listener
/// is told to release it, and then nothing is answered.
type Answers = dyn Fn(usize) -> Option<String> + Send + Sync;

impl Listener {
    /// One whose agents submit at once.
    pub fn new() -> Self {
        Self::answering(|_| Some(reply(SUBMITS)))
    }

    /// One that answers so.
    pub fn answering(answers: impl Fn(usize) -> Option<String> + Send + Sync + 'static) -> Self {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let gate: Arc<Gate> = Arc::default();
        let (known, shared) = (Arc::clone(&asked), Arc::clone(&gate));
        let looks: Arc<AtomicUsize> = Arc::default();
        let looked = Arc::clone(&looks);
        let base = http::serve(move |stream| {
            serve(stream, &known, &looked, &answers, &shared);
        });
        Self {
            base,
            asked,
            looks,
            gate,
        }
    }

    /// Lets go of what is held back.
    pub fn release(&self) {
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How often somebody looked whether it is there.
    pub fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }

    /// The keys that came, each once.
    pub fn keys(&self) -> Vec<Option<String>> {
        let mut keys: Vec<_> = self
            .asked()
            .into_iter()
            .map(|it| it.authorization)
            .collect();
        keys.sort();
        keys.dedup();
        keys
    }
}

fn serve(
    mut stream: TcpStream,
    known: &Mutex<Vec<Asked>>,
    looks: &AtomicUsize,
    answers: &Answers,
    gate: &Gate,
) -> Option<()> {
    let asked = Message::read(&stream)?;
    if asked.first.starts_with("HEAD / ") {
        // A look whether anybody is there, which asks nothing and has no key.
        assert_eq!(asked.authorization, None);
        looks.fetch_add(1, Ordering::SeqCst);
        return stream.write_all(answer(405, "", "").as_bytes()).ok();
    }
    let number = {
        let mut known = known.lock().unwrap();
        known.push(Asked {
            path: asked.second().unwrap_or_default().to_owned(),
            body: serde_json::from_slice(&asked.body).unwrap_or_default(),
            authorization: asked.authorization,
        });
        known.len() - 1
    };
    let Some(response) = answers(number) else {
        let released = gate.0.lock().unwrap();
        drop(gate.1.wait_while(released, |released| !*released).unwrap());
        return None;
    };
    stream.write_all(response.as_bytes()).ok()
}

/// A response whose message calls `bash` with this command: 1000 tokens in, 100 out.
pub fn reply(command: &str) -> String {
    reply_of(command, 1000, 100)
}

/// The same with other counts of tokens.
pub fn reply_of(command: &str, input: u64, output: u64) -> String {
    let arguments = json!({"command": command}).to_string();
    let message = json!({"role": "assistant", "content": "", "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "bash", "arguments": arguments}},
    ]});
    ok(&json!({
        "message": message.clone(),
        "choices": [{"index": 0, "message": message}],
        "usage": {
            "prompt_tokens": input, "completion_tokens": output,
            "tokens": {"input_tokens": input, "output_tokens": output},
        },
    }))
}

fn ok(body: &Value) -> String {
    answer(200, "", &body.to_string())
}

/// A redirect to another place.
pub fn redirect(status: u16, to: &str) -> String {
    format!(
        "HTTP/1.1 {status} Elsewhere\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

/// Configures native runs of this model against a listener, one pair at a time and each once; `native`
/// follows in the engine's own table.
pub fn configure(place: &Place, listener: &Listener, model: &str, native: &str) {
    let text = format!(
        r#"
[experiment]
name = "t"
engine = "native"
backend = "fake"
model = "{model}"
concurrency = 1
[attempts]
max_attempts = 1
[upstream]
cooperbench_dir = "cb"
api_base = "{}/v1/chat/completions"
[upstream.env]
COHERE_API_KEY = "sk-test-123456"
OPENAI_API_KEY = "sk-test-123456"
[native]
{native}
"#,
        listener.base
    );
    place.write("regatta.toml", text);
}
