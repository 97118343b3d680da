//! Network namespaces that containers use one after the other.
//!
//! Making one is most of what starting a container costs (two thirds of it, measured with
//! `scripts/bench-engines`): so the first containers stay when their agents are done, with nothing
//! running in them, and hold their namespaces for others to join, as the pause container of a
//! Kubernetes pod does. No two agents use one at the same time.

use std::sync::{Arc, Mutex, PoisonError};

use super::bare::Bare;
use crate::sandbox::channel::Channel;

/// The namespaces that wait for a container.
#[derive(Debug, Default)]
pub struct Networks {
    idle: Mutex<Vec<Holder>>,
}

/// A container that does nothing but hold its network namespace. It ends with its channel.
#[derive(Debug)]
pub(super) struct Holder {
    container: Bare,
    /// Never used, only held; the lock lets a reference to it cross threads.
    channel: Mutex<Channel>,
}

/// A network namespace in use.
#[derive(Debug)]
pub struct Lease {
    holder: Holder,
    pool: Arc<Networks>,
}

impl Networks {
    /// One that waits, if there is one.
    pub fn take(self: &Arc<Self>) -> Option<Lease> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let pool = Arc::clone(self);
        idle.pop().map(|holder| Lease { holder, pool })
    }

    /// Keeps one for a container to come.
    pub fn keep(&self, holder: Holder) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(holder);
    }

    /// Removes the holders that wait for another sandbox.
    pub async fn close(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for holder in idle {
            holder.remove().await;
        }
    }
}

impl Holder {
    /// A container whose network is for others.
    pub const fn new(container: Bare, channel: Channel) -> Self {
        Self {
            container,
            channel: Mutex::new(channel),
        }
    }

    async fn remove(self) {
        drop(self.channel);
        self.container.remove().await;
    }
}

impl Lease {
    /// Docker's name for "this container's network".
    pub fn mode(&self) -> String {
        format!("container:{}", self.holder.container.id)
    }

    /// Gives it back for the next.
    pub fn give_back(self) {
        self.pool.keep(self.holder);
    }

    /// Removes it: it is of no use any more.
    pub async fn remove(self) {
        self.holder.remove().await;
    }
}
