//! Whether the store still has what was put into it.

use std::collections::BTreeSet;

use super::Store;
use super::adding::{CONTENTS, TREE};
use super::places::Drawer;
use crate::files;
use crate::images::layer::LayerContents;
use crate::images::{Digest, ImageError, ImageName};

/// The most bytes that the list of a layer's files may have: a million of them.
const MOST: u64 = 256 << 20;

/// A layer that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedLayer {
    /// The layer.
    pub layer: Digest,
    /// The images that name it.
    pub images: Vec<String>,
    /// What is wrong with it; nothing when it is as it was unpacked.
    pub wrong: Vec<String>,
}

impl Store {
    /// Looks at every layer that these images name, or any, if none is named. `told` hears of each that
    /// was looked at, and how many there are.
    pub fn verify(
        &self,
        images: &[ImageName],
        told: &dyn Fn(usize, usize),
    ) -> Result<Vec<VerifiedLayer>, ImageError> {
        let entries = self.entries()?;
        let names: Vec<String> = images.iter().map(ToString::to_string).collect();
        let is_asked_for = |name: &String| names.is_empty() || names.contains(name);
        let asked = entries.iter().filter(|it| is_asked_for(&it.image.name));
        let layers: BTreeSet<&Digest> = asked.flat_map(|it| &it.image.layers).collect();
        let mut verified = Vec::new();
        for (n, layer) in layers.iter().enumerate() {
            let images = entries.iter().filter(|it| it.image.layers.contains(layer));
            let wrong = self.differences(layer)?;
            verified.push(VerifiedLayer {
                layer: (*layer).clone(),
                images: images.map(|it| it.image.name.clone()).collect(),
                wrong,
            });
            told(n + 1, layers.len());
        }
        Ok(verified)
    }

    /// What of a layer is not as it was unpacked.
    fn differences(&self, layer: &Digest) -> Result<Vec<String>, ImageError> {
        let Some(_held) = self.hold_layer(layer)? else {
            return Ok(vec!["it is missing".to_owned()]);
        };
        let dir = self.places.at(Drawer::Layers, layer);
        let path = dir.join(CONTENTS);
        let known = files::read_up_to(&path, MOST).ok().flatten();
        let known = known.and_then(|bytes| LayerContents::of_bytes(&bytes));
        let Some(contents) = known.filter(|_| self.known(layer).is_some()) else {
            return Ok(vec!["what it was is not known".to_owned()]);
        };
        contents.differences(&dir.join(TREE))
    }
}
