//! The kinds of engines.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::word::Listed;
use super::{BackendKind, Setting};

/// Who executes trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EngineKind {
    /// The Python `cooperbench` CLI.
    Upstream,
    /// Regatta itself.
    Native,
}

impl EngineKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Upstream, Self::Native];

    /// Its name in flags and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Native => "native",
        }
    }

    /// The settings that it has.
    #[must_use]
    pub const fn settings(self) -> &'static [Setting] {
        match self {
            Self::Upstream => &Setting::ALL,
            Self::Native => &Setting::USUAL,
        }
    }

    /// Where its agents' commands can run.
    #[must_use]
    pub const fn backends(self) -> &'static [BackendKind] {
        match self {
            // modal and gcp run in clouds that nothing here can see into: no deadline, no cleaning.
            Self::Upstream => &[BackendKind::Docker],
            Self::Native => &BackendKind::ALL,
        }
    }
}

impl Listed for EngineKind {
    const LIST: &'static [Self] = &Self::ALL;

    fn word(self) -> &'static str {
        self.name()
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for EngineKind {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for EngineKind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        super::word::listed(from)
    }
}
