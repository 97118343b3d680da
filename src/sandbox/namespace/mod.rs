//! Linux namespaces: a sandbox without a daemon and without root.

mod confine;
mod image_root;
mod inside;
mod network;
mod plan;
mod root;
mod start;
mod syscalls;

pub use confine::{NOBODY, keeps_abstract_sockets};
pub use image_root::REMADE;
pub use plan::{ImageRoot, NamespacePlan, Root};
pub use start::{ALLOW, COMMAND, become_namespace, check, launch, probe, start};
