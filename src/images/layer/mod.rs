//! One layer: from a stream of tar to a directory.

mod contents;
mod entries;
mod header;
mod names;
mod pieces;
mod snag;
mod tree;
mod unpack;

pub use contents::LayerContents;
pub(super) use entries::{TarEntries, TarKind};
pub use names::split;
pub(super) use snag::Snag;
pub use tree::{OwnedBy, open_dir};
pub use unpack::unpack;

use serde::{Deserialize, Serialize};

/// What is known of a layer that is unpacked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Bytes of its files.
    pub bytes: u64,
    /// Files, directories and links.
    pub files: u64,
    /// What it hides of the layers below it: files, and whole directories.
    pub hides: u64,
    /// What it says and an ordinary user cannot have.
    pub left_out: LeftOut,
}

/// How much of a layer was left out, because an ordinary user cannot have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeftOut {
    /// Files that belong to another user or group than root.
    pub owners: u64,
    /// Files whose set-user-id or set-group-id bit was taken off.
    pub set_ids: u64,
    /// Device nodes that were not made.
    pub devices: u64,
    /// Extended attributes that were not set: all but those of `user.`, and the overlay's own.
    pub attributes: u64,
}

impl std::ops::AddAssign for LeftOut {
    fn add_assign(&mut self, other: Self) {
        self.owners += other.owners;
        self.set_ids += other.set_ids;
        self.devices += other.devices;
        self.attributes += other.attributes;
    }
}

/// What a layer hides of those below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    /// Files and directories that are gone.
    pub gone: Vec<Vec<u8>>,
    /// Directories of which only what the layer itself has is there.
    pub opaque: Vec<Vec<u8>>,
}

impl Hidden {
    /// As a file has it: a letter and a path, each with a zero after it, as paths are any bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let gone = self.gone.iter().map(|path| (b'w', path));
        let opaque = self.opaque.iter().map(|path| (b'o', path));
        gone.chain(opaque)
            .flat_map(|(kind, path)| [&[kind], path.as_slice(), &[0]].concat())
            .collect()
    }

    /// The other way round; `None` when it is no such file.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let mut hidden = Self::default();
        let Some(bytes) = bytes.strip_suffix(&[0]) else {
            return bytes.is_empty().then_some(hidden);
        };
        for record in bytes.split(|byte| *byte == 0) {
            match record.split_first()? {
                (b'w', path) => hidden.gone.push(path.to_vec()),
                (b'o', path) => hidden.opaque.push(path.to_vec()),
                _ => return None,
            }
        }
        Some(hidden)
    }
}
