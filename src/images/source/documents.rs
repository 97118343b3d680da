//! The documents of an image (OCI image specification 1.1, and Docker's image manifest version 2,
//! schema 2): an index of images, one image's manifest, and its configuration.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::super::{Digest, ImageConfig};
use super::error::SourceError;
use crate::json;

/// The most that a manifest or an index may have, in bytes: what registries take themselves
/// (distribution's `maxManifestBodySize`).
pub const MAX_MANIFEST: u64 = 4 << 20;
/// The most that a configuration may have. One of a thousand instructions has 300 kB.
pub const MAX_CONFIG: u64 = 8 << 20;

/// What a manifest is asked for as.
pub const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// What a document says of another one or of a layer.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    pub digest: Digest,
    #[serde(default)]
    pub size: u64,
    #[serde(default)]
    pub platform: Option<Platform>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// What an image runs on, in Go's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Platform {
    #[serde(default)]
    pub os: String,
    #[serde(default)]
    pub architecture: String,
    #[serde(default)]
    pub variant: String,
}

impl Platform {
    /// As `linux/arm64/v8`.
    fn shown(&self) -> String {
        let parts = [&self.os, &self.architecture, &self.variant];
        let parts = parts.map(String::as_str).into_iter();
        parts
            .filter(|it| !it.is_empty())
            .collect::<Vec<_>>()
            .join("/")
    }

    fn is_ours(&self) -> bool {
        self.os == "linux" && self.architecture == architecture()
    }

    /// Whether it is that of what is no image: builders put what they know of one beside it.
    fn is_of_no_image(&self) -> bool {
        self.os == "unknown" || self.architecture == "unknown"
    }
}

/// This machine's processor, in Go's words.
#[must_use]
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "loongarch64" => "loong64",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        other => other,
    }
}

/// What stands under a tag.
#[derive(Clone, Debug)]
pub enum ManifestKind {
    /// A list of images, for several processors.
    Index(Vec<Descriptor>),
    /// One image.
    Image(ImageManifest),
}

/// The parts of one image.
#[derive(Clone, Debug, Deserialize)]
pub struct ImageManifest {
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
}

/// Reads a manifest or an index; `Err` says what it is instead.
pub fn manifest(bytes: &[u8]) -> Result<ManifestKind, String> {
    let value: Value = json::of_bytes(bytes).map_err(|error| {
        if bytes.trim_ascii_start().starts_with(b"<") {
            "it is a page of HTML and no JSON".to_owned()
        } else {
            format!("it is no JSON: {error}")
        }
    })?;
    let wrong = |error: serde_json::Error| format!("it is none: {error}");
    if let Some(all) = value.get("manifests") {
        let all = Vec::deserialize(all).map_err(wrong)?;
        return Ok(ManifestKind::Index(all));
    }
    if value.get("fsLayers").is_some() {
        return Err(
            "it has the form of 2015 (schema 1), which registries no longer give".to_owned(),
        );
    }
    if value.get("config").is_none() && value.get("layers").is_none() {
        return Err("it has no `config` and no `layers`".to_owned());
    }
    ImageManifest::deserialize(&value)
        .map(ManifestKind::Image)
        .map_err(wrong)
}

/// The image of an index that runs here: the first for this processor, of the plainest variant.
pub fn for_us<'a>(index: &'a [Descriptor], name: &str) -> Result<&'a Descriptor, SourceError> {
    let images = || {
        let is_image = |it: &&Descriptor| {
            let platform = it.platform.as_ref();
            !platform.is_some_and(Platform::is_of_no_image)
        };
        index.iter().filter(is_image)
    };
    let variant = |it: &&Descriptor| {
        let platform = it.platform.as_ref();
        platform.map_or_else(String::new, |platform| platform.variant.clone())
    };
    let ours = images().filter(|it| it.platform.as_ref().is_some_and(Platform::is_ours));
    // The first of the same variant counts.
    if let Some(found) = ours.min_by_key(variant) {
        return Ok(found);
    }
    // One that says nothing is looked at: its configuration has the processor.
    let mut silent = images().filter(|it| it.platform.is_none());
    if let (Some(found), None) = (silent.next(), silent.next()) {
        return Ok(found);
    }
    let mut there: Vec<String> = images()
        .filter_map(|it| it.platform.as_ref().map(Platform::shown))
        .collect();
    there.sort();
    there.dedup();
    Err(SourceError::OtherProcessor {
        name: name.to_owned(),
        wanted: architecture().to_owned(),
        there,
    })
}

/// An image's configuration, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadConfig {
    pub config: ImageConfig,
    /// The digests of the layers, not compressed, the lowest first.
    pub diff_ids: Vec<Digest>,
}

#[derive(Deserialize)]
struct WrittenConfig {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    variant: String,
    #[serde(default)]
    config: Option<Settings>,
    rootfs: Layers,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Settings {
    #[serde(default)]
    env: Option<Vec<String>>,
    #[serde(default)]
    working_dir: Option<String>,
    #[serde(default)]
    shell: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Layers {
    #[serde(default)]
    diff_ids: Option<Vec<Digest>>,
}

/// Reads the configuration of an image that must run here.
pub fn config(bytes: &[u8], name: &str, from: &str) -> Result<ReadConfig, SourceError> {
    let written: WrittenConfig = json::of_bytes(bytes).map_err(|error| SourceError::Malformed {
        what: format!("the configuration of {name}"),
        from: from.to_owned(),
        why: error.to_string(),
    })?;
    let platform = Platform {
        os: written.os,
        architecture: written.architecture,
        variant: written.variant,
    };
    if !platform.is_ours() {
        return Err(SourceError::OtherProcessor {
            name: name.to_owned(),
            wanted: architecture().to_owned(),
            there: vec![platform.shown()],
        });
    }
    let settings = written.config.unwrap_or_default();
    Ok(ReadConfig {
        config: ImageConfig {
            env: settings.env.unwrap_or_default(),
            workdir: settings.working_dir.unwrap_or_default(),
            shell: settings.shell.unwrap_or_default(),
            architecture: platform.architecture,
        },
        diff_ids: written.rootfs.diff_ids.unwrap_or_default(),
    })
}

/// What a layer is called in one of the two families, without how it is compressed.
const OF_LAYERS: [&str; 2] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar",
];
/// The same of layers that registries do not give out.
const OF_FOREIGN_LAYERS: [&str; 2] = [
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
];

/// Refuses layers that are no archives of files. How they are compressed is seen in their bytes.
pub fn check_layers(manifest: &ImageManifest, name: &str) -> Result<(), SourceError> {
    let unsupported = |why: String| {
        Err(SourceError::Unsupported {
            name: name.to_owned(),
            why,
        })
    };
    let is_one_of = |families: [&str; 2], media: &str| {
        families.iter().any(|family| {
            let rest = media.strip_prefix(family);
            rest.is_some_and(|rest| ["", "+gzip", ".gzip", "+zstd", ".zstd"].contains(&rest))
        })
    };
    for layer in &manifest.layers {
        let media = &layer.media_type;
        if is_one_of(OF_FOREIGN_LAYERS, media) {
            return unsupported(format!(
                "its layer {} is one that only its maker gives out (as Windows' bases are), not the registry",
                layer.digest.short()
            ));
        }
        if !is_one_of(OF_LAYERS, media) {
            return unsupported(format!(
                "its layer {} is of a kind that is no archive of files: {:?}",
                layer.digest.short(),
                media
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(platforms: &[&str]) -> Vec<Descriptor> {
        let one = |(n, platform): (usize, &&str)| {
            let mut parts = platform.split('/').map(str::to_owned);
            let mut next = || parts.next().unwrap_or_default();
            Descriptor {
                media_type: String::new(),
                digest: Digest::of(&[u8::try_from(n).unwrap()]),
                size: 1,
                platform: (!platform.is_empty()).then(|| Platform {
                    os: next(),
                    architecture: next(),
                    variant: next(),
                }),
                annotations: BTreeMap::new(),
            }
        };
        platforms.iter().enumerate().map(one).collect()
    }

    #[test]
    fn the_image_for_this_processor_is_chosen_and_others_are_named() {
        let ours = format!("linux/{}", architecture());
        let (newer, older) = (format!("{ours}/v3"), ours.clone());
        for (platforms, chosen) in [
            (vec!["linux/s390x", &ours], Some(1)),
            (vec![&newer, &older], Some(1)),
            (vec![&newer], Some(0)),
            (vec!["unknown/unknown", &ours], Some(1)),
            (vec![""], Some(0)),
            (vec!["unknown/unknown", ""], Some(1)),
            (vec!["", ""], None),
            (vec!["windows/amd64", "linux/mips"], None),
        ] {
            let index = index(&platforms);
            let found = for_us(&index, "x");
            match chosen {
                Some(n) => assert_eq!(found.unwrap().digest, index[n].digest, "{platforms:?}"),
                None => assert!(found.is_err(), "{platforms:?}"),
            }
        }
        let error = for_us(&index(&["linux/mips/r2", "unknown/unknown"]), "a/b:c").unwrap_err();
        let text = error.to_string();
        assert!(text.contains("a/b:c is for another processor"), "{text}");
        assert!(text.ends_with("there is linux/mips/r2"), "{text}");
    }

    #[test]
    fn what_is_no_manifest_is_said_to_be() {
        for (bytes, why) in [
            ("<!doctype html><p>Log in", "a page of HTML"),
            ("", "no JSON"),
            ("{}", "no `config`"),
            (r#"{"schemaVersion": 1, "fsLayers": []}"#, "schema 1"),
            (r#"{"manifests": [{"digest": "sha256:no"}]}"#, "no digest"),
            (r#"{"config": {}, "layers": []}"#, "digest"),
        ] {
            let error = manifest(bytes.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{bytes}: {error}");
        }
    }

    #[test]
    fn a_layer_that_is_no_archive_of_files_is_refused() {
        let manifest = |media: &str| ImageManifest {
            config: index(&[""]).remove(0),
            layers: vec![Descriptor {
                media_type: media.to_owned(),
                ..index(&[""]).remove(0)
            }],
        };
        for media in [
            "application/vnd.oci.image.layer.v1.tar",
            "application/vnd.oci.image.layer.v1.tar+zstd",
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
        ] {
            check_layers(&manifest(media), "x").unwrap();
        }
        for (media, why) in [
            (
                "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                "only its maker",
            ),
            (
                "application/vnd.oci.image.layer.v1.tar+encrypted",
                "no archive of files",
            ),
            (
                "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
                "no archive of files",
            ),
            ("", "no archive of files"),
        ] {
            let error = check_layers(&manifest(media), "x").unwrap_err().to_string();
            assert!(error.contains(why), "{media}: {error}");
        }
    }

    #[test]
    fn a_configuration_of_another_processor_is_refused_and_nulls_are_nothing() {
        let text = format!(
            r#"{{"architecture": "{}", "os": "linux", "config": {{"Env": null, "WorkingDir": "/x"}}, "rootfs": {{"diff_ids": null}}}}"#,
            architecture()
        );
        let read = config(text.as_bytes(), "x", "y").unwrap();
        assert_eq!(
            (read.config.workdir.as_str(), read.diff_ids),
            ("/x", vec![])
        );
        let other = text.replace(architecture(), "mips");
        let error = config(other.as_bytes(), "x", "y").unwrap_err().to_string();
        assert!(error.ends_with("there is linux/mips"), "{error}");
    }
}
