//! One pull of an image.

use std::collections::HashMap;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::CreateImageInfo;
use bollard::query_parameters as query;
use futures_util::StreamExt as _;

use super::bare::reach;
use super::refusal::refusal;
use super::{Docker, DockerEndpoint};
use crate::sandbox::SandboxError;
use crate::sandbox::pulled::{ImageSource, PullFailure};

/// How long a pull may make no progress.
const STALL: Duration = Duration::from_mins(3);
/// Progress is told each time that so many percent more are there.
const STEP: u64 = 10;

/// A daemon as what images are had from.
pub(super) struct Daemon<'a> {
    pub docker: &'a Docker,
    pub endpoint: &'a DockerEndpoint,
    /// Told how a pull goes on.
    pub note: &'a (dyn Fn(String) + Sync),
}

impl ImageSource for Daemon<'_> {
    async fn has(&self, image: &str) -> bool {
        self.docker.api.inspect_image(image).await.is_ok()
    }

    async fn pull(&self, image: &str) -> Result<(), PullFailure> {
        let pulled = pull_once(self.docker, image, self.note).await;
        pulled.map_err(|error| {
            let why = match error {
                // The daemon's own words, without ours around them.
                Error::DockerResponseServerError { message, .. } => message,
                Error::DockerStreamError { error } => error,
                other => other.to_string(),
            };
            let refusal = refusal(&why);
            PullFailure { why, refusal }
        })
    }

    async fn reach(&self) -> Result<(), SandboxError> {
        reach(self.endpoint).await
    }
}

async fn pull_once(
    docker: &Docker,
    image: &str,
    note: &(dyn Fn(String) + Sync),
) -> Result<(), Error> {
    let options = query::CreateImageOptionsBuilder::new()
        .from_image(image)
        .build();
    let mut steps = docker.api.create_image(Some(options), None, None);
    let mut progress = Progress::default();
    loop {
        let step = tokio::time::timeout(STALL, steps.next()).await;
        let step = step.map_err(|_| Error::RequestTimeoutError)?;
        match step.transpose()? {
            Some(step) => {
                if let Some(so_far) = progress.after(&step) {
                    note(format!("pulling {image}: {so_far}"));
                }
            }
            None => return Ok(()),
        }
    }
}

/// How much of an image's layers was downloaded.
///
/// The daemon names all layers at first and the size of each only when its download begins, so the
/// percentage is one of layers, each counted by the part of it that is there.
#[derive(Debug, Default)]
struct Progress {
    layers: HashMap<String, Layer>,
    /// The percentage that was told last.
    told: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Layer {
    current: u64,
    total: u64,
    is_here: bool,
}

impl Progress {
    /// What to tell after the daemon's next word, when there is something new.
    fn after(&mut self, step: &CreateImageInfo) -> Option<String> {
        let status = step.status.as_deref().unwrap_or_default();
        let layer = step.id.clone()?;
        match status {
            "Pulling fs layer" | "Waiting" => {
                self.layers.entry(layer).or_default();
            }
            "Downloading" => {
                let detail = step.progress_detail.as_ref()?;
                let layer = self.layers.entry(layer).or_default();
                layer.current = u64::try_from(detail.current?).ok()?;
                layer.total = detail
                    .total
                    .and_then(|total| u64::try_from(total).ok())
                    .unwrap_or_default();
            }
            "Already exists" | "Download complete" | "Pull complete" => {
                let layer = self.layers.entry(layer).or_default();
                layer.is_here = true;
                layer.current = layer.current.max(layer.total);
            }
            _ => return None,
        }
        let percent = self.percent();
        if percent < self.told + STEP {
            return None;
        }
        self.told = percent;
        let bytes: u64 = self.layers.values().map(|layer| layer.current).sum();
        Some(format!("{percent}%, {} MB", bytes.div_ceil(1_000_000)))
    }

    fn percent(&self) -> u64 {
        let parts = self.layers.values().map(|layer| {
            let part = (layer.current * 100).checked_div(layer.total).unwrap_or(0);
            if layer.is_here { 100 } else { part.min(100) }
        });
        let layers = u64::try_from(self.layers.len()).unwrap_or(u64::MAX);
        parts.sum::<u64>().checked_div(layers).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(layer: &str, status: &str, bytes: Option<(i64, i64)>) -> CreateImageInfo {
        CreateImageInfo {
            id: Some(layer.to_owned()),
            status: Some(status.to_owned()),
            progress_detail: bytes.map(|(current, total)| bollard::models::ProgressDetail {
                current: Some(current),
                total: Some(total),
            }),
            ..CreateImageInfo::default()
        }
    }

    #[test]
    fn a_pull_is_told_in_steps() {
        let steps = [
            step("latest", "Pulling from library/thing", None),
            step("a", "Pulling fs layer", None),
            step("b", "Pulling fs layer", None),
            step("a", "Downloading", Some((1_000_000, 10_000_000))),
            step("a", "Downloading", Some((5_000_000, 10_000_000))),
            step("a", "Downloading", Some((5_100_000, 10_000_000))),
            step("a", "Download complete", None),
            step("b", "Already exists", None),
            step("a", "Pull complete", None),
        ];
        let mut progress = Progress::default();
        let told: Vec<String> = steps
            .iter()
            .filter_map(|step| progress.after(step))
            .collect();
        assert_eq!(told, ["25%, 5 MB", "50%, 10 MB", "100%, 10 MB"]);
    }
}
