//! What an image is made of, once its documents are read and hold together.

use super::super::{Digest, ImageConfig};
use super::documents::{self, ImageManifest};
use super::error::SourceError;

/// An image that can be had.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The digest of its manifest, where it came with one.
    pub manifest: Option<Digest>,
    pub config_digest: Digest,
    pub config: ImageConfig,
    /// The lowest first.
    pub layers: Vec<SourceLayer>,
}

/// A layer, and where its bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLayer {
    /// Its digest, not compressed.
    pub diff_id: Digest,
    /// How many bytes it has, as it is kept; 0 where that is not said.
    pub bytes: u64,
    pub place: LayerPlace,
}

/// Where a layer's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerPlace {
    /// In a registry, by the digest of what it keeps.
    Blob(Digest),
    /// In a directory or an archive, by its path there.
    File(String),
}

/// What the configuration of an image of a container is called.
const CONFIGS: [&str; 3] = [
    "",
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];

/// Refuses what is no image of a container, before more of it is read.
pub fn check(manifest: &ImageManifest, name: &str) -> Result<(), SourceError> {
    let media = manifest.config.media_type.as_str();
    if !CONFIGS.contains(&media) {
        return Err(SourceError::Unsupported {
            name: name.to_owned(),
            why: format!("it is no image of a container but {media:?}"),
        });
    }
    documents::check_layers(manifest, name)
}

/// Puts a manifest and its configuration together. `place` says where the layer of a digest is.
pub fn of_manifest(
    manifest: &ImageManifest,
    digest: Digest,
    config: &[u8],
    (name, from): (&str, &str),
    place: impl Fn(&Digest) -> LayerPlace,
) -> Result<Resolved, SourceError> {
    let found = Digest::of(config);
    if found != manifest.config.digest {
        return Err(SourceError::WrongDigest {
            what: format!("the configuration of {name}"),
            from: from.to_owned(),
            wanted: manifest.config.digest.clone(),
            found,
        });
    }
    let layers = manifest.layers.iter();
    let places = layers.map(|layer| (layer.size, place(&layer.digest)));
    let image = of_config(config, (name, from), places.collect())?;
    Ok(Resolved {
        manifest: Some(digest),
        ..image
    })
}

/// An image by its configuration, with the bytes and the place of each layer.
pub fn of_config(
    config: &[u8],
    (name, from): (&str, &str),
    places: Vec<(u64, LayerPlace)>,
) -> Result<Resolved, SourceError> {
    let read = documents::config(config, name, from)?;
    if read.diff_ids.len() != places.len() {
        return Err(SourceError::Malformed {
            what: format!("the configuration of {name}"),
            from: from.to_owned(),
            why: format!(
                "it names {} layers, and the manifest {}",
                read.diff_ids.len(),
                places.len()
            ),
        });
    }
    let layers = read.diff_ids.into_iter().zip(places);
    let layers = layers.map(|(diff_id, (bytes, place))| SourceLayer {
        diff_id,
        bytes,
        place,
    });
    Ok(Resolved {
        manifest: None,
        config_digest: Digest::of(config),
        config: read.config,
        layers: layers.collect(),
    })
}
