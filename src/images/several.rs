//! Several images, some at the same time.

use std::cell::Cell;

use futures_util::stream::{self, StreamExt as _};

use super::pull::{From, pull};
use super::source::{PullNews, SourceError};
use super::{ImageError, ImageName, Store, StoredImage};

/// What came of several pulls.
#[derive(Debug, Default)]
pub struct Pulled {
    /// Those that are in the store now.
    pub images: Vec<StoredImage>,
    /// Those that could not be had, and why.
    pub failed: Vec<(ImageName, ImageError)>,
    /// Those that were not asked for, after an error that others would have met too.
    pub left: Vec<ImageName>,
}

/// Pulls images, `at_once` at the same time; `source` says where each comes from. An error that is of
/// one image does not keep the others; after one of the network, the registry or the disk, nothing
/// more is begun. `news` hears how it goes on, [`PullNews::Done`] and [`PullNews::Failed`] at the end
/// of each.
pub async fn pull_several(
    store: &Store,
    names: Vec<ImageName>,
    at_once: usize,
    source: impl AsyncFn(&ImageName) -> Result<From, ImageError>,
    news: &(dyn Fn(&ImageName, PullNews) + Sync),
) -> Pulled {
    let is_over = &Cell::new(false);
    let source = &source;
    let each = |name: ImageName| async move {
        if is_over.get() {
            return (name, None);
        }
        let tell = |told| news(&name, told);
        let pulled = match source(&name).await {
            Ok(from) => pull(store, &name, &from, &tell).await,
            Err(error) => Err(error),
        };
        tell(match &pulled {
            Ok(_) => PullNews::Done,
            Err(_) => PullNews::Failed,
        });
        if let Err(error) = &pulled
            && !is_of_one(error)
        {
            is_over.set(true);
        }
        (name, Some(pulled))
    };
    let mut all = std::pin::pin!(
        stream::iter(names)
            .map(each)
            .buffer_unordered(at_once.max(1))
    );
    let mut came = Pulled::default();
    while let Some((name, pulled)) = all.next().await {
        match pulled {
            Some(Ok(image)) => came.images.push(image),
            Some(Err(error)) => came.failed.push((name, error)),
            None => came.left.push(name),
        }
    }
    came
}

/// Whether an error says nothing of other images.
const fn is_of_one(error: &ImageError) -> bool {
    match error {
        ImageError::Fetch(
            SourceError::Unreachable { .. }
            | SourceError::Insecure { .. }
            | SourceError::Limited { .. }
            | SourceError::Status { .. }
            | SourceError::Address { .. }
            | SourceError::ForeignRealm { .. }
            | SourceError::Disk { .. }
            | SourceError::Stopped,
        ) => false,
        ImageError::Fetch(_) | ImageError::WrongDigest { .. } | ImageError::BadLayer { .. } => true,
        _ => false,
    }
}
