//! What makes sandboxes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::docker::DockerPlace;
use super::error::SandboxError;
use super::fake::FakeScript;
use super::host_place::HostPlace;
use super::oci::{self, OciPlace};
use super::spec::Source;
use crate::bench::{BackendKind, World};

/// What makes sandboxes, and how much keeps them apart from this machine.
#[derive(Clone, Debug)]
pub enum Backend {
    /// Containers of a Docker or Podman daemon.
    Docker(Arc<DockerPlace>),
    /// Linux namespaces over images of our own store, without a daemon.
    Oci(Arc<OciPlace>),
    /// Linux namespaces, made by this program without a daemon.
    Namespace(Arc<HostPlace>),
    /// Plain processes, without isolation.
    Process(Arc<HostPlace>),
    /// Nothing runs: a script answers, for tests.
    Fake(Arc<FakeScript>),
}

impl Backend {
    /// Removes what is kept for sandboxes to come.
    pub async fn close(&self) {
        if let Self::Docker(place) = self {
            place.close().await;
        }
    }

    /// What kind of backend it is.
    #[must_use]
    pub const fn kind(&self) -> BackendKind {
        match self {
            Self::Docker(_) => BackendKind::Docker,
            Self::Oci(_) => BackendKind::Oci,
            Self::Namespace(_) => BackendKind::Namespace,
            Self::Process(_) => BackendKind::Process,
            Self::Fake(_) => BackendKind::Fake,
        }
    }

    /// Its name in flags and files.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.kind().name()
    }

    /// Whether sandboxes are made from images.
    #[must_use]
    pub const fn has_images(&self) -> bool {
        self.kind().has_images()
    }

    /// What a sandbox of a task is made from, of the two that a task may have.
    #[must_use]
    pub fn source(&self, image: String, tree: PathBuf) -> Source {
        if self.has_images() {
            Source::Image(image)
        } else {
            Source::Tree(tree)
        }
    }

    /// Pulls an image that is not there, where there are images; `note` is told how it goes on.
    pub async fn ready(
        &self,
        image: &str,
        note: &(dyn Fn(String) + Sync),
    ) -> Result<(), SandboxError> {
        match self {
            Self::Docker(place) => place.pull(image, note).await,
            Self::Oci(place) => place.ready(image, note).await,
            Self::Namespace(_) | Self::Process(_) | Self::Fake(_) => Ok(()),
        }
    }

    /// Pulls once more what could not be pulled and may have come by now: for a new attempt.
    pub fn forget_failed_pulls(&self) {
        match self {
            Self::Docker(place) => place.forget_failed_pulls(),
            Self::Oci(place) => place.pulls.forget_failed_pulls(),
            Self::Namespace(_) | Self::Process(_) | Self::Fake(_) => {}
        }
    }

    /// The id of an image that is there; it names the image's very content.
    pub async fn image_id(&self, image: &str) -> Option<String> {
        match self {
            Self::Docker(place) => place.image_id(image).await,
            Self::Oci(place) => place.image_id(image),
            Self::Namespace(_) | Self::Process(_) | Self::Fake(_) => None,
        }
    }

    /// What names an image that is there, for those who look at it later.
    pub async fn image_world(&self, image: &str) -> Option<World> {
        match self {
            Self::Docker(place) => place.world(image).await,
            Self::Oci(place) => oci::world(&place.store, image),
            Self::Namespace(_) | Self::Process(_) | Self::Fake(_) => None,
        }
    }

    /// The directory that sandboxes see as their root file system, where it is not an image's and
    /// not simply this machine's.
    #[must_use]
    pub fn rootfs(&self) -> Option<&Path> {
        match self {
            Self::Namespace(place) => Some(&place.rootfs),
            Self::Docker(_) | Self::Oci(_) | Self::Process(_) | Self::Fake(_) => None,
        }
    }
}
