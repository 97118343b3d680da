//! Ctrl-C and its kin: the first asks for a stop, the second for a stop now.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::engine::Stop;
use crate::error::{Error, Result, exit};

/// The interrupts that came so far.
#[derive(Clone, Debug)]
pub struct Interrupt {
    state: watch::Receiver<Came>,
    /// It stays open: waiting on a channel that is closed would end at once.
    sender: Arc<watch::Sender<Came>>,
    /// Grows while the thread that everything runs on is not held up.
    beat: Arc<AtomicUsize>,
}

/// The signals that came so far, as one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Came {
    /// How the engine should stop.
    pub stop: Stop,
    /// The first signal's name: `Ctrl-C`, `SIGTERM`, `SIGHUP` or `regatta cancel`. Empty before one came.
    pub signal: &'static str,
}

/// How often the thread that everything runs on shows that it is not held up.
const BEAT: Duration = Duration::from_millis(500);

/// In how many steps it is waited for that.
const STEPS: u32 = 20;

impl Interrupt {
    /// Listens for SIGINT, SIGTERM and SIGHUP from now on.
    pub fn listen() -> Result<Self> {
        let it = Self::with(Stop::No, "");
        let mut signals = Signals::listen()?;
        let (sender, beating) = (Arc::clone(&it.sender), Arc::clone(&it.beat));
        tokio::spawn(async move {
            loop {
                beating.fetch_add(1, Ordering::Relaxed);
                let next = tokio::time::timeout(BEAT, signals.next());
                let Ok(name) = next.await else { continue };
                sender.send_modify(|came| {
                    if came.stop == Stop::No {
                        *came = Came {
                            stop: Stop::Gently,
                            signal: name,
                        };
                    } else {
                        came.stop = Stop::Now;
                    }
                });
            }
        });
        Ok(it)
    }

    fn with(stop: Stop, signal: &'static str) -> Self {
        let (sender, state) = watch::channel(Came { stop, signal });
        Self {
            state,
            sender: Arc::new(sender),
            beat: Arc::default(),
        }
    }

    /// Asks for a stop as the first signal does, under this name. Where one came already, this is none
    /// that ends what runs.
    pub fn ask(&self, name: &'static str) {
        self.sender.send_if_modified(|came| {
            let first = came.stop == Stop::No;
            if first {
                *came = Came {
                    stop: Stop::Gently,
                    signal: name,
                };
            }
            first
        });
    }

    /// Ends the process with [`exit::INTERRUPTED`] where a signal finds it held up for so long
    /// (more than a second), after `say`: everything runs on one thread, and nothing should hold it
    /// up, but who wants the program to end is not to wait for what does. Like a `kill -9` it
    /// half-writes nothing, children end with us, and the next start removes what is left.
    pub fn end_if_stuck(&self, patience: Duration, say: impl Fn() + Send + 'static) {
        let beat = Arc::clone(&self.beat);
        let watch = move || -> Option<()> {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .ok()?;
            runtime.block_on(async {
                let mut signals = Signals::listen().ok()?;
                loop {
                    signals.next().await;
                    let before = beat.load(Ordering::Relaxed);
                    let is_held_up = || beat.load(Ordering::Relaxed) == before;
                    // In steps: a process that was stopped and goes on is given time to.
                    for _ in 0..STEPS {
                        tokio::time::sleep(patience / STEPS).await;
                        if !is_held_up() {
                            break;
                        }
                    }
                    if is_held_up() {
                        say();
                        std::process::exit(exit::INTERRUPTED.into());
                    }
                }
            })
        };
        // Without this thread signals are heeded as before.
        let _ = std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(watch);
    }

    /// One that never comes, for tests and for commands that end by themselves.
    #[must_use]
    pub fn never() -> Self {
        Self::with(Stop::No, "")
    }

    /// One that came already, and never again.
    #[cfg(test)]
    pub(super) fn after(stop: Stop) -> Self {
        Self::with(stop, "Ctrl-C")
    }

    /// One that comes when the first Ctrl-C is sent to it.
    #[cfg(test)]
    pub(super) fn by_hand() -> (impl Fn(), Self) {
        let it = Self::never();
        let sent = it.clone();
        (move || sent.ask("Ctrl-C"), it)
    }

    /// The state so far, without waiting.
    #[must_use]
    pub fn came(&self) -> Came {
        *self.state.borrow()
    }

    /// Waits for the next signal.
    pub async fn changed(&mut self) {
        if self.state.changed().await.is_err() {
            // No signal can come any more. To return would make every loop that waits here spin.
            std::future::pending::<()>().await;
        }
    }
}

/// The signals that ask for an end.
struct Signals {
    int: Signal,
    term: Signal,
    hup: Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Error::world(format!("cannot listen for signals: {error}")))
        };
        Ok(Self {
            int: listen(SignalKind::interrupt())?,
            term: listen(SignalKind::terminate())?,
            hup: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for the next; gives its name.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.int.recv() => "Ctrl-C",
            _ = self.term.recv() => "SIGTERM",
            _ = self.hup.recv() => "SIGHUP",
        }
    }
}
