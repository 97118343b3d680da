//! Linux namespaces: a sandbox without a daemon and without root.

mod confine;
mod ids;
mod image_root;
mod inside;
mod network;
mod plan;
mod root;
mod start;
mod syscalls;

pub use confine::{NOBODY, keeps_abstract_sockets};
pub use ids::ranges;
pub use image_root::{REMADE, UPPER};
pub use plan::{IdRanges, ImageRoot, NamespacePlan, Root};
pub use start::{ALLOW, COMMAND, become_namespace, check, launch, probe, remove, start};
