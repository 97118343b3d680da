//! Docker, through the Engine API; Podman's compatible socket too.

mod bare;
pub mod client;
mod container;
pub mod endpoint;
mod export;
pub mod identity;
mod network;
mod pull;
mod refusal;
mod volumes;

pub use client::Docker;
pub use container::{Container, DockerPlace};
pub use endpoint::DockerEndpoint;
pub use volumes::OurVolume;
