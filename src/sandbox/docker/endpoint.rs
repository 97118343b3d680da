//! Where the daemon listens.

use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::{Error, Result};
use crate::process;

/// Where a Docker daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DockerEndpoint {
    /// The path of a socket file on this machine.
    Unix(PathBuf),
    /// `host:port`, plain HTTP.
    Tcp(String),
}

/// A connection to the daemon.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl DockerEndpoint {
    /// The address that the Docker client would use: `DOCKER_HOST`, or the usual socket.
    pub fn from_environment() -> Result<Self> {
        match std::env::var("DOCKER_HOST") {
            Ok(host) if !host.is_empty() => Self::parse(&host),
            _ => Ok(Self::usual()),
        }
    }

    /// Docker's socket, or Podman's where there is only that.
    fn usual() -> Self {
        let docker = PathBuf::from("/var/run/docker.sock");
        let of_user = std::env::var_os("XDG_RUNTIME_DIR")
            .map(|dir| PathBuf::from(dir).join("podman/podman.sock"));
        let podman = of_user
            .into_iter()
            .chain(["/run/podman/podman.sock".into()]);
        let only_podman = podman
            .filter(|_| !docker.exists())
            .find(|path| path.exists());
        Self::Unix(only_podman.unwrap_or(docker))
    }

    /// Whether this machine has any of Docker or Podman: an address, a socket, a program. Without, no
    /// container can be left of an earlier day.
    #[must_use]
    pub fn is_anywhere() -> bool {
        let is_named = std::env::var_os("DOCKER_HOST").is_some_and(|host| !host.is_empty());
        let Self::Unix(socket) = Self::usual() else {
            return true;
        };
        let programs = ["docker", "dockerd", "podman"];
        let has_program = || programs.iter().any(|it| process::on_path(it).is_some());
        is_named || socket.exists() || has_program()
    }

    /// Reads a `DOCKER_HOST`; of its forms `unix://`, `tcp://` and `http://` are known.
    pub fn parse(host: &str) -> Result<Self> {
        match host.split_once("://") {
            Some(("unix", path)) => Ok(Self::Unix(path.into())),
            Some(("tcp" | "http", address)) => Ok(Self::Tcp(address.trim_end_matches('/').to_owned())),
            _ => Err(Error::usage(format!("DOCKER_HOST is `{host}`, which regatta cannot reach"))
                .hint("use unix:///path/to/docker.sock or tcp://host:port; for ssh, forward the socket first")),
        }
    }

    /// The address in `DOCKER_HOST`'s form.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Unix(path) => format!("unix://{}", path.display()),
            Self::Tcp(address) => format!("tcp://{address}"),
        }
    }

    /// Opens a connection of its own, for what the client of the API cannot do.
    pub async fn connect(&self) -> std::io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Unix(path) => Box::new(tokio::net::UnixStream::connect(path).await?),
            Self::Tcp(address) => Box::new(tokio::net::TcpStream::connect(address).await?),
        })
    }
}
