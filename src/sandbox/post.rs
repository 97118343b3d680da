//! `send_message`, the program: what a command in a sandbox calls. Bash itself parses its words,
//! whatever quotes, heredocs, loops and pipes they come through.

use std::io::{Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};

use serde::{Deserialize, Serialize};

/// The variable with the name of the guest's socket.
pub const SOCKET_VAR: &str = "REGATTA_MAILBOX";
/// A longer message is cut.
const MAX_BODY: u64 = 64 << 10;

/// What a caller asks, as one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub struct Asked {
    /// The arguments.
    pub args: Vec<String>,
    /// What stood on the standard input.
    pub body: String,
}

/// Calls the guest and prints its answer; gives the exit code.
#[must_use]
pub fn send(args: Vec<String>) -> u8 {
    match ask(args) {
        Ok((code, text)) => {
            let mut out = std::io::stdout().lock();
            // Nobody reads it: nobody is told.
            let _ = out.write_all(&text).and_then(|()| out.flush());
            code
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "send_message: not sent: {error}");
            1
        }
    }
}

fn ask(args: Vec<String>) -> std::io::Result<(u8, Vec<u8>)> {
    let socket = std::env::var(SOCKET_VAR).map_err(std::io::Error::other)?;
    let mut bytes = Vec::new();
    // A body among the arguments needs no input, and a terminal or a socket might never end.
    if args.iter().filter(|arg| !arg.starts_with("--")).count() < 2 {
        std::io::stdin().take(MAX_BODY).read_to_end(&mut bytes)?;
    }
    let asked = Asked {
        args,
        body: String::from_utf8_lossy(&bytes).into_owned(),
    };
    let mut line = serde_json::to_vec(&asked)?;
    line.push(b'\n');
    let address = SocketAddr::from_abstract_name(socket)?;
    let mut stream = UnixStream::connect_addr(&address)?;
    stream.write_all(&line)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    match answer.split_first() {
        Some((code, text)) => Ok((*code, text.to_vec())),
        None => Err(std::io::Error::other("the harness gave no answer")),
    }
}
