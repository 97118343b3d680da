//! Why a sandbox did not do what was asked.

use crate::bench::RuleId;

/// Why a sandbox did not do what was asked. What a command did is no error: see [`Output`](super::Output).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SandboxError {
    /// It could not be made.
    #[error("{}{why}", match .cause {
        // What is read first is cut last: an image's line begins with its name.
        StartFailure::Image | StartFailure::NoImage => "",
        _ => "the sandbox could not be started: ",
    })]
    Start {
        /// The daemon's or the system's words.
        why: String,
        /// What it most likely is.
        cause: StartFailure,
    },
    /// It was there and is gone, with all that ran in it.
    #[error("the sandbox died (OOM: {}, exit code: {}){detail}",
        if *.oom { "yes" } else { "no" },
        .exit_code.map_or_else(|| "unknown".to_owned(), |code| code.to_string()))]
    Died {
        /// Whether the kernel ended it for its memory.
        oom: bool,
        /// The exit code of its first process, where it is known.
        exit_code: Option<i64>,
        /// Whether it was ended from outside, as the daemon or we ourselves know: it was removed.
        /// Otherwise nobody knows why, and it may have been what runs in it.
        from_outside: bool,
        /// More, after a colon; may be empty.
        detail: String,
    },
    /// Its daemon does not answer.
    #[error("the daemon is unreachable: {why}")]
    DaemonUnreachable {
        /// The connection's error, with the daemon's address.
        why: String,
    },
    /// It is there, and can run nothing any more: what runs in it took that from it.
    #[error("the sandbox can run nothing any more: {0}")]
    Crippled(String),
    /// It is there and will not do this: a file that is too large, or cannot be written.
    #[error("{0}")]
    Refused(String),
}

/// What kept a sandbox from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartFailure {
    /// Its image is not there and could not be pulled.
    Image,
    /// The registry does not have its image, or does not give it: another try gets none either.
    NoImage,
    /// The repository in it could not be made ready.
    Repo,
    /// There is no repository in it that could be: another try finds none either.
    NoRepo,
    /// There is no shell in it that runs: another try finds none either.
    NoShell,
    /// Anything else: the daemon's words are all that is known.
    Other,
}

impl SandboxError {
    /// The triage rule that it falls under.
    #[must_use]
    pub const fn rule(&self) -> RuleId {
        match self {
            Self::Start { cause, .. } => match cause {
                StartFailure::Image => RuleId::IMAGE_PULL,
                StartFailure::NoImage => RuleId::IMAGE_REFUSED,
                StartFailure::Repo => RuleId::SANDBOX_SETUP,
                StartFailure::NoRepo => RuleId::REPOSITORY_UNUSABLE,
                StartFailure::NoShell => RuleId::NO_SHELL,
                StartFailure::Other => RuleId::SANDBOX_START,
            },
            Self::Died { oom: true, .. } => RuleId::CONTAINER_OOM,
            Self::Died { .. } | Self::Crippled(_) => RuleId::CONTAINER_LOST,
            Self::DaemonUnreachable { .. } => RuleId::DAEMON_UNREACHABLE,
            Self::Refused(_) => RuleId::SANDBOX_REFUSED,
        }
    }

    /// Whether it may be the doing of what runs in the sandbox: neither the daemon, nor the kernel's
    /// mark of a lack of memory, nor we ourselves name another cause.
    #[must_use]
    pub const fn is_unexplained(&self) -> bool {
        matches!(
            self,
            Self::Crippled(_)
                | Self::Died {
                    oom: false,
                    from_outside: false,
                    ..
                }
        )
    }

    pub(super) fn start(why: impl std::fmt::Display) -> Self {
        Self::Start {
            why: why.to_string(),
            cause: StartFailure::Other,
        }
    }
}
