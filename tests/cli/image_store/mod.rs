//! The store of images: layers unpacked, merged, held and removed.

mod layers;
mod model;
mod shared;
mod tar;

use std::path::Path;

use regatta::images::{Compression, Digest, ImageConfig, ImageError, Layer, Store, StoredImage};

use tar::Tar;

fn store(dir: &Path) -> Store {
    Store::open(&dir.join("a store")).unwrap()
}

fn unpack(store: &Store, tar: Tar) -> Result<(Digest, Layer), ImageError> {
    let (bytes, digest) = tar.done();
    let unpacked = store.unpack(&digest, Compression::Detect, &bytes[..], &|_| ())?;
    Ok((digest, unpacked.layer))
}

fn image(name: &str, layers: &[Digest]) -> StoredImage {
    StoredImage {
        name: name
            .parse::<regatta::images::ImageName>()
            .unwrap()
            .to_string(),
        manifest: None,
        config_digest: Digest::of(name.as_bytes()),
        config: ImageConfig::default(),
        layers: layers.to_vec(),
    }
}
