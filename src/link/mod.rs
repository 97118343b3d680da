//! A connection between processes of one run, on whatever hosts: encrypted, and each side knows that
//! the other has the run's secret. It carries JSON messages.
//!
//! It is TLS 1.3 with raw public keys (RFC 7250). Both sides' keys come from the secret, so there is
//! nothing to sign, to expire or to hand out. `docs/design/cluster.md` says why.

mod connection;
mod keys;
mod listener;
mod secret;
mod socket;

pub use connection::{Connection, LONGEST_MESSAGE, Receiver, Sender, connect};
pub use listener::{Listener, Strangers};
pub use secret::LinkSecret;

#[cfg(test)]
mod tests;
