//! Images in a directory or in an archive, in either of the two forms.

use super::super::ImageName;
use super::contents::{ImageFiles, document};
use super::documents::MAX_MANIFEST;
use super::error::SourceError;
use super::resolved::Resolved;
use super::{layout, saved};

/// The image of a name.
pub fn resolve(contents: &dyn ImageFiles, name: &ImageName) -> Result<Resolved, SourceError> {
    if is_saved(contents)? {
        saved::resolve(contents, name)
    } else {
        layout::resolve(contents, name)
    }
}

/// The names of all images in it; a layout may call them by their tags alone.
pub fn names(contents: &dyn ImageFiles) -> Result<Vec<String>, SourceError> {
    if is_saved(contents)? {
        saved::names(contents)
    } else {
        layout::names(contents)
    }
}

/// Whether `docker save` or one like it wrote it. That form has whole names; a layout beside it may
/// have only tags.
fn is_saved(contents: &dyn ImageFiles) -> Result<bool, SourceError> {
    Ok(document(contents, saved::MANIFEST, MAX_MANIFEST)?.is_some())
}
