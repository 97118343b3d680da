//! The kinds of sandboxes.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::word::Listed;

/// What kind of sandbox agents' commands and suites run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BackendKind {
    /// Containers.
    Docker,
    /// Linux namespaces over an image's files, made by this program without a daemon.
    Oci,
    /// Linux namespaces.
    Namespace,
    /// Plain processes.
    Process,
    /// A script, for benchmarks of everything else.
    Fake,
}

impl BackendKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Docker,
        Self::Oci,
        Self::Namespace,
        Self::Process,
        Self::Fake,
    ];

    /// Its name in flags and files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Oci => "oci",
            Self::Namespace => "namespace",
            Self::Process => "process",
            Self::Fake => "fake",
        }
    }

    /// Whether a sandbox is made from the task's image, which a daemon or our own store has.
    #[must_use]
    pub const fn has_images(self) -> bool {
        matches!(self, Self::Docker | Self::Oci)
    }

    /// Whether a daemon makes the sandboxes, has their images and must answer.
    #[must_use]
    pub const fn needs_daemon(self) -> bool {
        matches!(self, Self::Docker)
    }

    /// Whether a sandbox gets a copy of the task's workspace, a directory of this machine.
    #[must_use]
    pub const fn copies_workspace(self) -> bool {
        matches!(self, Self::Namespace | Self::Process)
    }

    /// Whether this user must be allowed to make namespaces.
    #[must_use]
    pub const fn needs_namespaces(self) -> bool {
        matches!(self, Self::Namespace | Self::Oci)
    }

    /// Whether commands are kept from the rest of this machine.
    #[must_use]
    pub const fn isolates(self) -> bool {
        !matches!(self, Self::Process)
    }

    /// Whether commands run at all, so that what comes out means something.
    #[must_use]
    pub const fn runs_commands(self) -> bool {
        !matches!(self, Self::Fake)
    }
}

impl Listed for BackendKind {
    const LIST: &'static [Self] = &Self::ALL;

    fn word(self) -> &'static str {
        self.name()
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for BackendKind {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for BackendKind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        super::word::listed(from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_says_what_it_has_and_does() {
        // Images, a daemon, a copy of the workspace, namespaces of this user, isolation, commands
        // that run.
        for (kind, has) in [
            (BackendKind::Docker, [true, true, false, false, true, true]),
            (BackendKind::Oci, [true, false, false, true, true, true]),
            (
                BackendKind::Namespace,
                [false, false, true, true, true, true],
            ),
            (
                BackendKind::Process,
                [false, false, true, false, false, true],
            ),
            (BackendKind::Fake, [false, false, false, false, true, false]),
        ] {
            let is = [
                kind.has_images(),
                kind.needs_daemon(),
                kind.copies_workspace(),
                kind.needs_namespaces(),
                kind.isolates(),
                kind.runs_commands(),
            ];
            assert_eq!(is, has, "{kind}");
        }
    }
}
