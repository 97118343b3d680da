//! An image as an archive.

use std::time::Duration;

use futures_util::StreamExt as _;

use super::Docker;
use crate::error::Result;

/// How long the daemon may take before the first byte: it collects the layers first.
const COLLECTING: Duration = Duration::from_mins(10);

impl Docker {
    /// What `docker save` writes of an image; `each` takes it in, piece by piece.
    pub async fn export(
        &self,
        image: &str,
        each: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let api = self.api.clone().with_timeout(COLLECTING);
        let mut pieces = api.export_image(image);
        while let Some(piece) = pieces.next().await {
            let doing = || format!("save the image {image}");
            each(&piece.map_err(|error| self.failed(&doing(), &error))?)?;
        }
        Ok(())
    }
}
