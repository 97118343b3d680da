//! Images that come into our own store when they are wanted.

use std::sync::Arc;

use crate::bench::World;
use crate::images::{
    self, ImageError, ImageName, PullNews, RegistryOptions, SourceError, Store, StoredImage,
};
use crate::sandbox::pulled::{ImageSource, PullFailure, PulledImages, Refusal};
use crate::sandbox::{ImageIds, SandboxError, StartFailure};
use crate::text::one_line;

/// How images come into our own store when they are wanted.
#[derive(Debug)]
pub struct OciPulls {
    pulled: Arc<PulledImages>,
    registries: RegistryOptions,
    /// Whether an image that is missing is pulled.
    may_pull: bool,
}

/// The most of a failure's words that an error has.
const SHOWN: usize = 1000;
/// Where nobody watches, progress is told each time that so many percent more are there.
const STEP: u64 = 10;

impl OciPulls {
    /// Pulls from these registries into a store, where that may be.
    #[must_use]
    pub fn into(store: &Store, registries: RegistryOptions, may_pull: bool) -> Self {
        Self {
            pulled: PulledImages::of(&store.dir().to_string_lossy()),
            registries,
            may_pull,
        }
    }

    /// Pulls an image that is not there; `note` is told how it goes on.
    pub async fn ready(
        &self,
        store: &Store,
        image: &str,
        note: &(dyn Fn(String) + Sync),
    ) -> Result<(), SandboxError> {
        let from = Registries {
            store,
            options: &self.registries,
            note,
        };
        if !self.may_pull {
            if from.has(image).await {
                return Ok(());
            }
            return Err(SandboxError::Start {
                why: format!(
                    "{image} is not in the store, and is not to be pulled: `regatta images pull {image}` does it"
                ),
                cause: StartFailure::Image,
            });
        }
        self.pulled.have(&from, image, note).await
    }

    /// Tries once more to pull what could not be pulled and may be there by now.
    pub fn forget_failed_pulls(&self) {
        self.pulled.forget_failures();
    }
}

/// What is known of an image, if all of it is in the store.
pub fn known(store: &Store, image: &str) -> Result<Option<StoredImage>, ImageError> {
    store.image(&named(image)?)
}

/// What names an image of the store: the digest of its configuration, as in Docker's classic store.
#[must_use]
pub fn world(store: &Store, image: &str) -> Option<World> {
    let known = known(store, image).ok()??;
    Some(World::ImageConfig(known.config_digest.to_string()))
}

/// What names each image of the store.
#[must_use]
pub fn worlds(store: &Store) -> ImageIds {
    let listed = store.images().unwrap_or_default();
    let whole = listed.into_iter().filter(|one| one.missing == 0);
    let named = whole.map(|one| {
        let world = World::ImageConfig(one.image.config_digest.to_string());
        (one.image.name, world)
    });
    named.collect()
}

fn named(image: &str) -> Result<ImageName, ImageError> {
    image.parse().map_err(|why| {
        ImageError::from(SourceError::Unsupported {
            name: image.to_owned(),
            why,
        })
    })
}

/// The registries of images' names, or their mirrors.
struct Registries<'a> {
    store: &'a Store,
    options: &'a RegistryOptions,
    /// Told how a pull goes on.
    note: &'a (dyn Fn(String) + Sync),
}

impl ImageSource for Registries<'_> {
    async fn has(&self, image: &str) -> bool {
        matches!(known(self.store, image), Ok(Some(_)))
    }

    async fn pull(&self, image: &str) -> Result<(), PullFailure> {
        let name = named(image).map_err(|error| failure(&error))?;
        let from = images::From::Registry(self.options.clone());
        let progress = Progress::default();
        let told = |news: PullNews| {
            if let Some(words) = progress.after(&news) {
                (self.note)(format!("pulling {image}: {words}"));
            }
        };
        let pulled = images::pull(self.store, &name, &from, &told).await;
        pulled.map(drop).map_err(|error| failure(&error))
    }

    async fn reach(&self) -> Result<(), SandboxError> {
        Ok(())
    }
}

/// What a pull that failed says of the next one.
fn failure(error: &ImageError) -> PullFailure {
    let refusal = match error {
        ImageError::Fetch(SourceError::Limited { .. }) => Refusal::Limit,
        ImageError::Fetch(source) if source.is_for_good() => Refusal::ForGood,
        ImageError::Unusable { .. } | ImageError::ReadOnly { .. } | ImageError::BadLayer { .. } => {
            Refusal::ForGood
        }
        _ => Refusal::MayPass,
    };
    let hints = error.hints();
    let mut why = error.to_string();
    if let Some(hint) = hints.first() {
        why = format!("{why} ({hint})");
    }
    let why = one_line(&why, SHOWN);
    PullFailure { why, refusal }
}

/// How much of an image's layers has come.
#[derive(Debug, Default)]
struct Progress(std::sync::Mutex<Bytes>);

#[derive(Debug, Default)]
struct Bytes {
    come: u64,
    all: u64,
    told: u64,
}

impl Progress {
    /// What to tell after a pull's next word, when there is something new.
    fn after(&self, news: &PullNews) -> Option<String> {
        let mut bytes = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        match news {
            PullNews::Begun { bytes: all, .. } => {
                *bytes = Bytes {
                    all: *all,
                    ..Bytes::default()
                };
            }
            PullNews::Resumed(more) | PullNews::Bytes(more) => bytes.come += more,
            PullNews::Lost(less) => bytes.come = bytes.come.saturating_sub(*less),
            PullNews::Retry { what, why, pause } => {
                let seconds = pause.as_secs();
                return Some(format!("{what} is fetched again in {seconds} s: {why}"));
            }
            PullNews::Waits => return Some("another process fetches it".to_owned()),
            PullNews::Note(text) => return Some(text.clone()),
            PullNews::Waited | PullNews::Layer | PullNews::Done | PullNews::Failed => {}
        }
        let percent = (bytes.come * 100).checked_div(bytes.all)?.min(100);
        if percent < bytes.told + STEP {
            return None;
        }
        bytes.told = percent;
        Some(format!("{percent}%, {} MB", bytes.come.div_ceil(1_000_000)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_is_told_in_steps_also_where_bytes_come_again() {
        let progress = Progress::default();
        let begun = PullNews::Begun {
            layers: 2,
            missing: 2,
            bytes: 100_000_000,
        };
        let steps = [
            begun,
            PullNews::Resumed(5_000_000),
            PullNews::Bytes(20_000_000),
            PullNews::Bytes(1_000_000),
            PullNews::Lost(20_000_000),
            PullNews::Bytes(40_000_000),
            PullNews::Layer,
            PullNews::Bytes(54_000_000),
        ];
        let told: Vec<String> = steps.iter().filter_map(|it| progress.after(it)).collect();
        assert_eq!(told, ["25%, 25 MB", "46%, 46 MB", "100%, 100 MB"]);
    }

    #[test]
    fn what_a_registry_says_for_good_is_not_asked_again_and_a_limit_is_waited_for() {
        let (host, name, said) = (|| "h".to_owned(), || "n".to_owned(), || "s".to_owned());
        for (error, refusal) in [
            (
                SourceError::NotFound {
                    host: host(),
                    name: name(),
                    said: said(),
                },
                Refusal::ForGood,
            ),
            (
                SourceError::Limited {
                    host: host(),
                    said: said(),
                    wait: None,
                },
                Refusal::Limit,
            ),
            (
                SourceError::Unreachable {
                    host: host(),
                    why: said(),
                    tries: 5,
                },
                Refusal::MayPass,
            ),
        ] {
            let failed = failure(&ImageError::from(error));
            assert_eq!(failed.refusal, refusal, "{}", failed.why);
        }
    }
}
