//! What names the images that backends make sandboxes from.

use crate::bench::{BackendKind, World};
use crate::config::Config;
use crate::error::Result;
use crate::sandbox::ImageIds;
use crate::sandbox::docker::{Docker, DockerEndpoint};

/// The images that a backend of this kind has; none where it has none, or nothing answers.
pub async fn images(kind: BackendKind, _config: &Config) -> ImageIds {
    match kind {
        BackendKind::Docker => {
            if let Ok(docker) = DockerEndpoint::from_environment().and_then(Docker::at)
                && docker.version().await.is_ok()
            {
                docker.worlds().await
            } else {
                ImageIds::default()
            }
        }
        BackendKind::Oci | BackendKind::Namespace | BackendKind::Process | BackendKind::Fake => {
            ImageIds::default()
        }
    }
}

/// What names one image that is there.
pub async fn image(kind: BackendKind, _config: &Config, name: &str) -> Result<Option<World>> {
    match kind {
        BackendKind::Docker => {
            let docker = Docker::at(DockerEndpoint::from_environment()?)?;
            Ok(docker.world(name).await)
        }
        BackendKind::Oci | BackendKind::Namespace | BackendKind::Process | BackendKind::Fake => {
            Ok(None)
        }
    }
}
