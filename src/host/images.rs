//! The images that backends make sandboxes from.

use crate::bench::{BackendKind, World};
use crate::config::Config;
use crate::error::Result;
use crate::images::{RegistryOptions, Store};
use crate::sandbox::ImageIds;
use crate::sandbox::docker::{Docker, DockerEndpoint};
use crate::sandbox::oci;

/// Our own store of images, which is made when it is not there.
pub fn store(config: &Config) -> Result<Store> {
    Ok(Store::open(&config.images.store_dir()?)?)
}

/// Where images are pulled from.
#[must_use]
pub fn registries(config: &Config) -> RegistryOptions {
    RegistryOptions::of_user(config.images.mirrors.clone())
}

/// Our own store of images, if there is one yet: to look makes none.
pub fn existing_store(config: &Config) -> Result<Option<Store>> {
    let dir = config.images.store_dir()?;
    if !dir.exists() {
        return Ok(None);
    }
    Ok(Some(Store::open(&dir)?))
}

/// What names the images that a backend of this kind has; none where it has none, or nothing answers.
pub async fn images(kind: BackendKind, config: &Config) -> ImageIds {
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
        BackendKind::Oci => {
            let store = existing_store(config).ok().flatten();
            store.map(|store| oci::worlds(&store)).unwrap_or_default()
        }
        BackendKind::Namespace | BackendKind::Process | BackendKind::Fake => ImageIds::default(),
    }
}

/// What names one image that is there.
pub async fn image(kind: BackendKind, config: &Config, name: &str) -> Result<Option<World>> {
    match kind {
        BackendKind::Docker => {
            let docker = Docker::at(DockerEndpoint::from_environment()?)?;
            Ok(docker.world(name).await)
        }
        BackendKind::Oci => {
            let store = existing_store(config)?;
            Ok(store.and_then(|store| oci::world(&store, name)))
        }
        BackendKind::Namespace | BackendKind::Process | BackendKind::Fake => Ok(None),
    }
}
