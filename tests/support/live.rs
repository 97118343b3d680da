//! `regatta view`, and a client that asks it whatever it is told to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

use super::{Ended, wait_until};

/// A view that is served until it is dropped.
pub struct Live {
    _child: Ended,
    /// Its address.
    pub address: String,
    port: u16,
    token: String,
    said: Receiver<String>,
}

impl Live {
    /// Starts a command that serves.
    pub fn of(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (to, said) = channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || {
            let _ = lines
                .map_while(Result::ok)
                .try_for_each(|line| to.send(line));
        });
        let child = Ended(child);
        let is_address = |line: &String| line.starts_with("http://127.0.0.1:");
        let address = said.iter().find(is_address).expect("it ended");
        let mut parts = address["http://127.0.0.1:".len()..].split('/');
        let port = parts.next().unwrap().parse().unwrap();
        let token = parts.next().unwrap().to_owned();
        Self {
            _child: child,
            address,
            port,
            token,
            said,
        }
    }

    /// Waits until it says a line with this text.
    pub fn says(&self, text: &str) -> String {
        let mut said = self.said.iter();
        said.find(|line| line.contains(text))
            .unwrap_or_else(|| panic!("it ended without {text:?}"))
    }

    /// A connection to it, over which this was sent.
    pub fn sent(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        // Whoever is refused early may be hung up on while it still sends.
        let _ = stream.write_all(request.as_bytes());
        stream
    }

    /// What it answers to a path behind the token: a status, and a body.
    pub fn get(&self, path: &str) -> (u16, String) {
        self.ask(&format!("GET /{}/{path} HTTP/1.1", self.token), &[])
    }

    /// What it answers to a request with these headers beside its own name, unless they name a host.
    pub fn ask(&self, first: &str, headers: &[&str]) -> (u16, String) {
        let own = format!("Host: 127.0.0.1:{}", self.port);
        let mut lines = vec![first, "Connection: close"];
        if !headers.iter().any(|header| header.starts_with("Host:")) {
            lines.push(&own);
        }
        lines.extend(headers);
        let head = lines.join("\r\n");
        let mut answer = Vec::new();
        let mut stream = self.sent(&format!("{head}\r\n\r\n"));
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        (status.unwrap_or_default(), body.to_owned())
    }

    /// The path of the page.
    pub fn page(&self) -> String {
        format!("/{}/", self.token)
    }

    /// The stream of its events, once the first has come.
    pub fn events(&self) -> impl Iterator<Item = String> {
        let host = format!("Host: 127.0.0.1:{}", self.port);
        let stream = self.sent(&format!(
            "GET {}events HTTP/1.1\r\n{host}\r\n\r\n",
            self.page()
        ));
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        let mut data = lines.filter(|line| line.starts_with("data: "));
        let first = data.next().expect("a first event");
        std::iter::once(first).chain(data)
    }

    /// The index as it is now.
    pub fn index(&self) -> Value {
        let (status, body) = self.get("index.json");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Waits until the index is so; gives it.
    #[track_caller]
    pub fn wait_for(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut found = Value::Null;
        wait_until(what, || {
            found = self.index();
            is_so(&found)
        });
        found
    }
}
