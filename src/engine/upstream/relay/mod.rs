//! A relay in front of the daemon's socket, for the engine's Docker clients.
//!
//! Upstream gives its containers no labels, drops what the daemon says when it refuses, and has
//! no deadline. It does obey `DOCKER_HOST`, through the client program (v2) and through Docker's
//! Python library (v1) alike. The relay passes everything on and, on the way,
//!
//! - adds our labels to each container that is made, and to the volume of a team,
//! - remembers when a container was made and when anything last happened,
//! - counts the commands of each container, and tells how the last of them begins,
//! - keeps the daemon's words when it refuses to make one,
//! - holds back new containers once it is told that no more may start,
//! - answers for containers that are gone (see `dead_exec`), also when the whole daemon is.

mod answer;
mod commands;
mod dead_exec;
mod hijack;
mod meaning;
mod pass;
mod service;
mod shared;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

use self::hijack::ClientSocket;
use self::shared::{Shared, State};
use crate::engine::Reporter;
use crate::error::{Error, Result};
use crate::sandbox::docker::{Docker, DockerEndpoint};
use crate::secret::PageMask;
use crate::store::event::Lost;

/// A running relay; dropping it closes its socket.
#[derive(Debug)]
pub struct Relay {
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// Listens at `socket` and relays to the daemon.
    ///
    /// `report` is called before the engine gets its answer, so that what it writes is on disk
    /// when a result that follows from it appears. `mask` hides keys in what it tells of commands.
    pub fn start(
        socket: &Path,
        docker: Docker,
        daemon: DockerEndpoint,
        labels: Vec<(String, String)>,
        report: Reporter,
        mask: PageMask,
    ) -> Result<Self> {
        let listener = UnixListener::bind(socket).map_err(|error| {
            Error::world(format!("cannot listen at {}: {error}", socket.display()))
        })?;
        let state = State {
            containers: HashMap::new(),
            execs: HashMap::new(),
            last_activity: Instant::now(),
            holding: false,
            unreachable: None,
            ping: None,
        };
        let shared = Arc::new(Shared {
            daemon,
            docker,
            labels,
            report,
            mask,
            state: Mutex::new(state),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { shared, accepting })
    }

    /// From now on a request for a new container gets no answer.
    pub fn hold_new_containers(&self) {
        self.shared.state().holding = true;
    }

    /// Tells of the commands that ran since they were told of last, where it is time to.
    pub fn tell_commands(&self) {
        self.shared.tell_commands(Instant::now());
    }

    /// When anything last came through.
    #[must_use]
    pub fn last_activity(&self) -> Instant {
        self.shared.state().last_activity
    }

    /// Why the daemon could not be reached, if the last request failed to.
    #[must_use]
    pub fn unreachable(&self) -> Option<String> {
        self.shared.state().unreachable.clone()
    }

    /// The containers older than `limit` that have not been given up yet, with their age.
    #[must_use]
    pub fn older_than(&self, limit: Duration) -> Vec<(String, Duration)> {
        let state = self.shared.state();
        let live = state
            .containers
            .iter()
            .filter(|(_, known)| known.lost.is_none() && !known.ended);
        live.map(|(id, known)| (id.clone(), known.created.elapsed()))
            .filter(|(_, age)| *age > limit)
            .collect()
    }

    /// Notes why a container is about to be ended, so that nobody takes it for its agent's doing.
    pub fn give_up(&self, container: &str, lost: Lost) {
        if let Some(known) = self.shared.state().containers.get_mut(container) {
            known.lost = Some(lost);
            known.reported = true;
        }
    }

    /// How many containers are in use: made, and neither stopped by the engine nor lost.
    #[must_use]
    pub fn in_use(&self) -> usize {
        let state = self.shared.state();
        let known = state.containers.values();
        known
            .filter(|known| known.lost.is_none() && !known.ended)
            .count()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: UnixListener, shared: Arc<Shared>) {
    // Ends with the relay: aborted when it is dropped.
    while let Ok((stream, _)) = listener.accept().await {
        let Ok(client) = ClientSocket::of(&stream) else {
            continue;
        };
        let shared = Arc::clone(&shared);
        let service = hyper::service::service_fn(move |request| {
            let (shared, client) = (Arc::clone(&shared), client.clone());
            async move { Ok::<_, Infallible>(shared.answer(request, &client).await) }
        });
        tokio::spawn(async move {
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
                .await;
        });
    }
}
