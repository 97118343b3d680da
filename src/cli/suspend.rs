//! Ctrl-Z: what is drawn below all lines goes, and comes again.

use rustix::process::{Signal, getpgrp, getpid, getsid, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use super::ui::Ui;

/// Heeds Ctrl-Z from now on, if a bar is drawn.
pub fn listen(ui: &Ui) {
    if !ui.draws_bars() {
        return;
    }
    let stop = SignalKind::from_raw(Signal::TSTP.as_raw());
    // Without it the bar is only less tidy.
    let Ok(mut stops) = signal(stop) else { return };
    let ui = ui.clone();
    tokio::spawn(async move {
        while stops.recv().await.is_some() {
            suspend(&ui);
        }
    });
}

/// Stops this process as Ctrl-Z would, with nothing left drawn.
fn suspend(ui: &Ui) {
    // Nobody could make it go on: the kernel does not stop such a process either.
    if getsid(None).is_ok_and(|session| session == getpgrp()) {
        return;
    }
    ui.show(&[]);
    // What goes on in the foreground draws the bar again by itself.
    let _ = kill_process(getpid(), Signal::STOP);
}
