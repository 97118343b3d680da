//! What we ask the daemon ourselves: is it there, what is ours, and to end it.

use std::collections::HashMap;
use std::time::Duration;

use bollard::query_parameters as query;

use super::DockerEndpoint;
use crate::bench::RunName;
use crate::error::{Error, Result};
use crate::process::Owner;

/// The label with the run's name.
pub const RUN_LABEL: &str = "regatta.run";
/// The label with the owner: `<pid>:<start>:<boot id>`.
pub const OWNER_LABEL: &str = "regatta.owner";

/// The label with the trial.
pub const TRIAL_LABEL: &str = "regatta.trial";

/// A connection to the daemon.
#[derive(Clone, Debug)]
pub struct Docker {
    pub(super) api: bollard::Docker,
    endpoint: DockerEndpoint,
}

/// A container with our label, as the daemon lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OurContainer {
    /// Its full id, by which it is removed.
    pub id: String,
    /// Its name, without the slash that the daemon puts before it; empty where it has none.
    pub name: String,
    /// The image's name, as the daemon lists it.
    pub image: String,
    /// The run it belongs to.
    pub run: String,
    /// The process that made it, by its label; `None` where the label cannot be read.
    pub owner: Option<Owner>,
}

/// How a container ended, as the daemon tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContainerEnd {
    /// Whether the kernel killed it for its memory.
    pub oom: bool,
    /// The exit code of its first process; `None` where it is not known.
    pub exit_code: Option<i64>,
}

const TIMEOUT: Duration = Duration::from_mins(1);
/// How often a removal is tried, and how long after the last time.
pub(super) const REMOVALS: u32 = 4;
pub(super) const AGAIN: Duration = Duration::from_millis(250);

impl Docker {
    /// Prepares a connection; nothing is asked yet.
    pub fn at(endpoint: DockerEndpoint) -> Result<Self> {
        let version = bollard::API_DEFAULT_VERSION;
        let api = match &endpoint {
            DockerEndpoint::Unix(path) => bollard::Docker::connect_with_unix(
                &path.to_string_lossy(),
                TIMEOUT.as_secs(),
                version,
            ),
            DockerEndpoint::Tcp(address) => {
                bollard::Docker::connect_with_http(address, TIMEOUT.as_secs(), version)
            }
        };
        let api = api.map_err(|error| unreachable(&endpoint, &error.to_string()))?;
        Ok(Self { api, endpoint })
    }

    /// The daemon's version, which shows that it answers.
    pub async fn version(&self) -> Result<String> {
        // The library's own error for this says neither why nor where.
        if let Err(error) = self.endpoint.connect().await {
            return Err(unreachable(&self.endpoint, &error.to_string()));
        }
        let asked = tokio::time::timeout(Duration::from_secs(10), self.api.version());
        match asked.await {
            Ok(Ok(version)) => Ok(format!(
                "{} (API {})",
                version.version.unwrap_or_default(),
                version.api_version.unwrap_or_default()
            )),
            Ok(Err(error)) => Err(unreachable(&self.endpoint, &error.to_string())),
            Err(_) => Err(unreachable(&self.endpoint, "no answer within 10 s")),
        }
    }

    /// The images that the daemon has, by name and tag, with their size in bytes.
    pub async fn present_images(&self) -> Result<HashMap<String, u64>> {
        let images = self.api.list_images(None::<query::ListImagesOptions>).await;
        let images = images.map_err(|error| self.failed("list the images", &error))?;
        let tags = images.into_iter().flat_map(|image| {
            let size = u64::try_from(image.size).unwrap_or(0);
            image.repo_tags.into_iter().map(move |tag| (tag, size))
        });
        Ok(tags.collect())
    }

    /// The containers that carry our label, of one run or of all.
    pub async fn our_containers(&self, run: Option<&RunName>) -> Result<Vec<OurContainer>> {
        let options = query::ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&labelled(run))
            .build();
        let found = self.api.list_containers(Some(options)).await;
        let found = found.map_err(|error| self.failed("list the containers", &error))?;
        Ok(found
            .into_iter()
            .map(|container| {
                let labels = container.labels.unwrap_or_default();
                OurContainer {
                    id: container.id.unwrap_or_default(),
                    name: container
                        .names
                        .unwrap_or_default()
                        .join(" ")
                        .trim_start_matches('/')
                        .to_owned(),
                    image: container.image.unwrap_or_default(),
                    run: labels.get(RUN_LABEL).cloned().unwrap_or_default(),
                    owner: labels
                        .get(OWNER_LABEL)
                        .and_then(|label| Owner::parse(label)),
                }
            })
            .collect())
    }

    /// Ends and removes a container with its anonymous volumes; one that is gone is no error.
    pub async fn remove(&self, id: &str) -> Result<()> {
        let options = query::RemoveContainerOptionsBuilder::new()
            .force(true)
            .v(true)
            .build();
        let mut tries = 1;
        loop {
            let removed = self.api.remove_container(id, Some(options.clone())).await;
            let status = match &removed {
                Err(bollard::errors::Error::DockerResponseServerError { status_code, .. }) => {
                    Some(*status_code)
                }
                _ => None,
            };
            match (removed, status) {
                // 404: gone already; 409: `--rm` or another remover is at it.
                (Ok(()), _) | (Err(_), Some(404 | 409)) => return Ok(()),
                // Podman does not kill a container that ends by itself at this moment.
                (Err(_), Some(500..)) if tries < REMOVALS => tokio::time::sleep(AGAIN).await,
                (Err(error), _) => {
                    return Err(self.failed(&format!("remove the container {id}"), &error));
                }
            }
            tries += 1;
        }
    }

    /// How a container ended; `None` while it runs, or when it is gone without a trace.
    pub async fn death(&self, id: &str) -> Option<ContainerEnd> {
        let options = None::<query::InspectContainerOptions>;
        let state = self.api.inspect_container(id, options).await.ok()?.state?;
        (state.running == Some(false)).then(|| ContainerEnd {
            oom: state.oom_killed.unwrap_or(false),
            exit_code: state.exit_code,
        })
    }

    /// Whether the daemon still knows a container.
    pub async fn exists(&self, id: &str) -> bool {
        let options = None::<query::InspectContainerOptions>;
        self.api.inspect_container(id, options).await.is_ok()
    }

    pub(super) fn failed(&self, doing: &str, error: &bollard::errors::Error) -> Error {
        Error::world(format!(
            "cannot {doing} at {}: {error}",
            self.endpoint.url()
        ))
    }
}

/// What the daemon lists by: our label, of one run or of all.
pub(super) fn labelled(run: Option<&RunName>) -> HashMap<String, Vec<String>> {
    let label = run.map_or_else(|| RUN_LABEL.to_owned(), |run| format!("{RUN_LABEL}={run}"));
    HashMap::from([("label".to_owned(), vec![label])])
}

/// What there is where no daemon can be had.
const WITHOUT_DAEMON: &str =
    "without a daemon: `--engine native --backend oci` runs the same images, as an ordinary user";

fn unreachable(endpoint: &DockerEndpoint, why: &str) -> Error {
    let error = Error::world(format!(
        "no Docker daemon answers at {}: {why}",
        endpoint.url()
    ));
    let error = if why.contains("ermission denied") {
        error.hint("you may not use its socket: join its group (`sudo usermod -aG docker $USER`, then log in again), or point DOCKER_HOST at a daemon of your own")
    } else {
        error.hint("start it (`systemctl start docker`), or point DOCKER_HOST at the one to use")
    };
    error.hint(WITHOUT_DAEMON)
}
