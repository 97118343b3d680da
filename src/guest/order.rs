//! What a guest is ordered to run.

use std::time::Duration;

/// A script to run.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// What bash is given.
    pub script: &'a str,
    /// The working directory.
    pub cwd: &'a str,
    /// Whether in a login shell.
    pub login: bool,
    /// How long it may take.
    pub deadline: Duration,
    /// How many bytes of output are kept.
    pub limit: usize,
}
