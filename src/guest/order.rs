//! What a guest is ordered to run.

use std::time::Duration;

/// A script for a guest to run, with what it may take.
#[derive(Clone, Copy, Debug)]
pub struct GuestOrder<'a> {
    /// The text that bash runs.
    pub script: &'a str,
    /// The directory to run it in, as seen from inside.
    pub cwd: &'a str,
    /// Whether in a login shell.
    pub login: bool,
    /// How long it may take.
    pub deadline: Duration,
    /// How many bytes of output are kept.
    pub limit: usize,
}
