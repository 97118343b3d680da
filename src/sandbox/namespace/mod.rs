//! Linux namespaces: a sandbox without a daemon and without root.

mod companion;
mod confine;
mod ids;
mod image_root;
mod inside;
mod layered;
mod network;
mod pasta;
mod plan;
mod root;
mod start;
mod syscalls;

pub use confine::{NOBODY, keeps_abstract_sockets};
pub use ids::ranges;
pub use image_root::REMADE;
pub use layered::{Overlaid, UPPER};
pub use pasta::Uplink;
pub use plan::{IdRanges, ImageRoot, NamespacePlan, Network, Overlay, Root};
pub use start::{
    COMMAND, allow, become_namespace, check, launch, network_for, probe, remove, start, uplink,
};
