//! A container alone, and the daemon that it is asked of.

use std::sync::Arc;
use std::time::Duration;

use bollard::query_parameters as query;
use tokio::sync::Semaphore;

use super::{Docker, DockerEndpoint};
use crate::sandbox::SandboxError;
use crate::sandbox::channel::BrokenChannel;

/// A container of ours that runs a guest.
#[derive(Debug)]
pub struct Bare {
    /// Its full id, as the daemon gave it.
    pub id: String,
    pub(super) docker: Docker,
    pub(super) endpoint: DockerEndpoint,
    pub(super) gate: Arc<Semaphore>,
}

impl Bare {
    /// What became of it, when its channel broke: asked of the daemon, never read from output.
    pub async fn post_mortem(&self, broken: &BrokenChannel) -> SandboxError {
        if let Err(gone) = reach(&self.endpoint).await {
            return gone;
        }
        // The daemon may close the channel a moment before it knows that the container ended, and
        // how: a busy one gets 10 s.
        let mut is_removed = false;
        for _ in 0..100 {
            if let Some(death) = self.docker.death(&self.id).await {
                return SandboxError::Died {
                    oom: death.oom,
                    exit_code: death.exit_code,
                    from_outside: false,
                    detail: format!(": {broken}"),
                };
            }
            is_removed = !self.docker.exists(&self.id).await;
            if is_removed || !matches!(broken, BrokenChannel::Closed(_)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        SandboxError::Died {
            oom: false,
            exit_code: None,
            from_outside: is_removed,
            detail: format!(": {broken}"),
        }
    }

    /// Ends its first process from outside, as a crash would.
    pub async fn kill(&self) {
        let options = query::KillContainerOptionsBuilder::new()
            .signal("KILL")
            .build();
        // A container that is gone already is what was wanted.
        let _ = self
            .docker
            .api
            .kill_container(&self.id, Some(options))
            .await;
    }

    /// Removes it; says whether it is gone.
    pub async fn remove(self) -> bool {
        let turn = self.gate.acquire().await;
        let removed = self.docker.remove(&self.id).await.is_ok();
        drop(turn);
        removed
    }
}

/// Connects to the daemon, and says no word: an error is one of the connection.
pub(super) async fn reach(endpoint: &DockerEndpoint) -> Result<(), SandboxError> {
    let answer = endpoint.connect().await;
    answer
        .map(drop)
        .map_err(|error| SandboxError::DaemonUnreachable {
            why: format!("{}: {error}", endpoint.url()),
        })
}
