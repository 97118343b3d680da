//! What an agent is given.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::config::AgentConfig;
use super::end::Status;
use super::git::Team;
use super::mailbox::Mailbox;
use super::transcript::OnLogged;
use crate::bench::Spending;
use crate::model::client::Client;
use crate::model::tape::Tape;
use crate::sandbox::{Backend, Spec};

/// An agent that is to run.
pub struct Agent {
    /// `solo`, `agent1` or `agent2`: its name in messages, trajectories and recordings.
    pub id: String,
    /// All agents of the pair; empty for one alone.
    pub team: Vec<String>,
    /// The descriptions of its features, as `feature.md` has them; two stand below one another.
    pub task: String,
    /// Its prompts, limits and protocol, the same for all agents of a run.
    pub config: Arc<AgentConfig>,
    /// The client of its model. It is the agent's own; the pace behind it is shared.
    pub client: Client,
    /// The model's window in tokens, where it is known.
    pub window: Option<u64>,
    /// Where its exchanges are recorded, or come from.
    pub tape: Tape,
    /// The pair's mailbox, when it may talk.
    pub mailbox: Option<Arc<Mailbox>>,
    /// The shared remote, when there is one.
    pub git: Option<Arc<Team>>,
    /// The time limits of its commands and of its trial.
    pub times: Times,
    /// What its sandbox is made from.
    pub spec: Spec,
    /// The backend that makes its sandbox.
    pub backend: Backend,
    /// Told how it ended, before its sandbox is cleaned up.
    pub on_end: Arc<dyn Fn(&Status) + Send + Sync>,
    /// Told the name of its sandbox, once there is one.
    pub on_sandbox: Arc<OnSandbox>,
    /// Whether its pair's sandbox ended before, in an earlier trial, without anybody knowing why.
    pub ended_before: bool,
    /// Told all that it has spent so far, after each call that was answered or may be billed.
    pub on_spent: Arc<OnSpent>,
    /// Told each entry of its trajectory as it comes.
    pub on_log: OnLogged,
    /// Told what the endpoint refused of earlier replies, so that it is sent no more.
    pub on_left_out: Arc<OnLeftOut>,
    /// Ends its sandbox: a fault, injected to show what becomes of it.
    pub death: Option<InjectedDeath>,
}

/// When an injected fault ends an agent's sandbox.
#[derive(Debug)]
pub struct InjectedDeath {
    /// After this many of its commands.
    pub after: u64,
    /// How many of the pair's agents are at work. It waits for the others to end: a peer that is lost
    /// in the middle of a call leaves a cost that nobody knows, or none, as it happens.
    pub at_work: watch::Receiver<usize>,
}

/// Told the names of fields that are sent no more.
pub type OnLeftOut = dyn Fn(&[String]) + Send + Sync;

/// Told the name of an agent's sandbox, once that has started.
pub type OnSandbox = dyn Fn(&str) + Send + Sync;

/// Told all that was spent so far.
pub type OnSpent = dyn Fn(Spending) + Send + Sync;

/// The time limits that an agent has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// For each command of the agent's. A command gets less if the trial has less time left.
    pub command: Duration,
    /// For the whole trial; `None` for no limit.
    pub trial: Option<Duration>,
    /// Whether time lost to the endpoint's rate limits counts.
    pub rate_limits_count: bool,
}

/// Why an agent should stop although it is not done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Halt {
    /// There is no reason: the agent goes on.
    #[default]
    No,
    /// Its peer was lost, and the trial with it.
    PeerLost(String),
    /// The run is being ended.
    Abort,
}

impl Halt {
    /// Waits until there is a reason to halt; for ever, when there never will be one.
    pub(super) async fn reason(halt: &mut watch::Receiver<Self>) -> Self {
        let reason = halt.wait_for(|halt| *halt != Self::No).await;
        if let Some(reason) = reason.ok().map(|reason| reason.clone()) {
            return reason;
        }
        std::future::pending().await
    }
}

impl Agent {
    /// What templates may name, as upstream's may.
    pub(super) fn variables(&self) -> Map<String, Value> {
        let uname = rustix::system::uname();
        let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
        let alone = self.team.len() < 2;
        let vars = json!({
            "task": self.task,
            "agent_id": (!alone).then_some(&self.id),
            "agents": self.team,
            "messaging_enabled": self.mailbox.is_some(),
            "git_enabled": self.git.is_some(),
            "command_timeout": self.times.command.as_secs(),
            "timeout": self.times.command.as_secs(),
            "cwd": "/workspace/repo",
            "system": text(uname.sysname()),
            "node": text(uname.nodename()),
            "release": text(uname.release()),
            "version": text(uname.version()),
            "machine": text(uname.machine()),
            "n_model_calls": 0,
            "model_cost": 0.0,
        });
        match vars {
            Value::Object(vars) => vars,
            _ => Map::new(),
        }
    }
}
