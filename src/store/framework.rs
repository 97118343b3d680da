//! What an agent framework's counts in a `result.json` mean.

use super::result::FRAMEWORK;

/// A framework, as far as its counts differ from others'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framework {
    /// Our own engine, which says itself what it does not know.
    Native,
    /// mini-swe-agent, of either version.
    Mini,
    /// Claude Code, run by upstream.
    Claude,
    /// Codex, run by upstream.
    Codex,
    /// The `OpenHands` SDK, run by upstream.
    OpenHands,
    /// Any other, by a name that nothing here knows.
    Other,
    /// The result does not say.
    Untold,
}

impl Framework {
    /// By the name that a result has.
    #[must_use]
    pub fn of(name: Option<&str>) -> Self {
        match name {
            None => Self::Untold,
            Some(FRAMEWORK) => Self::Native,
            Some(name) if name.starts_with("mini_swe_agent") => Self::Mini,
            Some(name) if name.starts_with("claude") => Self::Claude,
            Some(name) if name.starts_with("codex") => Self::Codex,
            Some(name) if name.starts_with("openhands") => Self::OpenHands,
            Some(_) => Self::Other,
        }
    }

    /// Whether its counts stay at zero when it does not come to its end: upstream fills them in from
    /// what the program says last, and some of its adapters from nothing at all. The others count
    /// each call as it is made.
    #[must_use]
    pub const fn counts_at_the_end(self) -> bool {
        !matches!(self, Self::Native | Self::Mini | Self::Untold)
    }

    /// Whether a step is counted only by an event of its program that tells tokens too.
    #[must_use]
    pub const fn steps_come_with_tokens(self) -> bool {
        matches!(self, Self::Claude | Self::Codex)
    }

    /// Whether its steps are calls of the model. `OpenHands`' are events, the task among them.
    #[must_use]
    pub const fn steps_are_calls(self) -> bool {
        !matches!(self, Self::OpenHands)
    }

    /// Whether its program may write the last message in the model's place, about what ended it.
    #[must_use]
    pub const fn may_speak_last(self) -> bool {
        !matches!(self, Self::Codex | Self::OpenHands)
    }
}
