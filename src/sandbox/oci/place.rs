//! Our own store of images as a place for sandboxes.

use std::path::PathBuf;
use std::sync::Arc;

use crate::bench::World;
use crate::sandbox::group::Groups;
use crate::sandbox::tools::Tools;
use crate::sandbox::{SandboxError, StartFailure};

/// Our own store of images as a place for sandboxes.
#[derive(Debug)]
pub struct OciPlace {
    /// The guest's program, in a directory that sandboxes see.
    pub tools: Arc<Tools>,
    /// The control group that was delegated to us.
    pub groups: Option<&'static Groups>,
    /// Where sandboxes keep what they write, instead of in memory.
    pub scratch: Option<PathBuf>,
}

impl OciPlace {
    /// Whether the store has an image whole; the error says what to do where it does not.
    pub fn ready(&self, image: &str) -> Result<(), SandboxError> {
        Err(SandboxError::Start {
            why: format!("{image} is not in the store"),
            cause: StartFailure::NoImage,
        })
    }

    /// The digest of an image's configuration, which names its very content.
    #[must_use]
    pub fn image_id(&self, _image: &str) -> Option<String> {
        None
    }

    /// What names an image that is there, for those who look at it later.
    #[must_use]
    pub fn world(&self, _image: &str) -> Option<World> {
        None
    }
}
