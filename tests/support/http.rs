//! As much of HTTP as the endpoints of tests need: a message in, an answer out, and then the end.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// A request or a response.
pub struct Message {
    /// Its first line.
    pub first: String,
    pub authorization: Option<String>,
    pub range: Option<String>,
    pub body: Vec<u8>,
}

impl Message {
    /// Reads one; `None` where the connection breaks off.
    pub fn read(stream: &TcpStream) -> Option<Self> {
        let mut lines = BufReader::new(stream.try_clone().ok()?);
        let (mut first, mut authorization, mut length) = (String::new(), None, 0);
        let mut range = None;
        lines.read_line(&mut first).ok()?;
        loop {
            let mut line = String::new();
            lines.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "authorization" => authorization = Some(value.to_owned()),
                "range" => range = Some(value.to_owned()),
                "content-length" => length = value.parse().ok()?,
                _ => {}
            }
        }
        let mut body = Vec::new();
        lines.take(length).read_to_end(&mut body).ok()?;
        Some(Self {
            first,
            authorization,
            range,
            body,
        })
    }

    /// The second word of its first line: a request's path, a response's status.
    pub fn second(&self) -> Option<&str> {
        self.first.split(' ').nth(1)
    }
}

/// Serves every connection in a thread of its own, on a free port of the loopback address; gives the
/// base URL, without a path.
pub fn serve(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || answer(stream));
        }
    });
    base
}

/// A response; `headers` are further lines, each with its line end.
pub fn answer(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
}
