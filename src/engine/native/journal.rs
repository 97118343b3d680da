//! What an agent says and sees, on disk while its trial runs: of one that is killed, it is all there
//! is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use crate::engine::Reporter;
use crate::error::{Error, Result};
use crate::files;
use crate::secret::Mask;
use crate::store::Event;

/// Told each message of a conversation.
pub type Teller = Arc<dyn Fn(&Value) + Send + Sync>;

/// The most messages that are written at once.
const AT_ONCE: usize = 64;

/// The running trajectory of one agent. It is written beside the agent, which never waits for the
/// disk: on a slow one, more lines go into one write.
pub struct Journal {
    path: PathBuf,
    lines: UnboundedSender<String>,
    mask: Mask,
    writer: JoinHandle<()>,
}

impl Journal {
    /// Begins one. The file is made with the first message, and begins with this line.
    pub fn begin(path: PathBuf, head: Value, mask: Mask, report: Reporter) -> Self {
        let (lines, written) = unbounded_channel();
        let _ = lines.send(line_of(head, &mask));
        let writer = tokio::spawn(write(path.clone(), written, report));
        Self {
            path,
            lines,
            mask,
            writer,
        }
    }

    /// Tells it what its agent says and sees; it takes in until all of these are gone.
    pub fn teller(&self) -> Teller {
        let (lines, mask) = (self.lines.clone(), self.mask.clone());
        Arc::new(move |message| {
            // Where nobody writes any more, that was said.
            let _ = lines.send(line_of(message.clone(), &mask));
        })
    }

    /// Waits until all is written.
    pub async fn end(self) -> PathBuf {
        drop(self.lines);
        // One that broke has lost lines and nothing else.
        let _ = self.writer.await;
        self.path
    }
}

/// Takes away running trajectories that a whole one has taken the place of.
pub fn remove(paths: &[PathBuf]) -> Result<()> {
    for path in paths {
        files::remove(path)?;
        // The trial's own, and the pair's for what is set aside.
        for dir in path.ancestors().skip(1).take(2) {
            files::remove_empty_dir(dir)?;
        }
    }
    Ok(())
}

/// A message as a line. One text goes to the thread that writes: the many small parts of a value
/// would be taken there and freed here, and for a thousand agents the allocator's locks cost more
/// than all else.
fn line_of(mut message: Value, mask: &Mask) -> String {
    mask.hide_in(&mut message);
    message.to_string()
}

async fn write(path: PathBuf, mut written: UnboundedReceiver<String>, report: Reporter) {
    let mut messages = Vec::new();
    // The first line alone says nothing.
    let head = written.recv().await;
    messages.extend(head);
    while written.recv_many(&mut messages, AT_ONCE).await > 0 {
        let (to, batch) = (path.clone(), std::mem::take(&mut messages));
        let done = tokio::task::spawn_blocking(move || append(&to, &batch)).await;
        let done = done.map_err(|error| Error::world(format!("it broke: {error}")));
        if let Err(error) = done.and_then(|done| done) {
            let path = path.display();
            report(Event::note(format!(
                "{path} is no longer written while its trial runs: {error}"
            )));
            return;
        }
    }
}

/// Appends whole lines and syncs them.
fn append(path: &Path, lines: &[String]) -> Result<()> {
    files::create_dir(path.parent().unwrap_or(path))?;
    files::append_line(path, &lines.join("\n"))
}
