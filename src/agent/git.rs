//! A git remote that two agents share, kept in step through the harness.
//!
//! Each sandbox has a bare repository of its own. What an agent pushes to its own branch there is
//! carried over as a bundle; nothing else is, so that whatever it does to its copy, it can move
//! neither the base nor the other's branch.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Failure;
use crate::sandbox::{CommandEnd, Sandbox, SandboxError};

/// The longest that git may take.
const TIMEOUT: Duration = Duration::from_mins(2);
/// The largest bundle that is carried over, in bytes.
const MAX_BUNDLE: u64 = 64 << 20;
const BUNDLE: &str = "../.bundle";
const ORIGIN: &str = "../origin.git";

/// What the agents of a pair have pushed.
#[derive(Debug, Default)]
pub struct Team {
    pushed: Mutex<HashMap<String, Push>>,
}

#[derive(Clone, Debug)]
struct Push {
    commit: String,
    bundle: Vec<u8>,
}

/// One agent's end of it.
#[derive(Debug)]
pub struct Remote {
    id: String,
    base: String,
    /// The commit that each branch was last seen at: our own as pushed, the others' as fetched.
    seen: HashMap<String, String>,
}

impl Team {
    /// Whether an agent has pushed anything.
    pub fn has_pushed(&self, agent: &str) -> bool {
        let pushed = self.pushed.lock().unwrap_or_else(PoisonError::into_inner);
        pushed.contains_key(agent)
    }
}

impl Remote {
    /// Sets the remote up in an agent's sandbox.
    pub async fn set_up(id: &str, team: &[String], sandbox: &mut Sandbox) -> Result<Self, Failure> {
        let base = sandbox.base().to_owned();
        let hook = format!(
            "#!/bin/sh\n[ \"$1\" = refs/heads/{id} ] || {{ echo \"you can push {id} only\" >&2; exit 1; }}\n"
        );
        let branches: Vec<String> = team
            .iter()
            .map(|member| format!("{base}:refs/heads/{member}"))
            .collect();
        let branches = branches.join(" ");
        let script = format!(
            "set -e; git init -q --bare {ORIGIN}; git remote add origin \"$(cd {ORIGIN} && pwd)\"; \
             git push -q origin {base}:refs/heads/main {branches}; \
             git fetch -q origin; git branch -q --set-upstream-to=origin/{id} {id}"
        );
        run(sandbox, &script).await?;
        sandbox
            .write(&format!("{ORIGIN}/hooks/update"), hook.as_bytes())
            .await?;
        run(sandbox, &format!("chmod +x {ORIGIN}/hooks/update")).await?;
        Ok(Self {
            id: id.to_owned(),
            seen: HashMap::from([(id.to_owned(), base.clone())]),
            base,
        })
    }

    /// Before a command: what others pushed comes in, and the base is where it was.
    pub async fn bring_in(&mut self, team: &Team, sandbox: &mut Sandbox) -> Result<(), Failure> {
        let pushed = team
            .pushed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for (agent, push) in pushed {
            if agent == self.id || self.seen.get(&agent) == Some(&push.commit) {
                continue;
            }
            sandbox.write(BUNDLE, &push.bundle).await?;
            let script = format!(
                "git --git-dir={ORIGIN} fetch -q {BUNDLE} +refs/heads/{agent}:refs/heads/{agent}; \
                 git --git-dir={ORIGIN} update-ref refs/heads/main {}; rm -f {BUNDLE}",
                self.base
            );
            // An agent that broke its copy of the remote has done so to itself.
            if let Err(failure) = run(sandbox, &script).await
                && failure.rule != "sandbox_refused"
            {
                return Err(failure);
            }
            self.seen.insert(agent, push.commit);
        }
        Ok(())
    }

    /// After a command: what was pushed goes out.
    pub async fn carry_out(&mut self, team: &Team, sandbox: &mut Sandbox) -> Result<(), Failure> {
        let id = self.id.clone();
        let tip = format!("git --git-dir={ORIGIN} rev-parse --verify -q refs/heads/{id}");
        let commit = match run(sandbox, &tip).await {
            Ok(commit) => commit.trim().to_owned(),
            Err(failure) if failure.rule == "sandbox_refused" => return Ok(()),
            Err(failure) => return Err(failure),
        };
        if self.seen.get(&id) == Some(&commit) {
            return Ok(());
        }
        let script = format!(
            "git --git-dir={ORIGIN} bundle create -q {BUNDLE} refs/heads/{id} ^{}",
            self.base
        );
        match run(sandbox, &script).await {
            // A branch at the base, or one that has nothing to do with it: nothing to carry.
            Err(failure) if failure.rule == "sandbox_refused" => {}
            Err(failure) => return Err(failure),
            Ok(_) => {
                if let Ok(bundle) = sandbox.read(BUNDLE, MAX_BUNDLE).await {
                    let mut pushed = team.pushed.lock().unwrap_or_else(PoisonError::into_inner);
                    let commit = commit.clone();
                    pushed.insert(id.clone(), Push { commit, bundle });
                }
            }
        }
        self.seen.insert(id, commit);
        Ok(())
    }
}

async fn run(sandbox: &mut Sandbox, script: &str) -> Result<String, Failure> {
    let output = sandbox.run_own(script, TIMEOUT).await?;
    match output.end {
        CommandEnd::Exited(0) => Ok(String::from_utf8_lossy(&output.head).into_owned()),
        end => Err(SandboxError::Refused(format!(
            "git in the sandbox failed ({end:?}): {}",
            output.excerpt(300).trim()
        ))
        .into()),
    }
}
