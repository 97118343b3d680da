//! What a namespace is made of.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What the namespace is made of, handed to the child as JSON.
#[derive(Debug, Serialize, Deserialize)]
pub struct NamespacePlan {
    /// What the root file system is.
    pub(super) root: Root,
    /// The users and groups that it has beside root, where it has any.
    pub(super) ids: Option<IdRanges>,
    /// The directory with the guest's program.
    pub(super) tools: PathBuf,
    /// How the guest serves; without it the kernel is only asked.
    pub(super) guest: Option<GuestPlan>,
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

/// What the root file system of a namespace is.
#[derive(Debug, Serialize, Deserialize)]
pub enum Root {
    /// A root file system that is shown read-only, with a private workspace.
    Shown {
        /// That file system.
        rootfs: PathBuf,
        /// The repository that is copied in; nothing is when the kernel is only asked.
        workspace: Option<PathBuf>,
    },
    /// An image's, all of it writable.
    Image(ImageRoot),
    /// None: a directory that one of an image left is removed, with what other users made in it.
    Removed(PathBuf),
}

impl Root {
    /// Whether it is an image's.
    #[must_use]
    pub const fn is_image(&self) -> bool {
        matches!(self, Self::Image(_))
    }
}

/// The root file system of an image.
#[derive(Debug, Serialize, Deserialize)]
pub struct ImageRoot {
    /// Its directories, the topmost first.
    pub trees: Vec<PathBuf>,
    /// Where it keeps what is written, instead of in memory: an empty directory of its own.
    pub scratch: Option<PathBuf>,
    /// What its `/etc/resolv.conf` says.
    pub resolver: String,
    /// The file that keeps room for a submission and its size in bytes, where it is to be made.
    pub room: Option<(String, u64)>,
}

/// How the guest of a namespace serves.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct GuestPlan {
    /// Where programs reach the guest, as text.
    pub(super) door: Option<String>,
    /// How many bytes processes may hold together.
    pub(super) memory: Option<u64>,
    /// How many CPUs they may run on.
    pub(super) cpus: Option<usize>,
    /// All variables that commands see.
    pub(super) env: Vec<(String, String)>,
}

/// What the machine gives a user beside its own id.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdRanges {
    pub(super) users: IdRange,
    pub(super) groups: IdRange,
}

/// So many ids, and the program that maps them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdRange {
    pub(super) program: PathBuf,
    pub(super) first: u32,
    pub(super) count: u32,
}
