//! Our own store of images as a place for sandboxes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::{OciPulls, ReadiedImages};
use crate::bench::World;
use crate::images::{Held, ImageError, ImageName, RegistryOptions, Store, StoredImage};
use crate::sandbox::group::Groups;
use crate::sandbox::tools::Tools;
use crate::sandbox::{SandboxError, StartFailure};

/// Our own store of images as a place for sandboxes.
#[derive(Debug)]
pub struct OciPlace {
    /// The images.
    pub store: Store,
    /// How one that is missing comes into it.
    pub pulls: OciPulls,
    /// The guest's program, in a directory that sandboxes see.
    pub tools: Arc<Tools>,
    /// The control group that was delegated to us.
    pub groups: Option<&'static Groups>,
    /// Where sandboxes keep what they write, instead of in memory.
    pub scratch: Option<PathBuf>,
    /// Those whose repositories were made ready.
    pub readied: ReadiedImages,
}

impl OciPlace {
    /// One that has what is in a store, and pulls nothing.
    #[must_use]
    pub fn of_store(store: Store, tools: Arc<Tools>, groups: Option<&'static Groups>) -> Self {
        let registries = RegistryOptions::of_user(BTreeMap::new());
        Self {
            pulls: OciPulls::into(&store, registries, false),
            store,
            tools,
            groups,
            scratch: None,
            readied: ReadiedImages::default(),
        }
    }

    /// Pulls an image that is not there; `note` is told how it goes on.
    pub async fn ready(
        &self,
        image: &str,
        note: &(dyn Fn(String) + Sync),
    ) -> Result<(), SandboxError> {
        self.pulls.ready(&self.store, image, note).await
    }

    /// Holds an image, so that it does not go away.
    pub fn hold(&self, image: &str) -> Result<Held, SandboxError> {
        let refused = |why: String| SandboxError::Start {
            why,
            cause: StartFailure::NoImage,
        };
        let name: ImageName = image.parse().map_err(refused)?;
        let stored = self.store.image(&name).map_err(|error| failed(&error))?;
        let stored = stored.ok_or_else(|| {
            refused(format!(
                "{image} is not in the store of images: `regatta images pull {image}` gets it"
            ))
        })?;
        self.store.hold(&stored).map_err(|error| failed(&error))
    }

    /// The digest of an image's configuration, which names its very content.
    #[must_use]
    pub fn image_id(&self, image: &str) -> Option<String> {
        Some(self.stored(image)?.config_digest.to_string())
    }

    /// What names an image that is there, for those who look at it later.
    #[must_use]
    pub fn world(&self, image: &str) -> Option<World> {
        Some(World::ImageConfig(self.image_id(image)?))
    }

    fn stored(&self, image: &str) -> Option<StoredImage> {
        self.store.image(&image.parse().ok()?).ok()?
    }
}

fn failed(error: &ImageError) -> SandboxError {
    SandboxError::Start {
        why: error.to_string(),
        cause: StartFailure::Image,
    }
}
