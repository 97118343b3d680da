//! Who works on what, where several machines share a log tree: claims, heartbeats, and who is gone.
//!
//! All of it holds on NFS. Whatever decides is one rename of a name that nobody else ever uses, which
//! the server does once or not at all. Nothing here trusts a lock, a time of a file, or that two
//! machines have the same clock. `docs/design/cluster.md` has the reasons.

mod claims;
mod entry;
mod heart;
mod holder;
mod key;
#[cfg(test)]
mod tests;
mod watcher;

use std::time::Duration;

pub use claims::{Claim, Claims, Took};
pub use heart::Heart;
pub use holder::Holder;
pub use key::ClaimKey;
pub use watcher::Watcher;

/// How often a heart beats.
pub const BEAT: Duration = Duration::from_secs(15);

/// How long a heart that does not beat is waited for: six beats.
pub const EXPIRY: Duration = Duration::from_secs(90);
