//! Calls of the harness from inside a sandbox: what a program there, `send_message` or a hook of
//! git's, asks and is answered.
//!
//! Bash itself parses the words, whatever quotes, heredocs, loops and pipes they come through.

use std::fmt;
use std::future::Future;
use std::io::{Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::pin::Pin;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::hex;

/// The variable with the guest's [`Door`].
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

/// What a program in a sandbox asks of the harness, such as `send_message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The first of the caller's words, which says what is asked for.
    pub program: String,
    /// The caller's other words.
    pub args: Vec<String>,
    /// What stood on its standard input.
    pub body: Vec<u8>,
}

/// What the calling program prints and ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallAnswer {
    /// The exit code that the calling program ends with.
    pub code: u8,
    /// What the calling program prints on its standard output.
    pub bytes: Vec<u8>,
}

impl CallAnswer {
    /// An answer that is text, with the exit code that says whether it went well.
    #[must_use]
    pub fn text(code: u8, text: impl Into<String>) -> Self {
        Self {
            code,
            bytes: text.into().into_bytes(),
        }
    }
}

/// What answers the calls of a sandbox's programs, on the harness's side.
pub trait Callee: Send + Sync {
    /// Answers a call. Calls may come while others wait for their answer.
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = CallAnswer> + Send + '_>>;
}

/// Where programs of a sandbox reach its guest, and the word that says that they are in it:
/// `<secret>@<socket>`. Where sandboxes share a network, they could reach each other's abstract
/// sockets, and one agent could speak as the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    secret: String,
    /// A path, which begins with a slash, or the name of an abstract socket.
    socket: String,
}

impl Door {
    /// A socket in the sandbox's own file system.
    pub fn in_directory(dir: &str) -> std::io::Result<Self> {
        Self::new(|name| format!("{dir}/{name}"))
    }

    /// An abstract socket, which no command can remove.
    pub fn without_file() -> std::io::Result<Self> {
        Self::new(str::to_owned)
    }

    fn new(place: impl Fn(&str) -> String) -> std::io::Result<Self> {
        let mut bytes = [0; 24];
        rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::empty())?;
        let (secret, name) = bytes.split_at(16);
        Ok(Self {
            secret: hex(secret),
            socket: place(&format!("regatta-{}", hex(name))),
        })
    }

    /// Whether somebody who said this word may come in. How long the comparison takes says nothing:
    /// all of the word is looked at.
    pub(super) fn admits(&self, word: &str) -> bool {
        let (ours, theirs) = (self.secret.as_bytes(), word.as_bytes());
        ours.len() == theirs.len()
            && ours.iter().zip(theirs).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
    }

    /// The socket's address: a path, or a name without a file.
    pub(super) fn address(&self) -> std::io::Result<SocketAddr> {
        if self.socket.starts_with('/') {
            SocketAddr::from_pathname(&self.socket)
        } else {
            SocketAddr::from_abstract_name(&self.socket)
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.secret, self.socket)
    }
}

impl FromStr for Door {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (secret, socket) = text
            .split_once('@')
            .ok_or_else(|| format!("{SOCKET_VAR} is not the harness's"))?;
        Ok(Self {
            secret: secret.to_owned(),
            socket: socket.to_owned(),
        })
    }
}

/// How a call begins on the socket: a line of JSON, and after it the body.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    /// The word that the guest gave its own programs; another one is not listened to.
    pub secret: String,
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
    let door = std::env::var(SOCKET_VAR).map_err(std::io::Error::other)?;
    let door: Door = door.parse().map_err(std::io::Error::other)?;
    let body = body_of(&words)?;
    let length = body.len();
    let mut request = serde_json::to_vec(&Head {
        secret: door.secret.clone(),
        words,
        length,
    })?;
    request.push(b'\n');
    request.extend(body);
    let mut stream = UnixStream::connect_addr(&door.address()?)?;
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
