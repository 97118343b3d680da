//! What a pull tells while it goes on.

use std::time::Duration;

/// What a pull tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullNews {
    /// What is to be done is known.
    Begun {
        /// How many layers the image has.
        layers: usize,
        /// How many of them are not there yet.
        missing: usize,
        /// How many bytes these have, as they come.
        bytes: u64,
    },
    /// So many bytes were there from a pull that was cut.
    Resumed(u64),
    /// So many bytes more came.
    Bytes(u64),
    /// So many bytes have to come again.
    Lost(u64),
    /// A layer is there, unpacked.
    Layer,
    /// Something is tried again.
    Retry {
        /// What it is.
        what: String,
        /// What went wrong.
        why: String,
        /// After which pause.
        pause: Duration,
    },
    /// Another pull, of this process or of another, fetches a layer, which is waited for.
    Waits,
    /// It is waited for no more.
    Waited,
    /// Something that one should know.
    Note(String),
    /// The image is there.
    Done,
    /// The image could not be had.
    Failed,
}
