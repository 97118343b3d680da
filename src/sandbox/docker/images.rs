//! What is known of a daemon's images: one that cannot be had is asked for once.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use regex::Regex;
use tokio::time::Instant;

use super::DockerEndpoint;
use crate::sandbox::{SandboxError, StartFailure};

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

/// What is known of a daemon's images. An image that cannot be had is asked for once, and not again
/// for each pair that wants it.
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

/// Why an image could not be pulled, in the daemon's words.
#[derive(Debug)]
struct Failed {
    why: String,
    refusal: Refusal,
    at: Instant,
}

/// What a failed pull says of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
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
    /// Pulls it once; the error is the daemon's words.
    fn pull(&self, image: &str) -> impl Future<Output = Result<(), String>> + Send;
    /// Whether anybody answers at all.
    fn reach(&self) -> impl Future<Output = Result<(), SandboxError>> + Send;
}

/// What a registry says of its limit. A client's own "rate limiter" is another thing.
static LIMIT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\btoomanyrequests\b|\btoo many requests\b|\brate limits?\b").expect("tested")
});

/// What a registry or a daemon says of an image that is not there or not for us: the messages of the
/// OCI Distribution Specification 1.1 ("Error Codes"), each at the beginning of what is passed on, and
/// Docker's, containerd's and Podman's own. A local "permission denied: " is none of them, nor is
/// something that the daemon lost on its own disk ("content digest sha256:…: not found").
static FOR_GOOD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?im)(?:^|: )(?:manifest unknown|name unknown|denied: |unauthorized: )",
        r"|\bpull access denied\b",
        r"|\baccess to the resource is denied\b",
        r"|\brepository does not exist or may require\b",
        r"|\bno matching manifest for\b",
        r"|\binvalid reference format\b",
        r"|\bfailed to resolve reference .*: not found\s*$",
    ))
    .expect("tested")
});

impl Refusal {
    /// By the words of daemons and registries.
    fn of(why: &str) -> Self {
        if LIMIT.is_match(why) {
            Self::Limit
        } else if FOR_GOOD.is_match(why) {
            Self::ForGood
        } else {
            Self::MayPass
        }
    }
}

impl Failed {
    fn is_remembered(&self) -> bool {
        let time = match self.refusal {
            Refusal::ForGood => REMEMBERED_LONG,
            Refusal::Limit | Refusal::MayPass => REMEMBERED,
        };
        self.at.elapsed() < time
    }

    fn error(&self, image: &str) -> SandboxError {
        SandboxError::Start {
            why: format!("cannot pull {image}: {}", self.why),
            cause: match self.refusal {
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
    /// What this process knows of a daemon's images, in all its runs and evaluations.
    pub fn of(endpoint: &DockerEndpoint) -> Arc<Self> {
        static BY_DAEMON: LazyLock<Mutex<HashMap<String, Arc<PulledImages>>>> =
            LazyLock::new(Mutex::default);
        let mut all = BY_DAEMON.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(endpoint.url()).or_default())
    }

    /// Forgets the failures that may have passed by now: a new attempt tries once more.
    pub fn forget_failures(&self) {
        let images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        for image in images.values() {
            // One that is being pulled has no failure yet.
            if let Ok(mut known) = image.try_lock()
                && let Known::Failed(failed) = &*known
                && failed.refusal != Refusal::ForGood
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
            let Err(why) = from.pull(image).await else {
                return Ok(());
            };
            drop(line);
            let refusal = Refusal::of(&why);
            let pause = match refusal {
                Refusal::ForGood => None,
                Refusal::Limit => limit_pauses.next(),
                Refusal::MayPass => pauses.next(),
            };
            let Some(pause) = pause else {
                let at = Instant::now();
                return Err(Failed { why, refusal, at });
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
    const NO_ROUTE: &str = "dial tcp: lookup x: no such host";
    const UNKNOWN: &str = "manifest for x/y:task1 not found: manifest unknown: manifest unknown";
    const LIMITED: &str = "toomanyrequests: You have reached your pull rate limit.";

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

        async fn pull(&self, _: &str) -> Result<(), String> {
            let nth = self.pulls.fetch_add(1, Ordering::Relaxed) + 1;
            (self.answer)(nth).map_err(str::to_owned)
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

    #[test]
    fn daemons_say_in_their_words_that_an_image_is_not_to_be_had() {
        for why in [
            UNKNOWN,
            "pull access denied for x/y, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
            "failed to resolve reference \"docker.io/x/y:task1\": docker.io/x/y:task1: not found",
            "failed to resolve reference \"docker.io/x/y:task1\": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
            "no matching manifest for linux/arm64/v8 in the manifest list entries",
            "initializing source docker://x/y:task1: reading manifest task1 in docker.io/x/y: manifest unknown",
            "initializing source docker://x/y:task1: reading manifest task1 in docker.io/x/y: errors:\ndenied: requested access to the resource is denied\nunauthorized: authentication required",
            "Head \"https://ghcr.io/v2/x/y/manifests/task1\": denied: denied",
            "Get \"https://quay.io/v2/x/y/manifests/task1\": unauthorized: access to the requested resource is not authorized",
            "name unknown: The repository with name 'x/y' does not exist in the registry",
            "invalid reference format: repository name must be lowercase",
        ] {
            assert_eq!(Refusal::of(why), Refusal::ForGood, "{why}");
        }
    }

    #[test]
    fn daemons_say_in_their_words_that_a_limit_of_pulls_is_reached() {
        for why in [
            LIMITED,
            "received unexpected HTTP status: 429 Too Many Requests",
            "toomanyrequests: Rate exceeded",
            "denied: You have reached your pull rate limit",
        ] {
            assert_eq!(Refusal::of(why), Refusal::Limit, "{why}");
        }
    }

    #[test]
    fn what_sounds_like_a_registrys_refusal_and_is_none_may_pass() {
        for why in [
            NO_ROUTE,
            "write /var/lib/docker/tmp/x: no space left on device",
            "mkdir /var/lib/docker/tmp: permission denied",
            "open /var/lib/docker/tmp/x: permission denied: unknown",
            "dial tcp 192.0.2.1:443: connect: permission denied: a firewall",
            "received unexpected HTTP status: 503 Service Unavailable",
            "unexpected status from HEAD request: 401 Unauthorized",
            "error parsing HTTP 403 response body: <html>Access denied by the proxy</html>",
            "lookup registry.example: hostname unknown",
            "failed to extract layer sha256:0123: content digest sha256:4567: not found",
            "client rate limiter Wait returned an error: context deadline exceeded",
        ] {
            assert_eq!(Refusal::of(why), Refusal::MayPass, "{why}");
        }
    }
}
