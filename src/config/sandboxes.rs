//! How sandboxes are made, where this machine has more than one way.

use serde::{Deserialize, Serialize};

use crate::bench::word::Listed;

/// By what sandboxes of namespaces reach the network, where they have one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkBy {
    /// Pasta where it is installed, otherwise the host's.
    #[default]
    Auto,
    /// A network of their own, from which `pasta` reaches outside.
    Pasta,
    /// The host's network, which they share.
    Host,
}

impl Listed for NetworkBy {
    const LIST: &'static [Self] = &[Self::Auto, Self::Pasta, Self::Host];

    fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Pasta => "pasta",
            Self::Host => "host",
        }
    }
}

/// By what the layers of an image become one root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OverlayBy {
    /// The first of the others that works.
    #[default]
    Auto,
    /// The kernel.
    Kernel,
    /// The program `fuse-overlayfs`.
    Fuse,
    /// A copy of all files for each sandbox.
    Copy,
}

impl Listed for OverlayBy {
    const LIST: &'static [Self] = &[Self::Auto, Self::Kernel, Self::Fuse, Self::Copy];

    fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Kernel => "kernel",
            Self::Fuse => "fuse",
            Self::Copy => "copy",
        }
    }
}
