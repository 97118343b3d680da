//! What goes out of the store.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Store;
use super::adding::{NEW, OLD, chain};
use super::lock::StoreLock;
use super::places::Drawer;
use crate::files;
use crate::images::removal::remove_path;
use crate::images::{Digest, ImageError, ImageName};

/// What was removed of a store, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Layers.
    pub layers: u64,
    /// Bytes of those layers.
    pub bytes: u64,
    /// Directories that several layers were merged into.
    pub flat: u64,
    /// Blobs that were not fetched to their end, and what dead processes left.
    pub partial: u64,
    /// Bytes of those blobs.
    pub partial_bytes: u64,
    /// What no image names and somebody uses; it stays.
    pub in_use: u64,
}

impl Store {
    /// Removes an image, and of its layers those that no other image names and nobody uses. `None`
    /// when it is not there.
    pub fn remove(&self, name: &ImageName) -> Result<Option<Pruned>, ImageError> {
        let _alone = self.alone("remove an image")?;
        let path = self.places.image(name);
        let entry = self
            .entries()?
            .into_iter()
            .find(|it| it.image.name == name.to_string());
        if entry.is_none() && !path.exists() {
            return Ok(None);
        }
        files::remove(&path)?;
        let layers = entry.map_or_else(Vec::new, |it| it.image.layers);
        let its: BTreeSet<Digest> = layers.iter().cloned().collect();
        let chains = (0..=layers.len()).map(|n| chain(&layers[..n])).collect();
        let mut pruned = Pruned::default();
        self.sweep(Drawer::Flat, Some(&chains), false, &mut pruned)?;
        self.sweep(Drawer::Layers, Some(&its), false, &mut pruned)?;
        Ok(Some(pruned))
    }

    /// Removes all that no image names and nobody uses, and what dead processes left; dry, only says
    /// what it would.
    pub fn prune(&self, is_dry: bool) -> Result<Pruned, ImageError> {
        let _alone = self.alone("prune the store")?;
        let mut pruned = Pruned::default();
        for drawer in [Drawer::Flat, Drawer::Layers, Drawer::Partial] {
            self.sweep(drawer, None, is_dry, &mut pruned)?;
        }
        Ok(pruned)
    }

    /// Removes what dead processes left of layers that they unpacked, merged or removed; dry, only
    /// finds it. What somebody works at is left alone.
    pub fn clear_leftovers(&self, is_dry: bool) -> Result<Vec<PathBuf>, ImageError> {
        let mut cleared = Vec::new();
        if self.is_read_only() {
            return Ok(cleared);
        }
        for drawer in Drawer::TREES {
            for path in files::list(&self.places.drawer(drawer))? {
                let is_leftover = path.extension().is_some_and(|it| it == NEW || it == OLD);
                let Some(digest) = digest_of(&path).filter(|_| is_leftover) else {
                    continue;
                };
                let lock = StoreLock::try_exclusive(&self.places.lock(drawer, &digest))?;
                if lock.is_none() {
                    continue;
                }
                if !is_dry {
                    take_away(&path)?;
                }
                cleared.push(path);
            }
        }
        Ok(cleared)
    }

    fn alone(&self, doing: &'static str) -> Result<StoreLock, ImageError> {
        self.check_writable("nothing can be removed")?;
        let lock = StoreLock::try_exclusive(&self.places.lock_of_removal())?;
        lock.ok_or_else(|| ImageError::Busy {
            doing,
            dir: self.dir().to_owned(),
        })
    }

    /// What some image names, of a drawer.
    fn named(&self, drawer: Drawer) -> Result<BTreeSet<Digest>, ImageError> {
        let entries = self.entries()?;
        let layers = entries.iter().map(|it| &it.image.layers);
        Ok(match drawer {
            Drawer::Layers => layers.flatten().cloned().collect(),
            Drawer::Flat => layers
                .flat_map(|it| (2..=it.len()).map(|n| chain(&it[..n])))
                .collect(),
            Drawer::Partial => BTreeSet::new(),
        })
    }

    /// Removes from a drawer what no image names, of these or of all.
    fn sweep(
        &self,
        drawer: Drawer,
        these: Option<&BTreeSet<Digest>>,
        is_dry: bool,
        pruned: &mut Pruned,
    ) -> Result<(), ImageError> {
        let named = self.named(drawer)?;
        for path in files::list(&self.places.drawer(drawer))? {
            let is_leftover = path.extension().is_some_and(|it| it == NEW || it == OLD);
            let Some(digest) = digest_of(&path) else {
                continue;
            };
            let is_asked_for = these.is_none_or(|these| these.contains(&digest));
            if !is_asked_for || !is_leftover && named.contains(&digest) {
                continue;
            }
            let lock_path = self.places.lock(drawer, &digest);
            let Some(_lock) = StoreLock::try_exclusive(&lock_path)? else {
                pruned.in_use += u64::from(!is_leftover);
                continue;
            };
            self.count(drawer, &path, &digest, is_leftover, pruned);
            if !is_dry {
                take_away(&path)?;
                files::remove(&lock_path)?;
            }
        }
        Ok(())
    }

    fn count(
        &self,
        drawer: Drawer,
        path: &Path,
        digest: &Digest,
        is_leftover: bool,
        pruned: &mut Pruned,
    ) {
        match drawer {
            Drawer::Layers if !is_leftover => {
                pruned.layers += 1;
                pruned.bytes += self.known(digest).map_or(0, |layer| layer.bytes);
            }
            Drawer::Flat if !is_leftover => pruned.flat += 1,
            _ => {
                pruned.partial += 1;
                let meta = path.symlink_metadata();
                pruned.partial_bytes +=
                    meta.map_or(0, |meta| if meta.is_file() { meta.len() } else { 0 });
            }
        }
    }
}

/// Removes what is under a name at once, and then in fact.
fn take_away(path: &Path) -> Result<(), ImageError> {
    let aside: PathBuf = path.with_extension(OLD);
    let failed = |error| ImageError::system("remove", path, error);
    if aside != *path {
        remove_path(&aside).map_err(failed)?;
        files::rename(path, &aside)?;
    }
    remove_path(&aside).map_err(failed)
}

/// The digest that a file of a drawer has in its name.
fn digest_of(path: &Path) -> Option<Digest> {
    let stem = path.file_stem()?.to_str()?;
    format!("sha256:{stem}").parse().ok()
}
