//! What the store knows of its images.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Store;
use super::places::Drawer;
use crate::files;
use crate::images::layer::Layer;
use crate::images::{Digest, ImageError, ImageName, StoredImage};

/// An image's file in the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(flatten)]
    pub image: StoredImage,
    /// Where it was pulled from.
    pub from: String,
    pub pulled: Timestamp,
}

/// An image of the store, as it is listed.
#[derive(Clone, Debug)]
pub struct ListedImage {
    /// The image.
    pub image: StoredImage,
    /// Where it was pulled from.
    pub from: String,
    /// When.
    pub pulled: Timestamp,
    /// Bytes of all its layers.
    pub bytes: u64,
    /// Bytes of those layers that no other image of the store has.
    pub own: u64,
    /// How many of its layers are missing.
    pub missing: usize,
}

impl Store {
    /// What is known of an image; `None` when it is not there, or a layer of it is missing.
    pub fn image(&self, name: &ImageName) -> Result<Option<StoredImage>, ImageError> {
        let path = self.places.image(name);
        if !path.exists() {
            return Ok(None);
        }
        let image = read(&path)?.image;
        let is_whole = image.layers.iter().all(|layer| self.has_layer(layer));
        Ok(is_whole.then_some(image))
    }

    /// All images, by their names.
    pub fn images(&self) -> Result<Vec<ListedImage>, ImageError> {
        let entries = self.entries()?;
        let mut named: BTreeMap<&Digest, usize> = BTreeMap::new();
        for layer in entries.iter().flat_map(|it| distinct(&it.image.layers)) {
            *named.entry(layer).or_default() += 1;
        }
        let listed = |entry: &Record| {
            let (mut bytes, mut own, mut missing) = (0, 0, 0);
            for digest in distinct(&entry.image.layers) {
                match self.known(digest) {
                    Some(layer) => {
                        bytes += layer.bytes;
                        own += if named[digest] == 1 { layer.bytes } else { 0 };
                    }
                    None => missing += 1,
                }
            }
            ListedImage {
                image: entry.image.clone(),
                from: entry.from.clone(),
                pulled: entry.pulled,
                bytes,
                own,
                missing,
            }
        };
        Ok(entries.iter().map(listed).collect())
    }

    /// Whether a layer is there, unpacked.
    #[must_use]
    pub fn has_layer(&self, diff_id: &Digest) -> bool {
        self.places.at(Drawer::Layers, diff_id).exists()
    }

    /// What is known of a layer that is there.
    #[must_use]
    pub fn known(&self, diff_id: &Digest) -> Option<Layer> {
        let path = self.places.at(Drawer::Layers, diff_id).join(LAYER);
        let text = files::read_text(&path).ok()?;
        serde_json::from_str(&text).ok()
    }

    pub(super) fn entries(&self) -> Result<Vec<Record>, ImageError> {
        let files = files::list(&self.places.images())?;
        let is_json = |path: &&std::path::PathBuf| path.extension().is_some_and(|it| it == "json");
        let mut entries = files
            .iter()
            .filter(is_json)
            .map(|path| read(path))
            .collect::<Result<Vec<_>, _>>()?;
        entries.sort_by(|a, b| a.image.name.cmp(&b.image.name));
        Ok(entries)
    }
}

/// The file that says what a layer is.
pub(super) const LAYER: &str = "layer.json";

fn read(path: &Path) -> Result<Record, ImageError> {
    let text = files::read_text(path)?;
    serde_json::from_str(&text).map_err(|error| ImageError::Damaged {
        path: path.to_owned(),
        why: error.to_string(),
    })
}

/// An image may have a layer twice (an empty one).
fn distinct(layers: &[Digest]) -> std::collections::BTreeSet<&Digest> {
    layers.iter().collect()
}
