//! The agents of one trial, side by side.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::refined::refined;
use crate::agent::{Agent, AgentEnd, Departure, Failure, Halt, Mailbox, Status, Team};
use crate::bench::{Pair, RuleId, Setting};
use crate::triage::{Cause, Rules};

/// Who works on a pair, and what they share.
pub struct Crew {
    /// The agents' ids; none for one alone.
    pub ids: Vec<String>,
    pub mailbox: Option<Arc<Mailbox>>,
    pub git: Option<Arc<Team>>,
    /// Tells them to halt: for the run's reasons, and for the pair's own.
    stop: Arc<watch::Sender<Halt>>,
    /// How many of them have not ended.
    pub at_work: Arc<watch::Sender<usize>>,
}

impl Crew {
    /// Those of a pair in this setting, who share a remote if `git`.
    pub fn of(setting: Setting, git: bool) -> Self {
        let ids: Vec<String> = match setting.agents() {
            1 => Vec::new(),
            count => (1..=count).map(|nth| format!("agent{nth}")).collect(),
        };
        Self {
            mailbox: setting.messaging().then(Arc::default),
            git: (git && ids.len() > 1).then(Arc::default),
            stop: Arc::default(),
            at_work: Arc::new(watch::Sender::new(setting.agents())),
            ids,
        }
    }

    /// Runs them side by side to their ends; none begins where the image could not be pulled. One whose
    /// task broke has taken the others along, and may have no end.
    pub async fn work(
        &self,
        agents: Vec<Agent>,
        pulled: &std::result::Result<(), Failure>,
        mut halt: watch::Receiver<Halt>,
    ) -> Vec<AgentEnd> {
        let mut found: Vec<Option<AgentEnd>> = agents.iter().map(|_| None).collect();
        let mut running = JoinSet::new();
        for (index, agent) in agents.into_iter().enumerate() {
            let stopped = self.stop.subscribe();
            let failed = pulled.clone().err();
            running.spawn(async move {
                let end = match failed {
                    Some(failure) => AgentEnd::never(failure),
                    None => agent.run(stopped).await,
                };
                (index, end)
            });
        }
        while !running.is_empty() {
            tokio::select! {
                Some(ended) = running.join_next() => match ended {
                    Ok((index, end)) => found[index] = Some(end),
                    Err(error) => {
                        // A fault of ours: the pair is lost, and the other agent with it.
                        let why = format!("the agent's task broke: {error}");
                        halt_pair(&self.stop, why.clone());
                        if let Some(place) = found.iter_mut().find(|end| end.is_none()) {
                            *place = Some(AgentEnd::never(Failure::new(RuleId::HARNESS_FAULT, why)));
                        }
                    }
                },
                () = aborted(&mut halt) => {
                    self.stop.send_replace(Halt::Abort);
                    halt = never();
                }
            }
        }
        found.into_iter().flatten().collect()
    }

    /// The agents' ids; `solo` of one alone.
    pub fn all_ids(&self) -> Vec<&str> {
        if self.ids.is_empty() {
            vec!["solo"]
        } else {
            self.ids.iter().map(String::as_str).collect()
        }
    }

    /// The features of each agent: both for one alone, one each for two.
    pub fn features(&self, pair: &Pair) -> Vec<Vec<u64>> {
        if self.ids.is_empty() {
            vec![pair.features.to_vec()]
        } else {
            pair.features.iter().map(|feature| vec![*feature]).collect()
        }
    }

    /// What is done as soon as an agent ends: its peer learns it, and halts when the trial is lost.
    pub fn announce(&self, rules: &Arc<Rules>, id: &str) -> Arc<dyn Fn(&Status) + Send + Sync> {
        let (mailbox, git, id) = (self.mailbox.clone(), self.git.clone(), id.to_owned());
        let (rules, stop) = (Arc::clone(rules), Arc::clone(&self.stop));
        let at_work = Arc::clone(&self.at_work);
        Arc::new(move |status| {
            at_work.send_modify(|count| *count = count.saturating_sub(1));
            if let Some(mailbox) = &mailbox {
                let has_pushed = git.as_ref().is_some_and(|git| git.has_pushed(&id));
                let branch = has_pushed.then(|| format!("origin/{id}"));
                let how = status.told().to_owned();
                mailbox.depart(&id, Departure { how, branch });
            }
            if let Some(why) = lost(&rules, status) {
                halt_pair(&stop, why);
            }
        })
    }
}

/// Waits until the run is being ended; for ever, when it never will be.
pub async fn aborted(halt: &mut watch::Receiver<Halt>) {
    if halt.wait_for(|halt| *halt == Halt::Abort).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A reason to halt that never comes.
fn never() -> watch::Receiver<Halt> {
    watch::channel(Halt::No).1
}

/// Tells the pair to halt, unless it was told before.
fn halt_pair(stop: &watch::Sender<Halt>, why: String) {
    stop.send_if_modified(|halt| {
        let first = *halt == Halt::No;
        if first {
            *halt = Halt::PeerLost(why);
        }
        first
    });
}

/// Why a trial is lost with an agent that ended so, when that is not the agent's own doing.
fn lost(rules: &Rules, status: &Status) -> Option<String> {
    let Status::Failed(failure) = status else {
        return None;
    };
    let rule = refined(rules, failure);
    let cause = rules.get(&rule).map(|rule| rule.cause);
    (cause != Some(Cause::Agent)).then(|| format!("its peer was lost ({rule}): {}", failure.text))
}
