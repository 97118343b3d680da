//! Identical work is done once: by several pairs of one evaluation, and by a later one.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use super::Trouble;
use crate::files;
use crate::text::hex;

/// The largest outcome that is read back from the disk.
const MAX_BYTES: u64 = 256 << 20;
/// A smaller outcome is held in memory although it is on the disk as well, in bytes.
const HELD: usize = 1 << 18;

/// Outcomes by what they follow from. Troubles are not kept.
#[derive(Debug, Default)]
pub struct Cache {
    /// Where outcomes are kept for later; nowhere, when there is no such place.
    dir: Option<PathBuf>,
    /// Whether what is there is asked.
    reads: bool,
    known: std::sync::Mutex<HashMap<String, Arc<Mutex<Option<Value>>>>>,
}

/// What an outcome follows from.
#[derive(Debug)]
pub struct Key {
    digest: Sha256,
    lasts: bool,
}

impl Key {
    /// A key for one kind of work on a ground (see [`super::Venue::ground`]).
    #[must_use]
    pub fn of(kind: &str, ground: Option<&str>, task: &str) -> Self {
        let mut key = Self {
            digest: Sha256::new(),
            lasts: ground.is_some(),
        };
        // The format of outcomes is a part of it: another version of it reads nothing of this one.
        for part in [
            env!("CARGO_PKG_VERSION"),
            kind,
            ground.unwrap_or_default(),
            task,
        ] {
            key.add(part.as_bytes());
        }
        key
    }

    /// Adds something that the outcome follows from.
    pub fn add(&mut self, part: &[u8]) {
        self.digest.update((part.len() as u64).to_le_bytes());
        self.digest.update(part);
    }

    fn name(self) -> String {
        hex(&self.digest.finalize())
    }
}

impl Cache {
    /// A cache in a directory; with `reads` off, outcomes are made anew and replace what is there.
    #[must_use]
    pub fn new(dir: Option<PathBuf>, reads: bool) -> Self {
        Self {
            dir,
            reads,
            known: std::sync::Mutex::default(),
        }
    }

    /// The outcome for this key: a known one, or that of `work`, which is done once at a time.
    pub async fn once<T: Serialize + DeserializeOwned>(
        &self,
        key: Key,
        work: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        let lasts = key.lasts;
        let name = key.name();
        let place = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(name.clone()).or_default())
        };
        // Held over the work: who wants the same waits for it.
        let mut place = place.lock().await;
        let kept = match place.take() {
            Some(value) => Some(value),
            None if lasts && self.reads => self.read(&name),
            None => None,
        };
        if let Some(value) = kept
            && let Ok(outcome) = T::deserialize(&value)
        {
            *place = Some(value);
            return Ok(outcome);
        }
        let outcome = work.await?;
        if let Ok(value) = serde_json::to_value(&outcome) {
            let text = if lasts {
                value.to_string()
            } else {
                String::new()
            };
            let is_kept = lasts && self.write(&name, &text) && self.reads;
            // What is on the disk need not be held, when there is much of it.
            if !is_kept || text.len() < HELD {
                *place = Some(value);
            }
        }
        Ok(outcome)
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        Some(
            self.dir
                .as_ref()?
                .join(&name[..2])
                .join(format!("{name}.json")),
        )
    }

    fn read(&self, name: &str) -> Option<Value> {
        let bytes = files::read_up_to(&self.path(name)?, MAX_BYTES).ok()??;
        serde_json::from_slice(&bytes).ok()
    }

    /// Says whether it is kept now; what cannot be is made again another time.
    fn write(&self, name: &str, text: &str) -> bool {
        self.path(name).is_some_and(|path| {
            let dir = path.parent().map(files::create_dir);
            dir.is_some_and(|made| made.is_ok())
                && files::write_atomic(&path, text.as_bytes()).is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::bench::RuleId;

    fn key(part: &str) -> Key {
        let mut key = Key::of("suite", Some("sha256:1"), "a_task/1");
        key.add(part.as_bytes());
        key
    }

    #[tokio::test]
    async fn work_is_done_once_and_troubles_are_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let count = AtomicU32::new(0);
        let done = async || Ok(count.fetch_add(1, Ordering::Relaxed));
        let cache = Cache::new(Some(dir.path().to_owned()), true);
        let (one, two) = tokio::join!(cache.once(key("a"), done()), cache.once(key("a"), done()));
        assert_eq!((one.unwrap(), two.unwrap()), (0, 0));
        assert_eq!(cache.once(key("b"), done()).await.unwrap(), 1);
        // A later evaluation finds it, unless it is to be made anew.
        let later = Cache::new(Some(dir.path().to_owned()), true);
        assert_eq!(later.once(key("a"), done()).await.unwrap(), 0);
        let anew = Cache::new(Some(dir.path().to_owned()), false);
        assert_eq!(anew.once(key("a"), done()).await.unwrap(), 2);
        // What has no ground is not kept for later.
        let loose = || Key::of("suite", None, "a_task/1");
        assert_eq!(anew.once(loose(), done()).await.unwrap(), 3);
        assert_eq!(later.once(loose(), done()).await.unwrap(), 4);
        let broken = async || Err::<u32, _>(Trouble::new(RuleId::SUITE_TIMEOUT, "x"));
        assert!(cache.once(key("c"), broken()).await.is_err());
        assert_eq!(cache.once(key("c"), done()).await.unwrap(), 5);
    }
}
