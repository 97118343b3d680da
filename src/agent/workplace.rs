//! The sandbox of one agent, from its start to what is submitted from it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::Failure;
use super::brief::{InjectedDeath, OnSandbox};
use super::clock::Clock;
use super::config::Submission;
use super::desks::Desks;
use super::git;
use super::observation::Observation;
use crate::bench::RuleId;
use crate::sandbox::{Backend, Command, Sandbox, SandboxError, Spec};

/// The largest `patch.txt` that is taken, in bytes.
const MAX_PATCH: u64 = 64 << 20;

/// What an agent works in.
pub struct Workplace {
    state: State,
    /// Whether its image may have nothing that runs.
    is_doubtful: bool,
    /// The commit that submissions are measured against.
    base: String,
    /// The agent's commands so far.
    commands: u64,
    fittings: Fittings,
}

/// What a workplace has beside the sandbox.
pub struct Fittings {
    /// The agent's id, with which the shared remote is set up.
    pub id: String,
    /// All agents of the pair, where they share a remote.
    pub team: Option<Vec<String>>,
    /// Told the sandbox's name, once it has started.
    pub on_sandbox: Arc<OnSandbox>,
    /// The injected fault that ends the sandbox; `None` in every ordinary trial.
    pub death: Option<InjectedDeath>,
}

enum State {
    Starting(JoinHandle<Result<Sandbox, SandboxError>>),
    Ready(Box<Sandbox>),
    Gone,
}

impl Workplace {
    /// Begins to start one; nobody waits for it yet.
    pub fn start(spec: Spec, backend: Backend, fittings: Fittings) -> Self {
        let is_doubtful = backend.has_images() && !spec.source.is_proven();
        let starting = tokio::spawn(async move { Sandbox::start(&spec, &backend).await });
        Self {
            state: State::Starting(starting),
            is_doubtful,
            base: String::new(),
            commands: 0,
            fittings,
        }
    }

    /// Waits for the first sandbox of an image: where none can start, no model is asked in vain.
    pub async fn trusted(&mut self, clock: &mut Clock) -> Result<(), Failure> {
        if self.is_doubtful {
            self.ready(clock).await?;
        }
        Ok(())
    }

    /// Waits until the sandbox is there, which is not the agent's time.
    async fn ready(&mut self, clock: &mut Clock) -> Result<(), Failure> {
        let State::Starting(starting) = &mut self.state else {
            return Ok(());
        };
        let waiting = Instant::now();
        let started = starting.await;
        clock.waited_for_sandbox(waiting.elapsed());
        let started = match started {
            Ok(started) => started,
            Err(error) => Err(SandboxError::Refused(format!("its task ended: {error}"))),
        };
        match started {
            Ok(sandbox) => {
                (self.fittings.on_sandbox)(&sandbox.name());
                sandbox.base().clone_into(&mut self.base);
                // Kept first: what follows may be dropped in the middle.
                self.state = State::Ready(Box::new(sandbox));
                if let (Some(team), State::Ready(sandbox)) = (&self.fittings.team, &mut self.state)
                {
                    git::set_up(&self.fittings.id, team, sandbox).await?;
                }
                Ok(())
            }
            Err(error) => {
                self.state = State::Gone;
                Err(error.into())
            }
        }
    }

    /// Runs a command of the agent's.
    pub async fn run(
        &mut self,
        command: &str,
        timeout: Duration,
        desks: &Desks,
        clock: &mut Clock,
    ) -> Result<Observation, Failure> {
        self.ready(clock).await?;
        let State::Ready(sandbox) = &mut self.state else {
            return Err(Failure::new(RuleId::CONTAINER_LOST, "the sandbox is gone"));
        };
        if self.commands == 0 {
            // What ended it before its first command is not the agent's doing.
            sandbox.check().await?;
        }
        self.commands += 1;
        if let Some(death) = &mut self.fittings.death
            && self.commands > death.after
        {
            // An error says that nobody is at work any more.
            let _ = death.at_work.wait_for(|count| *count <= 1).await;
            sandbox.kill().await;
        }
        let script = Command {
            script: command,
            timeout,
        };
        match sandbox.run(script, Some(desks)).await {
            Ok(output) => Ok(Observation::of(&output, timeout)),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The agent's work as a patch: what it submitted, or whatever it had done when it ended
    /// otherwise.
    pub async fn work(
        &mut self,
        submission: Submission,
        is_unfinished: bool,
        clock: &mut Clock,
    ) -> Result<Vec<u8>, Failure> {
        // The first command waits for the sandbox: none has run, and there is no work to wait for.
        if is_unfinished && matches!(self.state, State::Starting(_)) {
            return Ok(Vec::new());
        }
        self.ready(clock).await?;
        let State::Ready(sandbox) = &mut self.state else {
            return Ok(Vec::new());
        };
        let work = match submission {
            Submission::PatchFile if !is_unfinished => {
                match sandbox.read("patch.txt", MAX_PATCH).await {
                    Ok(bytes) => Ok(normal(&bytes)),
                    // It was asked for and is not there: nothing is submitted.
                    Err(SandboxError::Refused(_)) => Ok(Vec::new()),
                    Err(error) => Err(error),
                }
            }
            _ => sandbox.diff().await,
        };
        work.map_err(|error| self.failed(error))
    }

    /// The failure of a sandbox in which commands of the agent's have run, and may still run.
    fn failed(&self, error: SandboxError) -> Failure {
        if error.is_unexplained() && self.commands > 0 {
            return Failure::new(RuleId::SANDBOX_ENDED, error.to_string());
        }
        error.into()
    }

    /// Begins to remove the sandbox; the removal goes on.
    pub fn close(&mut self) -> Option<JoinHandle<()>> {
        match std::mem::replace(&mut self.state, State::Gone) {
            State::Ready(sandbox) => Some(tokio::spawn(sandbox.close())),
            // Nobody waits for it any more, but it has to go.
            State::Starting(starting) => Some(tokio::spawn(async move {
                if let Ok(Ok(sandbox)) = starting.await {
                    sandbox.close().await;
                }
            })),
            State::Gone => None,
        }
    }

    /// The commit that the work is measured against; empty before the sandbox is there.
    pub fn into_base(self) -> String {
        self.base
    }
}

/// A patch that an agent wrote, with the newline at its end that `git apply` wants and agents forget.
/// Nothing else is taken away: a blank line may belong to a hunk, or end a binary one.
fn normal(patch: &[u8]) -> Vec<u8> {
    let mut patch = patch.to_vec();
    if patch.trim_ascii().is_empty() {
        patch.clear();
    } else if patch.last() != Some(&b'\n') {
        patch.push(b'\n');
    }
    patch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_ends_with_a_newline_and_keeps_its_blank_lines() {
        for (written, taken) in [
            ("+a", "+a\n"),
            ("+a\n", "+a\n"),
            ("+a\n\n", "+a\n\n"),
            ("\n+a", "\n+a\n"),
            (" \n\t\n", ""),
            ("", ""),
        ] {
            assert_eq!(normal(written.as_bytes()), taken.as_bytes(), "{written:?}");
        }
    }
}
