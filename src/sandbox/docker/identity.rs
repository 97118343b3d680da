//! What names the content of an image: its configuration's digest, or where the local store keeps
//! images by their manifests, the manifest's.

use std::time::Duration;

use bollard::query_parameters as query;

use super::{Docker, DockerPlace};
use crate::bench::World;
use crate::sandbox::ImageIds;

/// How long the daemon may take to list its images, where nothing depends on them.
const PATIENCE: Duration = Duration::from_secs(10);

impl DockerPlace {
    /// What names an image that is there.
    pub async fn world(&self, image: &str) -> Option<World> {
        self.docker().world(image).await
    }
}

impl Docker {
    /// What names an image that is there.
    pub async fn world(&self, image: &str) -> Option<World> {
        let image = self.api.inspect_image(image).await.ok()?;
        let is_by_manifest = image.descriptor.is_some();
        let digests = image.repo_digests.unwrap_or_default();
        Some(world(image.id?, &digests, is_by_manifest))
    }

    /// What names each image that is there; none where the daemon does not say.
    pub async fn worlds(&self) -> ImageIds {
        let images = self.api.list_images(None::<query::ListImagesOptions>);
        let Ok(Ok(images)) = tokio::time::timeout(PATIENCE, images).await else {
            return ImageIds::default();
        };
        let named = images.into_iter().flat_map(|image| {
            let world = world(image.id, &image.repo_digests, image.descriptor.is_some());
            let tags = image.repo_tags.into_iter();
            tags.map(move |tag| (tag, world.clone()))
        });
        named.collect()
    }
}

/// Stores that keep images by their manifests (containerd's) have a descriptor, and the id among the
/// digests by which a registry knows the image. Others have there the digest of the configuration.
fn world(id: String, repo_digests: &[String], has_descriptor: bool) -> World {
    let id = if id.contains(':') {
        id
    } else {
        format!("sha256:{id}")
    };
    let is_manifest = |known: &String| known.split_once('@').is_some_and(|(_, it)| it == id);
    if has_descriptor || repo_digests.iter().any(is_manifest) {
        World::ImageManifest(id)
    } else {
        World::ImageConfig(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_says_of_what_it_is() {
        let id = || "sha256:aa".to_owned();
        let config = World::ImageConfig(id());
        let manifest = World::ImageManifest(id());
        assert_eq!(world(id(), &["loom@sha256:bb".to_owned()], false), config);
        assert_eq!(world("aa".to_owned(), &[], false), config);
        assert_eq!(world(id(), &["loom@sha256:aa".to_owned()], false), manifest);
        assert_eq!(world(id(), &[], true), manifest);
    }
}
