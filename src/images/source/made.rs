//! For tests: images, as registries, archives and directories have them.

use std::io::Write as _;

use serde_json::{Value, json};

use super::super::Digest;
use super::documents::architecture;
use super::scripted::{RegistryRequest, Said};

/// An entry of an archive: a file, or a link to another.
#[derive(Clone, Copy)]
pub enum TarFile<'a> {
    File(&'a str, &'a [u8]),
    Symlink(&'a str, &'a str),
}

/// An archive (POSIX.1-2017, `ustar`).
pub fn tar(entries: &[TarFile<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        let (name, link, bytes, kind) = match *entry {
            TarFile::File(name, bytes) => (name, "", bytes, b'0'),
            TarFile::Symlink(name, to) => (name, to, &[][..], b'2'),
        };
        let mut header = [0; 512];
        let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
        put(0, name.as_bytes());
        put(100, b"0000644\0");
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        put(124, format!("{:011o}\0", bytes.len()).as_bytes());
        put(136, b"00000000000\0");
        put(148, b"        ");
        put(156, &[kind]);
        put(157, link.as_bytes());
        put(257, b"ustar\x0000");
        let sum: u32 = header.iter().copied().map(u32::from).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// The same, compressed.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// An image of two layers: `/base` in the lower one, `/top` in the upper one.
#[derive(Clone)]
pub struct MadeImage {
    /// Not compressed, the lowest first.
    pub layers: Vec<Vec<u8>>,
    pub config: Vec<u8>,
}

impl MadeImage {
    /// One with this text in `/top`.
    pub fn new(text: &str) -> Self {
        let base = tar(&[TarFile::File("base", b"the same in all")]);
        let top = tar(&[TarFile::File("top", text.as_bytes())]);
        let layers = vec![base, top];
        let diff_ids: Vec<_> = layers.iter().map(|layer| Digest::of(layer)).collect();
        let config = json!({"architecture": architecture(), "os": "linux",
            "config": {"Env": ["A=b"], "WorkingDir": "/w"}, "rootfs": {"diff_ids": diff_ids}});
        let config = config.to_string().into_bytes();
        Self { layers, config }
    }

    /// The layers as registries keep them.
    pub fn blobs(&self) -> Vec<Vec<u8>> {
        self.layers.iter().map(|layer| gzip(layer)).collect()
    }

    pub fn manifest(&self) -> Vec<u8> {
        let layer = |blob: &Vec<u8>| {
            json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": Digest::of(blob), "size": blob.len()})
        };
        let layers: Vec<Value> = self.blobs().iter().map(layer).collect();
        let config = json!({"mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": Digest::of(&self.config), "size": self.config.len()});
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers});
        manifest.to_string().into_bytes()
    }

    /// What a registry that has it answers.
    pub fn says(&self, asked: &RegistryRequest) -> Said {
        let is_it = |bytes: &[u8]| asked.path.ends_with(Digest::of(bytes).as_str());
        let blobs = self.blobs();
        if asked.path.contains("/manifests/") {
            Said::new(200, self.manifest())
        } else if is_it(&self.config) {
            Said::new(200, self.config.clone())
        } else if let Some(blob) = blobs.iter().find(|blob| is_it(blob)) {
            Said::blob(blob, asked)
        } else {
            Said::new(404, "")
        }
    }
}

/// The files of an OCI layout with these images; the names are what they are annotated with.
pub fn layout(images: &[(Option<&str>, &MadeImage)]) -> Vec<(String, Vec<u8>)> {
    let mut files = vec![(
        "oci-layout".to_owned(),
        br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec(),
    )];
    let mut entries = Vec::new();
    for (name, image) in images {
        let manifest = image.manifest();
        let mut entry = json!({"digest": Digest::of(&manifest), "size": manifest.len()});
        if let Some(name) = name {
            entry["annotations"] = json!({"org.opencontainers.image.ref.name": name});
        }
        entries.push(entry);
        let parts = [manifest, image.config.clone()]
            .into_iter()
            .chain(image.blobs());
        for part in parts {
            let path = format!("blobs/sha256/{}", Digest::of(&part).hex());
            files.push((path, part));
        }
    }
    let index = json!({"schemaVersion": 2, "manifests": entries}).to_string();
    files.push(("index.json".to_owned(), index.into_bytes()));
    files
}

/// An archive of files.
pub fn archived(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let entries: Vec<_> = files
        .iter()
        .map(|(name, bytes)| TarFile::File(name, bytes))
        .collect();
    tar(&entries)
}

/// What `docker save` wrote before version 25: an image's second layer is a link to another's, where
/// it is the same.
pub fn saved(tags: Option<&[&str]>, image: &MadeImage) -> Vec<u8> {
    let config = format!("{}.json", Digest::of(&image.config).hex());
    let manifest = json!([{"Config": &config, "RepoTags": tags,
        "Layers": ["aa/layer.tar", "bb/layer.tar"]}]);
    let manifest = manifest.to_string();
    tar(&[
        TarFile::File(&config, &image.config),
        TarFile::File("aa/layer.tar", &image.layers[0]),
        TarFile::Symlink("bb/layer.tar", "../cc/layer.tar"),
        TarFile::File("cc/layer.tar", &image.layers[1]),
        TarFile::File("manifest.json", manifest.as_bytes()),
    ])
}
