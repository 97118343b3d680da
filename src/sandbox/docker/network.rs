//! Network namespaces that containers use one after the other.
//!
//! Making one is most of what starting a container costs (two thirds of it, measured with
//! `scripts/bench-engines`): so, as a Kubernetes pod does, an idle container holds the namespace
//! and the agents' containers join it. No two use it at the same time.

use std::sync::{Arc, Mutex, PoisonError};

use super::container::Bare;
use crate::sandbox::channel::Channel;

/// The namespaces that wait for a container.
#[derive(Debug, Default)]
pub struct Networks {
    idle: Mutex<Vec<Holder>>,
}

/// A container that does nothing but hold its network namespace. It ends with its channel.
#[derive(Debug)]
pub struct Holder {
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
        idle.pop().map(|holder| self.lease(holder))
    }

    /// One that was made just now.
    pub fn lease(self: &Arc<Self>, holder: Holder) -> Lease {
        Lease {
            holder,
            pool: Arc::clone(self),
        }
    }

    /// Removes those that wait.
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
        let mut idle = self
            .pool
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        idle.push(self.holder);
    }

    /// Removes it: it is of no use any more.
    pub async fn remove(self) {
        self.holder.remove().await;
    }
}
