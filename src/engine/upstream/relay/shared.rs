//! What a relay knows: the daemon, the containers of its engine and what became of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hyper::header::HeaderMap;

use super::commands::Commands;
use crate::engine::Reporter;
use crate::sandbox::docker::{Docker, DockerEndpoint};
use crate::secret::PageMask;
use crate::store::event::{Event, Lost};

/// A container that the engine made.
#[derive(Clone, Debug)]
pub struct KnownContainer {
    pub name: String,
    pub created: Instant,
    pub lost: Option<Lost>,
    pub reported: bool,
    /// The engine itself stopped or removed it: its trial is over.
    pub ended: bool,
    /// What ran in it.
    pub commands: Commands,
}

/// What every connection of one relay shares.
pub struct Shared {
    pub daemon: DockerEndpoint,
    pub docker: Docker,
    pub labels: Vec<(String, String)>,
    pub report: Reporter,
    /// What must not be told of commands.
    pub mask: PageMask,
    pub state: Mutex<State>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("daemon", &self.daemon)
            .finish_non_exhaustive()
    }
}

/// What changes while a relay runs.
pub struct State {
    pub containers: HashMap<String, KnownContainer>,
    /// The container of each exec.
    pub execs: HashMap<String, String>,
    pub last_activity: Instant,
    pub holding: bool,
    pub unreachable: Option<String>,
    /// The headers of the daemon's last answer to a ping: its version, and what it can do.
    pub ping: Option<HeaderMap>,
}

impl State {
    /// The container of an exec, unless the engine itself has ended it.
    pub fn container_of(&self, exec: &str) -> Option<String> {
        let container = self.execs.get(exec)?;
        let known = self.containers.get(container)?;
        (!known.ended).then(|| container.clone())
    }
}

impl Shared {
    /// The state, locked: never held over an await.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of the commands that ran since they were told of last, where it is time to.
    pub fn tell_commands(&self, now: Instant) {
        let mut due = Vec::new();
        for (id, known) in &mut self.state().containers {
            if known.ended || known.lost.is_some() {
                continue;
            }
            if let Some((commands, last)) = known.commands.take_due(now, &self.mask) {
                due.push(Event::CommandsSeen {
                    container: id.clone(),
                    commands,
                    last,
                });
            }
        }
        for event in due {
            (self.report)(event);
        }
    }

    /// Notes that the engine itself has ended a container, and reports it once.
    pub fn end(&self, id: &str) {
        let Some(id) = self.full_id(id) else {
            return;
        };
        let ended = self.state().containers.get_mut(&id).and_then(|known| {
            let is_new = !std::mem::replace(&mut known.ended, true);
            is_new.then(|| known.commands.seen())
        });
        if let Some(commands) = ended {
            (self.report)(Event::ContainerEnded {
                container: id,
                commands,
            });
        }
    }

    /// Notes that a container is lost, and reports it once.
    pub async fn lose(&self, id: &str, unreachable: bool) {
        let already = self
            .state()
            .containers
            .get(id)
            .and_then(|known| known.lost.clone());
        let lost = match already {
            Some(lost) => lost,
            None if unreachable => Lost {
                reason: "daemon_unreachable".to_owned(),
                detail: self.state().unreachable.clone().unwrap_or_default(),
            },
            None => self.cause_of_death(id).await,
        };
        let mut is_new = false;
        if let Some(known) = self.state().containers.get_mut(id) {
            is_new = !known.reported;
            known.reported = true;
            known.lost = Some(lost.clone());
        }
        if is_new {
            (self.report)(Event::container_lost(id.to_owned(), lost));
        }
    }

    async fn cause_of_death(&self, id: &str) -> Lost {
        let death = self.docker.death(id).await;
        let (reason, detail) = match death {
            Some(death) if death.oom => ("oom", "killed by the kernel for its memory".to_owned()),
            Some(death) => {
                let code = death
                    .exit_code
                    .map_or_else(|| "unknown".to_owned(), |code| code.to_string());
                ("exited", format!("it ended with exit code {code}"))
            }
            None => ("exited", "it is gone; nobody here removed it".to_owned()),
        };
        Lost {
            reason: reason.to_owned(),
            detail,
        }
    }

    /// The full id of a container of ours that is named by any beginning of it.
    pub fn full_id(&self, id: &str) -> Option<String> {
        let state = self.state();
        state
            .containers
            .keys()
            .find(|known| known.starts_with(id))
            .cloned()
    }
}
