//! For tests: an image that is only carried, and what becomes of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use super::super::documents::architecture;
use super::super::news::PullNews;
use super::super::partial::Partial;
use super::super::resolved::{LayerPlace, Resolved};
use super::super::scripted::{RegistryRequest, Said};
use super::{ImageRepository, Logins, Patience, RegistryOptions};
use crate::images::{Digest, ImageError, Store};

/// An image of one layer, which is no archive: here it is only carried.
#[derive(Clone)]
pub struct CarriedImage {
    pub layer: Vec<u8>,
    pub config: Vec<u8>,
    pub manifest: Vec<u8>,
}

impl CarriedImage {
    pub fn new() -> Self {
        let layer = vec![7; 3_000];
        let config = json!({"architecture": architecture(), "os": "linux",
            "config": {"Env": ["A=b"]}, "rootfs": {"diff_ids": [Digest::of(b"plain").as_str()]}});
        let config = config.to_string().into_bytes();
        let manifest = json!({"schemaVersion": 2,
            "config": {"digest": Digest::of(&config).as_str(), "size": config.len()},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": Digest::of(&layer).as_str(), "size": layer.len()}]});
        let manifest = manifest.to_string().into_bytes();
        Self {
            layer,
            config,
            manifest,
        }
    }

    /// What a registry that has it answers.
    pub fn says(&self, asked: &RegistryRequest) -> Said {
        let by = |bytes: &[u8]| Digest::of(bytes).to_string();
        if asked.path.ends_with(&by(&self.config)) {
            Said::new(200, self.config.clone())
        } else if asked.path.ends_with(&by(&self.layer)) {
            Said::blob(&self.layer, asked)
        } else if asked.path.contains("/manifests/") {
            Said::new(200, self.manifest.clone())
        } else {
            Said::new(404, "")
        }
    }
}

pub fn options() -> RegistryOptions {
    RegistryOptions {
        mirrors: BTreeMap::new(),
        logins: Arc::new(Logins::in_file(None)),
        patience: Patience {
            tries: 4,
            pause: Duration::from_millis(1),
            ..Patience::default()
        },
        certificates: Vec::new(),
    }
}

pub fn with_login(text: &str) -> (tempfile::TempDir, RegistryOptions) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.json");
    crate::files::write_in_place(&path, text.as_bytes()).unwrap();
    let logins = Arc::new(Logins::in_file(Some(path)));
    let options = RegistryOptions {
        logins,
        ..options()
    };
    (dir, options)
}

/// What became of an image: its parts and the layer's bytes.
pub struct HadImage {
    pub image: Resolved,
    pub bytes: Vec<u8>,
    pub news: Vec<PullNews>,
}

pub async fn have(name: &str, options: &RegistryOptions) -> Result<HadImage, ImageError> {
    have_after(name, options, &[]).await
}

/// The same where a pull that was cut has left these bytes.
pub async fn have_after(
    name: &str,
    options: &RegistryOptions,
    left: &[u8],
) -> Result<HadImage, ImageError> {
    let told = Mutex::new(Vec::new());
    let tell = |news| told.lock().unwrap().push(news);
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path())?;
    let repository = ImageRepository::of(&name.parse().unwrap(), options, &tell).await?;
    let image = repository.resolve().await?;
    let LayerPlace::Blob(digest) = &image.layers[0].place else {
        panic!("{image:?}");
    };
    let mut partial = Partial::hold(&store, digest, image.layers[0].bytes, || {}).await?;
    partial.write(left)?;
    repository.fetch(&mut partial).await?;
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut partial.read()?, &mut bytes).unwrap();
    drop(repository);
    Ok(HadImage {
        image,
        bytes,
        news: told.into_inner().unwrap(),
    })
}
