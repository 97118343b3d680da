//! What a namespace is made of.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What the namespace is made of, handed to the child as JSON.
#[derive(Debug, Serialize, Deserialize)]
pub struct NamespacePlan {
    /// The root file system that is shown read-only.
    pub(super) rootfs: PathBuf,
    /// The directory with the guest's program.
    pub(super) tools: PathBuf,
    /// The words that start the guest inside.
    pub(super) guest: Vec<String>,
    /// The words that start the first process of the commands' own process namespace; none when
    /// the kernel is only asked.
    pub(super) init: Vec<String>,
    /// The repository that is copied in; nothing is when the kernel is only asked.
    pub(super) workspace: Option<PathBuf>,
    /// How many bytes may be written in all.
    pub(super) space: u64,
    /// The size of a page, in bytes. Kernels before 6.4 tell it in `/proc/self` only, which is gone
    /// inside.
    pub(super) page: usize,
    /// Processes at the same time.
    pub(super) pids: u32,
    /// Whether the network is kept.
    pub(super) network: bool,
    /// The file by which it joins its control group, where it has one.
    pub(super) group: Option<PathBuf>,
}
