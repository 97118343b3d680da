//! Ctrl-C and its kin: the first asks for a stop, the second for a stop now.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::engine::Stop;
use crate::error::{Error, Result};

/// The interrupts that came so far.
#[derive(Clone, Debug)]
pub struct Interrupt {
    state: watch::Receiver<Came>,
}

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Came {
    /// How the engine should stop.
    pub stop: Stop,
    /// The first signal's name.
    pub signal: &'static str,
}

impl Interrupt {
    /// Listens for SIGINT, SIGTERM and SIGHUP from now on.
    pub fn listen() -> Result<Self> {
        let (sender, state) = watch::channel(Came {
            stop: Stop::No,
            signal: "",
        });
        let failed = |error| Error::world(format!("cannot listen for signals: {error}"));
        let mut int = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut term = signal(SignalKind::terminate()).map_err(failed)?;
        let mut hup = signal(SignalKind::hangup()).map_err(failed)?;
        tokio::spawn(async move {
            loop {
                let name = tokio::select! {
                    _ = int.recv() => "Ctrl-C",
                    _ = term.recv() => "SIGTERM",
                    _ = hup.recv() => "SIGHUP",
                };
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
        Ok(Self { state })
    }

    /// One that never comes, for tests and for commands that end by themselves.
    #[must_use]
    pub fn never() -> Self {
        let (sender, state) = watch::channel(Came {
            stop: Stop::No,
            signal: "",
        });
        // The channel has to stay open, or waiting on it would end at once.
        std::mem::forget(sender);
        Self { state }
    }

    /// What came so far.
    #[must_use]
    pub fn came(&self) -> Came {
        *self.state.borrow()
    }

    /// Waits for the next signal.
    pub async fn changed(&mut self) {
        if self.state.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
