//! Docker, through the Engine API; Podman's compatible socket too.

pub mod client;
mod container;
mod dead_exec;
pub mod endpoint;
mod hijack;
pub mod identity;
mod network;
mod pull;
pub mod relay;

pub use client::Docker;
pub use container::{Container, Place};
pub use endpoint::Endpoint;
pub use relay::Relay;
