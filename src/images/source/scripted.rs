//! For tests: a server of HTTP that says what a script has it say, and keeps what it was asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request.
#[derive(Clone, Debug, Default)]
pub struct RegistryRequest {
    /// Its path and query.
    pub path: String,
    /// The host that it is for.
    pub host: String,
    pub authorization: Option<String>,
    pub range: Option<String>,
    pub body: String,
}

/// A response.
#[derive(Clone, Debug)]
pub struct Said {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// After so many bytes of the body the connection ends.
    pub cut: Option<usize>,
    /// Says no more then until the client hangs up.
    pub is_held: bool,
    /// Says nothing until the client hangs up.
    pub is_silent: bool,
}

impl Said {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            cut: None,
            is_held: false,
            is_silent: false,
        }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self
    }

    pub fn held_after(mut self, bytes: usize) -> Self {
        (self.cut, self.is_held) = (Some(bytes), true);
        self
    }

    pub fn silent() -> Self {
        Self {
            is_silent: true,
            ..Self::new(200, "")
        }
    }

    /// A blob, or its end, as a request wants it.
    pub fn blob(bytes: &[u8], asked: &RegistryRequest) -> Self {
        let range = asked.range.as_deref().unwrap_or("bytes=0-");
        let from = range.trim_start_matches("bytes=").trim_end_matches('-');
        let from: usize = from.parse().unwrap();
        if from == 0 {
            return Self::new(200, bytes);
        }
        let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
        Self::new(206, &bytes[from..]).with("Content-Range", range)
    }
}

/// The server. It serves until the test's process ends.
pub struct Scripted {
    /// Its host and port.
    pub at: String,
    asked: Arc<Mutex<Vec<RegistryRequest>>>,
}

impl Scripted {
    /// Answers each request by itself and by how many there were before.
    pub fn serve(script: impl Fn(&RegistryRequest, usize) -> Said + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (kept, script) = (Arc::clone(&asked), Arc::new(script));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (kept, script) = (Arc::clone(&kept), Arc::clone(&script));
                std::thread::spawn(move || {
                    // A client that hangs up has seen enough.
                    let _ = answer(stream, &kept, &*script);
                });
            }
        });
        Self { at, asked }
    }

    pub fn asked(&self) -> Vec<RegistryRequest> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(
    mut stream: TcpStream,
    kept: &Mutex<Vec<RegistryRequest>>,
    script: &dyn Fn(&RegistryRequest, usize) -> Said,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    lines.read_line(&mut line)?;
    let mut asked = RegistryRequest {
        path: line.split(' ').nth(1).unwrap_or_default().to_owned(),
        ..RegistryRequest::default()
    };
    let mut length = 0;
    loop {
        line.clear();
        lines.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => asked.authorization = Some(value.to_owned()),
            "host" => value.clone_into(&mut asked.host),
            "range" => asked.range = Some(value.to_owned()),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    lines.take(length).read_to_string(&mut asked.body)?;
    let nth = {
        let mut kept = kept.lock().unwrap();
        kept.push(asked.clone());
        kept.len() - 1
    };
    let said = script(&asked, nth);
    if said.is_silent {
        return stream.read_to_end(&mut Vec::new()).map(drop);
    }
    let mut head = format!(
        "HTTP/1.1 {} Said\r\nConnection: close\r\nContent-Length: {}\r\n",
        said.status,
        said.body.len()
    );
    for (name, value) in &said.headers {
        head += &[name, ": ", value, "\r\n"].concat();
    }
    stream.write_all(head.as_bytes())?;
    stream.write_all(b"\r\n")?;
    let end = said.cut.unwrap_or(said.body.len());
    stream.write_all(&said.body[..end])?;
    if said.is_held {
        stream.read_to_end(&mut Vec::new())?;
    }
    Ok(())
}
