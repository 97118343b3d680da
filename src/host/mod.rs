//! This machine: what makes sandboxes on it, the services it has, and what dead runs left there.

mod backend;
mod images;
pub mod reaper;
pub mod redis;

pub use backend::{backend, check, ids, uplink};
pub use images::{existing_store, image, images, registries, store};
