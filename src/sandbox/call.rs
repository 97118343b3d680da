//! Calls of the harness from inside a sandbox: what a program there, `send_message` or a hook of
//! git's, asks and is answered.
//!
//! Bash itself parses the words, whatever quotes, heredocs, loops and pipes they come through.

use std::future::Future;
use std::io::{Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::pin::Pin;

use serde::{Deserialize, Serialize};

/// The variable with the name of the guest's socket.
pub const SOCKET_VAR: &str = "REGATTA_HARNESS";

/// The program that sends a message.
pub const SEND_MESSAGE: &str = "send_message";
/// The program that hands out what was pushed: a bundle on its standard input.
pub const GIT_PUSH: &str = "git_push";
/// The program that prints what the agent in its argument pushed.
pub const GIT_FETCH: &str = "git_fetch";

/// A longer message is cut.
const MAX_MESSAGE: usize = 64 << 10;
/// The most that any call may bring along.
pub const MAX_BODY: usize = 64 << 20;

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The program's name.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// What stood on its standard input.
    pub body: Vec<u8>,
}

/// What the caller gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its exit code.
    pub code: u8,
    /// What it prints.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// An answer in words.
    #[must_use]
    pub fn text(code: u8, text: impl Into<String>) -> Self {
        Self {
            code,
            bytes: text.into().into_bytes(),
        }
    }
}

/// Who answers.
pub trait Callee: Send + Sync {
    /// Answers a call. Calls may come while others wait for their answer.
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = Answer> + Send + '_>>;
}

/// How a call begins on the socket: a line of JSON, and after it the body.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// The body's length in bytes.
    pub length: usize,
}

/// Becomes a program that calls the harness: the first word names it, its exit code is the answer's.
#[must_use]
pub fn make(words: Vec<String>) -> u8 {
    let name = words.first().cloned().unwrap_or_default();
    match ask(words) {
        Ok((code, bytes)) => {
            let mut out = std::io::stdout().lock();
            // Nobody reads it: nobody is told.
            let _ = out.write_all(&bytes).and_then(|()| out.flush());
            code
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{name}: not sent: {error}");
            1
        }
    }
}

fn ask(words: Vec<String>) -> std::io::Result<(u8, Vec<u8>)> {
    let socket = std::env::var(SOCKET_VAR).map_err(std::io::Error::other)?;
    let body = body_of(&words)?;
    let length = body.len();
    let mut request = serde_json::to_vec(&Head { words, length })?;
    request.push(b'\n');
    request.extend(body);
    let address = SocketAddr::from_abstract_name(socket)?;
    let mut stream = UnixStream::connect_addr(&address)?;
    stream.write_all(&request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    match answer.split_first() {
        Some((code, text)) => Ok((*code, text.to_vec())),
        None => Err(std::io::Error::other("the harness gave no answer")),
    }
}

fn body_of(words: &[String]) -> std::io::Result<Vec<u8>> {
    let (name, args) = words
        .split_first()
        .map_or(("", words), |(name, args)| (name.as_str(), args));
    let limit = match name {
        // A body among the arguments needs no input, and a terminal or a socket might never end.
        SEND_MESSAGE if args.iter().filter(|arg| !arg.starts_with("--")).count() >= 2 => 0,
        SEND_MESSAGE => MAX_MESSAGE,
        // One byte more, so that what is too long is refused instead of cut.
        GIT_PUSH => MAX_BODY + 1,
        _ => 0,
    };
    let mut body = Vec::new();
    if limit > 0 {
        std::io::stdin().take(limit as u64).read_to_end(&mut body)?;
    }
    if body.len() > MAX_BODY {
        return Err(std::io::Error::other(format!(
            "more than {} MB",
            MAX_BODY >> 20
        )));
    }
    Ok(body)
}
