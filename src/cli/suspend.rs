//! Ctrl-Z: what is drawn below all lines goes, and comes again.

use rustix::process::{Signal, getpgrp, getpid, getsid, kill_process};
use tokio::signal::unix::{self, SignalKind, signal};

use super::ui::Ui;

/// Heeds Ctrl-Z from now on, if a bar is drawn.
pub fn listen(ui: &Ui) {
    if !ui.draws_bars() {
        return;
    }
    // Without it the bar is only less tidy.
    let Some(mut stops) = stops() else { return };
    let ui = ui.clone();
    tokio::spawn(async move {
        while stops.recv().await.is_some() {
            // What goes on in the foreground draws the bar again by itself.
            stop_after(|| ui.show(&[]));
        }
    });
}

/// Ctrl-Z, from now on. It stops nothing any more: who listens does.
pub fn stops() -> Option<unix::Signal> {
    signal(SignalKind::from_raw(Signal::TSTP.as_raw())).ok()
}

/// Stops this process as Ctrl-Z would, after what is drawn was taken away; returns when it goes on.
pub fn stop_after(leave: impl FnOnce()) {
    // Nobody could make it go on: the kernel does not stop such a process either.
    if getsid(None).is_ok_and(|session| session == getpgrp()) {
        return;
    }
    leave();
    let _ = kill_process(getpid(), Signal::STOP);
}
