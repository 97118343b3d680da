//! What is known of the images of a daemon or a store: one that cannot be had is asked for once.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{SandboxError, StartFailure};

/// The pauses between the tries of a pull.
const PAUSES: &[Duration] = &[Duration::from_secs(4), Duration::from_secs(8)];
/// The pauses where the registry's limit of pulls is reached, an hour in all: Docker Hub counts by the
/// hour, and the daemon does not pass on when it lets through again.
const LIMIT_PAUSES: &[Duration] = &[
    Duration::from_mins(1),
    Duration::from_mins(2),
    Duration::from_mins(4),
    Duration::from_mins(8),
    Duration::from_mins(15),
    Duration::from_mins(30),
];
/// How long a failure that may pass is remembered, if nobody asks to forget it: long enough for all
/// pairs of an attempt that want the image.
const REMEMBERED: Duration = Duration::from_mins(5);
/// The same of an image that the registry does not have or give.
const REMEMBERED_LONG: Duration = Duration::from_hours(1);

/// What is known of the images of one place. An image that cannot be had is asked for once, and not
/// again for each pair that wants it.
#[derive(Debug)]
pub struct PulledImages {
    images: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Known>>>>,
    /// Pulls don't share the line.
    line: tokio::sync::Mutex<()>,
    pauses: &'static [Duration],
    limit_pauses: &'static [Duration],
}

/// What is known of an image.
#[derive(Debug, Default)]
enum Known {
    #[default]
    Nothing,
    Present,
    Failed(Failed),
    /// It failed, and may be there by now.
    FailedBefore,
}

/// Why an image could not be pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PullFailure {
    /// In the words of who should have it.
    pub why: String,
    /// What it says of the next try.
    pub refusal: Refusal,
}

/// A failure that is remembered.
#[derive(Debug)]
struct Failed {
    failure: PullFailure,
    at: Instant,
}

/// What a failed pull says of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The registry does not have the image, or does not give it to us.
    ForGood,
    /// The registry's limit of pulls is reached.
    Limit,
    /// Anything else: a network, a registry, a disk.
    MayPass,
}

/// What images are had from.
pub(super) trait ImageSource: Sync {
    /// Whether it is there already.
    fn has(&self, image: &str) -> impl Future<Output = bool> + Send;
    /// Pulls it once.
    fn pull(&self, image: &str) -> impl Future<Output = Result<(), PullFailure>> + Send;
    /// Whether anybody answers at all.
    fn reach(&self) -> impl Future<Output = Result<(), SandboxError>> + Send;
}

impl Failed {
    fn is_remembered(&self) -> bool {
        let time = match self.failure.refusal {
            Refusal::ForGood => REMEMBERED_LONG,
            Refusal::Limit | Refusal::MayPass => REMEMBERED,
        };
        self.at.elapsed() < time
    }

    fn error(&self, image: &str) -> SandboxError {
        SandboxError::Start {
            why: format!("cannot pull {image}: {}", self.failure.why),
            cause: match self.failure.refusal {
                Refusal::ForGood => StartFailure::NoImage,
                Refusal::Limit | Refusal::MayPass => StartFailure::Image,
            },
        }
    }
}

impl Default for PulledImages {
    fn default() -> Self {
        Self {
            images: Mutex::default(),
            line: tokio::sync::Mutex::default(),
            pauses: PAUSES,
            limit_pauses: LIMIT_PAUSES,
        }
    }
}

impl PulledImages {
    /// What this process knows of the images of a daemon (by its URL) or a store (by its directory),
    /// in all its runs and evaluations.
    pub fn of(place: &str) -> Arc<Self> {
        static BY_PLACE: LazyLock<Mutex<HashMap<String, Arc<PulledImages>>>> =
            LazyLock::new(Mutex::default);
        let mut all = BY_PLACE.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(place.to_owned()).or_default())
    }

    /// Forgets the failures that may have passed by now: a new attempt tries once more.
    pub fn forget_failures(&self) {
        let images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        for image in images.values() {
            // One that is being pulled has no failure yet.
            if let Ok(mut known) = image.try_lock()
                && let Known::Failed(failed) = &*known
                && failed.failure.refusal != Refusal::ForGood
            {
                *known = Known::FailedBefore;
            }
        }
    }

    /// Has an image that is not there pulled; a step of its own, so that it is in nobody's time limit.
    /// `note` is told how it goes on.
    pub(super) async fn have(
        &self,
        from: &impl ImageSource,
        image: &str,
        note: &(dyn Fn(String) + Sync),
    ) -> Result<(), SandboxError> {
        let known = {
            let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(images.entry(image.to_owned()).or_default())
        };
        // Held over the pull: two trials of one task pull once.
        let mut known = known.lock().await;
        let (pauses, limit_pauses) = match &*known {
            Known::Present => return Ok(()),
            Known::Failed(failed) if failed.is_remembered() => return Err(failed.error(image)),
            Known::Nothing => (self.pauses, self.limit_pauses),
            // What three tries or an hour did not bring is given one more try.
            Known::Failed(_) | Known::FailedBefore => (&[][..], &[][..]),
        };
        if !from.has(image).await
            && let Err(failed) = self.tries(from, image, pauses, limit_pauses, note).await
        {
            // A daemon that is gone says nothing of the image.
            from.reach().await?;
            let error = failed.error(image);
            *known = Known::Failed(failed);
            return Err(error);
        }
        *known = Known::Present;
        Ok(())
    }

    async fn tries(
        &self,
        from: &impl ImageSource,
        image: &str,
        pauses: &[Duration],
        limit_pauses: &[Duration],
        note: &(dyn Fn(String) + Sync),
    ) -> Result<(), Failed> {
        let (mut nth, of) = (1, pauses.len() + 1);
        let (mut pauses, mut limit_pauses) = (pauses.iter(), limit_pauses.iter());
        loop {
            let line = self.line.lock().await;
            note(format!("pulling {image} ({nth} of {of})"));
            let Err(failure) = from.pull(image).await else {
                return Ok(());
            };
            drop(line);
            let refusal = failure.refusal;
            let pause = match refusal {
                Refusal::ForGood => None,
                Refusal::Limit => limit_pauses.next(),
                Refusal::MayPass => pauses.next(),
            };
            let Some(pause) = pause else {
                let at = Instant::now();
                return Err(Failed { failure, at });
            };
            if refusal == Refusal::Limit {
                let seconds = pause.as_secs();
                note(format!(
                    "the registry's limit of pulls is reached: {image} is pulled again in {seconds} s"
                ));
            } else {
                nth += 1;
            }
            tokio::time::sleep(*pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const ZERO: [Duration; 2] = [Duration::ZERO; 2];
    const NO_ROUTE: &str = "no such host";
    const UNKNOWN: &str = "manifest unknown";
    const LIMITED: &str = "too many requests";

    /// Answers each pull by its number, and counts them.
    struct Script {
        pulls: AtomicUsize,
        answer: fn(usize) -> Result<(), &'static str>,
        is_gone: bool,
    }

    impl Script {
        fn new(answer: fn(usize) -> Result<(), &'static str>) -> Self {
            Self {
                pulls: AtomicUsize::new(0),
                answer,
                is_gone: false,
            }
        }

        fn pulls(&self) -> usize {
            self.pulls.load(Ordering::Relaxed)
        }
    }

    impl ImageSource for Script {
        async fn has(&self, _: &str) -> bool {
            false
        }

        async fn pull(&self, _: &str) -> Result<(), PullFailure> {
            let nth = self.pulls.fetch_add(1, Ordering::Relaxed) + 1;
            (self.answer)(nth).map_err(|why| PullFailure {
                why: why.to_owned(),
                refusal: match why {
                    UNKNOWN => Refusal::ForGood,
                    LIMITED => Refusal::Limit,
                    _ => Refusal::MayPass,
                },
            })
        }

        async fn reach(&self) -> Result<(), SandboxError> {
            let why = "gone".to_owned();
            let gone = SandboxError::DaemonUnreachable { why };
            if self.is_gone { Err(gone) } else { Ok(()) }
        }
    }

    async fn ask(images: &PulledImages, from: &Script, image: &str) -> Result<(), String> {
        let had = images.have(from, image, &|_| {}).await;
        had.map_err(|error| error.to_string())
    }

    fn images() -> PulledImages {
        PulledImages {
            pauses: &ZERO,
            limit_pauses: &ZERO,
            ..PulledImages::default()
        }
    }

    fn block_on(work: impl Future<Output = ()>) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().build().unwrap().block_on(work);
    }

    #[test]
    fn an_image_that_cannot_be_had_is_asked_for_three_times_and_then_for_nobody_else() {
        block_on(async {
            let (images, none, some) = (
                images(),
                Script::new(|_| Err(NO_ROUTE)),
                Script::new(|_| Ok(())),
            );
            for _ in 0..5 {
                let error = ask(&images, &none, "a").await.unwrap_err();
                assert!(error.ends_with(NO_ROUTE), "{error}");
            }
            assert_eq!(none.pulls(), 3);
            // Another image is another question.
            for _ in 0..2 {
                ask(&images, &some, "b").await.unwrap();
            }
            assert_eq!(some.pulls(), 1);
            // Each new attempt tries once more, and it may have come by then.
            for pulls in [4, 5] {
                images.forget_failures();
                for _ in 0..2 {
                    ask(&images, &none, "a").await.unwrap_err();
                }
                assert_eq!(none.pulls(), pulls);
            }
            images.forget_failures();
            ask(&images, &some, "a").await.unwrap();
        });
    }

    #[test]
    fn one_that_the_registry_does_not_have_is_asked_for_once() {
        block_on(async {
            let (images, none) = (images(), Script::new(|_| Err(UNKNOWN)));
            for _ in 0..3 {
                ask(&images, &none, "a").await.unwrap_err();
                images.forget_failures();
            }
            assert_eq!(none.pulls(), 1);
        });
    }

    #[test]
    fn a_limit_of_pulls_is_waited_for_and_is_no_try() {
        block_on(async {
            let images = images();
            let late = Script::new(|nth| match nth {
                1 | 3 => Err(LIMITED),
                2 | 4 => Err(NO_ROUTE),
                _ => Ok(()),
            });
            ask(&images, &late, "a").await.unwrap();
            assert_eq!(late.pulls(), 5);
            let never = Script::new(|_| Err(LIMITED));
            let error = ask(&images, &never, "b").await.unwrap_err();
            assert!(error.contains(LIMITED), "{error}");
            assert_eq!(never.pulls(), 3);
        });
    }

    #[test]
    fn a_limit_of_pulls_is_waited_for_once_for_an_image() {
        block_on(async {
            let (images, never) = (images(), Script::new(|_| Err(LIMITED)));
            ask(&images, &never, "a").await.unwrap_err();
            assert_eq!(never.pulls(), 3);
            for pulls in [4, 5] {
                images.forget_failures();
                for _ in 0..2 {
                    ask(&images, &never, "a").await.unwrap_err();
                }
                assert_eq!(never.pulls(), pulls);
            }
        });
    }

    #[test]
    fn a_daemon_that_is_gone_says_nothing_of_the_image() {
        block_on(async {
            let (images, mut daemon) = (images(), Script::new(|_| Err(UNKNOWN)));
            daemon.is_gone = true;
            let error = ask(&images, &daemon, "a").await.unwrap_err();
            assert_eq!(error, "the daemon is unreachable: gone");
            ask(&images, &Script::new(|_| Ok(())), "a").await.unwrap();
        });
    }
}
