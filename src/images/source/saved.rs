//! What `docker save` and `podman save` write: `manifest.json`, which lists images with the paths of
//! their configurations and layers (moby, `image/tarexport/save.go`). Since Docker 25 the same paths
//! lead into an OCI layout.

use serde::Deserialize;

use super::super::ImageName;
use super::contents::{ImageFiles, document};
use super::documents::{MAX_CONFIG, MAX_MANIFEST};
use super::error::SourceError;
use super::resolved::{self, LayerPlace, Resolved};
use crate::json;

/// The file that lists the images.
pub const MANIFEST: &str = "manifest.json";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

impl Saved {
    fn tags(&self) -> &[String] {
        self.repo_tags.as_deref().unwrap_or_default()
    }
}

/// The names of its images.
pub fn names(contents: &dyn ImageFiles) -> Result<Vec<String>, SourceError> {
    let all = all(contents)?;
    let tags = all.iter().flat_map(Saved::tags);
    Ok(tags.cloned().collect())
}

/// The image of a name: by it, or else the only one that has no name (saved by its id).
pub fn resolve(contents: &dyn ImageFiles, name: &ImageName) -> Result<Resolved, SourceError> {
    let all = all(contents)?;
    let is_it = |tag: &String| tag.parse::<ImageName>().as_ref() == Ok(name);
    let by_name = all.iter().find(|it| it.tags().iter().any(is_it));
    let only = || match all.as_slice() {
        [only] if only.tags().is_empty() => Some(only),
        _ => None,
    };
    let from = contents.called();
    let image = by_name
        .or_else(only)
        .ok_or_else(|| SourceError::NotInside {
            from: from.to_owned(),
            name: name.to_string(),
            there: all.iter().flat_map(Saved::tags).cloned().collect(),
        })?;
    let config = document(contents, &image.config, MAX_CONFIG)?;
    let config = config.ok_or_else(|| missing(contents, &image.config))?;
    let mut places = Vec::new();
    for path in &image.layers {
        let found = contents.open(path).map_err(|error| {
            let doing = format!("read {path} of {from}");
            SourceError::disk(doing, &error)
        })?;
        let found = found.ok_or_else(|| missing(contents, path))?;
        places.push((found.bytes, LayerPlace::File(path.clone())));
    }
    resolved::of_config(&config, (&name.to_string(), from), places)
}

fn missing(contents: &dyn ImageFiles, path: &str) -> SourceError {
    SourceError::NoImage {
        from: contents.called().to_owned(),
        why: format!("{MANIFEST} names {path:?}, which is not in it"),
    }
}

fn all(contents: &dyn ImageFiles) -> Result<Vec<Saved>, SourceError> {
    let bytes = document(contents, MANIFEST, MAX_MANIFEST)?.unwrap_or_default();
    let all: Vec<Saved> = json::of_bytes(&bytes).map_err(|error| SourceError::NoImage {
        from: contents.called().to_owned(),
        why: format!("its {MANIFEST} is not one of `docker save`: {error}"),
    })?;
    if all.is_empty() {
        return Err(SourceError::NoImage {
            from: contents.called().to_owned(),
            why: format!("its {MANIFEST} lists none"),
        });
    }
    Ok(all)
}
