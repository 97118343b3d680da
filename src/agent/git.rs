//! A git remote that two agents share, kept in step through the harness.
//!
//! Each sandbox has a bare repository of its own. What an agent pushes to its own branch there goes
//! to the harness as a bundle, at once; what the others pushed is asked for at each fetch. Nothing
//! else is carried over, so that whatever an agent does to its copy, it can move neither the base
//! nor the other's branch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::Failure;
use crate::guest::call::{GIT_FETCH, GIT_PUSH};
use crate::model::chat::ChatError;
use crate::model::tape::Tape;
use crate::sandbox::{CallAnswer, CommandEnd, Sandbox, SandboxError};

/// The longest that setting the remote up may take.
const TIMEOUT: Duration = Duration::from_mins(2);
/// How long a replay waits for a push that its recording has.
const PATIENCE: Duration = Duration::from_mins(1);
/// What one agent may push in all, in bytes of bundles.
const MAX_PUSHED: usize = 64 << 20;
const ORIGIN: &str = "../origin.git";

/// [`GIT_FETCH`]'s exit code when the agent has pushed nothing yet.
const NOTHING: u8 = 3;

/// What the agents of a pair have pushed.
#[derive(Debug, Default)]
pub struct Team {
    pushed: Mutex<HashMap<String, Vec<Bundle>>>,
    changed: Notify,
}

/// An agent's branch, as git bundles it; empty where it is at the base.
type Bundle = Arc<[u8]>;

/// One agent's end of it.
#[derive(Debug)]
pub struct Remote {
    /// The agent's id, under which its pushes are kept.
    pub id: String,
    /// What all of them have pushed.
    pub team: Arc<Team>,
    /// What was fetched depends on when it was: a recording notes it.
    pub tape: Arc<tokio::sync::Mutex<Tape>>,
}

impl Team {
    /// Whether an agent has pushed anything.
    pub fn has_pushed(&self, agent: &str) -> bool {
        self.count(agent) > 0
    }

    fn count(&self, agent: &str) -> usize {
        self.pushed().get(agent).map_or(0, Vec::len)
    }

    /// The agent's branch after so many pushes.
    fn after(&self, agent: &str, count: usize) -> Option<Bundle> {
        let pushed = self.pushed();
        pushed.get(agent)?.get(count.checked_sub(1)?).cloned()
    }

    /// Keeps every push, since a replay may want one that is not the last.
    fn push(&self, agent: &str, bundle: Vec<u8>) -> Result<(), String> {
        let mut pushed = self.pushed();
        let of_agent = pushed.entry(agent.to_owned()).or_default();
        let so_far: usize = of_agent.iter().map(|bundle| bundle.len()).sum();
        if so_far + bundle.len() > MAX_PUSHED {
            return Err(format!(
                "you have pushed more than {} MB, and your colleague gets no more of it",
                MAX_PUSHED >> 20
            ));
        }
        of_agent.push(bundle.into());
        drop(pushed);
        self.changed.notify_waiters();
        Ok(())
    }

    async fn until(&self, agent: &str, count: usize) {
        loop {
            // Enrolled before looking: a push in between is not missed.
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.count(agent) >= count {
                return;
            }
            changed.await;
        }
    }

    fn pushed(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<Bundle>>> {
        self.pushed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Remote {
    /// Takes in what the agent pushed.
    #[must_use]
    pub fn push(&self, bundle: Vec<u8>) -> CallAnswer {
        match self.team.push(&self.id, bundle) {
            Ok(()) => CallAnswer::text(0, ""),
            Err(why) => CallAnswer::text(1, format!("{why}\n")),
        }
    }

    /// Hands out what another has pushed.
    pub async fn fetch(&self, agent: &str) -> CallAnswer {
        match self.latest(agent).await {
            Ok(Some(bundle)) => CallAnswer {
                code: 0,
                bytes: bundle.to_vec(),
            },
            Ok(None) => CallAnswer::text(NOTHING, ""),
            Err(error) => CallAnswer::text(1, format!("{error}\n")),
        }
    }

    async fn latest(&self, agent: &str) -> Result<Option<Bundle>, ChatError> {
        let mut tape = self.tape.lock().await;
        let name = format!("fetched {agent}");
        let count = match tape.replayed::<usize>(&name).await? {
            Some(count) => {
                // One that does not come is missing in what is fetched, where the replay differs.
                let _ = tokio::time::timeout(PATIENCE, self.team.until(agent, count)).await;
                count
            }
            None => self.team.count(agent),
        };
        tape.record_note(&name, &count)?;
        Ok(self.team.after(agent, count))
    }
}

/// Sets the remote up in an agent's sandbox.
pub async fn set_up(id: &str, team: &[String], sandbox: &mut Sandbox) -> Result<(), Failure> {
    let base = sandbox.base().to_owned();
    let call = sandbox.caller();
    let peers: Vec<&str> = team
        .iter()
        .map(String::as_str)
        .filter(|it| *it != id)
        .collect();
    let branches: Vec<String> = team
        .iter()
        .map(|member| format!("{base}:refs/heads/{member}"))
        .collect();
    let script = format!(
        "set -e; git init -q --bare {ORIGIN}; origin=$(cd {ORIGIN} && pwd)
         git remote add origin \"$origin\"
         git config remote.origin.uploadpack \"'$origin/upload-pack'\"
         git push -q origin {base}:refs/heads/main {branches}
         git fetch -q --upload-pack='git upload-pack' origin
         git branch -q --set-upstream-to=origin/{id} {id}
         chmod +x {ORIGIN}/hooks/update {ORIGIN}/hooks/post-receive {ORIGIN}/upload-pack",
        branches = branches.join(" "),
    );
    let update = format!(
        "#!/bin/sh
[ \"$1\" = refs/heads/{id} ] || {{ echo \"you can push {id} only\" >&2; exit 1; }}
case $3 in *[!0]*) ;; *) echo \"{id} cannot be deleted\" >&2; exit 1;; esac
"
    );
    // A branch at the base has no bundle: then the harness gets an empty one.
    let post_receive = format!(
        "#!/bin/sh
bundle=$(mktemp) || exit 1
git bundle create -q \"$bundle\" refs/heads/{id} ^{base} 2>/dev/null || : > \"$bundle\"
'{call}' {GIT_PUSH} < \"$bundle\"
rm -f \"$bundle\"
"
    );
    // An agent that broke its copy of the remote has done so to itself: what it has is served.
    let upload_pack = format!(
        "#!/bin/sh
for dir; do :; done
for peer in {peers}; do
  bundle=$(mktemp) || continue
  if '{call}' {GIT_FETCH} \"$peer\" > \"$bundle\"; then
    if [ -s \"$bundle\" ]
    then git --git-dir=\"$dir\" fetch -q \"$bundle\" \"+refs/heads/$peer:refs/heads/$peer\" >&2
    else git --git-dir=\"$dir\" update-ref \"refs/heads/$peer\" {base} >&2
    fi
  fi
  rm -f \"$bundle\"
done
git --git-dir=\"$dir\" update-ref refs/heads/main {base} >&2
exec git upload-pack \"$@\"
",
        peers = peers.join(" "),
    );
    for (file, text) in [
        ("hooks/update", update),
        ("hooks/post-receive", post_receive),
        ("upload-pack", upload_pack),
    ] {
        let path = format!("{ORIGIN}/{file}");
        sandbox.write(&path, text.as_bytes()).await?;
    }
    let output = sandbox.run_own(&script, TIMEOUT).await?;
    match output.end {
        CommandEnd::Exited(0) => Ok(()),
        end => Err(SandboxError::Refused(format!(
            "the shared remote could not be made ({end:?}): {}",
            output.excerpt(300).trim()
        ))
        .into()),
    }
}
