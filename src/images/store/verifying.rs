//! Whether the store still has what was put into it.

use super::Store;
use crate::images::{Digest, ImageError};

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
    /// Looks at every layer that an image names. `told` hears of each that was looked at, and how many
    /// there are.
    pub fn verify(&self, told: &dyn Fn(usize, usize)) -> Result<Vec<VerifiedLayer>, ImageError> {
        let entries = self.entries()?;
        let layers: std::collections::BTreeSet<&Digest> =
            entries.iter().flat_map(|it| &it.image.layers).collect();
        let mut verified = Vec::new();
        for (n, layer) in layers.iter().enumerate() {
            let images = entries.iter().filter(|it| it.image.layers.contains(layer));
            let wrong = if self.known(layer).is_none() {
                vec!["it is missing".to_owned()]
            } else {
                Vec::new()
            };
            verified.push(VerifiedLayer {
                layer: (*layer).clone(),
                images: images.map(|it| it.image.name.clone()).collect(),
                wrong,
            });
            told(n + 1, layers.len());
        }
        Ok(verified)
    }
}
