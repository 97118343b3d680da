//! The Redis that upstream's agents with messages need.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Child;

use crate::error::{Error, Result};
use crate::process;
use crate::secret::masked_url;

/// A Redis that can be used.
#[derive(Debug)]
pub enum Redis {
    /// The configured one answers, at this URL.
    Configured(String),
    /// One of ours, for as long as this value lives.
    Private {
        /// `redis://127.0.0.1:<port>`, at a port that was free.
        url: String,
        /// The server; killed with this value.
        server: Child,
        /// Where it keeps what it should not keep.
        dir: tempfile::TempDir,
    },
}

/// What would be used, without starting anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisChoice {
    /// The configured one answers, and is used.
    Configured,
    /// None answers; a private one can be started.
    Private,
    /// None answers, and there is no `redis-server`.
    None,
}

/// Whether a Redis answers `PING` at a URL; the error says why not.
///
/// A server that asks for a password answers too: upstream gets it with the URL.
pub async fn ping(url: &str) -> std::result::Result<(), String> {
    let rest = url
        .strip_prefix("redis://")
        .ok_or("only redis:// URLs are supported")?;
    let address = rest.split(['/', '#', '?']).next().unwrap_or_default();
    let address = address.rsplit_once('@').map_or(address, |(_, host)| host);
    let address = if address.contains(':') {
        address.to_owned()
    } else {
        format!("{address}:6379")
    };
    let asked = async {
        let mut stream = TcpStream::connect(&address).await?;
        stream.write_all(b"PING\r\n").await?;
        let mut answer = [0; 64];
        let length = stream.read(&mut answer).await?;
        std::io::Result::Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
    };
    match tokio::time::timeout(Duration::from_secs(2), asked).await {
        Ok(Ok(answer)) if answer.starts_with("+PONG") || answer.starts_with("-NOAUTH") => Ok(()),
        Ok(Ok(answer)) => Err(format!(
            "{address} is no Redis: it answered {:?}",
            answer.trim()
        )),
        Ok(Err(error)) => Err(format!("{address}: {error}")),
        Err(_) => Err(format!("{address} did not answer within 2 s")),
    }
}

/// What would be used for this URL.
pub async fn choose(url: &str) -> RedisChoice {
    if ping(url).await.is_ok() {
        RedisChoice::Configured
    } else if process::on_path("redis-server").is_some() {
        RedisChoice::Private
    } else {
        RedisChoice::None
    }
}

impl Redis {
    /// The configured Redis, or a private one.
    ///
    /// `gateway` is where containers see this machine, if they need it too: it has to answer there, and
    /// upstream gives them that address in the place of a loopback one.
    pub async fn ready(url: &str, runtime_dir: &Path, gateway: Option<IpAddr>) -> Result<Self> {
        // A virtual machine's gateway is no address of this machine, and leads to its loopback.
        let gateway = gateway.filter(|at| TcpListener::bind((*at, 0)).is_ok());
        let why = match answers(url, gateway).await {
            Ok(()) => return Ok(Self::Configured(url.to_owned())),
            Err(why) => why,
        };
        let Some(program) = process::on_path("redis-server") else {
            return Err(Error::world(format!(
                "agents that send messages need a Redis; none answers at {} ({why}), and there is no redis-server to start one",
                masked_url(url)
            ))
            .hint("install it (`apt-get install redis-server`), or point --redis-url at one"));
        };
        // Another process may take the free port first: then the next one is tried.
        let mut last = String::new();
        for _ in 0..5 {
            match start(&program, runtime_dir, gateway).await {
                Ok(redis) => return Ok(redis),
                Err(error) => last = error.to_string(),
            }
        }
        Err(Error::world(format!(
            "a private Redis does not start: {last}"
        )))
    }

    /// Where it answers, to be passed on to upstream.
    #[must_use]
    pub fn url(&self) -> &str {
        match self {
            Self::Configured(url) | Self::Private { url, .. } => url,
        }
    }
}

/// Whether a Redis answers at a URL, and for containers at the gateway, where they look for it.
async fn answers(url: &str, gateway: Option<IpAddr>) -> std::result::Result<(), String> {
    ping(url).await?;
    let Some(gateway) = gateway else {
        return Ok(());
    };
    let of_containers = ["//localhost", "//127.0.0.1"]
        .into_iter()
        .find(|loopback| url.contains(loopback))
        .map(|loopback| url.replacen(loopback, &format!("//{gateway}"), 1));
    match of_containers {
        Some(url) => ping(&url)
            .await
            .map_err(|why| format!("containers do not reach it: {why}")),
        None => Ok(()),
    }
}

async fn start(program: &Path, runtime_dir: &Path, gateway: Option<IpAddr>) -> Result<Redis> {
    let failed =
        |error: std::io::Error| Error::world(format!("cannot start a private Redis: {error}"));
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|free| free.local_addr())
        .map_err(failed)?
        .port();
    let dir = tempfile::Builder::new()
        .prefix(&super::reaper::dir_prefix())
        .tempdir_in(runtime_dir)
        .map_err(failed)?;
    let mut server = process::child(program)?
        .args([
            "--port",
            &port.to_string(),
            "--save",
            "",
            "--appendonly",
            "no",
        ])
        .arg("--dir")
        .arg(dir.path())
        .args(["--bind", "127.0.0.1"])
        // It has no password, and would answer nobody beyond the loopback address.
        .args(gateway.iter().map(IpAddr::to_string))
        .args(gateway.map_or(&[][..], |_| &["--protected-mode", "no"]))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let url = format!("redis://127.0.0.1:{port}");
    // It answers within milliseconds; a machine that is busy gets 10 s.
    for _ in 0..200 {
        if let Ok(Some(status)) = server.try_wait() {
            return Err(Error::world(format!(
                "redis-server ended at once ({status})"
            )));
        }
        if ping(&url).await.is_ok() {
            return Ok(Redis::Private { url, server, dir });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(Error::world("redis-server did not answer within 10 s"))
}
