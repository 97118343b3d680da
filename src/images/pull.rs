//! An image: had from somewhere, and put into the store.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc::{self, UnboundedSender};

use super::source::{
    self, Archive, Dir, ImageFiles, ImageRepository, LayerPlace, Partial, PullNews,
    RegistryOptions, Resolved, SourceError, SourceLayer,
};
use super::{Compression, Digest, HeldLayer, ImageError, ImageName, Store, StoredImage};

/// How many layers of one image are fetched at the same time (Docker's `max-concurrent-downloads`).
const LAYERS: usize = 3;

/// Where an image comes from.
#[derive(Clone, Debug)]
pub enum From {
    /// The registry of its name, or a mirror.
    Registry(RegistryOptions),
    /// A directory: an OCI layout, or what an archive of `docker save` holds.
    Layout(PathBuf),
    /// An archive of `docker save`, or of a layout.
    Archive(Arc<Archive>),
}

impl From {
    /// What is said of where the image came from, by the one who gave it.
    fn shown(&self, host: &str) -> String {
        match self {
            Self::Registry(_) => host.to_owned(),
            Self::Layout(dir) => dir.display().to_string(),
            Self::Archive(archive) => archive.called().to_owned(),
        }
    }
}

/// Puts an image into the store. Layers that are there are not fetched; what a pull that was cut has
/// fetched is gone on with. `news` hears how it goes on.
///
/// Dropped before its end, it stops: what is fetched stays.
pub async fn pull(
    store: &Store,
    name: &ImageName,
    from: &From,
    news: &(dyn Fn(PullNews) + Sync),
) -> Result<StoredImage, ImageError> {
    store.check_writable(&format!("{name} cannot be pulled"))?;
    let place = match from {
        From::Registry(options) => {
            Place::Registry(Box::new(ImageRepository::of(name, options, news).await?))
        }
        From::Layout(dir) => Place::Local(Arc::new(Dir::new(dir))),
        From::Archive(archive) => Place::Local(Arc::clone(archive) as Arc<dyn ImageFiles>),
    };
    let image = place.resolve(name).await?;
    let (held, missing) = sorted(store, &image)?;
    news(PullNews::Begun {
        layers: image.layers.len(),
        missing: missing.len(),
        bytes: missing
            .iter()
            .map(|layer| layer.bytes)
            .fold(0, u64::saturating_add),
    });
    let put = Put {
        store,
        place: &place,
        news,
        stop: Stop::default(),
    };
    let put: Vec<HeldLayer> = stream::iter(missing)
        .map(|layer| put.layer(layer))
        .buffer_unordered(LAYERS)
        .try_collect()
        .await?;
    let image = StoredImage {
        name: name.to_string(),
        manifest: image.manifest,
        config_digest: image.config_digest,
        config: image.config,
        layers: image.layers.into_iter().map(|it| it.diff_id).collect(),
    };
    let shown = from.shown(place.host());
    let (store, added) = (store.clone(), image.clone());
    off_thread(move || store.add(added, &shown)).await?;
    // Until here no layer of it may go away.
    drop((held, put));
    Ok(image)
}

/// The layers that are there, held, and those that are not; each once.
fn sorted(
    store: &Store,
    image: &Resolved,
) -> Result<(Vec<HeldLayer>, Vec<SourceLayer>), ImageError> {
    let (mut seen, mut there, mut missing) = (HashSet::new(), Vec::new(), Vec::new());
    for layer in &image.layers {
        if seen.insert(&layer.diff_id) {
            match store.hold_layer(&layer.diff_id)? {
                Some(held) => there.push(held),
                None => missing.push(layer.clone()),
            }
        }
    }
    Ok((there, missing))
}

/// The names of all images in a directory or an archive; a layout may call them by their tags alone. Of
/// a registry nobody asks.
pub fn names_in(from: &From) -> Result<Vec<String>, SourceError> {
    match from {
        From::Registry(_) => Ok(Vec::new()),
        From::Layout(dir) => source::names(&Dir::new(dir)),
        From::Archive(archive) => source::names(&**archive),
    }
}

/// Work that reads and writes files for long.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImageError> + Send + 'static,
) -> Result<T, ImageError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panic) if panic.is_panic() => std::panic::resume_unwind(panic.into_panic()),
        Err(_) => Err(SourceError::Stopped.into()),
    }
}

/// Where an image is, opened.
enum Place<'a> {
    Registry(Box<ImageRepository<'a>>),
    Local(Arc<dyn ImageFiles>),
}

impl Place<'_> {
    async fn resolve(&self, name: &ImageName) -> Result<Resolved, ImageError> {
        match self {
            Self::Registry(repository) => Ok(repository.resolve().await?),
            Self::Local(contents) => {
                let (contents, name) = (Arc::clone(contents), name.clone());
                off_thread(move || Ok(source::resolve(&*contents, &name)?)).await
            }
        }
    }

    /// Who gives it, for people.
    fn host(&self) -> &str {
        match self {
            Self::Registry(repository) => repository.host(),
            Self::Local(contents) => contents.called(),
        }
    }
}

/// Layers on their way into the store.
struct Put<'a> {
    store: &'a Store,
    place: &'a Place<'a>,
    news: &'a (dyn Fn(PullNews) + Sync),
    stop: Stop,
}

impl Put<'_> {
    async fn layer(&self, layer: SourceLayer) -> Result<HeldLayer, ImageError> {
        let held = match (self.place, &layer.place) {
            (Place::Registry(repository), LayerPlace::Blob(digest)) => {
                self.fetched(repository, &layer, digest).await?
            }
            (Place::Local(contents), LayerPlace::File(path)) => {
                self.found(contents, &layer, path).await?
            }
            // A layer is where its image is.
            _ => return Err(SourceError::Stopped.into()),
        };
        (self.news)(PullNews::Layer);
        Ok(held)
    }

    /// Fetches a layer and unpacks it. Wrong bytes are fetched once more.
    async fn fetched(
        &self,
        repository: &ImageRepository<'_>,
        layer: &SourceLayer,
        digest: &Digest,
    ) -> Result<HeldLayer, ImageError> {
        let has_waited = AtomicBool::new(false);
        let waits = || {
            has_waited.store(true, Ordering::Relaxed);
            (self.news)(PullNews::Waits);
        };
        let mut partial = Partial::hold(self.store, digest, layer.bytes, waits).await?;
        if has_waited.into_inner() {
            (self.news)(PullNews::Waited);
        }
        // Another process may have brought it meanwhile.
        if let Some(held) = self.store.hold_layer(&layer.diff_id)? {
            (self.news)(PullNews::Resumed(layer.bytes));
            partial.remove()?;
            return Ok(held);
        }
        (self.news)(PullNews::Resumed(partial.bytes().min(layer.bytes)));
        let mut is_second = false;
        loop {
            repository.fetch(&mut partial).await?;
            let (checked, found) = off_thread(move || {
                let found = partial.found()?;
                Ok((partial, found))
            })
            .await?;
            partial = checked;
            if found == *digest {
                break;
            }
            (self.news)(PullNews::Lost(partial.bytes()));
            partial.empty()?;
            if is_second {
                partial.remove()?;
                return Err(SourceError::WrongDigest {
                    what: format!("the layer {}", digest.short()),
                    from: repository.host().to_owned(),
                    wanted: digest.clone(),
                    found,
                }
                .into());
            }
            is_second = true;
        }
        let file = partial.read()?;
        let held = self.unpacked(layer, file, None).await?;
        partial.remove()?;
        Ok(held)
    }

    /// Unpacks a layer of a directory or an archive.
    async fn found(
        &self,
        contents: &Arc<dyn ImageFiles>,
        layer: &SourceLayer,
        path: &str,
    ) -> Result<HeldLayer, ImageError> {
        let lost = |why: &io::Error| {
            let doing = format!("read {path} of {}", contents.called());
            SourceError::disk(doing, why)
        };
        let file = contents.open(path).map_err(|error| lost(&error))?;
        let file = file.ok_or_else(|| lost(&io::ErrorKind::NotFound.into()))?;
        let (told, mut heard) = mpsc::unbounded_channel();
        let unpacking = self.unpacked(layer, file.read, Some(told));
        tokio::pin!(unpacking);
        loop {
            tokio::select! {
                done = &mut unpacking => {
                    while let Ok(bytes) = heard.try_recv() {
                        (self.news)(PullNews::Bytes(bytes));
                    }
                    return done;
                }
                Some(bytes) = heard.recv() => (self.news)(PullNews::Bytes(bytes)),
            }
        }
    }

    async fn unpacked(
        &self,
        layer: &SourceLayer,
        read: impl Read + Send + 'static,
        told: Option<UnboundedSender<u64>>,
    ) -> Result<HeldLayer, ImageError> {
        let (store, diff_id) = (self.store.clone(), layer.diff_id.clone());
        let stopped = Arc::clone(&self.stop.0);
        let read = Watched {
            read,
            told,
            stopped,
        };
        off_thread(move || {
            let unpacked = store.unpack(&diff_id, Compression::Detect, read, &|_| {})?;
            Ok(unpacked.held)
        })
        .await
    }
}

/// Stops threads that unpack, when nobody waits for them any more.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Bytes that are counted, and that end when they are to.
struct Watched<R> {
    read: R,
    told: Option<UnboundedSender<u64>>,
    stopped: Arc<AtomicBool>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(io::Error::other("stopped"));
        }
        let read = self.read.read(into)?;
        if let Some(told) = &self.told {
            // Nobody listens after the end.
            let _ = told.send(read as u64);
        }
        Ok(read)
    }
}
