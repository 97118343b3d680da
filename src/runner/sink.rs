//! Where events go.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use crate::files::Appender;
use crate::store::{Event, RunDir, events};

/// Where events go: to the run's file first, then to whoever shows them.
#[derive(Clone, Debug)]
pub struct Sink {
    file: Arc<Appender>,
    observer: UnboundedSender<Event>,
}

impl Sink {
    /// A sink for one run.
    #[must_use]
    pub fn new(run: &RunDir, observer: UnboundedSender<Event>) -> Self {
        let file = Arc::new(Appender::new(run.events()));
        Self { file, observer }
    }

    /// Records an event.
    ///
    /// An event that cannot be written (a full disk) must not end a run whose results are whole:
    /// it is shown all the same, with a note that the file lacks it.
    pub fn emit(&self, event: Event) {
        if let Err(error) = events::append(&self.file, &event) {
            let note = format!("an event was not recorded: {error}");
            let _ = self.observer.send(Event::note(note));
        }
        // Nobody listens when the terminal's side is gone; the file has it.
        let _ = self.observer.send(event);
    }
}
