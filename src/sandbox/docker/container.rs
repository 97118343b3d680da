//! A container with a guest in it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use bollard::query_parameters as query;
use futures_util::StreamExt as _;
use tokio::sync::Semaphore;

use super::bare::{Bare, reach};
use super::client::{OWNER_LABEL, RUN_LABEL, TRIAL_LABEL};
use super::network::{Holder, Lease, Networks};
use super::pull::Daemon;
use super::{Docker, DockerEndpoint};
use crate::guest::call::{Door, SOCKET_VAR};
use crate::process::{Owner, processors};
use crate::sandbox::channel::{BrokenChannel, Channel};
use crate::sandbox::pulled::PulledImages;
use crate::sandbox::tools::{GUEST_COMMAND, INSIDE, Tools, guest_options};
use crate::sandbox::{SandboxError, Spec, StartFailure};

/// Requests that make, start or remove containers at the same time, for each processor: more only
/// queue up in the daemon, where they get in each other's way and time out.
const AT_ONCE: usize = 2;
/// How long the guest may take to its first word, in a container that was started.
const FIRST_WORD: Duration = Duration::from_mins(2);

/// A daemon as a place for sandboxes.
#[derive(Debug)]
pub struct DockerPlace {
    docker: Docker,
    endpoint: DockerEndpoint,
    tools: Arc<Tools>,
    gate: Arc<Semaphore>,
    images: Arc<PulledImages>,
    networks: Arc<Networks>,
}

/// A container of ours that runs a guest for an agent.
#[derive(Debug)]
pub struct Container {
    bare: Bare,
    network: Network,
}

/// The network that a container uses.
#[derive(Debug)]
enum Network {
    /// Its own, which it holds for others when its agent is done.
    Own(Arc<Networks>),
    /// One that another holds, which it gives back.
    Shared(Box<Lease>),
}

impl DockerPlace {
    /// A daemon that this machine's files can be mounted from.
    #[must_use]
    pub fn new(docker: Docker, endpoint: DockerEndpoint, tools: Arc<Tools>) -> Self {
        Self {
            images: PulledImages::of(&endpoint.url()),
            docker,
            endpoint,
            tools,
            gate: Arc::new(Semaphore::new(AT_ONCE * processors())),
            networks: Arc::default(),
        }
    }

    /// Pulls an image that is not there; `note` is told how it goes on.
    pub async fn pull(
        &self,
        image: &str,
        note: &(dyn Fn(String) + Sync),
    ) -> Result<(), SandboxError> {
        let daemon = Daemon {
            docker: &self.docker,
            endpoint: &self.endpoint,
            note,
        };
        self.images.have(&daemon, image, note).await
    }

    /// Tries once more to pull what could not be pulled and may be there by now.
    pub fn forget_failed_pulls(&self) {
        self.images.forget_failures();
    }

    /// The client of the daemon that makes its containers.
    pub(super) const fn docker(&self) -> &Docker {
        &self.docker
    }

    /// The id of an image that is there; it names the image's very content.
    pub async fn image_id(&self, image: &str) -> Option<String> {
        self.docker.api.inspect_image(image).await.ok()?.id
    }

    /// Starts a container of an image with a guest, and the channel to it.
    pub async fn start(
        &self,
        spec: &Spec,
        image: &str,
    ) -> Result<(Container, Channel), SandboxError> {
        if let Some(lease) = self.networks.take() {
            match self.start_with(spec, image, lease.mode()).await {
                Ok((bare, channel)) => {
                    let network = Network::Shared(Box::new(lease));
                    return Ok((Container { bare, network }, channel));
                }
                // Somebody may have ended what held the network: once more, with a new one.
                Err(error) => {
                    lease.remove().await;
                    let may_be_that = matches!(error, SandboxError::Start { .. });
                    if !may_be_that || is_about_image(&error) {
                        return Err(error);
                    }
                }
            }
        }
        let mode = if spec.limits.network {
            "default"
        } else {
            "none"
        };
        let (bare, channel) = self.start_with(spec, image, mode.to_owned()).await?;
        let network = Network::Own(Arc::clone(&self.networks));
        Ok((Container { bare, network }, channel))
    }

    /// Removes what is kept for containers to come.
    pub async fn close(&self) {
        self.networks.close().await;
    }

    async fn start_with(
        &self,
        spec: &Spec,
        image: &str,
        network: String,
    ) -> Result<(Bare, Channel), SandboxError> {
        let turn = self.gate.clone().acquire_owned().await;
        let turn = turn.map_err(SandboxError::start)?;
        let options = None::<query::CreateContainerOptions>;
        // Abstract sockets belong to network namespaces, and those outlive containers.
        let door = Door::without_file().map_err(SandboxError::start)?;
        let body = self.body(spec, image, network, &door);
        let created = match self.docker.api.create_container(options, body).await {
            Ok(created) => created,
            Err(error) => return Err(self.refused(&error).await),
        };
        let container = Bare {
            id: created.id,
            docker: self.docker.clone(),
            endpoint: self.endpoint.clone(),
            gate: Arc::clone(&self.gate),
        };
        let channel = self.attach_and_start(&container.id).await;
        drop(turn);
        match channel {
            Ok(mut channel) => match channel.ready(FIRST_WORD).await {
                Ok(()) => Ok((container, channel)),
                Err(broken) => {
                    let died = container.post_mortem(&broken).await;
                    container.remove().await;
                    Err(died)
                }
            },
            Err(error) => {
                let refused = self.refused(&error).await;
                container.remove().await;
                Err(refused)
            }
        }
    }

    async fn attach_and_start(&self, id: &str) -> Result<Channel, bollard::errors::Error> {
        let options = query::AttachContainerOptionsBuilder::new()
            .stdin(true)
            .stdout(true)
            .stderr(false)
            .stream(true)
            .build();
        let attached = self.docker.api.attach_container(id, Some(options)).await?;
        let options = None::<query::StartContainerOptions>;
        self.docker.api.start_container(id, options).await?;
        let pieces = attached.output.map(|piece| match piece {
            Ok(LogOutput::StdOut { message }) => Ok(message.to_vec()),
            Ok(_) => Ok(Vec::new()),
            Err(error) => Err(std::io::Error::other(error)),
        });
        Ok(Channel::over_stream(Box::pin(pieces), attached.input))
    }

    fn body(&self, spec: &Spec, image: &str, network: String, door: &Door) -> ContainerCreateBody {
        let limits = &spec.limits;
        let mut words = self.tools.command(INSIDE, GUEST_COMMAND);
        words.extend(guest_options(door, spec));
        let mut env: Vec<String> = spec
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if spec.calls_harness() {
            env.push(format!("{SOCKET_VAR}={door}"));
        }
        let labels = [
            (RUN_LABEL, spec.run.clone()),
            (TRIAL_LABEL, spec.trial.clone()),
            (OWNER_LABEL, Owner::this().label()),
        ];
        #[expect(clippy::cast_possible_truncation, reason = "billionths of a CPU")]
        let nano_cpus = limits.cpus.map(|cpus| (cpus * 1e9) as i64);
        ContainerCreateBody {
            image: Some(image.to_owned()),
            // Cleared: a task image's own entry point would swallow our command.
            entrypoint: Some(words),
            cmd: Some(Vec::new()),
            env: Some(env),
            labels: Some(
                labels
                    .map(|(name, value)| (name.to_owned(), value))
                    .into_iter()
                    .collect::<HashMap<_, _>>(),
            ),
            working_dir: Some("/workspace/repo".to_owned()),
            tty: Some(false),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            open_stdin: Some(true),
            // When we go, even by `kill -9`, the daemon closes the guest's input and it ends.
            stdin_once: Some(true),
            host_config: Some(HostConfig {
                binds: Some(vec![format!("{}:{INSIDE}:ro", self.tools.dir().display())]),
                // What the guest says is ours to keep; the daemon would write all of it to disk.
                log_config: Some(HostConfigLogConfig {
                    typ: Some("none".to_owned()),
                    config: None,
                }),
                memory: limits
                    .memory_bytes
                    .and_then(|bytes| i64::try_from(bytes).ok()),
                nano_cpus,
                pids_limit: Some(i64::from(limits.pids)),
                network_mode: Some(network),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        }
    }

    /// What a daemon's refusal means.
    async fn refused(&self, error: &bollard::errors::Error) -> SandboxError {
        use bollard::errors::Error::DockerResponseServerError;
        if let DockerResponseServerError {
            status_code,
            message,
        } = error
        {
            let cause = if *status_code == 404 && message.contains("o such image") {
                StartFailure::Image
            } else {
                StartFailure::Other
            };
            let hint = if message.contains("bind source path") {
                " (the daemon does not see this machine's files: a remote one cannot be used)"
            } else {
                ""
            };
            return SandboxError::Start {
                why: format!("{message}{hint}"),
                cause,
            };
        }
        match reach(&self.endpoint).await {
            Ok(()) => SandboxError::start(error),
            Err(gone) => gone,
        }
    }
}

fn is_about_image(error: &SandboxError) -> bool {
    matches!(
        error,
        SandboxError::Start {
            cause: StartFailure::Image,
            ..
        }
    )
}

impl Container {
    /// Its full id, as the daemon gave it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.bare.id
    }

    /// What became of it, when its channel broke: asked of the daemon, never read from output.
    pub async fn post_mortem(&self, broken: &BrokenChannel) -> SandboxError {
        self.bare.post_mortem(broken).await
    }

    /// Ends its first process from outside, as a crash would.
    pub async fn kill(&self) {
        self.bare.kill().await;
    }

    /// Ends everything in it, and removes it or leaves it behind as the holder of its network. What
    /// cannot be removed now is labelled, and the reaper's.
    pub async fn close(self, mut channel: Channel) {
        match self.network {
            Network::Own(networks) => {
                if channel.purge().await.is_ok() {
                    networks.keep(Holder::new(self.bare, channel));
                } else {
                    drop(channel);
                    self.bare.remove().await;
                }
            }
            Network::Shared(lease) => {
                drop(channel);
                if self.bare.remove().await {
                    lease.give_back();
                } else {
                    lease.remove().await;
                }
            }
        }
    }
}
