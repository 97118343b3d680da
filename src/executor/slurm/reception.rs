//! The driver's door: workers come in, and what they say goes to the attempt that goes on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::messages::{Hello, ToDriver, ToWorker, WorkOrder};
use crate::error::Result;
use crate::link::{Connection, Listener};
use crate::model::pace::PaceDesk;
use crate::slurm::TaskSeen;
use crate::version::VERSION;

/// What the door tells the attempt.
#[derive(Debug)]
pub enum Heard {
    /// A worker has come in.
    Joined {
        /// Who.
        hello: Hello,
        /// Which of its connections this is.
        connection: u64,
        /// What is told to it.
        to: UnboundedSender<ToWorker>,
    },
    /// A worker said something.
    Said {
        /// Its holder's id.
        worker: String,
        /// What.
        said: ToDriver,
    },
    /// What Slurm's queue says.
    Queue(Result<Vec<TaskSeen>>),
    /// What its accounts say; `None` where there are none.
    Accounted(Result<Option<Vec<TaskSeen>>>),
    /// A connection is no more.
    Gone {
        /// The id of the worker's holder.
        worker: String,
        /// The connection.
        connection: u64,
    },
}

/// What every connection is served with.
#[derive(Debug)]
pub struct Reception {
    /// What a worker is told first.
    pub work: WorkOrder,
    /// Who answers for the pace of calls.
    pub desk: PaceDesk,
    /// Where what is heard goes.
    pub heard: UnboundedSender<Heard>,
    /// The number of connections so far.
    pub connections: AtomicU64,
}

impl Reception {
    /// Lets workers in, for as long as the listener lasts.
    pub async fn open(self: Arc<Self>, mut listener: Listener) {
        loop {
            let (connection, from) = listener.accept().await;
            tokio::spawn(Arc::clone(&self).serve(connection, from));
        }
    }

    async fn serve(self: Arc<Self>, connection: Connection, _from: SocketAddr) {
        let (mut sender, mut receiver) = connection.split();
        let Ok(Some(ToDriver::Hello(hello))) = receiver.receive::<ToDriver>().await else {
            return;
        };
        if hello.version != VERSION {
            let why = format!(
                "the worker is regatta {}, and the command is {}: both must be one program",
                hello.version, VERSION
            );
            let _ = sender.send(&ToWorker::Refused { why }).await;
            return;
        }
        let welcome = ToWorker::Welcome(Box::new(self.work.clone()));
        if sender.send(&welcome).await.is_err() {
            return;
        }
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let worker = hello.holder.id.clone();
        // A worker that comes in anew may do so before its last connection is seen to be gone.
        let caller = format!("{worker}/{number}");
        let (to, mut outbox) = mpsc::unbounded_channel();
        let joined = Heard::Joined {
            hello,
            connection: number,
            to: to.clone(),
        };
        let _ = self.heard.send(joined);
        // By a task of its own: two that only write would wait for each other for ever.
        let writer = tokio::spawn(async move {
            while let Some(message) = outbox.recv().await {
                if sender.send(&message).await.is_err() {
                    break;
                }
            }
        });
        while let Ok(Some(said)) = receiver.receive::<ToDriver>().await {
            if let ToDriver::Pace(ask) = said {
                let to = to.clone();
                self.desk.asked(&caller, ask, move |answer| {
                    let _ = to.send(ToWorker::Pace(answer));
                });
            } else {
                let worker = worker.clone();
                let _ = self.heard.send(Heard::Said { worker, said });
            }
        }
        writer.abort();
        self.desk.gone(&caller);
        let connection = number;
        let _ = self.heard.send(Heard::Gone { worker, connection });
    }
}

/// The next thing heard; never, where nobody can say anything any more.
pub async fn next(heard: &mut UnboundedReceiver<Heard>) -> Heard {
    match heard.recv().await {
        Some(heard) => heard,
        None => std::future::pending().await,
    }
}
