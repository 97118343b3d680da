//! This machine as a place for sandboxes.

use std::path::PathBuf;
use std::sync::Arc;

use super::group::Groups;
use super::tools::Tools;
use crate::config::NetworkBy;

/// This machine as a place for sandboxes without a daemon.
#[derive(Debug)]
pub struct HostPlace {
    /// The root file system that sandboxes see, read-only.
    pub rootfs: PathBuf,
    /// The guest's program, in a directory that sandboxes see.
    pub tools: Arc<Tools>,
    /// The control group that was delegated to us, for namespaces.
    pub groups: Option<&'static Groups>,
    /// By what namespaces reach the network, where they have one.
    pub network_by: NetworkBy,
}
