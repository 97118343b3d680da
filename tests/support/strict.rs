//! An endpoint that is stricter than most: it looks at each request, refuses what it does not like,
//! and otherwise has the scripted model answer, whose replies it may change.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// Looks at a request; the error is the status and the text of a refusal.
pub type Check = dyn Fn(&Value) -> Result<(), (u16, String)> + Send + Sync;

/// Changes the message that answers a request.
pub type Change = dyn Fn(&Value, &mut Value) + Send + Sync;

/// The endpoint.
pub struct Strict {
    /// Its base URL, without a path.
    pub base: String,
    asked: Arc<Mutex<Vec<Value>>>,
    refused: Arc<Mutex<Vec<String>>>,
}

struct Relay {
    model: String,
    check: Box<Check>,
    change: Box<Change>,
    asked: Arc<Mutex<Vec<Value>>>,
    refused: Arc<Mutex<Vec<String>>>,
}

impl Strict {
    /// Stands before the model at this base URL.
    pub fn before(
        model: &str,
        check: impl Fn(&Value) -> Result<(), (u16, String)> + Send + Sync + 'static,
        change: impl Fn(&Value, &mut Value) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (asked, refused): (Arc<Mutex<_>>, Arc<Mutex<_>>) = (Arc::default(), Arc::default());
        let relay = Arc::new(Relay {
            model: model.trim_start_matches("http://").to_owned(),
            check: Box::new(check),
            change: Box::new(change),
            asked: Arc::clone(&asked),
            refused: Arc::clone(&refused),
        });
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let relay = Arc::clone(&relay);
                std::thread::spawn(move || relay.serve(stream));
            }
        });
        Self {
            base,
            asked,
            refused,
        }
    }

    /// The requests that it took.
    pub fn asked(&self) -> Vec<Value> {
        self.asked.lock().unwrap().clone()
    }

    /// Why it refused others.
    pub fn refused(&self) -> Vec<String> {
        self.refused.lock().unwrap().clone()
    }
}

impl Relay {
    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let (head, body) = read_message(&stream)?;
        let request: Value = serde_json::from_slice(&body).ok()?;
        let (status, answer) = if let Err((status, why)) = (self.check)(&request) {
            let answer = json!({"error": {"message": why, "type": "invalid_request_error"},
                "message": why});
            self.refused.lock().unwrap().push(why);
            (status, answer)
        } else {
            let path = head.split(' ').nth(1)?;
            let (status, mut answer) = self.ask(path, &body)?;
            let at = ["/choices/0/message", "/message"];
            let at = at.into_iter().find(|at| answer.pointer(at).is_some());
            if let Some(message) = at.and_then(|at| answer.pointer_mut(at))
                && status == 200
            {
                (self.change)(&request, message);
                self.asked.lock().unwrap().push(request);
            }
            (status, answer)
        };
        let body = answer.to_string();
        let length = body.len();
        let head = "Content-Type: application/json\r\nConnection: close";
        let whole =
            format!("HTTP/1.1 {status} So\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(whole.as_bytes()).ok()
    }

    /// What the scripted model answers.
    fn ask(&self, path: &str, body: &[u8]) -> Option<(u16, Value)> {
        let mut stream = TcpStream::connect(&self.model).ok()?;
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: model\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        )
        .ok()?;
        stream.write_all(body).ok()?;
        let (status, body) = read_message(&stream)?;
        let status = status.split(' ').nth(1)?.parse().ok()?;
        Some((status, serde_json::from_slice(&body).ok()?))
    }
}

/// The first line and the body of an HTTP message.
fn read_message(stream: &TcpStream) -> Option<(String, Vec<u8>)> {
    let mut lines = BufReader::new(stream.try_clone().ok()?);
    let (mut first, mut length) = (String::new(), 0);
    lines.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok()?;
        }
    }
    let mut body = Vec::new();
    lines.take(length).read_to_end(&mut body).ok()?;
    Some((first, body))
}

/// A request's messages.
pub fn messages(request: &Value) -> &[Value] {
    request["messages"].as_array().map_or(&[], Vec::as_slice)
}

/// The text of a message, and of one that calls tools its plan's.
pub fn text(message: &Value) -> String {
    let plan = message["tool_plan"].as_str().unwrap_or_default();
    let parts = message["content"].as_array().into_iter().flatten();
    let parts: String = parts.filter_map(|part| part["text"].as_str()).collect();
    format!(
        "{plan}{}{parts}",
        message["content"].as_str().unwrap_or_default()
    )
}

fn calls(message: &Value) -> &[Value] {
    message["tool_calls"].as_array().map_or(&[], Vec::as_slice)
}

/// The order that the strictest templates want: the task after the system's prompt, then replies and
/// what follows them in turn, each call answered once, in order, by an id that no other call has;
/// nothing empty.
pub fn in_order(request: &Value) -> Result<(), (u16, String)> {
    let mut before = "";
    let mut due: Vec<&Value> = Vec::new();
    let mut ids: Vec<&Value> = Vec::new();
    for (at, message) in messages(request).iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        let refuse = |why: String| Err((400, format!("message {at}: {why}")));
        let follows = match role {
            "system" => before.is_empty(),
            "user" => matches!(before, "" | "system" | "assistant") && due.is_empty(),
            "assistant" => matches!(before, "user" | "tool") && due.is_empty(),
            "tool" => matches!(before, "assistant" | "tool"),
            _ => false,
        };
        if !follows {
            return refuse(format!("unexpected role '{role}' after role '{before}'"));
        }
        if text(message).trim().is_empty() && calls(message).is_empty() {
            return refuse(format!("a message of role '{role}' that says nothing"));
        }
        if role == "tool" && (due.is_empty() || message["tool_call_id"] != *due.remove(0)) {
            return refuse("a result that answers no call, or not the next".to_owned());
        }
        for call in calls(message) {
            if ids.contains(&&call["id"]) {
                return refuse(format!("two calls have the id {}", call["id"]));
            }
            ids.push(&call["id"]);
            due.push(&call["id"]);
        }
        before = role;
    }
    if matches!(before, "user" | "tool") && due.is_empty() {
        return Ok(());
    }
    Err((400, format!("the last message is of role '{before}'")))
}

/// The reasoning that goes with a text.
fn reasoning(text: &str) -> String {
    format!("Before I say `{text}`, I think.")
}

/// Makes a reply one of a model that thinks: reasoning beside the text (in parts, where the content
/// is in parts), and a signature with each call.
pub fn think(_: &Value, message: &mut Value) {
    let thought = reasoning(&text(message));
    match &mut message["content"] {
        Value::Array(parts) => parts.insert(0, json!({"type": "thinking", "thinking": thought})),
        _ => message["reasoning_content"] = json!(thought),
    }
    message["annotations"] = json!([]);
    message["refusal"] = Value::Null;
    for call in message["tool_calls"].as_array_mut().into_iter().flatten() {
        call["extra_content"] = json!({"vendor": {"thought_signature": "c2lnbmVk"}});
    }
}

/// Refuses replies that came back without what they carried, or with what says nothing.
pub fn wants_thoughts(request: &Value) -> Result<(), (u16, String)> {
    in_order(request)?;
    for message in messages(request)
        .iter()
        .filter(|it| it["role"] == "assistant")
    {
        let thought = match message.pointer("/content/0/thinking") {
            Some(thought) => thought,
            None => &message["reasoning_content"],
        };
        if *thought != reasoning(&text(message)) {
            return Err((400, format!("its reasoning is missing: {message}")));
        }
        if message.get("annotations").is_some() || message.get("refusal").is_some() {
            return Err((400, format!("it has empty fields: {message}")));
        }
        let signed =
            |call: &Value| call["extra_content"]["vendor"]["thought_signature"] == "c2lnbmVk";
        let calls = message["tool_calls"].as_array();
        if !calls.is_some_and(|calls| calls.iter().all(signed)) {
            return Err((
                400,
                format!("its call lacks a thought_signature: {message}"),
            ));
        }
    }
    Ok(())
}
