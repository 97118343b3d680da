//! An OCI image layout: `index.json` and `blobs/`, in a directory or in an archive.

use super::super::{Digest, ImageName};
use super::contents::{ImageFiles, document};
use super::documents::{self, Descriptor, ImageManifest, MAX_CONFIG, MAX_MANIFEST, ManifestKind};
use super::error::SourceError;
use super::resolved::{self, LayerPlace, Resolved};

/// The file that lists the images.
pub const INDEX: &str = "index.json";

/// What an image is called: containerd's word, which is a whole name, and the specification's, which
/// is often a tag alone.
const NAMES: [&str; 2] = [
    "io.containerd.image.name",
    "org.opencontainers.image.ref.name",
];

/// The names of its images, whole or as tags.
pub fn names(contents: &dyn ImageFiles) -> Result<Vec<String>, SourceError> {
    let entries = entries(contents)?;
    let names = entries.iter().filter_map(called);
    Ok(names.map(str::to_owned).collect())
}

fn called(entry: &Descriptor) -> Option<&str> {
    let mut names = NAMES.iter();
    names
        .find_map(|key| entry.annotations.get(*key))
        .map(String::as_str)
}

/// The image of a name: by it, by its tag where only tags are written, or else the only one that
/// has no name.
pub fn resolve(contents: &dyn ImageFiles, name: &ImageName) -> Result<Resolved, SourceError> {
    let entries = entries(contents)?;
    let entry = chosen(&entries, name).ok_or_else(|| SourceError::NotInside {
        from: contents.called().to_owned(),
        name: name.to_string(),
        there: entries
            .iter()
            .filter_map(called)
            .map(str::to_owned)
            .collect(),
    })?;
    let shown = name.to_string();
    let (manifest, digest) = image(contents, entry, &shown)?;
    resolved::check(&manifest, &shown)?;
    let config = blob(contents, &manifest.config.digest, MAX_CONFIG)?;
    let about = (shown.as_str(), contents.called());
    resolved::of_manifest(&manifest, digest, &config, about, |digest| {
        LayerPlace::File(path(digest))
    })
}

fn chosen<'a>(entries: &'a [Descriptor], name: &ImageName) -> Option<&'a Descriptor> {
    let by = |fits: &dyn Fn(&str) -> bool| {
        let mut all = entries.iter();
        all.find(|entry| called(entry).is_some_and(fits))
    };
    let is_it = |called: &str| called.parse::<ImageName>().as_ref() == Ok(name);
    let is_whole = |called: &str| called.contains(['/', ':']);
    let by_name = by(&|called| is_whole(called) && is_it(called));
    let by_tag = || by(&|called| !is_whole(called) && Some(called) == name.tag());
    let by_digest = || {
        let digest = name.digest()?;
        entries.iter().find(|entry| entry.digest == *digest)
    };
    let only = || match entries {
        [only] if called(only).is_none() => Some(only),
        _ => None,
    };
    by_digest().or(by_name).or_else(by_tag).or_else(only)
}

fn entries(contents: &dyn ImageFiles) -> Result<Vec<Descriptor>, SourceError> {
    let no_image = |why: String| SourceError::NoImage {
        from: contents.called().to_owned(),
        why,
    };
    let bytes = document(contents, INDEX, MAX_MANIFEST)?
        .ok_or_else(|| no_image("it has no index.json and no manifest.json".to_owned()))?;
    match documents::manifest(&bytes).map_err(|why| no_image(format!("its index.json: {why}")))? {
        ManifestKind::Index(entries) if entries.is_empty() => {
            Err(no_image("its index.json lists none".to_owned()))
        }
        ManifestKind::Index(entries) => Ok(entries),
        ManifestKind::Image(_) => Err(no_image("its index.json is no list of images".to_owned())),
    }
}

/// How many lists may stand in one another.
const DEEPEST: usize = 3;

/// The manifest that an entry leads to, through lists by processor.
fn image(
    contents: &dyn ImageFiles,
    entry: &Descriptor,
    name: &str,
) -> Result<(ImageManifest, Digest), SourceError> {
    let malformed = |why: String| SourceError::Malformed {
        what: format!("the manifest of {name}"),
        from: contents.called().to_owned(),
        why,
    };
    let mut digest = entry.digest.clone();
    for _ in 0..DEEPEST {
        let bytes = blob(contents, &digest, MAX_MANIFEST)?;
        match documents::manifest(&bytes).map_err(malformed)? {
            ManifestKind::Image(manifest) => return Ok((manifest, digest)),
            ManifestKind::Index(all) => digest = documents::for_us(&all, name)?.digest.clone(),
        }
    }
    Err(malformed("it is a list of lists of lists".to_owned()))
}

fn path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// A document by its digest.
fn blob(contents: &dyn ImageFiles, digest: &Digest, most: u64) -> Result<Vec<u8>, SourceError> {
    let path = path(digest);
    let bytes = document(contents, &path, most)?.ok_or_else(|| SourceError::NoImage {
        from: contents.called().to_owned(),
        why: format!("{path} is missing"),
    })?;
    let found = Digest::of(&bytes);
    if found == *digest {
        Ok(bytes)
    } else {
        Err(SourceError::WrongDigest {
            what: path,
            from: contents.called().to_owned(),
            wanted: digest.clone(),
            found,
        })
    }
}
