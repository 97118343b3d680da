//! A worker's connection to its driver.

use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinHandle;

use super::WITHIN;
use crate::executor::slurm::messages::{ToDriver, ToWorker};
use crate::link::{Receiver, Sender};

/// A connection to the driver. It is written by a task of its own: two that only write would wait for
/// each other for ever.
pub struct DriverLine {
    to: UnboundedSender<ToDriver>,
    receiver: Receiver,
    writer: JoinHandle<()>,
}

impl DriverLine {
    /// One over a connection.
    pub fn of(mut sender: Sender, receiver: Receiver) -> Self {
        let (to, mut outbox) = mpsc::unbounded_channel::<ToDriver>();
        let writer = tokio::spawn(async move {
            while let Some(message) = outbox.recv().await {
                if sender.send(&message).await.is_err() {
                    return;
                }
            }
            // Who does not hear it sees the connection end.
            let _ = sender.close().await;
        });
        Self {
            to,
            receiver,
            writer,
        }
    }

    /// Ends it, once all is sent.
    pub async fn end(self) {
        drop(self.to);
        let _ = tokio::time::timeout(WITHIN, self.writer).await;
    }
}

/// The next that the driver says; `None` where the connection is lost.
pub async fn next_of(line: &mut Option<DriverLine>) -> Option<ToWorker> {
    match line {
        Some(line) => line.receiver.receive::<ToWorker>().await.ok().flatten(),
        None => std::future::pending().await,
    }
}

/// Says something; who lost the connection says it again later.
pub fn say(line: Option<&DriverLine>, message: ToDriver) {
    if let Some(line) = line {
        let _ = line.to.send(message);
    }
}
