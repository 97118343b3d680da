//! A sandbox as agents and suites hold it, whatever made it.

use super::place::{Repo, WORKSPACE};
use std::time::Duration;

use super::backend::Backend;
use super::channel::{BrokenChannel, Channel, Output};
use super::command::Command;
use super::error::{SandboxError, StartFailure};
use super::spec::{Repository, Source, Spec};
use super::{docker, fake, namespace, oci, process, repo, tools};
use crate::guest::call::Callee;
use crate::guest::frame::CommandEnd;
use crate::guest::order::GuestOrder;

/// A place where one agent's commands run.
#[derive(Debug)]
pub enum Sandbox {
    /// With a guest in it.
    Real(Box<Real>),
    /// A script, for tests and for benchmarks of everything else.
    Fake(fake::FakeSandbox),
}

/// A sandbox with a guest.
#[derive(Debug)]
pub struct Real {
    body: Body,
    channel: Channel,
    repo: Repo,
    /// Whether we ended it ourselves.
    killed: bool,
}

/// What holds the guest: a container, or a process of this machine.
#[derive(Debug)]
enum Body {
    Container(Box<docker::Container>),
    Process(Box<process::Guest>),
}

/// How much of a command's output is kept, in bytes: half of it at either end. An agent sees ten
/// thousand characters; a hundred steps must fit a trajectory, and a thousand agents in memory.
const KEPT_OUTPUT: usize = 200_000;
/// The largest submission that is taken, in bytes.
const MAX_DIFF: usize = 64 << 20;

impl Sandbox {
    /// Starts a sandbox and readies the repository in it.
    pub async fn start(spec: &Spec, backend: &Backend) -> Result<Self, SandboxError> {
        let of_guest = |(guest, channel): (process::Guest, Channel)| {
            let home = guest.workspace();
            (Body::Process(Box::new(guest)), channel, home)
        };
        let (body, channel, home) = match (backend, &spec.source) {
            (Backend::Fake(script), _) => {
                return Ok(Self::Fake(fake::FakeSandbox::start(script.clone())));
            }
            (Backend::Docker(place), Source::Image(image)) => {
                let (container, channel) = place.start(spec, image).await?;
                let body = Body::Container(Box::new(container));
                (body, channel, WORKSPACE.to_owned())
            }
            (Backend::Oci(place), Source::Image(image)) => {
                of_guest(oci::start(place, spec, image).await?)
            }
            (Backend::Namespace(place), Source::Tree(tree)) => {
                of_guest(namespace::start(place, spec, tree).await?)
            }
            (Backend::Process(place), Source::Tree(tree)) => {
                of_guest(process::start(place, spec, tree).await?)
            }
            (
                Backend::Docker(_) | Backend::Oci(_) | Backend::Namespace(_) | Backend::Process(_),
                other,
            ) => {
                let name = backend.name();
                return Err(SandboxError::start(format!(
                    "{name} starts nothing from {other:?}"
                )));
            }
        };
        let mut real = Real {
            body,
            channel,
            repo: Repo::at(&home),
            killed: false,
        };
        match real.ready(spec).await {
            Ok(()) => Ok(Self::Real(Box::new(real))),
            Err(error) => {
                real.close().await;
                Err(error)
            }
        }
    }

    /// What it is called, for people and for the daemon.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Real(real) => match &real.body {
                Body::Container(container) => container.id().to_owned(),
                Body::Process(guest) => format!("process {}", guest.pid()),
            },
            Self::Fake(_) => "fake".to_owned(),
        }
    }

    /// The commit that submissions are measured against.
    #[must_use]
    pub fn base(&self) -> &str {
        match self {
            Self::Real(real) => &real.repo.base,
            Self::Fake(_) => "fake",
        }
    }

    /// Runs a script of the harness's own in the repository: not in a login shell, and for a short
    /// output only.
    pub async fn run_own(
        &mut self,
        script: &str,
        timeout: Duration,
    ) -> Result<Output, SandboxError> {
        match self {
            Self::Real(real) => {
                let script = format!("cd '{}' && {{ {script}\n}}", real.repo.dir);
                real.run_own(&script, timeout, KEPT_OUTPUT).await
            }
            Self::Fake(fake) => fake.run(Command { script, timeout }, None).await,
        }
    }

    /// The program that calls the harness, as seen from inside.
    #[must_use]
    pub fn caller(&self) -> String {
        match self {
            Self::Real(real) => tools::caller(&real.body.tools()),
            Self::Fake(_) => tools::caller(tools::INSIDE),
        }
    }

    /// The workspace, as seen from inside: the repository is its directory `repo`.
    #[must_use]
    pub fn home(&self) -> &str {
        match self {
            Self::Real(real) => &real.repo.home,
            Self::Fake(_) => WORKSPACE,
        }
    }

    /// Runs a script of the harness's own in the workspace, not in a login shell; of the output,
    /// `limit` bytes are kept.
    pub async fn run_script(
        &mut self,
        script: &str,
        timeout: Duration,
        limit: usize,
    ) -> Result<Output, SandboxError> {
        match self {
            Self::Real(real) => real.run_own(script, timeout, limit).await,
            Self::Fake(fake) => fake.run(Command { script, timeout }, None).await,
        }
    }

    /// Runs a command in the repository. `callee` answers those of its programs that call.
    pub async fn run(
        &mut self,
        command: Command<'_>,
        callee: Option<&dyn Callee>,
    ) -> Result<Output, SandboxError> {
        match self {
            Self::Real(real) => {
                let script = format!("{}{}", real.repo.prefix, command.script);
                let cwd = real.repo.dir.clone();
                let order = GuestOrder {
                    script: &script,
                    cwd: &cwd,
                    login: true,
                    deadline: command.timeout,
                    limit: KEPT_OUTPUT,
                };
                let ran = real.channel.run(&order, callee).await;
                real.settled(ran).await
            }
            Self::Fake(fake) => fake.run(command, callee).await,
        }
    }

    /// Asks the guest something that costs nothing: an error says why nothing runs here any more.
    pub async fn check(&mut self) -> Result<(), SandboxError> {
        let Self::Real(real) = self else {
            return Ok(());
        };
        // A directory is refused as a file, which is an answer and costs no process.
        let home = real.repo.home.clone();
        let answer = real.channel.read(&home, 0).await;
        match real.settled(answer).await {
            Ok(_) | Err(SandboxError::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Reads a file of at most `limit` bytes; paths are taken from the repository.
    pub async fn read(&mut self, path: &str, limit: u64) -> Result<Vec<u8>, SandboxError> {
        match self {
            Self::Real(real) => {
                let path = real.repo.path(path);
                let answer = real.channel.read(&path, limit).await;
                real.settled(answer).await
            }
            Self::Fake(fake) => fake.read(path),
        }
    }

    /// Writes a file; paths are taken from the repository.
    pub async fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), SandboxError> {
        match self {
            Self::Real(real) => {
                let path = real.repo.path(path);
                let written = real.channel.write(&path, bytes).await;
                real.settled(written).await
            }
            Self::Fake(fake) => {
                fake.write(path, bytes);
                Ok(())
            }
        }
    }

    /// The difference of the working tree to the base commit, whatever became of the repository's
    /// own `.git`: new files are in it, ignored ones are not.
    pub async fn diff(&mut self) -> Result<Vec<u8>, SandboxError> {
        match self {
            Self::Real(real) => real.diff().await,
            Self::Fake(fake) => Ok(fake.diff()),
        }
    }

    /// Ends everything in it and removes it.
    pub async fn close(self) {
        if let Self::Real(real) = self {
            real.close().await;
        }
    }

    /// Ends the sandbox's first process the hard way, as a crash would; for fault injection.
    pub async fn kill(&mut self) {
        if let Self::Real(real) = self {
            real.killed = true;
            match &mut real.body {
                Body::Container(container) => container.kill().await,
                Body::Process(guest) => guest.kill_and_wait().await,
            }
        }
    }
}

impl Real {
    /// Runs a script of the harness's own.
    async fn run_own(
        &mut self,
        script: &str,
        deadline: Duration,
        limit: usize,
    ) -> Result<Output, SandboxError> {
        let cwd = self.repo.home.clone();
        let order = GuestOrder {
            script,
            cwd: &cwd,
            login: false,
            deadline,
            limit,
        };
        let ran = self.channel.run(&order, None).await;
        self.settled(ran).await
    }

    async fn ready(&mut self, spec: &Spec) -> Result<(), SandboxError> {
        let image_path = self.channel.image_path.clone();
        let has_image = spec.source.is_image();
        if let Some(said) = self.body.set_up() {
            return self.take_in(&said, &image_path, spec);
        }
        let script = match spec.repository {
            Repository::ForAgent => {
                repo::setup_script(&self.repo, &spec.agent, !has_image, &image_path)
            }
            Repository::AsItIs => repo::open_script(&self.repo, !has_image),
        };
        let ran = self.run_own(&script, spec.limits.setup_timeout, repo::SETUP_OUTPUT);
        let ran = ran.await.map_err(|error| match error {
            // Nothing has run in it yet: it has no shell.
            SandboxError::Crippled(why) => SandboxError::Start {
                why,
                cause: StartFailure::Repo,
            },
            other => other,
        })?;
        self.take_in(&ran, &image_path, spec)
    }

    /// Takes in what the set-up said.
    fn take_in(
        &mut self,
        said: &Output,
        image_path: &str,
        spec: &Spec,
    ) -> Result<(), SandboxError> {
        let tools = spec.messaging.then(|| self.body.tools());
        let set_up = self.repo.set_up(said, image_path, tools);
        set_up.map_err(|(why, cause)| SandboxError::Start { why, cause })
    }

    async fn diff(&mut self) -> Result<Vec<u8>, SandboxError> {
        let script = repo::diff_script(&self.repo);
        let timeout = Duration::from_mins(5);
        let ran = self.run_own(&script, timeout, MAX_DIFF * 2).await?;
        match ran.end {
            CommandEnd::Exited(0) if ran.elided == 0 && ran.head.len() <= MAX_DIFF => Ok(ran.head),
            CommandEnd::Exited(0) => Err(SandboxError::Refused(format!(
                "the diff against {} is larger than {} MB",
                self.repo.base,
                MAX_DIFF >> 20
            ))),
            end => Err(SandboxError::Refused(format!(
                "no diff against {} could be made ({end:?}): {}",
                self.repo.base,
                ran.excerpt(500)
            ))),
        }
    }

    /// Turns a broken channel into what really happened, by the state of what holds the guest.
    async fn settled<T>(&mut self, asked: Result<T, BrokenChannel>) -> Result<T, SandboxError> {
        match asked {
            Ok(answer) => Ok(answer),
            Err(BrokenChannel::Refused(why)) => Err(SandboxError::Refused(why)),
            Err(BrokenChannel::Crippled(why)) => Err(SandboxError::Crippled(why)),
            Err(broken) => {
                let mut error = match &mut self.body {
                    Body::Container(container) => container.post_mortem(&broken).await,
                    Body::Process(guest) => guest.post_mortem(&broken).await,
                };
                if let SandboxError::Died { from_outside, .. } = &mut error {
                    *from_outside |= self.killed;
                }
                Err(error)
            }
        }
    }

    async fn close(self) {
        match self.body {
            Body::Container(container) => container.close(self.channel).await,
            Body::Process(guest) => {
                // The guest ends when its channel closes, and everything in the sandbox with it.
                drop(self.channel);
                guest.end().await;
            }
        }
    }
}

impl Body {
    /// What the set-up of the repository said, where that was done before.
    fn set_up(&mut self) -> Option<Output> {
        match self {
            Self::Container(_) => None,
            Self::Process(guest) => guest.set_up.take(),
        }
    }

    /// Where the guest's programs are, as seen from inside.
    fn tools(&self) -> String {
        match self {
            Self::Container(_) => tools::INSIDE.to_owned(),
            Self::Process(guest) => guest.tools(),
        }
    }
}
