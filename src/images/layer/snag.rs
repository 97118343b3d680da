//! Why unpacking stopped.

use std::io;

use rustix::io::Errno;

/// Why unpacking stopped, before it is known of which layer.
#[derive(Debug)]
pub enum Snag {
    /// The layer has what it may not have.
    Content(String),
    /// The system refused something.
    System {
        doing: &'static str,
        name: Vec<u8>,
        error: Errno,
    },
    /// Reading stopped: why, its own side knows.
    Cut,
}

impl Snag {
    pub fn content(why: impl Into<String>) -> Self {
        Self::Content(why.into())
    }

    /// For `map_err` of a call about an entry.
    pub fn of(doing: &'static str, name: &[u8]) -> impl FnOnce(Errno) -> Self {
        move |error| Self::System {
            doing,
            name: name.to_vec(),
            error,
        }
    }

    /// Whether the disk, or the user's share of it, is full.
    pub const fn is_full(&self) -> bool {
        matches!(
            self,
            Self::System {
                error: Errno::NOSPC | Errno::DQUOT,
                ..
            }
        )
    }
}

impl From<io::Error> for Snag {
    /// Of the stream: its reader tells why.
    fn from(_: io::Error) -> Self {
        Self::Cut
    }
}

/// A name as people read it: of any bytes, without control characters.
pub fn shown(name: &[u8]) -> String {
    format!("`{}`", name.escape_ascii().to_string().replace('`', "'"))
}
