//! Who answers the programs in an agent's sandbox.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::Failure;
use super::brief::Agent;
use super::git::Remote;
use super::post::Desk;
use crate::guest::call::{GIT_FETCH, GIT_PUSH, SEND_MESSAGE};
use crate::model::tape::Tape;
use crate::sandbox::{Call, CallAnswer, Callee};

/// What an agent shares with its peer, where it does.
pub struct Desks {
    desk: Option<Desk>,
    remote: Option<Remote>,
    /// The peers whose end the agent knows.
    announced: Vec<String>,
}

impl Desks {
    /// The desk and the remote of an agent: none where it has no mailbox, or shares no remote.
    pub fn of(agent: &Agent, tape: &Arc<Mutex<Tape>>) -> Self {
        let peers = || agent.team.iter().filter(|id| **id != agent.id).cloned();
        let desk = agent.mailbox.as_ref().map(|mailbox| Desk {
            id: agent.id.clone(),
            peers: peers().collect(),
            mailbox: Arc::clone(mailbox),
            tape: Arc::clone(tape),
        });
        let remote = agent.git.as_ref().map(|team| Remote {
            id: agent.id.clone(),
            team: Arc::clone(team),
            tape: Arc::clone(tape),
        });
        Self {
            desk,
            remote,
            announced: Vec::new(),
        }
    }

    /// What the agent is told before its next turn.
    pub async fn news(&mut self) -> Result<Vec<String>, Failure> {
        match &self.desk {
            Some(desk) => desk.receive(&mut self.announced).await,
            None => Ok(Vec::new()),
        }
    }
}

impl Callee for Desks {
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = CallAnswer> + Send + '_>> {
        Box::pin(async move {
            match (call.program.as_str(), &self.desk, &self.remote) {
                (SEND_MESSAGE, Some(desk), _) => desk.call(call).await,
                (GIT_PUSH, _, Some(remote)) => remote.push(call.body),
                (GIT_FETCH, _, Some(remote)) => {
                    remote
                        .fetch(call.args.first().map_or("", String::as_str))
                        .await
                }
                // As a shell ends where there is no such command.
                _ => CallAnswer::text(127, format!("{}: there is no such call\n", call.program)),
            }
        })
    }
}
