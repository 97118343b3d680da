//! What a sandbox is asked to run.

use std::time::Duration;

/// A command of an agent's, to be run in its repository.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    /// What `bash -lc` is given.
    pub script: &'a str,
    /// How long it may take; then its processes are ended.
    pub timeout: Duration,
}
