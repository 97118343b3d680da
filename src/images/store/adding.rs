//! What comes into the store, and what is held of it while it is used.

use std::io::Read;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::Store;
use super::index::{LAYER, Record};
use super::lock::StoreLock;
use super::places::Drawer;
use crate::files;
use crate::images::flat::{self, Stack};
use crate::images::layer::{self, Hidden, Layer};
use crate::images::removal::remove_path;
use crate::images::{Compression, Digest, ImageError, ImageName, StoredImage};

/// A layer that does not go away while this lives.
#[derive(Debug)]
pub struct HeldLayer {
    lock: StoreLock,
}

/// A layer that was unpacked, or was there.
#[derive(Debug)]
pub struct Unpacked {
    /// What is known of it.
    pub layer: Layer,
    /// Keeps it until its image is added.
    pub held: HeldLayer,
}

/// An image that does not go away while this lives.
#[derive(Debug)]
pub struct Held {
    image: StoredImage,
    trees: Vec<PathBuf>,
    _locks: Vec<StoreLock>,
}

impl Held {
    /// The image.
    #[must_use]
    pub const fn image(&self) -> &StoredImage {
        &self.image
    }

    /// Its directories, the topmost first, as overlay's `lowerdir` wants them.
    #[must_use]
    pub fn trees(&self) -> &[PathBuf] {
        &self.trees
    }
}

/// The directory of what is kept.
pub(super) const TREE: &str = "tree";
/// What a layer hides of those below it.
const HIDDEN: &str = "hidden";
/// What a layer was when it was unpacked.
pub(super) const CONTENTS: &str = "contents";

impl Store {
    /// Holds a layer, when it is there.
    pub fn hold_layer(&self, diff_id: &Digest) -> Result<Option<HeldLayer>, ImageError> {
        if !self.has_layer(diff_id) {
            return Ok(None);
        }
        let lock = StoreLock::shared(&self.places.lock(Drawer::Layers, diff_id))?;
        // It may have been removed meanwhile.
        Ok(self.has_layer(diff_id).then_some(HeldLayer { lock }))
    }

    /// Where a blob is while it is being fetched: its own bytes, as they come. Who writes there holds
    /// its lock.
    #[must_use]
    pub fn partial(&self, blob: &Digest) -> PathBuf {
        self.places.at(Drawer::Partial, blob)
    }

    /// Waits until nobody else fetches a blob.
    pub fn lock_partial(&self, blob: &Digest) -> Result<StoreLock, ImageError> {
        StoreLock::exclusive(&self.places.lock(Drawer::Partial, blob))
    }

    /// The same without waiting; `None` while somebody else fetches it.
    pub fn try_lock_partial(&self, blob: &Digest) -> Result<Option<StoreLock>, ImageError> {
        StoreLock::try_exclusive(&self.places.lock(Drawer::Partial, blob))
    }

    /// Unpacks a layer, whose bytes, not compressed, must have this digest. `told` hears how many more
    /// bytes were read of `from`, which is read to its end. Where the layer is there already, or another
    /// process is faster, nothing is read.
    ///
    /// Several layers may be unpacked at once, by threads and by processes.
    pub fn unpack(
        &self,
        diff_id: &Digest,
        media: Compression,
        from: impl Read,
        told: &dyn Fn(u64),
    ) -> Result<Unpacked, ImageError> {
        if let Some(unpacked) = self.there(diff_id)? {
            return Ok(unpacked);
        }
        // Until the lock is shared again below, nobody may take the new layer for an old one.
        let _bringing = StoreLock::shared(&self.places.lock_of_removal())?;
        let path = self.places.lock(Drawer::Layers, diff_id);
        let lock = StoreLock::to_make(&path, || self.has_layer(diff_id))?;
        if !self.has_layer(diff_id) {
            let made = self.make(Drawer::Layers, diff_id, |dir, tree| {
                let made = layer::unpack(tree, self.owner, diff_id, media, from, told)?;
                files::write_in_place(&dir.join(HIDDEN), &made.hidden.to_bytes())?;
                files::write_in_place(&dir.join(CONTENTS), &made.contents.to_bytes())?;
                write_json(&dir.join(LAYER), &made.layer)
            });
            made.map_err(|error| self.with_our_dir(error))?;
        }
        lock.share(&path)?;
        let layer = self.known(diff_id).ok_or_else(|| self.damaged(diff_id))?;
        let held = HeldLayer { lock };
        Ok(Unpacked { layer, held })
    }

    fn there(&self, diff_id: &Digest) -> Result<Option<Unpacked>, ImageError> {
        let Some(held) = self.hold_layer(diff_id)? else {
            return Ok(None);
        };
        let layer = self.known(diff_id).ok_or_else(|| self.damaged(diff_id))?;
        Ok(Some(Unpacked { layer, held }))
    }

    /// An error of a full disk names the store, and not what in it is gone again.
    fn with_our_dir(&self, mut error: ImageError) -> ImageError {
        if let ImageError::Full { dir, .. } = &mut error {
            self.dir().clone_into(dir);
        }
        error
    }

    fn damaged(&self, diff_id: &Digest) -> ImageError {
        ImageError::Damaged {
            path: self.places.at(Drawer::Layers, diff_id),
            why: format!("its {LAYER} cannot be read"),
        }
    }

    /// Adds an image whose layers are there.
    pub fn add(&self, image: StoredImage, from: &str) -> Result<(), ImageError> {
        let _bringing = StoreLock::shared(&self.places.lock_of_removal())?;
        let name: ImageName = image.name.parse().map_err(|why| ImageError::Damaged {
            path: self.places.images(),
            why,
        })?;
        let held = self.hold(&image)?;
        let entry = Record {
            image,
            from: from.to_owned(),
            pulled: Timestamp::now(),
        };
        let text = serde_json::to_string_pretty(&entry).map_err(|error| ImageError::Damaged {
            path: self.places.image(&name),
            why: error.to_string(),
        })?;
        files::write_atomic(&self.places.image(&name), format!("{text}\n").as_bytes())?;
        drop(held);
        Ok(())
    }

    /// Holds an image: nothing of it goes away while this lives. Where some of its layers hide files
    /// of others, they are merged into one directory, once for all images that begin with them.
    pub fn hold(&self, image: &StoredImage) -> Result<Held, ImageError> {
        let mut locks = Vec::new();
        let mut missing = 0;
        for layer in &image.layers {
            match self.hold_layer(layer)? {
                Some(held) => locks.push(held.lock),
                None => missing += 1,
            }
        }
        if missing > 0 {
            return Err(ImageError::Absent {
                name: image.name.clone(),
                missing,
            });
        }
        let flat = self.count_of_flat(&image.layers)?;
        let (below, above) = image.layers.split_at(flat);
        let mut trees: Vec<PathBuf> = Vec::new();
        for layer in above.iter().rev() {
            let tree = self.places.at(Drawer::Layers, layer).join(TREE);
            // An image may have a layer twice (an empty one): what the lower one has, the upper one
            // has too, and the kernel refuses a directory below itself.
            if !trees.contains(&tree) {
                trees.push(tree);
            }
        }
        if !below.is_empty() {
            let (tree, lock) = self.flatten(below)?;
            trees.push(tree);
            locks.push(lock);
        }
        Ok(Held {
            image: image.clone(),
            trees,
            _locks: locks,
        })
    }

    /// How many layers, the lowest first, are one directory: up to the last that hides files of
    /// another. What the lowest hides, nobody has.
    fn count_of_flat(&self, layers: &[Digest]) -> Result<usize, ImageError> {
        for (n, digest) in layers.iter().enumerate().skip(1).rev() {
            let layer = self.known(digest).ok_or_else(|| self.damaged(digest))?;
            if layer.hides > 0 {
                return Ok(n + 1);
            }
        }
        Ok(0)
    }

    /// One directory for several layers, the lowest first.
    fn flatten(&self, layers: &[Digest]) -> Result<(PathBuf, StoreLock), ImageError> {
        let chain = chain(layers);
        let place = self.places.at(Drawer::Flat, &chain);
        let path = self.places.lock(Drawer::Flat, &chain);
        let shared = StoreLock::shared(&path)?;
        if place.exists() {
            return Ok((place.join(TREE), shared));
        }
        drop(shared);
        let _bringing = StoreLock::shared(&self.places.lock_of_removal())?;
        let lock = StoreLock::to_make(&path, || place.exists())?;
        if !place.exists() {
            let stacks = layers.iter().rev().map(|it| self.stack(it));
            let stacks = stacks.collect::<Result<Vec<_>, _>>()?;
            self.make(Drawer::Flat, &chain, |_, tree| {
                flat::merge(&stacks, tree, self.owner)
            })?;
        }
        lock.share(&path)?;
        Ok((place.join(TREE), lock))
    }

    fn stack(&self, layer: &Digest) -> Result<Stack, ImageError> {
        let dir = self.places.at(Drawer::Layers, layer);
        let path = dir.join(HIDDEN);
        let hidden = Hidden::of_bytes(&files::read(&path)?).ok_or_else(|| ImageError::Damaged {
            path,
            why: "it is no list of what a layer hides".to_owned(),
        })?;
        Ok(Stack::of(dir.join(TREE), hidden))
    }

    /// Makes what a drawer has under a digest, whose lock is held: beside its place, with all that is
    /// written safe on the disk, then renamed.
    fn make(
        &self,
        drawer: Drawer,
        digest: &Digest,
        fill: impl FnOnce(&Path, &Path) -> Result<(), ImageError>,
    ) -> Result<(), ImageError> {
        let place = self.places.at(drawer, digest);
        let fresh = place.with_extension(NEW);
        let tree = fresh.join(TREE);
        let made = clear(&fresh).and_then(|()| {
            files::create_dir(&tree)?;
            if let Some((user, group)) = self.owner {
                for dir in [&fresh, &tree] {
                    std::os::unix::fs::chown(dir, Some(user.as_raw()), Some(group.as_raw()))
                        .map_err(|error| ImageError::system("change the owner of", dir, error))?;
                }
            }
            fill(&fresh, &tree)?;
            let opened = layer::open_dir(&fresh);
            let synced = opened.and_then(rustix::fs::syncfs);
            synced.map_err(|error| ImageError::system("write", &fresh, error))?;
            files::rename(&fresh, &place)?;
            Ok(files::sync_dir(&self.places.drawer(drawer))?)
        });
        if made.is_err() {
            // The error that made it useless says more than that of removing it.
            let _ = clear(&fresh);
        }
        made
    }
}

/// Removes what a writer left that died.
fn clear(fresh: &Path) -> Result<(), ImageError> {
    remove_path(fresh).map_err(|error| ImageError::system("remove", fresh, error))
}

/// The endings of what is being made, and of what is being removed.
pub(super) const NEW: &str = "new";
pub(super) const OLD: &str = "old";

/// The digest of a sequence of layers.
pub(super) fn chain(layers: &[Digest]) -> Digest {
    let texts: Vec<&str> = layers.iter().map(Digest::as_str).collect();
    Digest::of(texts.join(" ").as_bytes())
}

fn write_json(path: &Path, what: &impl serde::Serialize) -> Result<(), ImageError> {
    let text = serde_json::to_string(what).map_err(|error| ImageError::Damaged {
        path: path.to_owned(),
        why: error.to_string(),
    })?;
    Ok(files::write_in_place(path, text.as_bytes())?)
}
