//! An image that a store has.

use serde::{Deserialize, Serialize};

use super::Digest;

/// An image that a store has, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredImage {
    /// Its name, in full: registry, repository and tag or digest.
    pub name: String,
    /// The digest of its manifest, where it came with one (an archive of `docker save` has none).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub manifest: Option<Digest>,
    /// The digest of its configuration, which names its very content: what Docker's classic store
    /// calls the image's id.
    pub config_digest: Digest,
    /// What its configuration says of how programs are started.
    pub config: ImageConfig,
    /// The digests of its layers, not compressed, the lowest first.
    pub layers: Vec<Digest>,
}

/// What of an image's configuration matters for starting programs in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// Variables, `NAME=value`, in the order of the image.
    pub env: Vec<String>,
    /// The directory that programs start in; empty when the image names none.
    pub workdir: String,
    /// The shell that the image names for its own instructions; empty when it names none.
    pub shell: Vec<String>,
    /// The processor it is for, in Go's words (`amd64`, `arm64`).
    pub architecture: String,
}
